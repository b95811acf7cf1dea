"""A study's result, how often its test rows were read, its table and its best trial."""

import json

import numpy as np
import pandas as pd
import pytest

from kerasreg.errors import UserError
from kerasreg.study import Study, failed_record


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "s", {"trials": 4, "objective": "val_data_loss"}, ["kerasreg"])


def record(trial, score=0.5, status="completed", hyperparameters=None, **metrics):
    metrics = {"val_data_loss": score, **metrics}
    return {
        "trial": str(trial),
        "hyperparameters": {"dropout": 0.5} if hyperparameters is None else hyperparameters,
        "status": status,
        "seeds": [0],
        "score": score if status in ("completed", "stopped") else None,
        "score_std": None,
        "metrics": metrics,
        "chosen_epoch": 1,
        "epochs": 1,
        "curves": {name: [value] for name, value in metrics.items()},
        "members": [],
        "seconds": 1.5,
        "engine": "population",
    }


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ({"best": 5}, "'best' a trial should be an object"),
        ({"best": {}}, "'best' 'trial' is missing"),
        ({"baseline": []}, "'baseline' a trial"),
        ({"metric": "x"}, "'metric'"),
        ({"target_scale": "x"}, "'target_scale'"),
        ({"baseline_candidates": 5}, "'baseline_candidates'"),
        ({"best": record("1") | {"test": 5}}, "'test' of 'best'"),
        ({"best": record("1") | {"test": {"seeds": 5}}}, "'seeds' of the test"),
        ({"best": record("1") | {"test": {"seeds": [5]}}}, "the test of a seed"),
        ({"best": record("1") | {"test": {"accuracy": "x"}}}, "'accuracy' of 'best'"),
        ({"best": record("1") | {"config": 5}}, "'config' of 'best'"),
    ],
)
def test_a_result_of_wrong_types_is_one_line(study, damage, named):
    (study.folder / "result.json").write_text(json.dumps({"test_reads": 1, **damage}))
    with pytest.raises(UserError, match="Expected a result") as caught:
        _ = study.result
    assert named in str(caught.value)
    assert len(str(caught.value)) < 400


def test_the_result_keeps_the_count(study):
    assert (study.result, study.test_reads) == (None, 0)
    assert study.count_test_read() == 1
    assert (study.result, study.test_reads) == (None, 1)
    study.write_result({"test": {"accuracy": np.float32(0.5), "loss": float("nan")}})
    expected = {"test": {"accuracy": 0.5, "loss": None}, "test_reads": 1}
    assert study.result == Study.open(study.folder).result == expected


def test_reading_again_needs_saying_so(study):
    study.count_test_read()
    study.write_result({"x": 1})
    with pytest.raises(UserError, match="--reread-test"):
        study.count_test_read()
    assert study.count_test_read(reread_test=True) == 2
    assert study.result == {"x": 1, "test_reads": 2}


def test_an_interrupted_reading_is_repeated_and_counted(study):
    study.count_test_read()
    assert Study.open(study.folder).count_test_read() == 2


def test_extending_after_the_test_was_read(study):
    study.count_test_read()
    with pytest.raises(UserError, match=r"read 1 time.*4 → 9.*--reread-test"):
        study.extend({"trials": 9})
    study.write_result({"x": 1})
    with pytest.raises(UserError, match="--reread-test"):
        study.extend({"trials": 9})
    assert study.request["trials"] == 4
    assert study.extend({"trials": 4}) is False
    assert study.extend({"trials": 9}, reread_test=True) is True
    assert (study.result, study.test_reads) == (None, 1)
    assert study.count_test_read() == 2
    study.write_result({"x": 2})
    assert study.result == {"x": 2, "test_reads": 2, "previous": [{"x": 1, "test_reads": 1}]}


@pytest.mark.parametrize("result", [{}, {"test_reads": 0}, {"x": 1, "previous": []}])
def test_the_count_cannot_be_set(study, result):
    with pytest.raises(ValueError, match="without the keys"):
        study.write_result(result)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"test_reads": -1}', b'{"test_reads": 0, "previous": 1}', b"[1]"]
)
def test_a_broken_result_is_told(study, content):
    (study.folder / "result.json").write_bytes(content)
    for use in (lambda: study.result, lambda: study.write_result({"x": 1}), study.count_test_read):
        with pytest.raises(UserError, match=r"result\.json"):
            use()
    assert (study.folder / "result.json").read_bytes() == content


# Table and best


def test_the_table_is_tidy(study):
    study.append(record(1, 0.5, hyperparameters={"dropout": 0.25, "norm": "none", "loss": "mse"}))
    study.append(record(2, 0.7, hyperparameters={"l2": 0, "hyperparameter_loss": 1}, loss=0.9))
    study.append(failed_record("3", {"dropout": None}, "boom"))
    study.append({**record(4, None, "diverged"), "chosen_epoch": None})
    table = study.dataframe()
    assert table["trial"].tolist() == ["1", "2", "3", "4"]
    assert table["status"].tolist() == ["completed", "completed", "failed", "diverged"]
    expected = pd.Series([0.5, 0.7, np.nan, np.nan], name="score")
    pd.testing.assert_series_equal(table["score"], expected)
    assert table["dropout"].isna().tolist() == [False, True, True, False]
    assert table["hyperparameter_hyperparameter_loss"][0] == "mse"
    assert table["hyperparameter_loss"][1] == 1
    assert table["loss"].isna().tolist() == [True, False, True, True]
    assert table["chosen_epoch"].dtype == "Int64"
    assert table["val_data_loss"].dtype == "float64"
    assert table["error"][2] == "boom"
    assert table.columns.is_unique
    assert table.groupby("status").score.max()["completed"] == 0.7


def test_best_is_the_first_of_equals_among_the_completed(study):
    study.append(record("stopped", 0.1, "stopped"))
    study.append(record("diverged", 0.0, "diverged"))
    study.append(failed_record("failed", {}, "boom"))
    assert study.best() is None
    # The first as they were proposed, whichever is finished first.
    study.append(record("b", 0.4, val_accuracy=0.8))
    study.append(record("a", 0.4, val_accuracy=0.8))
    study.append(record("d", 0.5, val_accuracy=0.9))
    study.append(record("c", 0.6, val_accuracy=0.9))
    assert study.best()["trial"] == "a"
    assert study.best("val_data_loss")["trial"] == "a"
    assert study.best("val_accuracy")["trial"] == "c"
    with pytest.raises(UserError, match=r"Expected val_mae among the metrics of trial 'a'"):
        study.best("val_mae")
    with pytest.raises(UserError, match=r"val_data_loss, val_accuracy, val_mae, .*got 'loss'"):
        study.best("loss")


def test_a_diverged_trial_with_a_score_is_no_valid_record(study):
    with pytest.raises(ValueError, match="a diverged trial has no score"):
        study.append({**record(1, 0.5, "diverged"), "score": 0.0})
    assert study.trials() == []
