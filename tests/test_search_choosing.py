"""Which trial answers."""

import numpy as np
import pytest
from searching import SMALL, small_search, small_space

from kerasreg.errors import UserError
from kerasreg.report import read_study
from kerasreg.search.choosing import chosen_trial
from kerasreg.search.request import Request
from kerasreg.search.space import Choice, Range, Space


def trial(name, score, spread=0.2, status="completed", **hyperparameters):
    return {
        "trial": name,
        "status": status,
        "score": score,
        "score_std": spread,
        "metrics": {"val_data_loss": score, "val_accuracy": score},
        "members": [{}] * 4,
        "hyperparameters": hyperparameters,
    }


def chosen(trials, objective, choose):
    space = Space(
        {
            "dropout": Choice(0.05, 0.1, 0.3, 0.5, 0.9, (0.2, 0.6)),
            "l2": Range(1e-6, 1e-1, zero=True),
        }
    )
    space["normalization"] = Choice("none", "batch")
    return chosen_trial(trials, Request(None, space, objective=objective, choose=choose))


# The standard error is 0.2 / sqrt(4) = 0.1.
@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([trial("near", 1.09, dropout=0.5)], "near"),
        ([trial("far", 1.11, dropout=0.5)], "best"),
        ([trial("near", 1.09, dropout=0.05)], "best"),
        ([trial("stopped", 1.01, status="stopped", dropout=0.9)], "best"),
        ([trial("a", 1.05, dropout=0.3), trial("b", 1.05, dropout=0.3, l2=1e-3)], "b"),
        ([trial("list", 1.05, dropout="0.2x0.6"), trial("less", 1.05, dropout=0.3)], "list"),
    ],
)
def test_the_most_regularised_within_one_standard_error(others, expected):
    trials = [trial("best", 1.0, dropout=0.1, normalization="batch"), *others]
    assert chosen(trials, "val_data_loss", "one-se")["trial"] == expected
    assert chosen(trials, "val_data_loss", "best")["trial"] == "best"
    # What is to be large, likewise.
    mirrored = [{**t, "score": 2 - t["score"], "metrics": {"val_accuracy": 2 - t["score"]}}
                for t in trials]  # fmt: skip
    assert chosen(mirrored, "val_accuracy", "one-se")["trial"] == expected


def test_none_completed_answers_nothing():
    assert chosen([trial("s", 1.0, status="stopped")], "val_data_loss", "one-se") is None


def test_the_chosen_one_is_refitted_and_shown(tmp_path):
    study = small_search(tmp_path / "s", seeds=2, trials=6, choose="one-se", searcher="random")
    request = Request(None, small_space(), seeds=2, choose="one-se", base=SMALL)
    expected = chosen_trial(study.trials(), request)["trial"]
    assert study.result["best"]["trial"] == expected
    assert read_study(study.folder).best["trial"] == expected
    assert np.isfinite(study.result["best"]["test"]["data_loss"])


def test_without_folds_or_seeds_there_is_no_standard_error(tmp_path):
    with pytest.raises(UserError, match="--choose one-se: expected --folds or --seeds"):
        small_search(tmp_path / "s", choose="one-se")
