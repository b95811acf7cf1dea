"""What a monitor measures, as pure functions of NumPy arrays.

Every function works on *sorted* one-dimensional values: one sort gives the histogram, the counts
on either side of a bound and the Wasserstein distance for little more than a binary search each.
"""

from types import MappingProxyType

import numpy as np

ACTIVATION_STATISTICS = ("mean", "std", "zeros", "dead", "saturated", "drift", "nonfinite")
"""Names of the statistics kept of one layer's output, in the order in which they are shown."""

BOUNDS = MappingProxyType(
    {
        "sigmoid": (0.0, 1.0),
        "hardsigmoid": (0.0, 1.0),
        "sparsesigmoid": (0.0, 1.0),
        "tanh": (-1.0, 1.0),
        "hardtanh": (-1.0, 1.0),
        "softsign": (-1.0, 1.0),
        "relu6": (0.0, 6.0),
    }
)
"""Infimum and supremum of Keras' bounded activations, by name without underscores.

Softmax is not among them: most of its outputs are near zero when it works well.
"""

SATURATION_MARGIN = 0.05
"""A value is saturated within this fraction of the range of a bound: a sigmoid below 0.05 or
above 0.95 (|z| > 2.94), a tanh beyond ±0.9."""

SORTED_LIMIT = 2**17
"""Of more values than this, histogram and drift use an evenly strided part: a convolution's
millions of outputs would cost more to sort than to compute."""


def signed_log_edges(linear: float, largest: float, bins: int) -> np.ndarray:
    """Return bin edges that are even near zero and grow geometrically away from it.

    The edges are `linear * sinh(t)` for evenly spaced `t`. They are the same for every layer,
    epoch and model, so histograms can be compared and added, and they resolve values from
    `linear` to `largest` alike.

    Args:
        linear: Where the spacing turns from even to geometric.
        largest: The outermost edges are `-largest` and `largest`.
        bins: Number of bins, even, so that 0 is an edge and the zeros of a ReLU lie in `[0, ...)`.

    Returns:
        Strictly increasing edges, shape `(bins + 1,)`, float64.
    """
    half = linear * np.sinh(np.linspace(0.0, np.arcsinh(largest / linear), bins // 2 + 1))
    return np.concatenate([-half[:0:-1], half])


ACTIVATION_EDGES = signed_log_edges(linear=0.1, largest=100.0, bins=160)
GRADIENT_EDGES = signed_log_edges(linear=1e-6, largest=10.0, bins=160)
for _edges in (ACTIVATION_EDGES, GRADIENT_EDGES):
    _edges.setflags(write=False)


def sort_finite(values: np.ndarray) -> np.ndarray:
    """Return the finite entries of `values`, flat and in increasing order.

    Where there are more than `SORTED_LIMIT` entries, an evenly strided part of them is taken
    before sorting: the same entries every time, so that two records can be compared.
    """
    flat = values.reshape(-1)
    if flat.size > SORTED_LIMIT:
        flat = flat[:: -(-flat.size // SORTED_LIMIT)]
    ordered = np.sort(flat)  # NaN last, infinities at the ends
    if ordered.size and not (np.isfinite(ordered[0]) and np.isfinite(ordered[-1])):
        ordered = ordered[np.isfinite(ordered)]
    return ordered


def histogram(ordered: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Count sorted values in bins.

    Args:
        ordered: Sorted finite values, shape `(n,)`.
        edges: Bin edges, shape `(bins + 1,)`. A bin is closed on the left. Values beyond the
            outermost edges are counted in the outermost bins, so counts always add up to `n`.

    Returns:
        Counts, shape `(bins,)`, int64.
    """
    inner = np.searchsorted(ordered, edges[1:-1].astype(ordered.dtype), side="left")
    return np.diff(inner, prepend=0, append=ordered.size)


def wasserstein(before: np.ndarray, now: np.ndarray) -> float:
    """Return the 1-D Wasserstein distance between two samples of one size, both sorted.

    In one dimension the distance of order 1 is the area between the quantile functions (Villani,
    *Topics in Optimal Transportation*, 2003, remark 2.19), here the mean distance between values
    of equal rank: what `scipy.stats.wasserstein_distance` computes for samples of any sizes.
    """
    return float(np.mean(np.abs(now - before), dtype=np.float64))


def drift(before: np.ndarray | None, now: np.ndarray) -> float:
    """Return how far a layer's outputs have moved since an earlier record, without units.

    Both samples are standardised by the mean and standard deviation of the *earlier* one, so that
    a change of location, of scale and of shape all count; since the distance is translation
    invariant and homogeneous, that is the Wasserstein distance divided by the earlier standard
    deviation. 1 means: the average output moved by one earlier standard deviation. It follows the
    "internal covariate shift" of Ioffe and Szegedy (2015, arXiv:1502.03167) in the distributional
    sense; Santurkar et al. (2018, arXiv:1805.11604) discuss what it does not explain.

    Args:
        before: Sorted finite outputs of the earlier record, or `None` at the first.
        now: Sorted finite outputs on the same probe.

    Returns:
        The drift, or NaN where it is not defined: no earlier record, an earlier standard
        deviation of zero, or values that were not finite in either.
    """
    if before is None or before.size != now.size or now.size == 0:
        return float("nan")
    scale = float(np.std(before, dtype=np.float64))
    if scale == 0.0:
        return float("nan")
    return wasserstein(before, now) / scale


def saturated_fraction(ordered: np.ndarray, bounds: tuple[float, float] | None) -> float:
    """Return the fraction of sorted values near a bound, NaN for an unbounded activation."""
    if bounds is None or ordered.size == 0:
        return float("nan")
    low, high = bounds
    margin = SATURATION_MARGIN * (high - low)
    below = np.searchsorted(ordered, low + margin, side="left")
    above = ordered.size - np.searchsorted(ordered, high - margin, side="right")
    return float((below + above) / ordered.size)


def activation_statistics(
    outputs: np.ndarray,
    ordered: np.ndarray,
    before: np.ndarray | None,
    bounds: tuple[float, float] | None,
) -> dict[str, float]:
    """Summarise one layer's outputs on the probe.

    Args:
        outputs: Shape `(rows, ..., units)`. A unit is an index of the last axis.
        ordered: `sort_finite(outputs)`.
        before: The same of the record before, or `None`.
        bounds: Infimum and supremum of the activation, or `None` if it is unbounded.

    Returns:
        Keys of `ACTIVATION_STATISTICS`. `mean` and `std` are of the finite outputs; `zeros`,
        `dead` (units that are zero on every row and position), `saturated` and `nonfinite` are
        fractions; what is not defined is NaN.
    """
    nonzero = outputs != 0
    nonfinite = 0.0
    finite = outputs
    if not np.isfinite(np.sum(outputs, dtype=np.float64)):
        mask = np.isfinite(outputs)
        nonfinite = 1.0 - float(np.mean(mask))
        finite = outputs[mask]
    empty = finite.size == 0
    return {
        "mean": float("nan") if empty else float(np.mean(finite, dtype=np.float64)),
        "std": float("nan") if empty else float(np.std(finite, dtype=np.float64)),
        "zeros": 1.0 - np.count_nonzero(nonzero) / outputs.size,
        "dead": 1.0 - float(np.mean(nonzero.reshape(-1, outputs.shape[-1]).any(axis=0))),
        "saturated": saturated_fraction(ordered, bounds),
        "drift": drift(before, ordered),
        "nonfinite": nonfinite,
    }
