"""Where the good region is: the score over pairs of hyperparameters."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from kerasreg.objectives import lower_is_better
from kerasreg.plots._points import apart, link, place_axes, star
from kerasreg.plots._records import Scale, Trial, robust_limit, scored, scores
from kerasreg.plots._style import BASELINE, COLORMAP, INK, panels, styled
from kerasreg.study import best_trial
from kerasreg.words import show

WIDTH = 0.14  # of the smoothing kernel, in lengths of the axis
SURFACE_FROM = 16  # trials; below this a smoothed surface would be invention


@styled
def response_surface(
    trials: Sequence[Trial], objective: str, pairs: Sequence[tuple[str, str]]
) -> Figure:
    """Draw the score over pairs (horizontal, vertical) of hyperparameters, one panel a pair.

    Points are trials; the tint behind them is their smoothed mean (a Gaussian kernel of a seventh
    of the axis), faint where trials are few and at least 16 have a score. Exact zeros stand in a
    separate band. The star is the best completed trial, crosses are diverged trials. At least one
    trial must have a score.
    """
    figure, grid = panels(len(pairs), 2, 3.7, width=9 if len(pairs) > 1 else 6)
    for axes, pair in zip(grid.flat, pairs, strict=False):
        points = surface(axes, trials, objective, pair)
    handles, names = grid.flat[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside upper right", ncols=2)
    colour_bar(figure, points, grid, objective, shrink=0.9, aspect=30, pad=0.015)
    return figure


def surface(
    axes: Axes, trials: Sequence[Trial], objective: str, pair: tuple[str, str]
) -> PathCollection:
    """Draw one panel of `response_surface`."""
    done = scored(trials)
    lower = lower_is_better(objective)
    low, high = _coloured(scores(done), lower)
    norm = Normalize(low, high)
    colormap = colormaps[COLORMAP + "_r" if lower else COLORMAP]
    best = best_trial(trials, objective)
    lost = [trial for trial in trials if trial.get("status") == "diverged"]
    x_scale, y_scale = (Scale.of(name, trials) for name in pair)
    place_axes(axes, x_scale, "x")
    place_axes(axes, y_scale, "y")
    x, y = apart(x_scale, done, 1), apart(y_scale, done, 7)
    if len(done) >= SURFACE_FROM:
        _tint(axes, x, y, np.clip(scores(done), low, high), norm, colormap)
    points = axes.scatter(
        x,
        y,
        c=scores(done),
        norm=norm,
        cmap=colormap,
        s=26,
        edgecolors=INK,
        linewidths=0.5,
        zorder=3,
    )
    points.set_urls([link(trials, trial) for trial in done])
    if lost:
        axes.scatter(
            apart(x_scale, lost, 1),
            apart(y_scale, lost, 7),
            marker="x",
            color=BASELINE,
            s=26,
            linewidths=1.4,
            zorder=3,
            label="diverged",
        )
    if best is not None:
        where = done.index(best)
        star(axes, x[where], y[where], 230, label=f"best, {show(float(best['score']))}")
    axes.grid(False)
    return points


def colour_bar(
    figure: Figure, points: PathCollection, axes: Axes | np.ndarray, objective: str, **place: float
) -> None:
    """Explain the colours of `surface` beside one panel or a grid of them, good on top."""
    lower = lower_is_better(objective)
    bar = figure.colorbar(points, ax=axes, extend="max" if lower else "min", **place)
    bar.set_label(f"{objective}, {'lower' if lower else 'higher'} is better")
    bar.outline.set_visible(False)
    if lower:
        bar.ax.invert_yaxis()


def _coloured(values: np.ndarray, lower: bool) -> tuple[float, float]:
    """Limits of the colours: the better 60 % share the scale, the rest have its last colour."""
    low, high = np.quantile(values, [0, 0.6] if lower else [0.4, 1])
    return robust_limit(values, lower) if low == high else (float(low), float(high))


def _tint(axes: Axes, x, y, z, norm: Normalize, colormap, cells: int = 60) -> None:
    """Tint the plane by the kernel-weighted mean score, faint where few trials are near."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    columns = np.linspace(x0, x1, cells + 1)
    rows = np.linspace(y0, y1, cells + 1)
    centres_x, centres_y = (columns[1:] + columns[:-1]) / 2, (rows[1:] + rows[:-1]) / 2
    near_x = np.exp(-0.5 * ((centres_x[:, None] - x) / WIDTH) ** 2)
    near_y = np.exp(-0.5 * ((centres_y[:, None] - y) / WIDTH) ** 2)
    weight = near_y @ near_x.T
    mean = (near_y * z) @ near_x.T / np.maximum(weight, 1e-12)
    rgba = colormap(norm(mean))
    rgba[..., 3] = 0.5 * weight / (weight + 1)
    axes.imshow(
        rgba, extent=(x0, x1, y0, y1), origin="lower", aspect="auto", interpolation="bilinear"
    )
