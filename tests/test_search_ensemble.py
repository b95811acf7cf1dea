"""Members of the folds: kept, chosen by out-of-fold rows, joined in one model, tested once."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searching import X_TEST, Stop, X, Y, blobs, line, small_search, stop_at

from kerasreg.data import from_arrays
from kerasreg.errors import UserError
from kerasreg.population import Population
from kerasreg.search.ensemble.calibration import reliability, temperature
from kerasreg.search.ensemble.selection import select
from kerasreg.search.metrics import predictions_of_logits
from kerasreg.search.space import Choice, Space
from kerasreg.stacks import StackConfig
from kerasreg.study import Study

FOLDED = {
    "folds": 3,
    "halving": False,
    "base": StackConfig(units=(6, 5), feature_scale=True, schedule="cosine"),
}


def space(*normalizations, **fixed):
    """Few structures, one of each normalisation."""
    found = Space({"dropout": Choice(0.0, 0.3), "normalization": Choice(*normalizations)})
    for name, value in fixed.items():
        found.fix(name, value)
    return found


def data_of(kind):
    if kind == "regression":
        return line()
    y = Y if kind == "classes" else np.minimum(Y, 1)
    return blobs() if kind == "classes" else from_arrays(X, y, x_test=X_TEST, y_test=y[:45])


def log_loss(values):
    return -np.log(np.maximum(values, 1e-12)).mean(axis=-1)


@pytest.mark.parametrize(
    ("kind", "over"),
    [
        ("classes", space("none", "batch", norm_position="before")),
        ("binary", space("batch", norm_position="after", encoding="smooth")),
        ("regression", space("none", "layer", encoding="piecewise")),
    ],
    ids=["classes", "binary", "regression"],
)
def test_the_model_is_the_weighted_mean_of_its_members(tmp_path, kind, over):
    """Each member trained again alone, by Keras' layers, on its own fold's features.

    Two seeds divide the rows into three folds each.
    """
    data = data_of(kind)
    asked = {"space": over, "searcher": "grid", "trials": 4, "seeds": 2, **FOLDED}
    study = small_search(tmp_path / "s", data, **asked)
    told = study.result["ensemble"]
    assert sum(told["trials"].values()) == pytest.approx(1)
    records = {record["trial"]: record for record in study.trials()}
    mean = 0
    for trial, weight in told["trials"].items():
        config = StackConfig.from_dict(
            {**FOLDED["base"].to_dict(), **over.fixed, **records[trial]["hyperparameters"]}
        )
        encoded = data.encoded(config.encoding)
        folds = encoded.folds(3, 0) + encoded.folds(3, 1)
        population = Population(
            [config] * 6, encoded.input_shape, data.outputs, data.task,
            seeds=[0, 0, 0, 1, 1, 1], folds=range(6), groups=[0] * 6,
        )  # fmt: skip
        rows = [((f.train.x, f.train.y), (f.validation.x, f.validation.y)) for f in folds]
        population.fit(folds=rows, epochs=2, batch_size=32, keep="best")
        for k, fold in enumerate(folds):
            x = fold.preprocessing.transform(X_TEST, np.arange(len(X_TEST)))
            logits = population.member(k)(x).numpy()
            if data.task == "regression":
                own = logits * data.target_scale + fold.target_offset
            else:
                own = keras.ops.sigmoid(logits) if data.outputs == 1 else keras.ops.softmax(logits)
            mean = mean + weight / 6 * np.asarray(own, np.float64)
    if data.task == "classification":
        cooled = np.hstack([1 - mean, mean]) if data.outputs == 1 else mean
        cooled = cooled ** (1 / told["calibration"]["temperature"])
        mean = (cooled / cooled.sum(axis=1, keepdims=True))[:, -mean.shape[1] :]
    model = keras.models.load_model(tmp_path / "s" / "ensemble.keras")
    np.testing.assert_allclose(model.predict(X_TEST, verbose=0), mean, rtol=2e-4, atol=2e-5)


def test_it_is_chosen_without_the_test_rows_and_tested_with_their_one_reading(tmp_path):
    data = blobs()
    over = space("none")
    study = small_search(tmp_path / "s", data, space=over, searcher="grid", trials=2, **FOLDED)
    assert (study.test_reads, data.test_reads) == (1, 1)
    told = study.result["ensemble"]
    predicted = keras.models.load_model(tmp_path / "s" / "ensemble.keras").predict(
        X_TEST, verbose=0
    )
    own = predicted[np.arange(45), np.arange(45) % 3]
    assert told["test"]["data_loss"] == pytest.approx(log_loss(own), rel=1e-4)
    assert told["bytes"] == (tmp_path / "s" / "ensemble.keras").stat().st_size
    # Taken up after the trials, it ends the same: its members are in the study.
    with pytest.raises(Stop):
        small_search(
            tmp_path / "t", space=over, searcher="grid", trials=2, **FOLDED,
            progress=stop_at("joining the ensemble"),
        )  # fmt: skip
    again = small_search(
        tmp_path / "t", space=over, searcher="grid", trials=2, **FOLDED, resume=True
    )
    for name in ("trials", "out_of_fold", "test"):
        assert again.result["ensemble"][name] == told[name]


def test_what_an_ensemble_needs_is_said(tmp_path):
    for options in ({"folds": 0}, {"folds": 3, "engine": "keras-tuner"}):
        with pytest.raises(UserError, match="--ensemble: expected a search with folds"):
            small_search(tmp_path / "s", ensemble=True, **options)
    study = small_search(tmp_path / "s", **{**FOLDED, "trials": 1}, ensemble=False)
    assert "ensemble" not in study.result
    assert not (tmp_path / "s" / "ensemble.keras").exists()


def test_what_is_left_open_is_decided_by_the_data_and_recorded(tmp_path):
    with pytest.raises(Stop):
        small_search(tmp_path / "s", folds=None, progress=stop_at("searching"))
    asked = json.loads((tmp_path / "s" / "study.json").read_text())["asked"]
    assert (asked["folds"], asked["ensemble"], asked["halving"], asked["patience"]) == (
        5, True, True, 0,
    )  # fmt: skip
    assert Study.open(tmp_path / "s").request["folds"] == 5


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_temperature_undoes_a_factor_of_the_logits_unless_rows_are_few(outputs):
    draw = np.random.default_rng(outputs)
    logits = draw.normal(0, 2, (6000, outputs))
    chances = predictions_of_logits(logits, "classification")
    both = np.hstack([1 - chances, chances]) if outputs == 1 else chances
    y = (draw.random((6000, 1)) < both.cumsum(axis=1)).argmax(axis=1)
    parts = np.array_split(np.arange(6000), 5)
    assert temperature(1.6 * logits, y, parts) == pytest.approx(1.6, rel=0.06)
    assert temperature(logits, y, parts) == pytest.approx(1, abs=0.05)
    # 20 rows without a mistake would make every probability 1.
    right = y[:20, None] == (1 if outputs == 1 else np.arange(outputs))
    sure = np.where(right, 3.0, -3.0)
    assert 0.8 < temperature(sure, y[:20], np.array_split(np.arange(20), 5)) < 1
    told = reliability(chances, y)
    np.testing.assert_allclose(told["predicted"], told["observed"], atol=0.06)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(5, 40), st.integers(0, 2**31), st.booleans())
def test_selected_weights_are_a_mean_that_the_best_candidate_bounds(count, rows, seed, best):
    draw = np.random.default_rng(seed)
    values = draw.uniform(0.05, 0.95, (count, rows))
    if best:
        values[0] = 0.99
    weights = select(values, log_loss, seed)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_array_equal(weights, select(values, log_loss, seed))
    # A mean of probabilities is never worse than the mean of its members' losses.
    assert log_loss(weights @ values) <= weights @ log_loss(values) + 1e-9
    if best:  # half of the bags hold it
        assert weights[0] > 0
