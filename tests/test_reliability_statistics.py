"""Honest statistics: luck is not reported as skill, and nothing that is tested on was learned from.

What must hold                                  | shown by
------------------------------------------------|-----------------------------------------------
labels that are pure noise: the best validation | `test_the_best_of_many_on_pure_noise`
  score is above chance, the test score at it   |
the report says why                             | the same; test_report (which number to believe)
test rows are read once, after everything else  | `test_*_test_rows_*`; test_search_answer,
                                                | test_data (reading is counted, nothing else reads)
validation and test rows never reach scaling,   | test_data (cannot leak into training; a fold's
  categories or missing-value fill              | too), `test_a_planted_leak_is_caught`

`KERASREG_NOISE_TRIALS=200` asks for the long form; `scripts/check_reliability.py` runs it.
"""

import os

import numpy as np
import pytest
from scipy import stats

from kerasreg.data import Dataset, from_arrays
from kerasreg.report import render_report
from kerasreg.search.run import search
from kerasreg.search.space import Choice, Range, Space
from kerasreg.stacks import StackConfig
from kerasreg.study import Study

TRIALS = int(os.environ.get("KERASREG_NOISE_TRIALS", "24"))


def noise(rows=500, classes=2, seed=0) -> Dataset:
    """Labels that have nothing to do with their rows."""
    rng = np.random.default_rng(seed)
    return from_arrays(
        rng.normal(size=(rows, 6)).astype(np.float32), rng.permutation(rows) % classes
    )


def test_the_best_of_many_on_pure_noise(tmp_path, record_property):
    data = noise()
    space = Space({"dropout": Range(0.05, 0.7, zero=True), "l2": Range(1e-7, 1e-1, log=True)})
    space["learning_rate"] = Range(1e-3, 3e-2, log=True)
    study = search(
        data,
        space=space,
        base=StackConfig(units=(8,)),
        trials=TRIALS,
        epochs=8,
        folds=0,
        objective="val_accuracy",
        out=tmp_path / "study",
    )
    best, rows = study.result["best"], study.result["rows"]
    validation = best["metrics"]["val_accuracy"]
    test = best["test"]["accuracy"]
    record_property("noise", f"validation {validation:.3f}, test {test:.3f}, trials {TRIALS}")
    # Above chance by more than one setting's luck (one standard error of half of the rows right).
    assert validation > 0.5 + np.sqrt(0.25 / rows["validation"])
    interval = stats.binomtest(round(test * rows["test"]), rows["test"]).proportion_ci(0.99)
    assert interval.low <= 0.5 <= interval.high
    assert test < validation
    assert data.test_reads == study.test_reads == 1
    page = render_report(study.folder).read_text()
    for words in (
        "Which number to believe",
        f"The validation rows chose the best of {TRIALS} scored trials",
        "is luck with exactly those rows, and the more trials, the more luck",
        "the winner's curse",
        "The test rows chose nothing and were read once",
        f"the honest number is the test accuracy of <strong>{100 * test:.1f} %</strong>",
    ):
        assert words.replace("'", "&#39;") in page or words in page, words
    # No gain is claimed that the test rows do not confirm.
    assert "a gain larger than the luck" not in page


def test_no_number_depends_on_test_rows_until_they_are_read(tmp_path):
    """The same study with other test rows: everything but the test result is the same."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    outcomes = []
    for number, others in enumerate((x[:30], np.full((30, 3), 1e20, np.float32))):
        study = search(
            from_arrays(x, y, x_test=others, y_test=y[:30]),
            space=Space({"l2": Choice(0.0, 1e-2)}),
            base=StackConfig(units=(3,), normalization="batch"),
            trials=2,
            epochs=1,
            folds=0,
            out=tmp_path / str(number),
        )
        outcomes.append(study)
    without = [
        [{k: v for k, v in r.items() if k != "seconds"} for r in study.trials()]
        for study in outcomes
    ]
    assert without[0] == without[1]
    sides = [study.result["best"] for study in outcomes]
    assert sides[0]["test"] != sides[1]["test"]
    assert {k: v for k, v in sides[0].items() if k not in ("test", "seconds")} == {
        k: v for k, v in sides[1].items() if k not in ("test", "seconds")
    }


def test_a_failed_search_has_not_read_its_test_rows(tmp_path):
    data = noise(60)

    def stop(event):
        if event.phase == "refitting":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(data, space=Space({"l2": Choice(0.0, 1e-2)}), base=StackConfig(units=(3,)), trials=2,
               epochs=1, out=tmp_path / "s", progress=stop)  # fmt: skip
    assert data.test_reads == 0
    assert Study.open(tmp_path / "s").test_reads == 0


def test_a_planted_leak_is_caught(monkeypatch):
    """The check that `test_data` makes finds scaling that has seen rows it must not see."""
    from kerasreg.data import _arrays

    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(60, 3)), np.arange(60) % 2

    def scaled(far: float) -> np.ndarray:
        dataset = from_arrays(x, y)
        # Rows that are not for training, moved far away: training rows must stay where they are.
        moved = x.copy()
        outside = [k for k in range(60) if not _is_training(dataset, x[k])]
        moved[outside] += far
        return from_arrays(moved, y).train.x

    np.testing.assert_array_equal(scaled(0.0), scaled(1e3))
    honest = _arrays._statistics
    monkeypatch.setattr(
        _arrays, "_statistics", lambda x, rows, scaling: honest(x, np.arange(len(x)), scaling)
    )
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(scaled(0.0), scaled(1e3))


def _is_training(dataset: Dataset, row: np.ndarray) -> bool:
    preprocessing = dataset._preprocessing
    own = preprocessing.transform(row[None].astype(np.float32), np.arange(1))
    return bool((np.abs(dataset.train.x - own).max(axis=1) < 1e-6).any())
