"""Times until something happens, where some runs ended before it did."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from kerasreg.errors import UserError
from kerasreg.evidence._paired import Bound, Comparison, compare


@dataclass(frozen=True)
class Times:
    """When each seed's run arrived, such as updates until 95 % training accuracy.

    Attributes:
        values: (seeds,), greater than 0; the budget for a run that ended before it arrived.
        arrived: Which runs arrived, (seeds,).
    """

    values: np.ndarray
    arrived: np.ndarray

    def __post_init__(self) -> None:
        if np.shape(self.values) != np.shape(self.arrived):
            raise UserError(
                "Expected one time and one arrival per seed. Received: values of shape "
                f"{np.shape(self.values)} and arrived of shape {np.shape(self.arrived)}."
            )

    def most_arrived(self) -> bool:
        """Tell whether more than half of the runs arrived."""
        return bool(np.mean(self.arrived) > 0.5)

    def text(self) -> str:
        """Return the mean: "240", or "more than 240" where runs ended before they arrived."""
        return f"{'' if np.all(self.arrived) else 'more than '}{np.mean(self.values):,.0f}"


def compare_times(
    a: Times, b: Times, smallest_ratio: float, *, alpha: float = 0.05, seed: int = 0, unit: str = ""
) -> Comparison:
    """Compare two arms' times by their ratios a / b, and say where that is only a bound.

    A run that ended before it arrived enters with its budget. Its true time is longer, so that the
    true ratio is at least what is found where such runs are a's, at most where they are b's, and
    unknown where both arms have them.

    Args:
        a, b, smallest_ratio, alpha, seed, unit: As in `compare`.

    Raises:
        UserError: As `compare`; or half of an arm's runs or more did not arrive, so that
            the ratio would be the budget's: compare what was reached at the budget instead.
    """
    for name, times in (("a", a), ("b", b)):
        if not times.most_arrived():
            raise UserError(
                f"Expected most runs to arrive. Received: {name} with {int(np.sum(times.arrived))} "
                f"of {len(times.arrived)}; compare what was reached at the budget."
            )
    late_a, late_b = not np.all(a.arrived), not np.all(b.arrived)
    bounds: dict[tuple[bool, bool], Bound] = {
        (False, False): "",
        (True, False): "at least",
        (False, True): "at most",
        (True, True): "unknown",
    }
    comparison = compare(
        a.values, b.values, smallest_ratio, scale="ratio", alpha=alpha, seed=seed, unit=unit
    )
    return dataclasses.replace(comparison, bound=bounds[late_a, late_b])
