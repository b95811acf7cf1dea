"""Encodings of numeric columns: what a network is given in place of a number.

An encoder is fitted on training rows and applied by NumPy or by Keras' operations, which have the
same names: one computation for training and for the exported model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ENCODINGS = ("standard", "smooth", "quantile", "piecewise")
#: For a network that reads the data itself: arrays as they are, a table's columns standardised.
RAW = "raw"
# Features that the piecewise-linear encoding makes of a column, and knots of the quantile map.
MOST_BINS = 16
LEAST_KNOTS, MOST_KNOTS = 10, 100


@dataclass(frozen=True)
class Scaled:
    """`z = (x - offset) * gain`, and squashed `z / sqrt(1 + (z / 3)²)`, which stays within ±3.

    Attributes:
        offset, gain: float64, one a column or scalar arrays; gain 0 where a column is constant.
        squash: Whether to squash.
    """

    offset: np.ndarray
    gain: np.ndarray
    squash: bool = False
    widest = 1  # values a cell becomes on the way, for whoever bounds memory

    def apply(self, ops: Any, x: Any) -> Any:
        """Features of float64 columns, shape (rows, columns); `ops` is numpy or keras.ops."""
        z = (x - self.offset) * self.gain
        return z / ops.sqrt(1 + (z / 3) ** 2) if self.squash else z

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """One name a feature."""
        return columns


@dataclass(frozen=True)
class Binned:
    """Where a cell lies in each bin of its column: `clip((x - low) * gain, floor, ceiling)`.

    All of shape (columns, most bins), padded with bins of gain 0. Either the bins of a column are
    its features (piecewise-linear encoding), or they add up to one (quantile map).

    Attributes:
        low, gain: Lower edge and 1/width of each bin.
        floor, ceiling: 0 and 1; in the piecewise-linear encoding -1 in the first and 2 in the last
            bin of a column: one width beyond the training rows, an outlier goes no further.
        weight, shift: Multiply and add to the result; of the quantile map the shift has shape
            (columns,).
        bins: int, features of each column; None for the quantile map.
    """

    low: np.ndarray
    gain: np.ndarray
    floor: np.ndarray
    ceiling: np.ndarray
    weight: np.ndarray
    shift: np.ndarray
    bins: np.ndarray | None = None

    @property
    def widest(self) -> int:
        """Values a cell becomes on the way, for whoever bounds memory."""
        return self.low.shape[1]

    def apply(self, ops: Any, x: Any) -> Any:
        """Features of float64 columns, shape (rows, columns); `ops` is numpy or keras.ops."""
        place = (ops.expand_dims(x, -1) - self.low) * self.gain
        place = ops.minimum(ops.maximum(place, self.floor), self.ceiling) * self.weight
        if self.bins is None:
            return ops.sum(place, axis=-1) + self.shift
        place = ops.reshape(place + self.shift, (-1, self.low.size))
        used = np.flatnonzero(np.arange(self.widest) < self.bins[:, None])
        return place if len(used) == self.low.size else ops.take(place, used, axis=1)

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """One name a feature."""
        if self.bins is None:
            return columns
        return tuple(
            name if bins == 1 else f"{name} bin {index + 1}"
            for name, bins in zip(columns, self.bins, strict=True)
            for index in range(bins)
        )


def fit_encoder(
    encoding: str,
    cells: Callable[[int], np.ndarray],
    gain: np.ndarray,
    bins: np.ndarray | None = None,
) -> Scaled | Binned:
    """Fit one of `ENCODINGS` but `"standard"` on the cells of training rows.

    - smooth: median 0, interquartile range 1.349 (that of a normal distribution), then squashed
      (RealMLP, arXiv:2407.04491).
    - quantile: a piecewise-linear map of quantiles to those of a normal distribution; equal
      cells get the middle of their ranks.
    - piecewise: the bins of a column are its features (arXiv:2203.05556). Bounds are quantiles, of
      cells of which no value counts more than a bin holds: half zeros leave bins for the rest.

    Args:
        encoding: Its name.
        cells: `cells(column)` are the cells of a column that are there, float64, shape (n,).
        gain: 1/standard deviation of each column, 0 for a constant one.
        bins: Features each column shall have, of piecewise: those of the data that has this fold.
    """
    if not len(gain):
        return Scaled(gain, gain)
    if encoding == "smooth":
        quartiles = np.array([_quantiles(cells(j), [0.25, 0.5, 0.75]) for j in range(len(gain))])
        spread = quartiles[:, 2] - quartiles[:, 0]
        robust = np.divide(1.349, spread, out=gain.copy(), where=spread > 0)
        return Scaled(quartiles[:, 1], robust, squash=True)
    if encoding == "quantile":
        columns = [_quantile_map(cells(j)) for j in range(len(gain))]
        *parts, starts = zip(*columns, strict=True)
        low, width, weight = (_padded(part) for part in parts)
        return Binned(
            low,
            _inverse(width),
            np.zeros_like(low),
            np.ones_like(low),
            weight,
            np.array(starts),
        )
    most = np.full(len(gain), MOST_BINS) if bins is None else bins
    columns = [_piecewise(cells(j), count) for j, count in enumerate(most)]
    if bins is None:
        bins = np.array([max(1, len(column[0])) for column in columns])
    return Binned(*(_padded(part, max(bins)) for part in zip(*columns, strict=True)), bins)


def _quantile_map(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Lower edges, widths and rises of the pieces of a column's map, and where it starts."""
    from scipy.special import ndtr, ndtri

    knots = int(np.clip(len(cells) // 30, LEAST_KNOTS, MOST_KNOTS))
    ranks = np.arange(knots)
    edges, group = np.unique(_quantiles(cells, ranks / (knots - 1)), return_inverse=True)
    middle = np.bincount(group, ranks) / np.bincount(group) / (knots - 1)
    # Half a row lies beyond the outermost ones; no more than 3 standard deviations.
    tail = max(0.5 / max(1, len(cells)), ndtr(-3))
    heights = ndtri(np.clip(middle, tail, 1 - tail))
    return edges[:-1], np.diff(edges), np.diff(heights), heights[0]


def _piecewise(cells: np.ndarray, most: int) -> tuple[np.ndarray, ...]:
    """`Binned`'s arrays of one column, shape (bins,), with at most `most` bins.

    The features are centred, and one factor a column makes their variances sum to 1: as much as a
    standardised column has. (Each to variance 1, a column of 16 bins would count 16 times as much
    as others, learn as much faster and overfit; each alone, outer bins would blow up.)
    """
    values, counts = np.unique(cells, return_counts=True)
    edges = values
    if len(values) > most + 1:
        ranks = np.cumsum(np.minimum(counts, len(cells) / most))
        edges = np.interp(np.linspace(ranks[0], ranks[-1], most + 1), ranks, values)
    low, gain = edges[:-1], _inverse(np.diff(edges))
    if not len(low):
        return (low,) * 6
    floor, ceiling = np.zeros_like(low), np.ones_like(low)
    floor[0], ceiling[-1] = -1, 2
    place = np.clip((cells[:, None] - low) * gain, floor, ceiling)
    weight = np.full_like(low, 1 / np.sqrt(place.var(axis=0).sum()))
    return low, gain, floor, ceiling, weight, -place.mean(axis=0) * weight


def _quantiles(cells: np.ndarray, levels: Any) -> np.ndarray:
    return np.quantile(cells, levels) if len(cells) else np.zeros(len(levels))


def _inverse(width: np.ndarray) -> np.ndarray:
    return np.divide(1, width, out=np.zeros_like(width), where=width > 0)


def _padded(rows: tuple[np.ndarray, ...], length: int | None = None) -> np.ndarray:
    """Stack rows of different lengths, zeros behind; at least one column."""
    length = length or max(1, *(len(row) for row in rows))
    return np.stack([np.pad(row, (0, length - len(row))) for row in rows])
