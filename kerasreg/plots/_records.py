"""Reading trial records (the lines of `trials.jsonl`) for drawing. Plain dictionaries in."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from kerasreg.plots._style import label, power
from kerasreg.study import is_scored
from kerasreg.words import show

Trial = Mapping[str, object]

ZERO_BAND = (-0.19, -0.07)  # where "exactly zero" is drawn, left of the range that begins at 0


def scored(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that have a score: completed and stopped ones; never diverged or failed ones."""
    return [trial for trial in trials if is_scored(trial)]


def scores(trials: Sequence[Trial]) -> np.ndarray:
    """Scores of scored trials, shape (trials,)."""
    return np.array([float(trial["score"]) for trial in trials])


def varied(trials: Sequence[Trial]) -> list[str]:
    """Names of the hyperparameters with more than one value, in the order of the records."""
    values: dict[str, set[str]] = {}
    for trial in trials:
        for name, value in trial["hyperparameters"].items():
            values.setdefault(name, set()).add(repr(value))
    return [name for name, seen in values.items() if len(seen) > 1]


@dataclass(frozen=True)
class Scale:
    """Where a hyperparameter's values stand on an axis: [0, 1], zeros in a separate band.

    Numbers whose positive values span a factor of 30 or more are placed by their logarithm.
    Everything that is not a number is a category, spaced evenly.
    """

    name: str
    low: float
    high: float
    log: bool
    has_zero: bool
    categories: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, trials: Sequence[Trial]) -> "Scale":
        """Read the scale off the values of `name` in `trials`."""
        values = [trial["hyperparameters"].get(name) for trial in trials]
        if not all(_is_number(value) for value in values):
            texts = tuple(sorted({str(value) for value in values}))
            return cls(name, 0, max(1, len(texts) - 1), False, False, texts)
        rest = [float(value) for value in values if value != 0] or [0.0, 1.0]
        low, high = min(rest), max(rest)
        log = low > 0 and high / low >= 30
        zero = low > 0 and any(value == 0 for value in values)
        if low == high:
            low, high = (low / 2, high * 2) if low > 0 else (low - 1, high + 1)
        return cls(name, low, high, log, zero)

    def position(self, value: object) -> float:
        """Place one value; zero stands at the middle of its band."""
        if self.categories:
            return self.categories.index(str(value)) / self.high
        if value == 0 and self.has_zero:
            return sum(ZERO_BAND) / 2
        if self.log:
            return math.log(float(value) / self.low) / math.log(self.high / self.low)
        return (float(value) - self.low) / (self.high - self.low)

    def positions(self, trials: Sequence[Trial]) -> np.ndarray:
        """Place every trial, shape (trials,)."""
        return np.array([self.position(t["hyperparameters"].get(self.name)) for t in trials])

    def ticks(self, most: int = 6) -> tuple[list[float], list[str]]:
        """Tick positions and their labels."""
        if self.categories:
            named = list(enumerate(self.categories))[:: max(1, len(self.categories) // 12)]
            return [k / self.high for k, _ in named], [label(text, 14) for _, text in named]
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            step = max(1, math.ceil((last - first + 1) / most))
            exponents = range(first, last + 1, step)
            marks = [(10.0**exponent, power(exponent)) for exponent in exponents]
            if len(marks) < 2:
                marks = [(value, show(value, 2)) for value in (self.low, self.high)]
        else:
            locator = MaxNLocator(most - 1, steps=[1, 2, 2.5, 5, 10])
            ticks = locator.tick_values(self.low, self.high).round(12)
            marks = [(value, show(value, 10)) for value in ticks if self.low <= value <= self.high]
        if self.has_zero:
            marks.insert(0, (0.0, "0"))
        return [self.position(value) for value, _ in marks], [text for _, text in marks]

    def limits(self) -> tuple[float, float]:
        """Axis limits with room for the markers."""
        if self.categories:
            return -0.25 / self.high, 1 + 0.25 / self.high
        return (ZERO_BAND[0] - 0.03 if self.has_zero else -0.05, 1.05)


def robust_limit(values: np.ndarray, lower: bool) -> tuple[float, float]:
    """Limits (good end first if `lower`) that a few terrible scores cannot stretch.

    The bad end is at most three interquartile ranges beyond the quartile on the bad side.
    """
    first, third = np.quantile(values, [0.25, 0.75])
    reach = 3 * (third - first)
    low = values.min() if lower else max(values.min(), first - reach)
    high = min(values.max(), third + reach) if lower else values.max()
    if low == high:
        pad = abs(low) * 0.05 or 0.05
        low, high = low - pad, high + pad
    return float(low), float(high)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
