"""The rule by which a class is decided for, against closed forms."""

import numpy as np
import pytest
from sklearn import metrics

from kerasreg.decision import decide, f1_rule, rule_of_frequencies


def calibrated(rows: int, base: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels of two classes and their true probabilities."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2 * base, 2 * (1 - base), rows)
    return (rng.random(rows) < p).astype(int), p[:, None]


def test_the_best_threshold_for_f1_is_half_the_best_f1():
    """Lipton, Elkan and Naryanaswamy 2014, arXiv:1402.1892."""
    y, p = calibrated(20_000, 0.2)
    threshold = f1_rule(y, p, 0)
    best = metrics.f1_score(y, p[:, 0] >= threshold)
    assert threshold == pytest.approx(best / 2, abs=0.03)
    assert best > metrics.f1_score(y, p[:, 0] >= 0.5)


def test_weights_of_several_classes_make_rare_ones_count():
    rng = np.random.default_rng(0)
    frequency = np.array([0.8, 0.15, 0.05])
    p = rng.dirichlet(3 * frequency, 20_000)
    y = (rng.random((20_000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    for score, weights in (
        (
            metrics.balanced_accuracy_score,
            rule_of_frequencies("val_balanced_accuracy", np.bincount(y)),
        ),
        (lambda y, chosen: metrics.f1_score(y, chosen, average="macro"), f1_rule(y, p, 0)),
    ):
        assert weights[2] > weights[1] > weights[0]
        assert score(y, (p * weights).argmax(axis=1)) > score(y, p.argmax(axis=1)) + 0.02


def test_a_perfect_model_is_left_perfect():
    y = np.arange(40) % 4 == 0
    p = np.where(y, 0.9, 0.2)[:, None]
    threshold = f1_rule(y.astype(int), p, 0)
    assert threshold == pytest.approx(0.55)
    assert f1_rule(y.astype(int), p, 0) == threshold


def test_frequencies_give_the_rule_of_true_probabilities():
    y, p = calibrated(20_000, 0.1)
    rule = rule_of_frequencies("val_balanced_accuracy", np.bincount(y))
    assert rule == np.mean(y)
    cuts = np.linspace(0.02, 0.4, 39)
    best = cuts[np.argmax([metrics.balanced_accuracy_score(y, p[:, 0] >= cut) for cut in cuts])]
    assert rule == pytest.approx(best, abs=0.03)
    assert rule_of_frequencies("val_f1", np.bincount(y)) is None
    assert rule_of_frequencies("val_balanced_accuracy", np.array([60, 30, 10])) == (
        pytest.approx([1 / 6, 1 / 3, 1])
    )


def test_a_rule_decides():
    p = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    assert decide(p, None).tolist() == [0, 2]
    assert decide(p, [1.0, 2.0, 1.0]).tolist() == [1, 2]
    assert decide(np.array([[0.8, 0.2], [0.7, 0.3]]), 0.3).tolist() == [0, 1]
