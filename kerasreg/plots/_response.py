"""Where the good region is: response surfaces, slices and parallel coordinates."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from kerasreg.objectives import lower_is_better
from kerasreg.plots._records import (
    ZERO_BAND,
    Scale,
    Trial,
    robust_limit,
    scored,
    scores,
    spread,
)
from kerasreg.plots._style import (
    BAND,
    BASELINE,
    BEST,
    COLORMAP,
    GRID,
    INK,
    MUTED,
    PAPER,
    label,
    new_figure,
    note,
    number,
    styled,
)
from kerasreg.study import best_trial

WIDTH = 0.14  # of the smoothing kernel, in lengths of the axis
SURFACE_FROM = 16  # trials; below this a smoothed surface would be invention


@styled
def response_surface(
    trials: Sequence[Trial], objective: str, pairs: Sequence[tuple[str, str]]
) -> Figure:
    """Draw the score over pairs of hyperparameters, one panel a pair.

    Points are trials; the tint behind them is their smoothed mean (a Gaussian kernel of a seventh
    of the axis), faint where trials are few and at least 16 have a score. Exact zeros stand in a
    band of their own. The star is the best completed trial, crosses are diverged trials.

    Args:
        trials: Trial records.
        objective: Name of the score.
        pairs: Names (horizontal, vertical), one pair a panel.
    """
    done = scored(trials)
    columns = min(2, max(1, len(pairs)))
    rows = max(1, -(-len(pairs) // columns))
    figure = new_figure(9 if columns == 2 else 6, 3.7 * rows + 0.3)
    grid = figure.subplots(rows, columns, squeeze=False)
    if not done or not pairs:
        for axes in grid.flat:
            note(axes, "No trial has a score." if not done else "Fewer than two vary.")
        return figure
    for axes, pair in zip(grid.flat, pairs, strict=False):
        points = surface(axes, trials, objective, pair)
    for axes in list(grid.flat)[len(pairs) :]:
        axes.set_visible(False)
    handles, names = grid.flat[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside upper right", ncols=2)
    colour_bar(figure, points, grid, objective, shrink=0.9, aspect=30, pad=0.015)
    return figure


def surface(
    axes: Axes, trials: Sequence[Trial], objective: str, pair: tuple[str, str]
) -> PathCollection:
    """Draw one panel of `response_surface`; at least one trial must have a score."""
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
    x, y = _apart(x_scale, done, 1), _apart(y_scale, done, 7)
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
            _apart(x_scale, lost, 1),
            _apart(y_scale, lost, 7),
            marker="x",
            color=BASELINE,
            s=26,
            linewidths=1.4,
            zorder=3,
            label="diverged",
        )
    if best is not None:
        where = done.index(best)
        _star(axes, x[where], y[where], 230, label=f"best, {number(float(best['score']))}")
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


def _star(axes: Axes, x: float, y: float, size: float, **options: str) -> None:
    """Mark the best trial."""
    look = {"color": PAPER, "edgecolors": INK, "linewidths": 1.2, "zorder": 4}
    axes.scatter(x, y, marker="*", s=size, **look, **options)


@styled
def slices(trials: Sequence[Trial], objective: str, names: Sequence[str]) -> Figure:
    """Draw the score against each hyperparameter alone, zeros in their own band.

    Scores far beyond the rest stand as triangles at the edge of the panel.
    """
    done = scored(trials)
    columns = min(3, max(1, len(names)))
    rows = max(1, -(-len(names) // columns))
    figure = new_figure(9, 2.5 * rows + 0.2)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    if not done or not names:
        for axes in grid.flat:
            note(axes, "No trial has a score." if not done else "Nothing varies.")
        return figure
    lower = lower_is_better(objective)
    values = scores(done)
    low, high = robust_limit(values, lower)
    beyond = (values > high) | (values < low)
    best = best_trial(trials, objective)
    for axes, name in zip(grid.flat, names, strict=False):
        scale = Scale.of(name, trials)
        place_axes(axes, scale, "x")
        x = _apart(scale, done, 3)
        axes.scatter(
            x[~beyond], values[~beyond], s=16, color=BEST, alpha=0.6, linewidths=0
        ).set_urls([link(trials, t) for t, far in zip(done, beyond, strict=True) if not far])
        axes.scatter(
            x[beyond],
            np.clip(values[beyond], low, high),
            marker="^" if lower else "v",
            s=16,
            color=MUTED,
            alpha=0.8,
            linewidths=0,
        )
        if best is not None:
            _star(axes, x[done.index(best)], float(best["score"]), 150)
    for axes in list(grid.flat)[len(names) :]:
        axes.set_visible(False)
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
    if not done or not names:
        note(axes, "No trial has a score." if not done else "Nothing varies.")
        return figure
    lower = lower_is_better(objective)
    values = scores(done)
    low, high = robust_limit(values, lower)
    height = (np.clip(values, low, high) - low) / (high - low)
    goodness = 1 - height if lower else height
    scales = [Scale.of(name, trials) for name in names]
    lines = np.stack([*(_apart(s, done, 5, 0.06) for s in scales), goodness], axis=1)
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
        _value_beside(axes, len(scales), place, number(value))
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


def link(trials: Sequence[Trial], trial: Trial) -> str:
    """The page's target for a trial: its position, since its id may hold any character."""
    return f"#trial-{next(k for k, other in enumerate(trials) if other is trial)}"


def _coloured(values: np.ndarray, lower: bool) -> tuple[float, float]:
    """Limits of the colours: the better 60 % share the scale, the rest have its last colour."""
    low, high = np.quantile(values, [0, 0.6] if lower else [0.4, 1])
    return robust_limit(values, lower) if low == high else (float(low), float(high))


def _apart(scale: Scale, trials: Sequence[Trial], step: int, categories: float = 0.3) -> np.ndarray:
    """Positions with equal values (zeros, categories) spread so that points do not hide others."""
    x = scale.positions(trials)
    offsets = spread(len(trials) * step)[::step]
    if scale.categories:
        return x + offsets * categories / max(1, len(scale.categories) - 1)
    width = (ZERO_BAND[1] - ZERO_BAND[0]) * 0.8
    return np.where(x < ZERO_BAND[1], x + offsets * width, x)


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
