"""What happens inside a network while it trains: ridges, unit health and weights.

A figure is drawn of what some record holds; each has at least one thing to show.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kerasreg.plots._inside import Activation, Inside
from kerasreg.plots._style import (
    DASHES,
    MUTED,
    PAPER,
    SERIES,
    SIDES,
    count_epochs,
    label,
    new_figure,
    panels,
    percent,
    remark,
    styled,
)
from kerasreg.study import NEAR_ZERO

RIDGES = 9  # epochs drawn in one panel
LAYERS = 6  # layers drawn by ridges
BINS = 70  # of a ridge


@styled
def activation_ridges(inside: Mapping[str, Inside]) -> Figure:
    """Draw each layer's outputs as one ridge an epoch, baseline beside best.

    Exact zeros (what ReLU and dropout make) are left out of the ridges, which would else be one
    spike; their share at the last epoch is written beside them.
    """
    columns = [who for who in SIDES if who in inside and inside[who].activations]
    layers = list(dict.fromkeys(n for who in columns for n in inside[who].activations))
    layers = layers[:: -(-len(layers) // LAYERS)]
    figure = new_figure(9, 0.5 + 2.1 * len(layers))
    grid = figure.subplots(len(layers), len(columns), squeeze=False, sharex="row")
    for column, who in enumerate(columns):
        for row, layer in enumerate(layers):
            axes = grid[row, column]
            activation = inside[who].activations.get(layer)
            if activation is None:
                remark(axes, f"no layer {label(layer)}")
                continue
            _ridges(axes, activation, inside[who].epochs, SIDES[who])
            share = f"{activation.zero[-1]:.0%} zero"
            axes.set_title(f"{who.capitalize()}, {label(layer)}: {share}")
        grid[-1, column].set_xlabel("output of the layer")
    for axes in grid[:, 0]:
        axes.set_ylabel("epoch")
    return figure


def _ridges(axes: Axes, activation: Activation, epochs: np.ndarray, colour: str) -> None:
    chosen = np.unique(np.linspace(0, len(epochs) - 1, min(RIDGES, len(epochs))).astype(int))
    centres, density = _even(activation, chosen)
    peak = density.max(axis=1, keepdims=True)
    density = np.where(peak > 0, density / np.where(peak > 0, peak, 1), 0) * 1.7
    for level in range(len(chosen))[::-1]:
        filled = density[level]
        for fill, alpha in ((PAPER, 1.0), (colour, 0.6)):  # opaque, yet light
            axes.fill_between(
                centres,
                level,
                level + filled,
                color=fill,
                alpha=alpha,
                linewidth=0,
                zorder=50 - level,
            )
        axes.plot(centres, level + filled, color=PAPER, linewidth=0.9, zorder=50 - level)
    axes.set_yticks(range(len(chosen)), [str(epochs[index]) for index in chosen])
    axes.set_ylim(-0.15, len(chosen) + 0.9)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _even(activation: Activation, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts without exact zeros in even bins over the range that holds all but 0.2 % of them.

    Recorded bins may be of any width; their counts are spread evenly inside each.
    """
    counts, edges = activation.counts[chosen].astype(float), activation.edges.astype(float)
    holds_zero = (edges[:-1] <= 0) & (edges[1:] > 0)
    zeros = activation.zero[chosen, None] * counts.sum(axis=1, keepdims=True)
    counts = np.where(holds_zero, np.maximum(counts - zeros, 0), counts)
    below = np.concatenate([np.zeros((len(counts), 1)), counts.cumsum(axis=1)], axis=1)
    total = below.sum(axis=0)
    if total[-1] == 0:
        grid = np.linspace(edges[0], edges[-1], BINS + 1)
    else:
        low, high = np.interp([0.001, 0.999], total / total[-1], edges)
        grid = np.linspace(low, max(high, low + 1e-9), BINS + 1)
    even = np.diff([np.interp(grid, edges, row) for row in below], axis=1)
    return (grid[1:] + grid[:-1]) / 2, even


@styled
def unit_health(inside: Mapping[str, Inside]) -> Figure:
    """Draw dead units, saturated outputs and gradient norms by layer over epochs.

    Columns are baseline and best; a row without data is left out.
    """
    columns = [who for who in SIDES if who in inside]
    rows: list[tuple[str, dict[str, Mapping[str, np.ndarray]]]] = []
    for name, title in (("dead", "dead units"), ("saturated", "saturated outputs")):
        series = {
            who: {
                layer: values
                for layer, record in inside[who].activations.items()
                if (values := getattr(record, name)) is not None
            }
            for who in columns
        }
        if any(series.values()):
            rows.append((title, series))
    norms = {who: inside[who].gradient_norms for who in columns}
    if any(norms.values()):
        rows.append(("gradient norm", norms))
    figure = new_figure(9, 0.4 + 2.3 * len(rows))
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharey="row", sharex=True)
    looks = _looks(rows)
    for row, (title, series) in enumerate(rows):
        for column, who in enumerate(columns):
            axes = grid[row, column]
            for layer, values in series[who].items():
                alone = "o" if len(values) == 1 else None  # one epoch makes no line
                axes.plot(inside[who].epochs, values, marker=alone, **looks[layer])
            if title == "gradient norm":
                positive = [v for v in series[who].values() if (v > 0).any()]
                if positive:
                    axes.set_yscale("log")
                    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
                    axes.yaxis.set_minor_formatter(lambda value, _: "")
            else:
                highest = max(float(np.max(v)) for s in series.values() for v in s.values())
                axes.set_ylim(-0.03 * max(0.1, highest), 1.05 * max(0.1, highest))
                axes.yaxis.set_major_formatter(percent)
            if row == 0:
                axes.set_title(who.capitalize())
        grid[row, 0].set_ylabel(title)
    for axes in grid[-1]:
        count_epochs(axes)
    handles = [Line2D([], [], label=label(layer), **look) for layer, look in looks.items()]
    fit = int(9 / (0.6 + 0.07 * max(len(one.get_label()) for one in handles)))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), fit))
    return figure


def _looks(rows: Sequence[tuple[str, Mapping[str, Mapping[str, Any]]]]) -> dict[str, dict]:
    """Layer -> colour and dash, the same in every panel."""
    layers = dict.fromkeys(
        layer for _, series in rows for layers in series.values() for layer in layers
    )
    return {
        layer: {"color": SERIES[i % len(SERIES)], "linestyle": DASHES[i % len(DASHES)]}
        for i, layer in enumerate(layers)
    }


@styled
def weight_histograms(inside: Mapping[str, Inside]) -> Figure:
    """Draw each trained kernel's entries, baseline and best over each other."""
    layers = list(dict.fromkeys(layer for record in inside.values() for layer in record.weights))
    figure, grid = panels(len(layers), 3, 2.3)
    for axes, layer in zip(grid.flat, layers, strict=False):
        for who, colour in SIDES.items():
            weights = inside[who].weights.get(layer) if who in inside else None
            if weights is None:
                continue
            widths = np.diff(weights.edges)
            density = weights.counts / np.maximum(weights.counts.sum() * widths, 1e-12)
            axes.stairs(
                np.maximum(density, 0),
                weights.edges,
                color=colour,
                linewidth=1.4,
                linestyle="--" if who == "baseline" else "-",
                label=f"{who}: {100 * weights.near_zero:.2g}% near zero",
            )
        axes.set_title(label(layer))
        axes.set_yscale("symlog", linthresh=0.1)
        axes.set_ylim(0, axes.get_ylim()[1] * 12)  # room for the legend
        axes.set_yticks([])
        axes.legend(loc="upper right", fontsize=7.5)
    figure.supxlabel(f"weight (near zero: below {NEAR_ZERO:g} in size)", fontsize=9, color=MUTED)
    return figure
