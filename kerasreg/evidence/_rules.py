"""Rules written down before the numbers, and the verdicts they give."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from kerasreg.errors import UserError
from kerasreg.evidence._decisions import Decision, Verdict
from kerasreg.evidence._families import require_seeds
from kerasreg.evidence._paired import Comparison, Scale, compare, compare_ratios

Direction = Literal["greater", "less", "equivalent"]
Relation = Literal["at_least", "at_most"]


@dataclass(frozen=True)
class Rule:
    """What would decide a claim about two arms, stated before they are trained.

    With "the effect" of arm a against arm b measured from `null`:

    - *supported*: the interval lies beyond `null` in the claimed direction, the sign-flip test
      agrees at `alpha` after Holm, and the effect is at least `smallest_effect`;
    - *contradicted*: interval and test lie on the other side; or, if the claim asserts a
      difference, the arms are equivalent within `smallest_effect` (TOST at `alpha` after Holm);
    - *undecided*: otherwise.

    A claim of direction "equivalent" is supported by TOST, and contradicted by a difference, in
    either direction, that the interval and the test confirm and that is at least
    `smallest_effect`.

    Attributes:
        claim: One sentence that is right or wrong.
        direction: "greater" (a above b), "less" or "equivalent".
        smallest_effect: Smallest effect that matters: an amount, or on scale "ratio" a factor.
        scale: "difference" compares a - b, "ratio" compares a / b.
        null: Effect that means "none": None is 0, or 1 on scale "ratio". Another value turns the
            rule into a threshold, such as "the gap exceeds 10 points".
        asserts_difference: False if equivalence would not contradict the claim ("does no harm").
        alpha: Level of the tests; the interval has 1 - alpha.
        unit: Of the effect, for the reason line. "pp" writes fractions as percentage points.
    """

    claim: str
    direction: Direction
    smallest_effect: float
    scale: Scale = "difference"
    null: float | None = None
    asserts_difference: bool = True
    alpha: float = 0.05
    unit: str = ""

    def __post_init__(self) -> None:
        if self.direction not in get_args(Direction):
            raise UserError(
                f"Expected direction to be one of {get_args(Direction)}. "
                f"Received: direction={self.direction!r}."
            )
        if self.scale not in get_args(Scale):
            raise UserError(
                f"Expected scale to be one of {get_args(Scale)}. Received: scale={self.scale!r}."
            )
        if self.null is None:
            object.__setattr__(self, "null", 1.0 if self.scale == "ratio" else 0.0)
        least = self._no_effect
        if not (math.isfinite(self.smallest_effect) and self.smallest_effect >= least):
            raise UserError(
                f"Expected smallest_effect of at least {least:g} on scale {self.scale!r}. "
                f"Received: smallest_effect={self.smallest_effect!r}."
            )
        if self.direction == "equivalent" and self.smallest_effect == least:
            raise UserError(
                f"Expected smallest_effect above {least:g} for a claim of equivalence. "
                f"Received: smallest_effect={self.smallest_effect!r}."
            )

    @property
    def _no_effect(self) -> float:
        return 1.0 if self.scale == "ratio" else 0.0

    def compare(self, a: ArrayLike, b: ArrayLike, *, seed: int = 0) -> Comparison:
        """Compare two arms on this rule's terms; see `compare` and `compare_ratios`."""
        function = compare_ratios if self.scale == "ratio" else compare
        return function(a, b, self.smallest_effect, null=self.null, alpha=self.alpha, seed=seed)

    def decide(self, comparison: Comparison) -> Decision:
        """Return the verdict on a comparison that was made on this rule's terms.

        Raises:
            UserError: The comparison was made on other terms (smallest effect, scale, null or
                level), or has too few seeds for its family ever to decide.
        """
        for name in ("smallest_effect", "scale", "null", "alpha"):
            asked, got = getattr(self, name), getattr(comparison, name)
            if asked != got:
                raise UserError(
                    f"Expected a comparison with {name}={asked!r}, as the rule says. Received: "
                    f"{name}={got!r}; make it with rule.compare(a, b)."
                )
        require_seeds(comparison.pairs, comparison.family_size, comparison.alpha)
        reason = comparison.text(self.unit)
        if self._equivalent(comparison):
            reason += f"; equivalent (TOST p = {comparison.p_equivalence_adjusted:.2g})"
        return Decision(self.claim, self._verdict(comparison), reason, comparison=comparison)

    def _equivalent(self, comparison: Comparison) -> bool:
        return comparison.p_equivalence_adjusted <= self.alpha

    def _verdict(self, comparison: Comparison) -> Verdict:
        differs = comparison.p_adjusted <= self.alpha
        above = differs and comparison.low > self.null
        below = differs and comparison.high < self.null
        equivalent = self._equivalent(comparison)
        if self.scale == "ratio":
            factor = comparison.effect / self.null
            matters = max(factor, 1 / factor) >= self.smallest_effect
        else:
            matters = abs(comparison.effect - self.null) >= self.smallest_effect
        if self.direction == "equivalent":
            if equivalent:
                return "supported"
            return "contradicted" if (above or below) and matters else "undecided"
        claimed, other = (above, below) if self.direction == "greater" else (below, above)
        if claimed and matters:
            return "supported"
        if other or (equivalent and self.asserts_difference):
            return "contradicted"
        return "undecided"


@dataclass(frozen=True)
class ExactRule:
    """Decides a claim of equality (an identity, a closed form) by tolerances, not statistics.

    Supported if every |measured - expected| <= `tolerance` + `relative` * |expected|, otherwise
    contradicted.

    Attributes:
        claim: One sentence that is right or wrong.
        tolerance: Largest absolute deviation allowed, >= 0.
        relative: Largest deviation allowed as a fraction of the expected value, >= 0.
    """

    claim: str
    tolerance: float
    relative: float = 0.0

    def __post_init__(self) -> None:
        for name in ("tolerance", "relative"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise UserError(f"Expected {name} of at least 0. Received: {name}={value!r}.")

    def decide(self, measured: ArrayLike, expected: ArrayLike) -> Decision:
        """Return the verdict on one number or an array of them."""
        measured, expected = _finite("measured", measured), _finite("expected", expected)
        deviation = np.abs(measured - expected)
        holds = np.all(deviation <= self.tolerance + self.relative * np.abs(expected))
        allowed = f"{self.tolerance:g}"
        if self.relative:
            allowed += f" + {self.relative:g} of the value"
        return Decision(
            claim=self.claim,
            verdict="supported" if holds else "contradicted",
            reason=f"largest deviation {deviation.max():.3g}, allowed {allowed}",
        )


@dataclass(frozen=True)
class ThresholdRule:
    """Decides a claim about one number: a count, a share, a largest z-score.

    Attributes:
        claim: One sentence that is right or wrong.
        relation: "at_least" or "at_most".
        bound: Supported if the value keeps this bound.
        contradicted_at: Value at which, or beyond which, the claim is contradicted; in between it
            is undecided. None: wherever the bound is not kept.
        unit: Written after the value.
    """

    claim: str
    relation: Relation
    bound: float
    contradicted_at: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if self.relation not in get_args(Relation):
            raise UserError(
                f"Expected relation to be one of {get_args(Relation)}. "
                f"Received: relation={self.relation!r}."
            )
        if self.contradicted_at is not None and self._sign * self.contradicted_at >= (
            self._sign * self.bound
        ):
            raise UserError(
                "Expected contradicted_at on the far side of bound. Received: "
                f"bound={self.bound!r}, contradicted_at={self.contradicted_at!r}."
            )

    @property
    def _sign(self) -> float:
        return 1.0 if self.relation == "at_least" else -1.0

    def decide(self, value: float) -> Decision:
        """Return the verdict on one finite number."""
        value = float(_finite("value", value))
        verdict: Verdict = "undecided"
        if self._sign * value >= self._sign * self.bound:
            verdict = "supported"
        elif self.contradicted_at is None or (
            self._sign * value <= self._sign * self.contradicted_at
        ):
            verdict = "contradicted"
        words = self.relation.replace("_", " ")
        unit = f" {self.unit}" if self.unit else ""
        return Decision(self.claim, verdict, f"{value:.3g}{unit}, asked for {words} {self.bound:g}")


def _finite(name: str, values: ArrayLike) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(values)):
        raise UserError(f"Expected finite numbers in {name}. Received NaN or infinity.")
    return values
