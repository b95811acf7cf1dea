"""The ablation around the winner: what is trained, what it says, and in which words."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from searching import Stop, small_search, stop_at

from kerasreg.report._effects import effect_rows, effects_sentence
from kerasreg.search.ablation import effect
from kerasreg.search.space import Choice, Range, Space


def record(values, name="val_data_loss", chosen=2):
    """A trial record whose members have these values at the chosen epoch."""
    members = [{"curves": {name: [9.0, value, 9.0]}} for value in values]
    return {"chosen_epoch": chosen, "members": members}


@pytest.mark.parametrize(
    ("objective", "sign"), [("val_data_loss", -1), ("val_accuracy", 1)], ids=["loss", "accuracy"]
)
def test_a_gain_has_the_corrected_resampled_interval(objective, sign):
    with_it, without = np.array([0.30, 0.42, 0.36, 0.33]), np.array([0.40, 0.41, 0.43, 0.44])
    found = effect(record(with_it, objective), record(without, objective), objective, folds=4)
    gains = sign * (with_it - without) / (without.mean() if sign < 0 else 1)
    # Nadeau and Bengio: variance (1/n + validation/training rows) s^2, here 1/4 + 1/3.
    half = stats.t(3).ppf(0.975) * np.sqrt((1 / 4 + 1 / 3) * gains.var(ddof=1))
    assert found["gain"] == pytest.approx(gains.mean())
    assert found["low"] == pytest.approx(gains.mean() - half)
    assert found["high"] == pytest.approx(gains.mean() + half)


def test_every_regulariser_of_the_space_is_taken_away_or_tried(tmp_path):
    space = Space({"dropout": Choice(0.3), "l2": Choice(0.0), "normalization": Choice("batch")})
    space["learning_rate"] = Range(1e-3, 1e-1, log=True)
    options = {"space": space, "folds": 3, "trials": 2, "ensemble": False}
    study = small_search(tmp_path / "a", **options)
    effects = {item["name"]: item for item in study.result["effects"]}
    assert {name: item["chosen"] for name, item in effects.items()} == {
        "dropout": True, "l2": False, "normalization": True,
    }  # fmt: skip
    assert effects["dropout"]["value"] == 0.3
    assert effects["l2"]["value"] in (1e-4, 1e-2)
    assert study.test_reads == 1
    # Cut short, it ends the same.
    finished = []

    def stop(event):
        if event.phase == "ablation" and event.finished:
            finished.append(event)
            if len(finished) == 2:
                raise Stop

    with pytest.raises(Stop):
        small_search(tmp_path / "b", progress=stop, **options)
    again = small_search(tmp_path / "b", resume=True, **options)
    for mine, other in zip(again.result["effects"], study.result["effects"], strict=True):
        assert mine["gain"] == pytest.approx(other["gain"], rel=1e-4, abs=1e-6)
    # Without folds there is no interval, and nothing is claimed.
    with pytest.raises(Stop):
        small_search(tmp_path / "c", progress=stop_at("ablation"), **options)
    assert small_search(tmp_path / "d", space=space, trials=1).result["effects"] == []


def view(*effects, objective="val_data_loss"):
    names = ("name", "value", "chosen", "gain", "low", "high")
    found = [dict(zip(names, item, strict=True)) for item in effects]
    return SimpleNamespace(result={"effects": found}, objective=objective)


HELPS = ("dropout", 0.35, True, 0.08, 0.03, 0.12)
NOTHING = ("l1", 1e-5, False, 0.0, -0.01, 0.01)
HARMS = ("normalization", "batch", False, -0.04, -0.07, -0.01)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            [HARMS, NOTHING, HELPS],
            "Dropout 0.35 (by 8.0 % [3.0, 12]) lowers the validation data loss; batch "
            "normalisation (by 4.0 % [1.0, 7.0]) raises it; L1 makes no difference that the folds "
            "show.",
        ),
        (
            [HARMS],
            "Batch normalisation (by 4.0 % [1.0, 7.0]) raises the validation data loss.",
        ),
        (
            [
                NOTHING,
                ("l2", 1e-4, True, 0.01, -0.02, 0.04),
                ("dropout", 0.2, True, -1e-3, -2e-3, -5e-4),
            ],
            "L2, L1 and dropout make no difference that the folds show.",
        ),
        ([], ""),
    ],
    ids=["all kinds", "harm", "nothing", "no ablation"],
)
def test_the_answer_in_words(found, words):
    assert effects_sentence(view(*found)) == words


def test_what_is_to_be_large_is_in_points():
    made = view(HELPS, objective="val_accuracy")
    assert effects_sentence(made).startswith("Dropout 0.35 (by 8.0 points [3.0, 12]) raises")
    (row,) = effect_rows(made)
    assert (row["gain"], row["verdict"], row["chosen"]) == ("+8.0 points", "helps", "yes")
