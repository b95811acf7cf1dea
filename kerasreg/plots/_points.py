"""Trials as points: where they stand on an axis, what marks them, where they lead."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from kerasreg.plots._records import (
    ZERO_BAND,
    Scale,
    Trial,
    spread,
)
from kerasreg.plots._style import (
    BAND,
    INK,
    PAPER,
    label,
)


def place_axes(axes: Axes, scale: Scale, side: str) -> None:
    """Give one side of `axes` the ticks of `scale`, with the zero band shaded."""
    ticks, texts = scale.ticks()
    if side == "x":
        axes.set_xlim(*scale.limits())
        axes.set_xticks(ticks, texts)
        axes.set_xlabel(label(scale.name) + (" (log)" if scale.log else ""))
        band = axes.axvspan
    else:
        axes.set_ylim(*scale.limits())
        axes.set_yticks(ticks, texts)
        axes.set_ylabel(label(scale.name) + (" (log)" if scale.log else ""))
        band = axes.axhspan
    if scale.has_zero:
        band(*ZERO_BAND, color=BAND, zorder=0, linewidth=0)


def apart(scale: Scale, trials: Sequence[Trial], step: int, categories: float = 0.3) -> np.ndarray:
    """Positions with equal values (zeros, categories) spread so that points do not hide others."""
    x = scale.positions(trials)
    offsets = spread(len(trials) * step)[::step]
    if scale.categories:
        return x + offsets * categories / max(1, len(scale.categories) - 1)
    width = (ZERO_BAND[1] - ZERO_BAND[0]) * 0.8
    return np.where(x < ZERO_BAND[1], x + offsets * width, x)


def star(axes: Axes, x: float, y: float, size: float, **options: str) -> None:
    """Mark the best trial."""
    look = {"color": PAPER, "edgecolors": INK, "linewidths": 1.2, "zorder": 4}
    axes.scatter(x, y, marker="*", s=size, **look, **options)


def link(trials: Sequence[Trial], trial: Trial) -> str:
    """The page's target for a trial: its position, since its id may hold any character."""
    return f"#trial-{next(k for k, other in enumerate(trials) if other is trial)}"
