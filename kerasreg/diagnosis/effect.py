"""A mean over rows with its interval."""

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Effect:
    """A mean of errors or of their differences, shares of 1, with its 95 % t-interval over rows."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """In points of percent: `4.2 points [1.1, 7.3]`."""
        # Adding 0 makes -0 a 0.
        mean, low, high = (
            round(100 * value, 1) + 0.0 for value in (self.mean, self.low, self.high)
        )
        return f"{mean:.1f} points [{low:.1f}, {high:.1f}]"


def effect_of(values: np.ndarray) -> Effect:
    """The mean of what is known of `values`, one number a row; NaN is unknown."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return Effect(np.nan, np.nan, np.nan)
    half = stats.t.ppf(0.975, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return Effect(float(known.mean()), float(known.mean() - half), float(known.mean() + half))
