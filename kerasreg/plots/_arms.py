"""Figures of comparisons: arms over epochs, and effects with their intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kerasreg.errors import UserError
from kerasreg.plots._style import (
    DASHES,
    MUTED,
    SERIES,
    label,
    new_figure,
    number,
    styled,
)


@styled
def arm_curves(
    panels: Mapping[str, Mapping[str, np.ndarray]], ylabel: str, xlabel: str = "epoch"
) -> Figure:
    """Draw arms over epochs: median over seeds with the band from the first to the third quartile.

    Args:
        panels: Panel title to arm name to curves of shape (seeds, epochs). Panels share the
            vertical axis; an arm has one colour and one dash in all of them.
        ylabel: What the curves measure, with its unit.
        xlabel: What the last axis counts.

    Raises:
        UserError: No panel, or an array that is not (seeds, epochs).
    """
    if not panels:
        raise UserError("arm_curves: expected at least one panel, got none")
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(9 if columns > 1 else 6.5, 0.5 + (2.7 if columns > 1 else 3.4) * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    arms = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    for axes, (title, curves) in zip(grid.flat, panels.items(), strict=False):
        for name, values in curves.items():
            _band(axes, name, np.asarray(values, dtype=float), arms.index(name))
        if len(panels) > 1 or title:
            axes.set_title(label(title, 44))
        axes.set_xlabel(xlabel)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    for row in grid:
        row[0].set_ylabel(ylabel)
    grid[0, 0].legend(loc="best")
    return figure


def _band(axes: Axes, name: str, values: np.ndarray, index: int) -> None:
    if values.ndim != 2 or values.shape[1] == 0:
        raise UserError(f"arm {name!r}: expected curves (seeds, epochs), got {values.shape}")
    colour = SERIES[index % len(SERIES)]
    epochs = np.arange(1, values.shape[1] + 1)
    measured = np.isfinite(values).any(axis=0)
    low, middle, high = np.nanquantile(values[:, measured], [0.25, 0.5, 0.75], axis=0)
    if values.shape[0] > 1:
        axes.fill_between(epochs[measured], low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(
        epochs[measured],
        middle,
        color=colour,
        linestyle=DASHES[index % len(DASHES)],
        label=label(name),
    )


@styled
def effects(
    rows: Sequence[tuple[str, float, float, float]],
    xlabel: str,
    smallest_effect: float | None = None,
) -> Figure:
    """Draw effects as dots with intervals, zero and the smallest effect of interest marked.

    Args:
        rows: (name, effect, low, high), top to bottom.
        xlabel: What the effect is, with its unit and direction.
        smallest_effect: Half the width of the band around zero that means "no effect that matters".
    """
    if not rows:
        raise UserError("effects: expected at least one row, got none")
    figure = new_figure(9, 1.1 + 0.42 * len(rows))
    axes = figure.subplots()
    y = np.arange(len(rows))[::-1]
    if smallest_effect:
        axes.axvspan(-smallest_effect, smallest_effect, color=MUTED, alpha=0.13, linewidth=0)
    axes.axvline(0, color=MUTED, linewidth=0.9)
    for place, (_, effect, low, high) in zip(y, rows, strict=True):
        axes.hlines(place, low, high, color=SERIES[0], linewidth=2.2)
        axes.plot(effect, place, "o", color=SERIES[0], markersize=6)
        axes.annotate(
            number(effect),
            (effect, place),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color=MUTED,
        )
    axes.set_yticks(y, [label(name, 40) for name, *_ in rows])
    axes.set_ylim(-0.6, len(rows) - 0.3)
    axes.set_xlabel(xlabel)
    axes.grid(axis="y", visible=False)
    return figure


@styled
def speed(cases: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw seconds a search takes, one group of bars a case.

    Args:
        cases: Case to who trained to seconds; the last one is compared with the others.
    """
    figure = new_figure(8, 0.6 + 0.42 * sum(len(own) for own in cases.values()))
    axes = figure.subplots()
    names = list(dict.fromkeys(name for own in cases.values() for name in own))
    ticks, labels, place = [], [], 0.0
    for case, own in cases.items():
        best = list(own.values())[-1]
        for name, seconds in own.items():
            colour = SERIES[names.index(name) % len(SERIES)]
            axes.barh(place, seconds, height=0.8, color=colour)
            ratio = f"   {seconds / best:.0f} times as long" if seconds > best else ""
            axes.text(seconds, place, f" {seconds:.3g} s{ratio}", va="center")
            ticks.append(place)
            labels.append(f"{label(case)}: {label(name)}")
            place += 1
        place += 0.6
    axes.set_yticks(ticks, labels)
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.set_xlim(0, 1.4 * max(max(own.values()) for own in cases.values()))
    axes.set_xlabel("seconds for the whole search")
    return figure
