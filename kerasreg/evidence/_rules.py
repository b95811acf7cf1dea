"""Rules written down before the numbers, and the verdicts they give."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from kerasreg.errors import UserError
from kerasreg.evidence._decisions import Decision, Sign, Verdict
from kerasreg.evidence._families import require_seeds, seeds_needed
from kerasreg.evidence._margins import ShareOfErrors
from kerasreg.evidence._paired import Comparison, Scale, compare
from kerasreg.evidence._text import amount, probability
from kerasreg.evidence._times import Times, compare_times

Direction = Literal["greater", "less", "equivalent", "not greater", "not less"]
# What remains of a verdict where the truth lies on one side of what was found.
_STANDS = {
    ("greater", "at least"): "supported",
    ("less", "at most"): "supported",
    ("greater", "at most"): "contradicted",
    ("less", "at least"): "contradicted",
    ("not greater", "at most"): "supported",
    ("not less", "at least"): "supported",
    ("not greater", "at least"): "contradicted",
    ("not less", "at most"): "contradicted",
}


@dataclass(frozen=True)
class Rule:
    """What would decide a claim about two arms, stated before they are trained.

    The sign comes before the size. The sign is sure if the interval lies on one side of no effect
    and the sign-flip test agrees at `alpha` after Holm; equivalence is sure if TOST says so at
    `alpha` after Holm. A claim that a is greater, or less, than b is

    - *supported*: the sign is surely the claimed one, and the effect is at least what the claim
      `needs`;
    - *smaller than claimed*: the sign is surely the claimed one, the effect is smaller;
    - *no difference seen*: the arms are equivalent within `smallest_effect`;
    - *contradicted*: the sign is surely the opposite one;
    - *undecided*: otherwise.

    A claim of equivalence is supported by equivalence, and contradicted by a sure sign with an
    effect of at least `smallest_effect`. A claim that a is not greater, or not less, than b is
    supported by equivalence or the other sign, and contradicted likewise.

    Where runs ended before they arrived the effect is a bound, and a verdict stands only if every
    value beyond the bound would give it too.

    Attributes:
        direction: What is claimed of a against b.
        smallest_effect: Smallest effect that matters: an amount; on scale "ratio" a factor; or a
            share of the reference's errors.
        scale: "difference" compares a - b, "ratio" compares a / b.
        needs: Smallest effect that the claim asserts; None is `smallest_effect`. A factor of at
            least 1 on scale "ratio": 2 of a claim that a is less than half of b.
        alpha: Level of the tests; the interval has 1 - alpha.
        unit: Of the arms. "pp" writes fractions as percentage points.
    """

    claim: str
    direction: Direction
    smallest_effect: float | ShareOfErrors
    scale: Scale = "difference"
    needs: float | None = None
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
        least = 1.0 if self.scale == "ratio" else 0.0
        if isinstance(self.smallest_effect, ShareOfErrors):
            if self.scale == "ratio":
                raise UserError(
                    "Expected smallest_effect to be a factor on scale 'ratio'. Received: "
                    f"smallest_effect={self.smallest_effect!r}."
                )
        else:
            self._check("smallest_effect", least)
            if self.direction not in ("greater", "less") and self.smallest_effect == least:
                raise UserError(
                    f"Expected smallest_effect above {least:g} for a claim of "
                    f"{self.direction!r}. Received: smallest_effect={self.smallest_effect!r}."
                )
        if self.needs is not None:
            self._check("needs", least)

    def _check(self, name: str, least: float) -> None:
        value = getattr(self, name)
        if not (math.isfinite(value) and value >= least):
            raise UserError(
                f"Expected {name} of at least {least:g} on scale {self.scale!r}. "
                f"Received: {name}={value!r}."
            )

    def compare(
        self,
        a: ArrayLike | Times,
        b: ArrayLike | Times,
        *,
        reference: ArrayLike | None = None,
        where: ArrayLike | None = None,
        seed: int = 0,
    ) -> Comparison:
        """Compare two arms on this rule's terms.

        Args:
            a, b: As in `compare` or, for `Times`, `compare_times`.
            reference: Accuracies whose errors `smallest_effect` is a share of; by default b.
            where: Which pairs to compare, (seeds,); the others are counted as left out.
        """
        margin = self.smallest_effect
        if isinstance(margin, ShareOfErrors):
            margin = margin.of(b if reference is None else reference)
        options = {"alpha": self.alpha, "seed": seed, "unit": self.unit}
        if isinstance(a, Times) and isinstance(b, Times):
            return compare_times(a, b, margin, **options)
        excluded = 0
        if where is not None:
            where = np.asarray(where, dtype=bool)
            excluded = int(np.sum(~where))
            a, b = (
                values if np.ndim(values) == 0 else np.asarray(values)[where] for values in (a, b)
            )
        comparison = compare(a, b, margin, scale=self.scale, **options)
        return dataclasses.replace(comparison, excluded=excluded)

    def decide(self, comparison: Comparison) -> Decision:
        """Return the verdict on a comparison that was made on this rule's terms.

        Raises:
            UserError: The comparison was made on other terms (smallest effect, scale or level), or
                has too few seeds for its family ever to decide.
        """
        fixed = not isinstance(self.smallest_effect, ShareOfErrors)
        for name in ("smallest_effect", "scale", "alpha")[0 if fixed else 1 :]:
            asked, got = getattr(self, name), getattr(comparison, name)
            if asked != got:
                raise UserError(
                    f"Expected a comparison with {name}={asked!r}, as the rule says. Received: "
                    f"{name}={got!r}; make it with rule.compare(a, b)."
                )
        verdict, sign = self._verdict(comparison)
        reason = comparison.text()
        if comparison.excluded and comparison.pairs < seeds_needed(
            comparison.family_size, comparison.alpha
        ):
            verdict, sign, reason = "undecided", 0, f"too few pairs are left: {reason}"
        else:
            require_seeds(comparison.pairs, comparison.family_size, comparison.alpha)
        if comparison.p_equivalence_adjusted <= self.alpha:
            reason += f"; equivalent ({probability(comparison.p_equivalence_adjusted)})"
        return Decision(
            self.claim,
            verdict,
            reason,
            sign,
            comparison=comparison,
            needs=self._needs_text(comparison),
        )

    def _needs_text(self, comparison: Comparison) -> str:
        needed = self.needs if self.needs is not None else comparison.smallest_effect
        if self.scale == "ratio":
            falls = self.direction in ("less", "not greater")
            shown = f"{1 / needed if falls else needed:.3g}×"
        else:
            shown = f"{amount(100 * needed)} pp" if self.unit == "pp" else amount(needed)
        if self.direction in ("greater", "less"):
            return f"{self.direction} by {shown}" if self.scale == "difference" else shown
        return f"{self.direction} within {shown}"

    def _verdict(self, comparison: Comparison) -> tuple[Verdict, Sign]:
        none = 1.0 if self.scale == "ratio" else 0.0
        differs = comparison.p_adjusted <= self.alpha
        above = differs and comparison.low > none
        below = differs and comparison.high < none
        equivalent = comparison.p_equivalence_adjusted <= self.alpha
        if self.scale == "ratio":
            size = max(comparison.effect, 1 / comparison.effect)
        else:
            size = abs(comparison.effect)
        verdict, sign = self._of_sign(above, below, equivalent, size, comparison.smallest_effect)
        if comparison.bound and verdict != _STANDS.get((self.direction, comparison.bound)):
            return "undecided", 0
        return verdict, sign

    def _of_sign(
        self, above: bool, below: bool, equivalent: bool, size: float, margin: float
    ) -> tuple[Verdict, Sign]:
        if self.direction == "equivalent":
            if equivalent:
                return "supported", 1
            return ("contradicted", -1) if (above or below) and size >= margin else ("undecided", 0)
        rises = self.direction in ("greater", "not less")
        claimed, opposite = (above, below) if rises else (below, above)
        if self.direction in ("not greater", "not less"):
            if claimed or equivalent:
                return "supported", 1
            return ("contradicted", -1) if opposite and size >= margin else ("undecided", 0)
        if claimed:
            enough = size >= (margin if self.needs is None else self.needs)
            return ("supported" if enough else "smaller than claimed"), 1
        if equivalent:  # an opposite effect too small to matter is no contradiction
            return "no difference seen", 0
        return ("contradicted", -1) if opposite else ("undecided", 0)
