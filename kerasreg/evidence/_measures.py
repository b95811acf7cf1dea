"""Other shapes of evidence: trends over levels, best levels, proportions, ranks."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from kerasreg.errors import UserError
from kerasreg.evidence._paired import Comparison, compare

TrendStatistic = Literal["slope", "spearman"]


def trend(
    levels: ArrayLike,
    results: ArrayLike,
    smallest_effect: float,
    *,
    statistic: TrendStatistic = "slope",
    unit: str = "",
) -> Comparison:
    """Ask whether results rise or fall with a level, one trend per seed.

    Each seed gives one least-squares slope (or Spearman rank correlation) of its results on the
    levels; the seeds' values are then compared with 0. Levels within a seed share initial
    weights and data, so pooling all points would count them as independent and make the interval
    too short.

    Args:
        levels: Shape (levels,), in the units of the slope: pass log2(batch) for "per doubling".
        results: Shape (seeds, levels).
        smallest_effect: Smallest slope or correlation that matters.
        statistic: "slope" or "spearman". A seed whose results do not vary has correlation 0.

    Raises:
        UserError: Fewer than two distinct levels, or shapes that do not match.
    """
    if statistic not in get_args(TrendStatistic):
        raise UserError(
            f"Expected statistic to be one of {get_args(TrendStatistic)}. "
            f"Received: statistic={statistic!r}."
        )
    levels = np.asarray(levels, dtype=np.float64)
    results = _seeds_by_levels(results, len(levels))
    if len(np.unique(levels)) < 2:
        raise UserError(f"Expected at least two distinct levels. Received: {levels.tolist()}.")
    if statistic == "spearman":
        levels = stats.rankdata(levels)
        results = stats.rankdata(results, axis=1)
    x = levels - levels.mean()
    y = results - results.mean(axis=1, keepdims=True)
    values = y @ x / (x @ x)
    if statistic == "spearman":
        spread = np.sqrt((y**2).sum(axis=1) / (x @ x))
        values = np.divide(values, spread, out=np.zeros_like(values), where=spread > 0)
    return compare(values, 0.0, smallest_effect, unit=unit)


@dataclass(frozen=True)
class BestLevel:
    """Which level is best, and how sure that is over resampled seeds.

    Attributes:
        shares: Share of bootstrap resamples of the seeds in which each level has the best mean; a
            tie is split equally.
    """

    levels: tuple[float, ...]
    means: tuple[float, ...]
    shares: tuple[float, ...]
    resamples: int

    def share_within(self, low: float, high: float) -> float:
        """Return the share of resamples whose best level lies in [low, high]."""
        shares = zip(self.levels, self.shares, strict=True)
        return float(sum(share for level, share in shares if low <= level <= high))


def best_level(
    levels: ArrayLike, results: ArrayLike, *, resamples: int = 10_000, seed: int = 0
) -> BestLevel:
    """Find the level with the largest mean, and how often it is each when seeds are resampled.

    Args:
        levels: Shape (levels,).
        results: Shape (seeds, levels).

    Raises:
        UserError: Shapes that do not match, or fewer than one resample.
    """
    levels = np.asarray(levels, dtype=np.float64)
    results = _seeds_by_levels(results, len(levels))
    if resamples < 1:
        raise UserError(f"Expected at least 1 resample. Received: resamples={resamples!r}.")
    generator = np.random.default_rng(seed)
    # Resampling n seeds with replacement draws how often each one is used.
    counts = generator.multinomial(len(results), np.full(len(results), 1 / len(results)), resamples)
    means = counts @ results / len(results)
    best = means >= means.max(axis=1, keepdims=True) - 1e-12 * np.abs(means).max()
    shares = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return BestLevel(
        levels=tuple(levels.tolist()),
        means=tuple(results.mean(axis=0).tolist()),
        shares=tuple(shares.tolist()),
        resamples=resamples,
    )


@dataclass(frozen=True)
class Proportion:
    """A share of successes with its 95 % Wilson score interval [low, high]."""

    share: float
    low: float
    high: float


def proportion(successes: int, total: int) -> Proportion:
    """Return a proportion with its 95 % Wilson score interval (Wilson 1927).

    Raises:
        UserError: Unless 0 <= successes <= total and total >= 1.
    """
    if total < 1 or not 0 <= successes <= total:
        raise UserError(
            "Expected 0 <= successes <= total and a total of at least 1. "
            f"Received: successes={successes!r}, total={total!r}."
        )
    interval = stats.binomtest(int(successes), int(total)).proportion_ci(method="wilson")
    return Proportion(successes / total, interval.low, interval.high)


@dataclass(frozen=True)
class RankTest:
    """Friedman's test over several arms, with Nemenyi's critical difference.

    Attributes:
        p: Of "all arms rank alike".
        mean_ranks: Mean rank of each arm over the seeds, 1 is best.
        critical_difference: Two arms whose mean ranks differ by more are different at level 0.05.
    """

    p: float
    mean_ranks: tuple[float, ...]
    critical_difference: float


def rank_test(results: ArrayLike, *, maximize: bool = True) -> RankTest:
    """Compare three or more arms by their ranks within each seed.

    Args:
        results: Shape (seeds, arms).
        maximize: True if the largest result gets rank 1.

    Source: Friedman (1937); Nemenyi (1963) as given by Demsar (2006), JMLR 7, section 3.2.2.

    Raises:
        UserError: Fewer than three arms or two seeds.
    """
    results = _seeds_by_levels(results, np.shape(results)[-1] if np.ndim(results) == 2 else -1)
    seeds, arms = results.shape
    if arms < 3:
        raise UserError(f"Expected at least 3 arms. Received: {arms}; use compare for two.")
    ranks = stats.rankdata(-results if maximize else results, axis=1)
    # Where every seed ties all arms, SciPy would divide by zero.
    tied = np.all(ranks == ranks[0, 0])
    p = 1.0 if tied else float(stats.friedmanchisquare(*ranks.T).pvalue)
    quantile = stats.studentized_range.ppf(0.95, arms, np.inf) / math.sqrt(2)
    return RankTest(
        p=p,
        mean_ranks=tuple(ranks.mean(axis=0).tolist()),
        critical_difference=float(quantile * math.sqrt(arms * (arms + 1) / (6 * seeds))),
    )


def _seeds_by_levels(results: ArrayLike, levels: int) -> np.ndarray:
    results = np.asarray(results, dtype=np.float64)
    if results.ndim != 2 or results.shape[1] != levels or len(results) < 2:
        raise UserError(
            f"Expected results of shape (seeds, {levels if levels >= 0 else 'arms'}) with at "
            f"least 2 seeds. Received: shape {results.shape}."
        )
    if not np.all(np.isfinite(results)):
        raise UserError("Expected finite results. Received NaN or infinity.")
    return results
