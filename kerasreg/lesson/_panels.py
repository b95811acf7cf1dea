"""Panels of a lesson's figure. A panel is a function that draws on one `Axes`; write your own too.

lesson.draw("Dropout on 300 images", curves(runs, "test_accuracy"), effects(decisions))
"""

import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from kerasreg.evidence import Decision
from kerasreg.lesson._runs import Runs
from kerasreg.plots import MUTED, SERIES, Axes, Figure, label, new_figure, style

Panel = Callable[[Axes], None]

#: Width of a figure: 1600 pixels at 150 dots an inch.
WIDTH = 1600 / 150
# Letters of a panel's title that the width has room for.
_TITLE = 96
_DASHES = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5)), (0, (1, 1)))
_MARKERS = "osD^vPX*"


def draw(title: str, panels: Sequence[Panel], columns: int | None = None) -> Figure:
    """One figure of panels in rows, with a title."""
    columns = columns or min(3, len(panels))
    rows = -(-len(panels) // columns)
    with style():
        figure = new_figure(WIDTH, 0.5 + 3.7 * rows)
        for index, panel in enumerate(panels, start=1):
            axes = figure.add_subplot(rows, columns, index)
            axes.set_prop_cycle(color=SERIES)
            panel(axes)
            axes.set_title(textwrap.fill(axes.get_title("left"), _TITLE // columns), loc="left")
            for axis, scale in ((axes.xaxis, axes.get_xscale()), (axes.yaxis, axes.get_yscale())):
                if scale != "linear" and axis.isDefault_majfmt:
                    _plain_numbers(axis)
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def curves(
    runs: Runs,
    name: str,
    title: str = "",
    arms: Sequence[str] | Mapping[str, str] | None = None,
    *,
    per: str = "epoch",
    log: bool = False,
) -> Panel:
    """Arms over training: median over seeds, with the band between the quartiles.

    Args:
        name: An `Arm` curve: `"test_accuracy"`, `"gap"`, `"train_data_loss"`, …
        arms: Which, by their names or by other labels; None for all.
        per: `"epoch"` or `"update"`.
    """

    def panel(axes: Axes) -> None:
        shown = arms or list(runs)
        labelled = shown if isinstance(shown, Mapping) else dict(zip(shown, shown, strict=True))
        for index, (text, arm) in enumerate(labelled.items()):
            x = runs[arm].epochs if per == "epoch" else runs[arm].updates
            band(axes, x, _scaled(name, getattr(runs[arm], name)), text, index)
        axes.set(title=title or name.replace("_", " "), xlabel=f"{per}s", ylabel=_unit(name))
        if log:
            axes.set_yscale("log")
        axes.legend(loc="best")

    return panel


def sweep(
    levels: Sequence[float],
    results: Mapping[str, np.ndarray],
    title: str,
    xlabel: str,
    ylabel: str,
    *,
    log: bool = False,
    log_y: bool = False,
    shade: tuple[float, float] | None = None,
    ticks: Sequence[str] | None = None,
) -> Panel:
    """Results over the levels of a setting: median over seeds, quartile band, a mark a level.

    Args:
        results: Line name -> (seeds, levels), in the unit of `ylabel`.
        log: Logarithmic horizontal axis; a level of 0 is drawn left of the others.
        log_y: Logarithmic vertical axis, for errors that span decades.
        shade: An interval of levels to mark: what a claim names.
    """

    def panel(axes: Axes) -> None:
        x = np.asarray(levels, float)
        if shade:
            axes.axvspan(*shade, color=MUTED, alpha=0.12, linewidth=0)
        if log:
            axes.set_xscale("symlog", linthresh=x[x > 0].min() / 2, linscale=0.3)
        for index, (name, values) in enumerate(results.items()):
            band(axes, x, np.asarray(values), name, index, _MARKERS[index % len(_MARKERS)])
        if ticks or len(x) <= 10:
            names = ticks or [f"{value:g}" for value in x]
            if not ticks:
                fit = [_round(value) for value in x] if log else _apart(x)
                names = [name if one else "" for name, one in zip(names, fit, strict=True)]
            axes.set_xticks(x, names)
            axes.set_xticks([], minor=True)
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
        if log_y:
            axes.set_yscale("log")
        if len(results) > 1:
            axes.legend(loc="best")

    return panel


def dots(results: Mapping[str, np.ndarray], title: str, xlabel: str) -> Panel:
    """One number a seed for each arm: a dot a seed, a bar at the mean.

    Args:
        results: Arm -> (seeds,), in the unit of `xlabel`.
    """

    def panel(axes: Axes) -> None:
        rows = _rows(axes, results, title, xlabel)
        for index, (row, values) in enumerate(zip(rows, results.values(), strict=True)):
            values = np.asarray(values, float)
            colour = SERIES[index % len(SERIES)]
            spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
            axes.plot(values, row + spread, "o", color=colour, markersize=4, alpha=0.6)
            axes.vlines(values.mean(), row - 0.32, row + 0.32, color=colour, linewidth=2.5)

    return panel


def effects(decisions: Mapping[str, Decision], title: str, xlabel: str) -> Panel:
    """Effects with their 95 % intervals; the band around "no effect" is what does not matter.

    Args:
        decisions: Row name -> decision on one comparison. All on one scale: differences are drawn
            in percentage points where the rule's unit is "pp", ratios on a logarithmic axis.
    """

    def panel(axes: Axes) -> None:
        comparisons = {name: d.comparison for name, d in decisions.items() if d.comparison}
        rows = _rows(axes, comparisons, title, f"{xlabel}\n(grey: too small to matter)")
        ratio = any(c.scale == "ratio" for c in comparisons.values())
        factor = 100.0 if not ratio and "pp" in xlabel else 1.0
        for row, comparison in zip(rows, comparisons.values(), strict=True):
            null, matters = (1.0 if ratio else 0.0), comparison.smallest_effect
            low, high = (1 / matters, matters) if ratio else (-matters, matters)
            axes.fill_betweenx(
                [row - 0.4, row + 0.4], factor * low, factor * high, color=MUTED, alpha=0.14, lw=0
            )
            axes.vlines(factor * null, row - 0.4, row + 0.4, color=MUTED, linewidth=1)
            ends = factor * comparison.low, factor * comparison.high
            axes.hlines(row, *ends, color=SERIES[0], linewidth=2.4)
            axes.plot(factor * comparison.effect, row, "o", color=SERIES[0], markersize=6)
            axes.annotate(
                comparison.effect_text().split(" [")[0].removesuffix(" pp"),
                (factor * comparison.effect, row),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=MUTED,
            )
        if ratio:
            axes.set_xscale("log")

    return panel


def band(
    axes: Axes, x: np.ndarray, values: np.ndarray, name: str, index: int, marker: str = ""
) -> None:
    """Draw (seeds, points) as a median line with its quartile band, in the `index`-th style."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    colour = SERIES[index % len(SERIES)]
    if len(values) > 1:
        axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(
        x,
        middle,
        color=colour,
        linestyle=_DASHES[index % len(_DASHES)],
        marker=marker or None,
        markersize=4,
        label=label(name),
    )


def _rows(axes: Axes, names: Collection[str], title: str, xlabel: str) -> np.ndarray:
    """Lay out a named row for each of `names`, the first on top, and return their heights."""
    rows = np.arange(len(names))[::-1]
    axes.set_yticks(rows, [wrapped(name) for name in names])
    axes.grid(axis="y", visible=False)
    axes.set(title=title, xlabel=xlabel, ylim=(-0.6, len(names) - 0.4))
    return rows


def _plain_numbers(axis: Any) -> None:
    """Label a logarithmic axis in plain numbers, with as many as its range needs."""
    low, high = sorted(axis.get_view_interval())
    axis.set_major_formatter("{x:g}")
    if low <= 0 or high / low >= 100:
        axis.set_minor_formatter("")
    elif high / low >= 6:
        axis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "125" else "")
    else:
        power = 10.0 ** np.floor(np.log10((high - low) / 3))
        step = max(power * k for k in (1, 2, 5) if power * k <= (high - low) / 3)
        ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
        axis.set_ticks(ticks, [f"{value:.6g}" for value in ticks])
        axis.set_ticks([], minor=True)


def _round(value: float) -> bool:
    """Whether a level's label stands on a logarithmic axis: 0 and powers of ten."""
    return value == 0 or f"{value:e}".startswith("1.000000e")


def _apart(levels: np.ndarray) -> list[bool]:
    """Which levels' labels stand on a linear axis: those that have room beside the last one."""
    shown: list[float] = []
    for value in levels:
        if not shown or abs(value - shown[-1]) > 0.06 * np.ptp(levels):
            shown.append(value)
    return [value in shown for value in levels]


def wrapped(name: str) -> str:
    """A row's name in lines of at most 20 characters, so that it leaves room for the row."""
    return "\n".join(label(line, 24) for line in textwrap.wrap(name, 20))


def _scaled(name: str, values: np.ndarray) -> np.ndarray:
    return 100 * values if _unit(name) != "nats" and name != "penalty" else values


def _unit(name: str) -> str:
    if name == "gap":
        return "train − test accuracy, pp"
    if name.endswith("accuracy"):
        return "accuracy, %"
    return "" if name == "penalty" else "nats"
