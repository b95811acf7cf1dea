"""Two arms, the same seeds: the mean paired difference, its interval and its tests."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from kerasreg.errors import UserError
from kerasreg.evidence._sign_flip import EXACT_PAIRS, sign_flip_p

Scale = Literal["difference", "ratio"]


@dataclass(frozen=True)
class Comparison:
    """Arm a against arm b over paired seeds.

    On scale "difference", `effect` is the mean of a - b. On scale "ratio" everything is computed
    on log(a / b) and reported back as a ratio, so `effect` is the geometric mean of a / b.

    Attributes:
        scale: "difference" or "ratio"; gives the meaning of `effect`, `low`, `high`, `null` and
            `smallest_effect`.
        effect: The estimated effect.
        low, high: Ends of the 1 - `alpha` t-interval of the effect.
        null: Value of the effect that means "no effect": 0 for differences, 1 for ratios, unless
            a rule names another threshold.
        smallest_effect: Smallest distance from `null` that matters: an amount for differences, a
            factor of at least 1 for ratios. Fixed before the numbers are seen.
        p: Two-sided sign-flip permutation p-value of "effect = null".
        p_equivalence: Larger p of the two one-sided t-tests (TOST) of "the effect is
            `smallest_effect` or more away from `null`". Small: the arms are equivalent.
        p_adjusted, p_equivalence_adjusted: The same after Holm's step-down over the family.
        family_size: Number of comparisons in the family, 1 when it stands alone.
        exact: True if `p` enumerates all sign flips, False if it is a seeded Monte Carlo value.
        alpha: Level of the interval and of the tests.
        mean_a, mean_b: Means of the arms (geometric means for ratios).
        differences: The paired differences (log-ratios for ratios), one per seed.
    """

    scale: Scale
    effect: float
    low: float
    high: float
    null: float
    smallest_effect: float
    p: float
    p_equivalence: float
    p_adjusted: float
    p_equivalence_adjusted: float
    family_size: int
    exact: bool
    alpha: float
    mean_a: float
    mean_b: float
    differences: tuple[float, ...]

    @property
    def pairs(self) -> int:
        """Number of paired seeds."""
        return len(self.differences)

    def text(self, unit: str = "", digits: int = 3) -> str:
        """Return one line for a table: effect, interval, p and number of seeds.

        Args:
            unit: Written after the effect. "pp" multiplies a difference of fractions by 100.
            digits: Significant digits.
        """
        factor = 100.0 if unit == "pp" and self.scale == "difference" else 1.0
        sign, mark = ("+", "") if self.scale == "difference" else ("", "×")
        suffix = f" {unit}" if unit and self.scale == "difference" else ""
        number = f"{factor * self.effect:{sign}.{digits}g}{mark}{suffix}"
        interval = f"[{factor * self.low:.{digits}g}, {factor * self.high:.{digits}g}]"
        p = "p < 0.001" if self.p_adjusted < 0.001 else f"p = {self.p_adjusted:.3f}"
        family = f" (Holm over {self.family_size})" if self.family_size > 1 else ""
        return f"{number} {interval}, {p}{family}, {self.pairs} seeds"

    def to_dict(self) -> dict:
        """Return the fields as plain numbers, ready for `json.dumps`."""
        record = dataclasses.asdict(self)
        record["differences"] = list(self.differences)
        return record


def compare(
    a: ArrayLike,
    b: ArrayLike,
    smallest_effect: float,
    *,
    null: float = 0.0,
    alpha: float = 0.05,
    seed: int = 0,
) -> Comparison:
    """Compare two arms by the differences a - b of their paired results.

    Args:
        a, b: One finite number per seed, in the same order. `b` may be a single number: a fixed
            reference.
        smallest_effect: Smallest distance of the mean difference from `null` that matters, >= 0,
            in the units of `a`.
        null: Mean difference that means "no effect".
        alpha: 0.05 gives a 95 % interval.
        seed: Of the Monte Carlo sign flips; unused up to 20 pairs, where all are enumerated.

    Returns:
        A `Comparison` that stands alone (family of one).

    Raises:
        UserError: Fewer than two pairs, unequal lengths, numbers that are not finite, or an
            argument out of range.
    """
    a, b = _paired(a, b)
    if not (math.isfinite(smallest_effect) and smallest_effect >= 0):
        raise UserError(
            "Expected smallest_effect to be a finite number of at least 0. "
            f"Received: smallest_effect={smallest_effect!r}."
        )
    return _comparison(
        a - b, "difference", null, smallest_effect, alpha, seed, np.mean(a), np.mean(b)
    )


def compare_ratios(
    a: ArrayLike,
    b: ArrayLike,
    smallest_ratio: float,
    *,
    null: float = 1.0,
    alpha: float = 0.05,
    seed: int = 0,
) -> Comparison:
    """Compare two arms by the ratios a / b of their paired results, on the log scale.

    For quantities whose effect is a factor: updates to a target, seconds, learning rates,
    gradient norms. A run that never reaches its target enters with its budget, which makes the
    ratio an underestimate; say so where it happens.

    Args:
        a, b: As in `compare`, all greater than 0.
        smallest_ratio: Smallest factor that matters, at least 1 (1.2: 20 % more or 17 % less).
        null: Ratio that means "no effect", greater than 0.
        alpha: As in `compare`.
        seed: As in `compare`.

    Returns:
        A `Comparison` on scale "ratio".

    Raises:
        UserError: As `compare`, and for results that are not positive.
    """
    a, b = _paired(a, b)
    for name, values in (("a", a), ("b", b)):
        if np.any(values <= 0):
            raise UserError(
                f"Expected positive numbers to take ratios of. Received: {name} with "
                f"{values[values <= 0][0]!r}; compare differences instead."
            )
    if not (math.isfinite(smallest_ratio) and smallest_ratio >= 1):
        raise UserError(
            "Expected smallest_ratio to be a finite factor of at least 1. "
            f"Received: smallest_ratio={smallest_ratio!r}."
        )
    if not (math.isfinite(null) and null > 0):
        raise UserError(f"Expected null to be a ratio greater than 0. Received: null={null!r}.")
    mean_a, mean_b = (np.exp(np.mean(np.log(values))) for values in (a, b))
    return _comparison(
        np.log(a) - np.log(b), "ratio", null, smallest_ratio, alpha, seed, mean_a, mean_b
    )


def _paired(a: ArrayLike, b: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    a = np.asarray(a, dtype=np.float64)
    b = np.asarray(b, dtype=np.float64)
    if b.ndim == 0:
        b = np.full(a.shape, b)
    if a.ndim != 1 or a.shape != b.shape:
        raise UserError(
            "Expected one number per seed in both arms, in the same order. "
            f"Received: a of shape {a.shape} and b of shape {b.shape}."
        )
    if len(a) < 2:
        raise UserError(f"Expected at least 2 pairs. Received: {len(a)}; train more seeds.")
    for name, values in (("a", a), ("b", b)):
        broken = np.flatnonzero(~np.isfinite(values))
        if len(broken):
            raise UserError(
                f"Expected finite numbers. Received: {name}[{broken[0]}]={values[broken[0]]!r}; "
                "decide what a run that broke counts as before comparing."
            )
    return a, b


def _comparison(
    differences: np.ndarray,
    scale: Scale,
    null: float,
    smallest_effect: float,
    alpha: float,
    seed: int,
    mean_a: float,
    mean_b: float,
) -> Comparison:
    if not 0 < alpha < 0.5:
        raise UserError(f"Expected alpha between 0 and 0.5. Received: alpha={alpha!r}.")
    to_line, from_line = (np.log, np.exp) if scale == "ratio" else (float, float)
    centre, margin = float(to_line(null)), float(to_line(smallest_effect))
    mean = differences.mean()
    error = differences.std(ddof=1) / math.sqrt(len(differences))
    freedom = len(differences) - 1
    half = stats.t.ppf(1 - alpha / 2, freedom) * error
    p = sign_flip_p(differences - centre, seed=seed)
    p_equivalence = _tost_p(mean - centre, error, freedom, margin)
    return Comparison(
        scale=scale,
        effect=float(from_line(mean)),
        low=float(from_line(mean - half)),
        high=float(from_line(mean + half)),
        null=float(null),
        smallest_effect=float(smallest_effect),
        p=p,
        p_equivalence=p_equivalence,
        p_adjusted=p,
        p_equivalence_adjusted=p_equivalence,
        family_size=1,
        exact=len(differences) <= EXACT_PAIRS,
        alpha=float(alpha),
        mean_a=float(mean_a),
        mean_b=float(mean_b),
        differences=tuple(float(value) for value in differences),
    )


def _tost_p(mean: float, error: float, freedom: int, margin: float) -> float:
    """Two one-sided t-tests against -margin and +margin (Schuirmann 1987): the larger p."""
    if error == 0:  # every seed gave the same difference
        return 0.0 if abs(mean) < margin else 1.0
    above = stats.t.sf((mean + margin) / error, freedom)
    below = stats.t.cdf((mean - margin) / error, freedom)
    return float(max(above, below))
