"""Tests of two arms that have to be put on equal terms first."""

from typing import Protocol

import numpy as np

from kerasreg.evidence import Decision, Direction, Premise, Rule, ShareOfErrors
from kerasreg.lesson._judging import Test
from kerasreg.lesson._runs import Arm, times_to

#: A fifth fewer updates, or a quarter more: the smallest ratio that matters.
FIFTH = 1.25


class Measured(Protocol):
    """Training accuracy, (seeds, measurements), after so many updates, (measurements,)."""

    updates: np.ndarray
    train_accuracy: np.ndarray


def sooner(
    claim: str, a: Measured, b: Measured, level: float = 0.95, direction: Direction = "less"
) -> Test:
    """The test that arm a needs fewer updates than arm b to a training accuracy.

    By a fifth, where more than half of both arms' runs come there; otherwise by the training
    accuracy that both have at the end of the budget.

    Args:
        a, b: The arms, measured after the same updates.
        direction: "less"; or "not greater" for a claim that a needs no more.
    """
    times = [times_to(arm.train_accuracy, arm.updates, level) for arm in (a, b)]
    if all(one.most_arrived() for one in times):
        rule = Rule(claim, direction, FIFTH, "ratio", unit="updates")
        return rule, rule.compare(*times)
    opposite: dict[Direction, Direction] = {"less": "greater", "not greater": "not less"}
    budget = int(a.updates[-1])
    words = f"{claim} (training accuracy after {budget:,})"
    rule = Rule(words, opposite[direction], ShareOfErrors(), unit="pp")
    return rule, a.train_accuracy[:, -1], b.train_accuracy[:, -1]


def at_equal_accuracy(
    rule: Rule, a: Arm, b: Arm, level: float = 0.99, name: str = "test_accuracy"
) -> Test:
    """The test of a curve when each run first had a training accuracy.

    Pairs of which a run never had it are left out.
    """
    sides = (arm.converged(name, level) for arm in (a, b))
    return _where(rule, *sides, a.reached(level) & b.reached(level), f"came to {100 * level:g} %")


def at_equal_loss(rule: Rule, a: Arm, b: Arm, name: str = "test_accuracy") -> Test:
    """The test of a curve at equal training loss: for each seed the lowest that both runs had.

    Pairs of which a run never trained (`Arm.trained`) are left out.
    """
    level = np.maximum(a.train_data_loss.min(axis=1), b.train_data_loss.min(axis=1))
    sides = (arm.at_train_loss(name, level) for arm in (a, b))
    return _where(rule, *sides, a.trained & b.trained, "trained")


def overfits(arm: Arm, by: float = 0.05) -> Premise:
    """The premise that a network overfits: that its gap at the end is at least so large."""
    gap = float(arm.final("gap").mean())
    says = f"without it the network overfits, by a gap of at least {100 * by:g} points"
    return Premise(says, gap >= by, f"a gap of {100 * gap:.1f} points")


def does_not_overfit(arm: Arm, most: float = 0.02) -> Premise:
    """The premise that a network does not overfit: that its gap at the end is at most so large."""
    gap = float(arm.final("gap").mean())
    says = f"the network does not overfit: its gap is at most {100 * most:g} points"
    return Premise(says, gap <= most, f"a gap of {100 * gap:.1f} points")


def _where(rule: Rule, a: np.ndarray, b: np.ndarray, where: np.ndarray, did: str) -> Test:
    if where.sum() < 2:
        reason = f"in {int(where.sum())} of {len(where)} pairs both runs {did}: too few to compare"
        return Decision(rule.claim, "undecided", reason)
    return rule, rule.compare(a, b, where=where)
