"""What a lesson compares on equal terms, and what it advises."""

import itertools

import numpy as np
import pytest

from kerasreg.evidence import Decision, Rule, ShareOfErrors
from kerasreg.lesson import (
    Advice,
    Arm,
    at_equal_accuracy,
    at_equal_loss,
    does_not_overfit,
    overfits,
    sooner,
)
from kerasreg.lesson._judging import choose_advice, take_home
from kerasreg.lesson._training import best_candidate
from kerasreg.stacks import StackConfig

SEEDS = 12
WOBBLE = np.tile([0.002, -0.002], SEEDS // 2)
RULE = Rule("test accuracy", "greater", ShareOfErrors(), unit="pp")
ADVICE = Advice("claimed", "opposite", "none", "mixed")


def arm(train: list[float], test: list[float], loss: list[float] | None = None) -> Arm:
    """An arm whose runs all have these curves, but for a wobble of the test accuracy."""
    shape = (SEEDS, len(train))
    zeros = np.zeros(shape)
    return Arm(
        config=StackConfig(units=(8,)),
        epochs=np.arange(1, len(train) + 1),
        updates=10 * np.arange(1, len(train) + 1),
        train_accuracy=np.tile(train, (SEEDS, 1)),
        test_accuracy=np.tile(test, (SEEDS, 1)) + WOBBLE[:, None],
        train_data_loss=np.tile(loss or [1.0] * len(train), (SEEDS, 1)),
        test_data_loss=zeros,
        penalty=zeros,
        diverged=np.zeros(SEEDS, bool),
    )


# --- equal terms --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slow_runs", "compares"), [(0, "updates"), (5, "updates"), (6, "accuracy"), (12, "accuracy")]
)
def test_updates_are_compared_where_most_runs_arrive_and_else_the_accuracy(slow_runs, compares):
    fast, slow = arm([0.5, 0.96, 0.99], [0.9] * 3), arm([0.4, 0.7, 0.96], [0.9] * 3)
    slow.train_accuracy[:slow_runs, 2] = 0.8
    rule, *sides = sooner("faster", fast, slow)
    comparison = sides[0] if len(sides) == 1 else rule.compare(*sides)
    decision = rule.decide(comparison)
    assert decision.verdict == "supported"
    if compares == "updates":
        assert comparison.scale == "ratio"
        assert comparison.bound == ("at most" if slow_runs else "")
    else:
        assert (rule.direction, comparison.unit) == ("greater", "pp")
        assert "(training accuracy after 30)" in rule.claim
        assert comparison.mean_a == pytest.approx(0.99)


def test_a_budget_says_nothing_of_no_slower():
    fast, slow = arm([0.5, 0.93, 0.94], [0.9] * 3), arm([0.2, 0.3, 0.45], [0.9] * 3)
    rule, *sides = sooner("no slower", slow, fast, direction="not greater")
    assert rule.decide(rule.compare(*sides)).verdict == "contradicted"


def test_pairs_without_the_accuracy_are_left_out():
    a, b = arm([0.5, 0.99, 1.0], [0.1, 0.95, 0.3]), arm([0.99, 1.0, 1.0], [0.9, 0.2, 0.3])
    a.train_accuracy[0] = 0.23  # this run never trained
    a.test_accuracy[0] = 0.22
    _, comparison = at_equal_accuracy(RULE, a, b)
    assert (comparison.pairs, comparison.excluded) == (11, 1)
    assert comparison.effect == pytest.approx(0.05)
    a.train_accuracy[1:] = 0.5
    decision = at_equal_accuracy(RULE, a, b)
    assert decision.verdict == "undecided"
    assert "in 0 of 12 pairs both runs came to 99 %" in decision.reason


def test_equal_training_loss_is_the_lowest_that_both_had():
    loss = [1.0, 0.1, 0.01]
    a = arm([0.8, 0.9, 1.0], [0.7, 0.8, 0.9], loss)
    b = arm([0.8, 0.9, 0.95], [0.6, 0.7, 0.75], [1.0, 0.4, 0.1])
    _, comparison = at_equal_loss(RULE, a, b)
    assert comparison.effect == pytest.approx(0.8 - 0.75)
    a.train_accuracy[:2] = 0.3
    assert at_equal_loss(RULE, a, b)[1].excluded == 2


@pytest.mark.parametrize(
    ("gap", "overfit", "not_overfit"), [(0.01, 0, 1), (0.03, 0, 0), (0.08, 1, 0)]
)
def test_premises_about_the_gap(gap, overfit, not_overfit):
    measured = arm([0.95], [0.95 - gap])
    assert overfits(measured).holds == bool(overfit)
    assert does_not_overfit(measured).holds == bool(not_overfit)
    assert f"{100 * gap:.1f} points" in overfits(measured).measured


def test_tuning_by_the_worst_seed_avoids_what_fails_once():
    steady, wild = arm([0.9], [0.9]), arm([0.9], [0.95])
    wild.test_accuracy[3] = 0.22
    wild.test_accuracy[4:] += 0.04
    found = {"steady": steady, "wild": wild}
    assert wild.final("test_accuracy").mean() > steady.final("test_accuracy").mean()
    assert best_candidate(found, worst=False)[0] == "wild"
    best, accuracy = best_candidate(found, worst=True)
    assert (best, accuracy["wild"]) == ("steady", 0.22)


def test_ties_of_candidates_go_to_the_smaller_loss():
    first, second = arm([0.9], [0.9]), arm([0.9], [0.9])
    first.test_data_loss[:] = 0.5
    assert best_candidate({"a": first, "b": second}, worst=False)[0] == "b"


# --- advice -------------------------------------------------------------------------------------


def decided(shift: float, noise: float = 1.0) -> Decision:
    rule = Rule("a is better", "greater", 0.015, unit="pp")
    return rule.decide(rule.compare(0.8 + shift + noise * WOBBLE, np.full(SEEDS, 0.8)))


SEEN = {  # what was measured -> its decision, its sign
    "claimed": (decided(0.05), 1),
    "claimed, small": (decided(0.005), 1),
    "opposite": (decided(-0.05), -1),
    "none": (decided(0.0), 0),
    "unsure": (decided(0.0, noise=100.0), 0),
}


def test_the_made_up_results_are_what_they_are_called():
    verdicts = [decision.verdict for decision, _ in SEEN.values()]
    assert verdicts == [
        "supported",
        "smaller than claimed",
        "contradicted",
        "no difference seen",
        "undecided",
    ]
    assert [decision.sign for decision, _ in SEEN.values()] == [sign for _, sign in SEEN.values()]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_advice_never_opposes_the_measured_sign(count):
    for names in itertools.product(SEEN, repeat=count):
        leaves = tuple(SEEN[name][0] for name in names)
        signs = {SEEN[name][1] for name in names}
        whole = Decision("whole", "partly", "", parts=leaves) if count > 1 else leaves[0]
        said = choose_advice(whole, ADVICE)
        sure = signs - {0}
        if sure:
            assert said == {(1,): "claimed", (-1,): "opposite"}.get(tuple(sure), "mixed"), names
        else:
            assert said == ("none" if "none" in names else ""), names


def test_a_take_home_says_setting_effect_and_what_to_do():
    words = take_home(SEEN["claimed"][0], ADVICE, "300 images")
    assert words == "True here. 300 images: a is better, 80.0→85.0 %, +5.0 pp [4.9, 5.1]. claimed"
    words = take_home(SEEN["claimed, small"][0], ADVICE, "300 images")
    assert words.startswith("The direction is right, the effect smaller than claimed. 300 images:")
    assert take_home(SEEN["opposite"][0], ADVICE, "x").startswith("Not so.")
    assert take_home(SEEN["unsure"][0], ADVICE, "x") == "These data cannot tell."
