"""The score against each hyperparameter: slices and parallel coordinates."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from kerasreg.objectives import lower_is_better
from kerasreg.plots._points import apart, draw_scores, link, place_axes, star
from kerasreg.plots._records import ZERO_BAND, Scale, Trial, robust_limit, scored, scores
from kerasreg.plots._style import (
    BEST,
    GRID,
    INK,
    MUTED,
    PAPER,
    label,
    new_figure,
    panels,
    styled,
)
from kerasreg.study import best_trial
from kerasreg.words import show


@styled
def slices(trials: Sequence[Trial], objective: str, names: Sequence[str]) -> Figure:
    """Draw the score against each hyperparameter alone, zeros in a separate band.

    Scores far beyond the rest stand as triangles at the edge of the panel. At least one trial must
    have a score.
    """
    done = scored(trials)
    figure, grid = panels(len(names), 3, 2.5, sharey=True)
    lower = lower_is_better(objective)
    values = scores(done)
    low, high = robust_limit(values, lower)
    best = best_trial(trials, objective)
    for axes, name in zip(grid.flat, names, strict=False):
        scale = Scale.of(name, trials)
        place_axes(axes, scale, "x")
        x = apart(scale, done, 3)
        points, near = draw_scores(axes, x, values, (low, high), lower, s=16, color=BEST, alpha=0.6)
        points.set_urls([link(trials, done[index]) for index in np.flatnonzero(near)])
        if best is not None:
            star(axes, x[done.index(best)], float(best["score"]), 150)
    for row in grid:
        row[0].set_ylabel(objective)
    pad = 0.06 * (high - low)
    grid[0, 0].set_ylim(low - pad, high + pad)
    return figure


@styled
def parallel_coordinates(trials: Sequence[Trial], objective: str, names: Sequence[str]) -> Figure:
    """Draw every trial as a line through its hyperparameters to its score, the best tenth bold."""
    done = scored(trials)
    figure = new_figure(9, 3.8)
    axes = figure.subplots()
    lower = lower_is_better(objective)
    values = scores(done)
    low, high = robust_limit(values, lower)
    height = (np.clip(values, low, high) - low) / (high - low)
    goodness = 1 - height if lower else height
    scales = [Scale.of(name, trials) for name in names]
    lines = np.stack([*(apart(s, done, 5, 0.06) for s in scales), goodness], axis=1)
    strong = max(1, len(done) // 10)
    order = np.argsort(goodness, kind="stable")
    x = np.arange(len(scales) + 1)
    for chosen, colour, width, alpha in (
        (order[:-strong], MUTED, 0.7, 0.3),
        (order[-strong:], BEST, 1.8, 0.9),
    ):
        segments = [np.column_stack([x, lines[index]]) for index in chosen]
        axes.add_collection(LineCollection(segments, colors=colour, linewidths=width, alpha=alpha))
    axes.set_xlim(-0.25, len(scales) + 0.25)
    axes.set_ylim(ZERO_BAND[0] - 0.03 if any(s.has_zero for s in scales) else -0.05, 1.05)
    axes.set_xticks(
        x, [*(label(name, 16) for name in names), f"{label(objective, 16)}\n(best on top)"]
    )
    axes.tick_params(axis="x", length=0, labelcolor=INK)
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    for position, scale in enumerate(scales):
        axes.plot([position, position], [0, 1], color=GRID, linewidth=1, zorder=0)
        if scale.has_zero:
            axes.plot([position, position], ZERO_BAND, color=GRID, linewidth=5, zorder=0)
        for place, text in zip(*scale.ticks(4), strict=True):
            _value_beside(axes, position, place, text)
    axes.plot([len(scales)] * 2, [0, 1], color=GRID, linewidth=1, zorder=0)
    for place, value in ((1.0, low if lower else high), (0.0, high if lower else low)):
        _value_beside(axes, len(scales), place, show(value))
    return figure


def _value_beside(axes: Axes, x: float, y: float, text: str) -> None:
    axes.text(
        x - 0.03,
        y,
        text,
        ha="right",
        va="center",
        fontsize=7,
        color=MUTED,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
    )
