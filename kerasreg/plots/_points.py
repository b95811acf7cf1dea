"""Trials as points: where they stand on an axis, what marks them, where they lead."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from kerasreg.plots._records import ZERO_BAND, Scale, Trial
from kerasreg.plots._style import BAND, INK, MUTED, PAPER, label


def place_axes(axes: Axes, scale: Scale, side: str) -> None:
    """Give one side of `axes` the ticks of `scale`, with the zero band shaded."""
    axis, band = (axes.xaxis, axes.axvspan) if side == "x" else (axes.yaxis, axes.axhspan)
    axes.set(**{f"{side}lim": scale.limits()})
    axis.set_ticks(*scale.ticks())
    axis.set_label_text(label(scale.name) + (" (log)" if scale.log else ""))
    if scale.has_zero:
        band(*ZERO_BAND, color=BAND, zorder=0, linewidth=0)


def apart(scale: Scale, trials: Sequence[Trial], step: int, categories: float = 0.3) -> np.ndarray:
    """Positions with equal values (zeros, categories) spread so that points do not hide others."""
    x = scale.positions(trials)
    # Multiples of the golden ratio are spread evenly in [-0.5, 0.5), and the same every time.
    offsets = (np.arange(len(trials)) * step * 0.6180339887498949) % 1.0 - 0.5
    if scale.categories:
        return x + offsets * categories / max(1, len(scale.categories) - 1)
    width = (ZERO_BAND[1] - ZERO_BAND[0]) * 0.8
    return np.where(x < ZERO_BAND[1], x + offsets * width, x)


def draw_scores(
    axes: Axes,
    x: np.ndarray,
    values: np.ndarray,
    limits: tuple[float, float],
    lower: bool,
    **look: object,
) -> tuple[PathCollection, np.ndarray]:
    """Draw scores at `x`; those beyond `limits` stand at the edge, as triangles to the bad side.

    Returns:
        The points within the limits, and which trials those are.
    """
    near = (values >= limits[0]) & (values <= limits[1])
    points = axes.scatter(x[near], values[near], linewidths=0, **look)
    marker = "^" if lower else "v"
    far = np.clip(values[~near], *limits)
    axes.scatter(x[~near], far, s=look["s"], marker=marker, color=MUTED, alpha=0.6, linewidths=0)
    return points, near


def star(axes: Axes, x: float, y: float, size: float, **options: str) -> None:
    """Mark the best trial."""
    look = {"color": PAPER, "edgecolors": INK, "linewidths": 1.2, "zorder": 4}
    axes.scatter(x, y, marker="*", s=size, **look, **options)


def link(trials: Sequence[Trial], trial: Trial) -> str:
    """The page's target for a trial: its position, since its id may hold any character."""
    return f"#trial-{next(k for k, other in enumerate(trials) if other is trial)}"
