"""The trial record: built from members, checked against the contract."""

import copy
import json
import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasreg.study import failed_record, trial_record
from kerasreg.study._contract import check

METRICS = ("loss", "data_loss", "penalty", "accuracy")


@dataclass
class Member:
    seed: int
    curves: dict
    status: str = "completed"
    fold: int | None = None
    seconds: float = 1.0
    config: object = None
    epochs: int = field(init=False)

    def __post_init__(self):
        self.epochs = len(self.curves["loss"])


def member(seed, objective=None, epochs=4, **options):
    """A member with random float32 curves; `objective` replaces its validation data loss."""
    draw = np.random.default_rng(seed).random
    curves = {}
    for twin in ("", "val_"):
        data_loss, penalty = draw(epochs), draw(epochs)
        if twin and objective is not None:
            data_loss = np.array(objective)
        curves[twin + "data_loss"], curves[twin + "penalty"] = data_loss, penalty
        curves[twin + "loss"], curves[twin + "accuracy"] = data_loss + penalty, draw(epochs)
    return Member(seed, {k: v.astype(np.float32) for k, v in curves.items()}, **options)


def build(members, objective="val_data_loss", rule="best", **options):
    return trial_record("1", {"dropout": 0.5}, members, objective, rule, **options)


def test_numbers_are_means_over_members_at_the_chosen_epoch():
    first, second = member(0, [4, 2, 3, 5]), member(1, [4, 4, 1, 5])
    record = build([first, second])
    assert record["chosen_epoch"] == 3  # the third: means are 4, 3, 2, 5
    assert record["score"] == 2.0
    assert record["score_std"] == pytest.approx(math.sqrt(2))  # of 3 and 1, ddof=1
    assert [m["score"] for m in record["members"]] == [3.0, 1.0]
    assert record["curves"]["val_data_loss"] == [4.0, 3.0, 2.0, 5.0]
    for name in first.curves:
        expected = (first.curves[name].astype(float) + second.curves[name].astype(float)) / 2
        assert record["curves"][name] == pytest.approx(expected, rel=1e-12)
        assert record["metrics"][name] == record["curves"][name][2]
        assert record["members"][1]["curves"][name] == second.curves[name].tolist()
    metrics = record["metrics"]
    assert metrics["loss"] == pytest.approx(metrics["data_loss"] + metrics["penalty"])
    assert record["epochs"] == 4
    assert record["seeds"] == [0, 1]
    assert record["seconds"] == 2.0


@pytest.mark.parametrize(
    ("objective", "rule", "curve", "chosen"),
    [
        ("val_data_loss", "best", [3, 1, 2, 1], 2),  # the first of equals
        ("val_data_loss", "last", [3, 1, 2, 1], 4),
        ("val_accuracy", "best", [3, 1, 3, 2], 1),
        ("val_accuracy", "last", [3, 1, 3, 2], 4),
        ("val_mae", "best", [3, 1, 0, 2], 3),
    ],
)
def test_chosen_epoch(objective, rule, curve, chosen):
    one = member(0)
    one.curves[objective] = np.array(curve)
    if objective == "val_data_loss":
        del one.curves["val_loss"]
    record = build([one], objective, rule)
    assert record["chosen_epoch"] == chosen
    assert record["score"] == curve[chosen - 1]


def test_one_member_has_no_spread():
    assert build([member(0)])["score_std"] is None


def test_folds_share_a_seed():
    record = build([member(5, fold=0), member(5, fold=1)])
    assert record["seeds"] == [5]
    assert [m["fold"] for m in record["members"]] == [0, 1]


def test_unequal_lengths_are_averaged_where_all_members_ran():
    record = build([member(0, [4, 3, 2, 1]), member(1, [4, 4], epochs=2, status="stopped")])
    assert record["curves"]["val_data_loss"] == [4.0, 3.5]
    assert (record["epochs"], record["chosen_epoch"], record["status"]) == (2, 2, "stopped")
    assert len(record["members"][0]["curves"]["loss"]) == 4


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["completed", "completed"], "completed"),
        (["completed", "stopped"], "stopped"),
        (["stopped", "diverged"], "diverged"),
        (["diverged", "completed"], "diverged"),
    ],
)
def test_status_precedence(statuses, expected):
    record = build([member(k, status=status) for k, status in enumerate(statuses)])
    assert record["status"] == expected
    assert (record["score"] is None) == (expected == "diverged")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["val_data_loss", "loss", "accuracy"])
@pytest.mark.parametrize("epoch", [0, 3])
@pytest.mark.parametrize("rule", ["best", "last"])
def test_one_number_that_is_not_finite_makes_the_trial_diverged(bad, name, epoch, rule):
    members = [member(0), member(1)]
    members[1].curves[name][epoch] = bad
    record = build(members, rule=rule)
    assert record["status"] == "diverged"
    assert record["score"] is record["score_std"] is None
    assert [m["status"] for m in record["members"]] == ["completed", "diverged"]
    assert record["curves"][name][epoch] is None
    json.dumps(record, allow_nan=False)


def test_nothing_finite_at_all():
    one = member(0)
    for curve in one.curves.values():
        curve[:] = np.nan
    record = build([one])
    assert (record["status"], record["chosen_epoch"]) == ("diverged", None)
    assert set(record["metrics"].values()) == {None}


def test_finite_members_with_an_infinite_mean_have_no_score():
    members = [member(0), member(1)]
    for one in members:
        one.curves = {k: v.astype(np.float64) for k, v in one.curves.items() if k != "val_loss"}
        one.curves["val_data_loss"][:] = 1.7e308
    record = build(members)
    assert (record["status"], record["score"]) == ("diverged", None)


def test_a_terrible_score_is_a_score():
    record = build([member(0, [1e30] * 4)])
    assert (record["status"], record["score"]) == ("completed", float(np.float32(1e30)))


def wrong_sum(one):
    one.curves["val_loss"] = one.curves["val_loss"] + 0.01


def short_curve(one):
    one.curves["accuracy"] = one.curves["accuracy"][:-1]


def no_objective(one):
    del one.curves["val_data_loss"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (wrong_sum, "val_loss = val_data_loss"),
        (short_curve, "4 epochs in the curve 'accuracy'"),
        (no_objective, "with 'val_data_loss' in every member"),
    ],
)
def test_contradicting_members_are_refused(spoil, message):
    members = [member(0), member(1)]
    spoil(members[1])
    with pytest.raises(ValueError, match=message):
        build(members)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build([member(0, seconds=-1.0)]), "negative"),
        (lambda: build([member(0, seconds=math.nan)]), "'seconds' should be a number"),
        (lambda: trial_record("../1", {}, [member(0)], "val_data_loss"), "'trial' should be"),
        (lambda: trial_record("1", {"u": [1]}, [member(0)], "val_data_loss"), "should be flat"),
        (lambda: trial_record("1", {"u": object()}, [member(0)], "val_data_loss"), "JSON can hold"),
    ],
)
def test_arguments_outside_the_contract_are_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_the_sum_is_checked_relative_to_its_size():
    one = member(0)
    one.curves["penalty"] = np.full(4, 1e6, np.float32)
    one.curves["loss"] = np.full(4, 1e6 * (1 + 1e-6), np.float32)  # float32 forgot the data loss
    assert build([one])["status"] == "completed"


def test_failed_record():
    record = failed_record("7", {"l2": np.float32(0.25)}, "x" * 5000, seeds=[3])
    assert record["status"] == "failed"
    assert record["error"] == "x" * 2000
    assert record["hyperparameters"] == {"l2": 0.25}
    assert (record["curves"], record["members"], record["score"]) == ({}, [], None)


scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text()


@settings(max_examples=60, deadline=None)
@given(
    hyperparameters=st.dictionaries(st.text(), scalars, max_size=5),
    epochs=st.integers(1, 5),
    seeds=st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=3, unique=True),
    data=st.data(),
)
def test_records_round_trip_through_json(hyperparameters, epochs, seeds, data):
    curve = st.lists(st.floats(width=32), min_size=epochs, max_size=epochs)
    members = []
    for seed in seeds:
        curves = {"loss": data.draw(curve), "val_data_loss": data.draw(curve)}
        members.append(Member(seed, {k: np.array(v, np.float32) for k, v in curves.items()}))
    record = trial_record("1", hyperparameters, members, "val_data_loss")
    again = json.loads(json.dumps(record, allow_nan=False))
    assert again == record
    check(again)
    finite = all(np.isfinite(c).all() for m in members for c in m.curves.values())
    assert (record["status"] == "completed") == finite


GOOD = build([member(0), member(1)])


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["trial"], "../../etc/passwd", "'trial' should be"),
        (["trial"], "", "'trial' should be"),
        (["trial"], 3, "'trial' should be a string"),
        (["hyperparameters"], [], "'hyperparameters' should be an object"),
        (["hyperparameters", "units"], [64], "should be flat"),
        (["status"], "done", "'status' should be one of"),
        (["status"], "failed", "has no score"),
        (["status"], "diverged", "has no score"),
        (["score"], None, "should have a score"),
        (["score"], True, "'score' should be a number"),
        (["score"], "0.1", "'score' should be a number"),
        (["score_std"], -1.0, "'score_std' should not be negative"),
        (["seeds"], [0, "1"], "'seeds' should be integers"),
        (["chosen_epoch"], 0, r"'chosen_epoch' should be in 1\.\.4"),
        (["chosen_epoch"], 5, r"'chosen_epoch' should be in 1\.\.4"),
        (["epochs"], 9, "should have 9 epochs"),
        (["metrics", "loss"], None, "'loss' of the metrics should be a number, got None"),
        (["curves", "loss"], [1.0], "should have 4 epochs"),
        (["curves", "loss"], [1.0, None, 1.0, 1.0], "list of numbers"),
        (["curves", "loss"], [1.0, True, 1.0, 1.0], "list of numbers"),
        (["members"], [1], "a member should be an object"),
        (["members", 0, "seed"], 1.5, "'seed' of a member should be an integer"),
        (["members", 0, "status"], "x", "member's status"),
        (["members", 0, "curves", "loss"], [], "of a member should have"),
        (["seconds"], -0.1, "negative"),
        (["engine"], None, "'engine' should be a string"),
        (["error"], "boom", "'error' should be a string when"),
    ],
)
def test_what_breaks_the_contract_is_named(path, value, message):
    record = copy.deepcopy(GOOD)
    check(record)
    spot = record
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = value
    with pytest.raises(ValueError, match=message):
        check(record)


@pytest.mark.parametrize("key", [key for key in GOOD if key != "error"])
def test_every_key_is_needed(key):
    record = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(ValueError, match=f"'{key}' is missing"):
        check(record)
