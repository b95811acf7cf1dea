"""Scores of predictions, against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from kerasreg.scores import score

NAMES = ("balanced_accuracy", "auc", "f1")


def by_scikit_learn(name: str, y: np.ndarray, logits: np.ndarray) -> float:
    """One member's score from probabilities."""
    if name == "rmse":
        return metrics.root_mean_squared_error(y, logits[:, 0])
    binary = logits.shape[1] == 1
    odds = np.exp(np.hstack([0 * logits, logits]) if binary else logits)
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    chosen = probabilities.argmax(axis=1)
    if name == "balanced_accuracy":
        return metrics.balanced_accuracy_score(y, chosen)
    if name == "f1":
        return metrics.f1_score(y, chosen, average="binary" if binary else "macro")
    return metrics.roc_auc_score(
        y, probabilities[:, 1] if binary else probabilities, multi_class="ovr"
    )


@given(st.integers(2, 4), st.integers(0, 1000), st.sampled_from(NAMES))
@settings(deadline=None, max_examples=60)
def test_each_member_has_scikit_learns_score(classes, seed, name):
    rng = np.random.default_rng(seed)
    y = np.stack([rng.permutation(np.arange(24) % classes) for _ in range(3)])
    logits = rng.normal(size=(3, 24, 1 if classes == 2 else classes))
    if classes == 2:
        logits = np.round(logits) + 0.1  # few values, so that there are ties
    expected = [by_scikit_learn(name, *member) for member in zip(y, logits, strict=True)]
    np.testing.assert_allclose(score(name, y, logits), expected, rtol=1e-12)
    shared = score(name, y[0], logits)
    assert shared[0] == pytest.approx(expected[0])


def test_rare_classes_are_chosen_where_training_knew_them_as_rare():
    """Of true probabilities, dividing by the frequency makes the best balanced accuracy."""
    rng = np.random.default_rng(0)
    p = rng.beta(0.4, 3.6, 5000)
    y = (rng.random(5000) < p).astype(int)
    logits = np.log(p / (1 - p))[None, :, None]
    trained = np.array([0.9, 0.1])
    found = score("balanced_accuracy", y, logits, trained)[0]
    assert found == metrics.balanced_accuracy_score(y, p > 0.1)
    assert found > score("balanced_accuracy", y, logits)[0] + 0.1
    both = np.concatenate([0 * logits, logits], axis=2)
    assert score("balanced_accuracy", y, both, np.tile(trained, (1, 1)))[0] == found
    assert score("f1", y, logits, trained) == score("f1", y, logits)


def test_root_mean_squared_error():
    rng = np.random.default_rng(0)
    y, outputs = rng.normal(size=9), rng.normal(size=(2, 9, 1))
    expected = [by_scikit_learn("rmse", y, one) for one in outputs]
    np.testing.assert_allclose(score("rmse", y, outputs), expected)


@pytest.mark.parametrize("name", [*NAMES, "rmse"])
def test_what_is_not_finite_has_no_score_and_harms_no_other(name):
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(2, 8, 1))
    alone = score(name, np.arange(8) % 2, outputs[1:])
    outputs[0, 3] = np.inf
    both = score(name, np.arange(8) % 2, outputs)
    assert np.isnan(both[0])
    assert both[1] == alone[0]


def test_classes_without_rows_do_not_count():
    outputs = np.eye(3)[None, [0, 1, 1]] * 5
    assert score("balanced_accuracy", np.array([0, 1, 1]), outputs) == [1.0]
    assert score("f1", np.array([0, 1, 1]), outputs) == [1.0]
    assert score("auc", np.array([0, 1, 1]), outputs) == [1.0]
    assert score("auc", np.array([1, 1, 1]), outputs) == [0.5]
