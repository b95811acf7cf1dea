"""Learning curves of baseline and best, and the search's progress."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kerasreg.objectives import lower_is_better
from kerasreg.plots._points import draw_scores
from kerasreg.plots._records import Trial, robust_limit, scored, scores
from kerasreg.plots._style import (
    BASELINE,
    BEST,
    INK,
    MUTED,
    PAPER,
    SERIES,
    count_epochs,
    label,
    new_figure,
    percent,
    remark,
    styled,
)
from kerasreg.study import best_trial, is_scored
from kerasreg.words import show

TITLES = {
    "data_loss": "Data loss (without penalty)",
    "accuracy": "Accuracy",
    "mae": "Mean absolute error",
    "penalty": "Penalty",
}


def curve(source: Mapping[str, object], name: str) -> np.ndarray | None:
    """One curve of a record as floats, not-finite values as NaN, or None where it has none."""
    values = (source.get("curves") or {}).get(name)
    if values is None or len(values) == 0:
        return None
    array = np.array([np.nan if value is None else value for value in values], dtype=float)
    return None if np.isnan(array).all() else array


@styled
def learning_curves(columns: Mapping[str, Trial]) -> Figure:
    """Draw training and validation curves side by side, one column a record, the gap shaded.

    Args:
        columns: Title to trial record (`{"Baseline": record, "Best": record}`). Rows share their
            vertical axis, so columns compare. Thin lines are the single seeds, thick ones the
            mean, the marker the chosen epoch.

    Returns:
        The figure: data loss, accuracy or mean absolute error, and the penalty where there is one.
    """
    records = list(columns.values())
    rows = [name for name in TITLES if any(_drawn(record, name) for record in records)]
    rows = rows or ["data_loss"]
    heights = [0.55 if name == "penalty" else 1.0 for name in rows]
    figure = new_figure(9, 0.5 + 2.7 * sum(heights))
    grid = figure.subplots(
        len(rows), len(columns), sharey="row", sharex=True, squeeze=False, height_ratios=heights
    )
    # A study that was interrupted has no baseline yet: its best keeps its colour.
    colours = [BASELINE, BEST, *SERIES[2:]] if len(columns) > 1 else [BEST]
    for column, (title, record) in enumerate(columns.items()):
        for row, name in enumerate(rows):
            axes = grid[row, column]
            if row == 0:
                axes.set_title(label(title, 48))
            if column == 0:
                axes.set_ylabel(TITLES[name])
            if not _drawn(record, name):
                remark(axes, "none" if name == "penalty" else "no curves")
                continue
            draw_pair(axes, record, name, colours[column])
        count_epochs(grid[-1, column])
    explain_lines(figure)
    for row, name in enumerate(rows):
        limit(grid[row, 0], records, name)
        if name == "accuracy":
            grid[row, 0].yaxis.set_major_formatter(percent)
    return figure


def explain_lines(figure: Figure) -> None:
    """One legend above all columns, in no column's colour: it never lies on a curve."""
    handles = [
        Line2D([], [], color=INK, linestyle="--", linewidth=1.2, label="training"),
        Line2D([], [], color=INK, label="validation"),
        Patch(color=INK, alpha=0.16, linewidth=0, label="gap"),
        Line2D([], [], color=INK, marker="o", linestyle=":", linewidth=0.8, label="chosen epoch"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))


def _drawn(record: Trial, name: str) -> bool:
    values = curve(record, name)
    return values is not None and not (name == "penalty" and np.nanmax(np.abs(values)) == 0)


def draw_pair(axes: Axes, record: Trial, name: str, colour: str) -> None:
    """Draw a record's training and validation curve of `name`, with the gap and chosen epoch."""
    train, validation = curve(record, name), curve(record, f"val_{name}")
    if name == "penalty":
        _plot(axes, train, color=colour)
        return
    members = record.get("members") or []
    for member in members if len(members) > 1 else ():
        single = curve(member, f"val_{name}")
        if single is not None:
            _plot(axes, single, color=colour, linewidth=0.6, alpha=0.35)
    _plot(axes, train, color=colour, linestyle="--", linewidth=1.2)
    if validation is None:
        return
    both = min(len(train), len(validation))
    epochs = np.arange(1, both + 1)
    axes.fill_between(
        epochs, train[:both], validation[:both], color=colour, alpha=0.16, linewidth=0
    )
    _plot(axes, validation, color=colour)
    chosen = record.get("chosen_epoch")
    if chosen and 1 <= chosen <= len(validation):
        height = validation[chosen - 1]
        axes.axvline(chosen, color=MUTED, linewidth=0.8, linestyle=":")
        axes.plot(chosen, height, "o", color=colour, markeredgecolor=INK, markersize=6)
        axes.annotate(
            (percent if name == "accuracy" else show)(height),
            (chosen, height),
            (6, 7 if name == "accuracy" else -14),
            textcoords="offset points",
            fontsize=8,
            weight="bold",
            bbox={"boxstyle": "round,pad=0.15", "color": PAPER, "alpha": 0.8},
        )


def _plot(axes: Axes, values: np.ndarray, **look: object) -> None:
    axes.plot(np.arange(1, len(values) + 1), values, **look)


def limit(axes: Axes, records: Sequence[Trial], name: str) -> None:
    """Show what matters: the first epochs' huge losses and a rare spike may leave the axes."""
    curves = [curve(record, key) for record in records for key in (name, f"val_{name}")]
    settled = np.concatenate([array[len(array) // 10 :] for array in curves if array is not None])
    settled = settled[np.isfinite(settled)]
    if settled.size == 0:
        return
    low, high = settled.min(), settled.max()
    if name == "accuracy":
        pad = 0.05 * (high - low) or 0.05
        axes.set_ylim(low - pad, min(1.0 + pad / 2, high + pad))
    else:
        high = min(high, 6 * np.median(settled) + 1e-12)
        axes.set_ylim(0.0, high + (0.05 * high or 0.05))


@styled
def best_so_far(trials: Sequence[Trial], objective: str, baseline: float | None = None) -> Figure:
    """Draw every score and the best so far, against trials and against seconds of training.

    Args:
        trials: At least one of them has a score.
        baseline: The baseline's score, a dashed line.
    """
    done = scored(trials)
    figure = new_figure(9, 3.1)
    left, right = figure.subplots(1, 2, sharey=True)
    lower = lower_is_better(objective)
    values = scores(done)
    spent = np.cumsum([float(trial.get("seconds") or 0.0) for trial in trials])
    order = [index for index, trial in enumerate(trials) if is_scored(trial)]
    completed = np.where([trial["status"] == "completed" for trial in done], values, np.nan)
    running = (np.fmin if lower else np.fmax).accumulate(completed)
    low, high = _progress_limits(values, running, baseline, lower)
    for axes, x, name in (
        (left, np.array(order) + 1, "trials"),
        (right, spent[order], "seconds of training"),
    ):
        draw_scores(
            axes, x, values, (low, high), lower, s=13, color=MUTED, alpha=0.7, label="trial"
        )
        axes.step(x, running, where="post", color=BEST, label="best so far")
        if baseline is not None:
            axes.axhline(
                baseline, color=BASELINE, linestyle="--", label=f"baseline {show(baseline)}"
            )
        axes.set_xlabel(name)
    left.set_ylabel(objective)
    best = best_trial(trials, objective)
    if best is not None:
        left.set_title(f"Best {show(float(best['score']))} of {len(trials)} trials")
    handles, names = right.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=len(handles))
    pad = 0.06 * (high - low)
    left.set_ylim(low - pad, high + pad)
    return figure


def _progress_limits(
    values: np.ndarray, running: np.ndarray, baseline: float | None, lower: bool
) -> tuple[float, float]:
    """Limits that show the best-so-far line and the baseline large, and the better trials."""
    marks = [*running[np.isfinite(running)], *([] if baseline is None else [baseline])]
    marks.append(float(np.quantile(values, 0.4 if lower else 0.6)))
    low, high = min(marks), max(marks)
    if low == high:
        return robust_limit(values, lower)
    margin = 0.15 * (high - low)
    return (low, high + margin) if lower else (low - margin, high)
