"""Several comparisons that answer one question, and the seeds they need."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from kerasreg.errors import UserError
from kerasreg.evidence._paired import Comparison

DEFAULT_SEEDS = 12


def adjust_p_values(p: ArrayLike) -> np.ndarray:
    """Return Holm's step-down adjusted p-values, in the order given.

    The smallest of m is multiplied by m, the next by m - 1 and so on, never below the one before
    and never above 1. Rejecting where the result is at most alpha keeps the chance of any false
    rejection in the family at alpha, whatever the dependence. Source: Holm (1979).
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def holm(comparisons: Sequence[Comparison], family: int | None = None) -> list[Comparison]:
    """Return the comparisons with the p-values of their family adjusted.

    A family is the comparisons that decide one claim. Differences and equivalences are adjusted
    apart: the chance of any false difference in a family is at most alpha, and so is, by itself,
    that of any false equivalence.

    Args:
        comparisons: Those made.
        family: How many were planned, where some could not be made; they count as p = 1, so that
            what could be made does not decide how strictly the rest is judged.
    """
    missing = [1.0] * max(0, (family or 0) - len(comparisons))
    count = len(comparisons)
    differences = adjust_p_values([c.p for c in comparisons] + missing)[:count]
    equivalences = adjust_p_values([c.p_equivalence for c in comparisons] + missing)[:count]
    return [
        dataclasses.replace(
            comparison,
            p_adjusted=float(difference),
            p_equivalence_adjusted=float(equivalence),
            family_size=count + len(missing),
        )
        for comparison, difference, equivalence in zip(
            comparisons, differences, equivalences, strict=True
        )
    ]


def seeds_needed(family_size: int = 1, alpha: float = 0.05) -> int:
    """Return the smallest number of paired seeds with which a sign-flip test can decide.

    With n pairs the smallest two-sided p is 2 / 2**n, reached when every seed agrees. Holm asks
    the smallest p of a family of m for alpha / m, so that n must satisfy 2 / 2**n <= alpha / m.

    Args:
        family_size: Number of comparisons decided together, at least 1.
        alpha: Level of the family, between 0 and 0.5.
    """
    if family_size < 1:
        raise UserError(f"Expected family_size of at least 1. Received: {family_size!r}.")
    if not 0 < alpha < 0.5:
        raise UserError(f"Expected alpha between 0 and 0.5. Received: alpha={alpha!r}.")
    pairs = 2
    while 2.0 ** (1 - pairs) * family_size > alpha:
        pairs += 1
    return pairs


def require_seeds(seeds: int, family_size: int = 1, alpha: float = 0.05) -> None:
    """Refuse a number of seeds with which no test of the family could ever decide.

    Raises:
        UserError: With the number that is needed.
    """
    needed = seeds_needed(family_size, alpha)
    if seeds < needed:
        family = f"a family of {family_size} comparisons" if family_size > 1 else "one comparison"
        raise UserError(
            f"Expected at least {needed} seeds: with fewer, an exact test of {family} at level "
            f"{alpha:g} cannot decide. Received: {seeds}; {DEFAULT_SEEDS} is the default."
        )
