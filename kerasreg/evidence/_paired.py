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
from kerasreg.evidence._text import amount, factor, probability, small

Scale = Literal["difference", "ratio"]
Bound = Literal["", "at least", "at most", "unknown"]


@dataclass(frozen=True)
class Comparison:
    """Arm a against arm b over paired seeds.

    On scale "difference", `effect` is the mean of a - b, and no effect is 0. On scale "ratio"
    everything is computed on log(a / b) and reported back as a ratio, so `effect` is the geometric
    mean of a / b, and no effect is 1.

    Attributes:
        scale: "difference" or "ratio"; gives the meaning of `effect`, `low`, `high` and
            `smallest_effect`.
        low, high: Ends of the 1 - `alpha` t-interval of the effect.
        smallest_effect: Smallest distance from no effect that matters: an amount for differences, a
            factor of at least 1 for ratios. Fixed before the numbers are seen.
        p: Two-sided sign-flip permutation p-value of "no effect".
        p_equivalence: Larger p of the two one-sided t-tests (TOST) of "the effect is
            `smallest_effect` or more away from none". Small: the arms are equivalent.
        p_adjusted, p_equivalence_adjusted: The same after Holm's step-down over the family.
        family_size: Number of comparisons in the family, 1 when it stands alone.
        exact: True if `p` enumerates all sign flips, False if it is a seeded Monte Carlo value.
        mean_a, mean_b: Means of the arms (geometric means for ratios).
        differences: The paired differences (log-ratios for ratios), one per seed.
        unit: Of the arms. "pp" writes fractions as percentages.
        fixed: Whether b is one number, a reference, and no arm.
        bound: Where runs ended before they arrived: whether the truth is "at least" or "at most"
            the effect, or "unknown" where both arms had such runs.
        excluded: Pairs that were left out by a rule stated beforehand.
    """

    scale: Scale
    effect: float
    low: float
    high: float
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
    unit: str = ""
    fixed: bool = False
    bound: Bound = ""
    excluded: int = 0

    @property
    def pairs(self) -> int:
        """Number of paired seeds."""
        return len(self.differences)

    def effect_text(self) -> str:
        """Return the effect with its interval: `+2.2 pp [1.2, 3.2]`, `0.64× [0.5, 0.81]`."""
        bound = "" if self.bound in ("", "unknown") else f"{self.bound} "
        if self.scale == "ratio":
            interval = ", ".join(factor(end).removesuffix("×") for end in (self.low, self.high))
            return f"{bound}{factor(self.effect)} [{interval}]"
        scale = 100.0 if self.unit == "pp" else 1.0
        interval = ", ".join(amount(scale * end) for end in (self.low, self.high))
        unit = f" {self.unit}" if self.unit else ""
        return f"{bound}{amount(scale * self.effect, sign=True)}{unit} [{interval}]"

    def levels_text(self) -> str:
        """Return both arms' means, b's first: `80.1→82.3 %`.

        Empty where b is no arm, and where both would read "under 0.001".
        """
        if self.fixed or (self.unit != "pp" and max(map(abs, (self.mean_a, self.mean_b))) < 0.001):
            return ""
        if self.unit == "pp":
            return f"{100 * self.mean_b:.1f}→{100 * self.mean_a:.1f} %"
        unit = f" {self.unit}" if self.unit else ""
        return f"{small(self.mean_b)}→{small(self.mean_a)}{unit}"

    def text(self) -> str:
        """Return one line for a table: effect, interval, p and number of seeds."""
        family = f" (Holm over {self.family_size})" if self.family_size > 1 else ""
        excluded = f", {self.excluded} left out" if self.excluded else ""
        return (
            f"{self.effect_text()}, {probability(self.p_adjusted)}{family}, "
            f"{self.pairs} seeds{excluded}"
        )

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
    scale: Scale = "difference",
    alpha: float = 0.05,
    seed: int = 0,
    unit: str = "",
) -> Comparison:
    """Compare two arms by the differences a - b, or the ratios a / b, of their paired results.

    Ratios are for quantities whose effect is a factor: updates to a target, losses, learning
    rates, gradient norms. Times at which some runs had not arrived yet: see `compare_times`.

    Args:
        a, b: One finite number per seed, in the same order; of ratios all greater than 0. `b` may
            be a single number: a fixed reference.
        smallest_effect: Smallest effect that matters: a difference >= 0 in the units of `a`, or a
            factor of at least 1 (1.2: 20 % more or 17 % less).
        alpha: 0.05 gives a 95 % interval.
        seed: Of the Monte Carlo sign flips; unused up to 20 pairs, where all are enumerated.

    Returns:
        A `Comparison` that stands alone (family of one).

    Raises:
        UserError: Fewer than two pairs, unequal lengths, numbers that are not finite (of ratios:
            not positive), or an argument out of range.
    """
    fixed = np.ndim(b) == 0
    a, b = _paired(a, b)
    to_line, from_line, none = np.asarray, float, 0
    if scale == "ratio":
        _positive(a, b)
        to_line, from_line, none = np.log, np.exp, 1
    if not (math.isfinite(smallest_effect) and smallest_effect >= none):
        raise UserError(
            f"Expected smallest_effect to be a finite number of at least {none} on scale "
            f"{scale!r}. Received: smallest_effect={smallest_effect!r}."
        )
    if not 0 < alpha < 0.5:
        raise UserError(f"Expected alpha between 0 and 0.5. Received: alpha={alpha!r}.")
    margin = float(to_line(smallest_effect))
    differences = to_line(a) - to_line(b)
    mean = differences.mean()
    error = differences.std(ddof=1) / math.sqrt(len(differences))
    freedom = len(differences) - 1
    half = stats.t.ppf(1 - alpha / 2, freedom) * error
    p = sign_flip_p(differences, seed=seed)
    p_equivalence = _tost_p(mean, error, freedom, margin)
    return Comparison(
        scale=scale,
        effect=float(from_line(mean)),
        low=float(from_line(mean - half)),
        high=float(from_line(mean + half)),
        smallest_effect=float(smallest_effect),
        p=p,
        p_equivalence=p_equivalence,
        p_adjusted=p,
        p_equivalence_adjusted=p_equivalence,
        family_size=1,
        exact=len(differences) <= EXACT_PAIRS,
        alpha=float(alpha),
        mean_a=float(from_line(to_line(a).mean())),
        mean_b=float(from_line(to_line(b).mean())),
        differences=tuple(float(value) for value in differences),
        unit=unit,
        fixed=fixed,
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


def _positive(a: np.ndarray, b: np.ndarray) -> None:
    for name, values in (("a", a), ("b", b)):
        if np.any(values <= 0):
            raise UserError(
                f"Expected positive numbers to take ratios of. Received: {name} with "
                f"{values[values <= 0][0]!r}; compare differences instead."
            )


def _tost_p(mean: float, error: float, freedom: int, margin: float) -> float:
    """Two one-sided t-tests against -margin and +margin (Schuirmann 1987): the larger p."""
    if error == 0:  # every seed gave the same difference
        return 0.0 if abs(mean) < margin else 1.0
    above = stats.t.sf((mean + margin) / error, freedom)
    below = stats.t.cdf((mean - margin) / error, freedom)
    return float(max(above, below))
