"""What happens inside: the file of recorded distributions, and its figures.

Layout of `inside.npz` (plain arrays, no pickle), for each `who` of `baseline` and `best`:

| array | shape | what |
|---|---|---|
| `{who}/epochs` | (epochs,) | epoch numbers of the records, rising |
| `{who}/activation/{layer}/counts` | (epochs, bins) | histogram of outputs on a probe |
| `{who}/activation/{layer}/edges` | (bins + 1,) | its edges, the same for all epochs |
| `{who}/activation/{layer}/zero` | (epochs,) | fraction of outputs that are exactly zero |
| `{who}/activation/{layer}/dead` | (epochs,) | fraction of units that are zero on the whole probe |
| `{who}/activation/{layer}/saturated` | (epochs,) | fraction of outputs near a bound; optional |
| `{who}/gradient_norm/{layer}` | (epochs,) | Euclidean norm of the layer's gradient |
| `{who}/weights/{layer}/counts` | (bins,) | histogram of the trained kernel's entries |
| `{who}/weights/{layer}/edges` | (bins + 1,) | its edges |
| `{who}/weights/{layer}/near_zero` | () | fraction of entries smaller than `NEAR_ZERO` in size |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kerasreg.errors import UserError
from kerasreg.plots._style import (
    BASELINE,
    BEST,
    DASHES,
    MUTED,
    PAPER,
    SERIES,
    label,
    new_figure,
    note,
    percent,
    remark,
    styled,
)
from kerasreg.study import atomic_save_npz, load_npz

NEAR_ZERO = 1e-3
WHO = ("baseline", "best")
RIDGES = 9  # epochs drawn in one panel


@dataclass(frozen=True)
class Activation:
    """A layer's output over epochs. Shapes: see the module's table."""

    counts: np.ndarray
    edges: np.ndarray
    zero: np.ndarray
    dead: np.ndarray
    saturated: np.ndarray | None = None


@dataclass(frozen=True)
class Weights:
    """A trained kernel as a histogram. Shapes: see the module's table."""

    counts: np.ndarray
    edges: np.ndarray
    near_zero: float

    @classmethod
    def of(cls, kernel: np.ndarray, bins: int = 60) -> "Weights":
        """Summarise a kernel of any shape; the histogram is symmetric around zero."""
        values = np.asarray(kernel, dtype=np.float64).ravel()
        values = values[np.isfinite(values)]
        bound = max(float(np.abs(values).max(initial=0.0)), 1e-12)
        counts, edges = np.histogram(values, bins=bins, range=(-bound, bound))
        near = float((np.abs(values) < NEAR_ZERO).mean()) if values.size else 0.0
        return cls(counts, edges, near)


@dataclass(frozen=True)
class Inside:
    """What was recorded in one network while it trained, layers in their order."""

    epochs: np.ndarray
    activations: Mapping[str, Activation] = field(default_factory=dict)
    gradient_norms: Mapping[str, np.ndarray] = field(default_factory=dict)
    weights: Mapping[str, Weights] = field(default_factory=dict)


def save_inside(path: Path | str, inside: Mapping[str, Inside]) -> Path:
    """Write records to an `.npz` in the layout of this module's table.

    Args:
        path: The file, usually `DIR/inside.npz`.
        inside: `baseline` and/or `best` to their records.

    Raises:
        UserError: A name other than these, a layer name with a slash, or a disk that refuses.
    """
    arrays: dict[str, np.ndarray] = {}
    for who, record in inside.items():
        if who not in WHO:
            raise UserError(f"inside: expected the names {WHO}, got {who!r}")
        arrays[f"{who}/epochs"] = np.asarray(record.epochs, dtype=np.int32)
        for layer, activation in record.activations.items():
            stem = f"{who}/activation/{_layer(layer)}"
            arrays[f"{stem}/counts"] = np.asarray(activation.counts, dtype=np.float32)
            arrays[f"{stem}/edges"] = np.asarray(activation.edges, dtype=np.float32)
            for name in ("zero", "dead", "saturated"):
                values = getattr(activation, name)
                if values is not None:
                    arrays[f"{stem}/{name}"] = np.asarray(values, dtype=np.float32)
        for layer, norms in record.gradient_norms.items():
            arrays[f"{who}/gradient_norm/{_layer(layer)}"] = np.asarray(norms, dtype=np.float32)
        for layer, weights in record.weights.items():
            stem = f"{who}/weights/{_layer(layer)}"
            arrays[f"{stem}/counts"] = np.asarray(weights.counts, dtype=np.float32)
            arrays[f"{stem}/edges"] = np.asarray(weights.edges, dtype=np.float32)
            arrays[f"{stem}/near_zero"] = np.float32(weights.near_zero)
    atomic_save_npz(path, arrays)
    return Path(path)


def load_inside(path: Path | str) -> dict[str, Inside]:
    """Read what `save_inside` wrote: `baseline` and/or `best` to their records.

    Raises:
        UserError: The file is missing, damaged, holds pickles, or an array is absent or misshapen.
    """
    arrays = load_npz(path)
    return {who: _read(path, arrays, who) for who in WHO if f"{who}/epochs" in arrays}


def _read(path: Path | str, arrays: Mapping[str, np.ndarray], who: str) -> Inside:
    epochs = arrays[f"{who}/epochs"]

    def take(name: str, shape: tuple[int, ...] | None) -> np.ndarray:
        if name not in arrays:
            raise UserError(f"{path}: expected an array {name!r}, found none; delete the file")
        array = arrays[name]
        if shape is not None and array.shape != shape:
            raise UserError(f"{path}: {name!r} should have shape {shape}, got {array.shape}")
        return array

    activations = {}
    for layer in _layers(arrays, f"{who}/activation/", "/counts"):
        stem = f"{who}/activation/{layer}"
        edges = take(f"{stem}/edges", None)
        saturated = f"{stem}/saturated"
        activations[layer] = Activation(
            take(f"{stem}/counts", (len(epochs), len(edges) - 1)),
            edges,
            take(f"{stem}/zero", epochs.shape),
            take(f"{stem}/dead", epochs.shape),
            take(saturated, epochs.shape) if saturated in arrays else None,
        )
    norms = {
        layer: take(f"{who}/gradient_norm/{layer}", epochs.shape)
        for layer in _layers(arrays, f"{who}/gradient_norm/", "")
    }
    weights = {}
    for layer in _layers(arrays, f"{who}/weights/", "/counts"):
        stem = f"{who}/weights/{layer}"
        edges = take(f"{stem}/edges", None)
        counts = take(f"{stem}/counts", (len(edges) - 1,))
        weights[layer] = Weights(counts, edges, float(take(f"{stem}/near_zero", ())))
    return Inside(epochs, activations, norms, weights)


def _layers(arrays: Mapping[str, np.ndarray], prefix: str, suffix: str) -> list[str]:
    return [
        name[len(prefix) : len(name) - len(suffix)]
        for name in arrays
        if name.startswith(prefix) and name.endswith(suffix)
    ]


def _layer(name: str) -> str:
    if "/" in name:
        raise UserError(f"inside: a layer's name cannot hold a slash, got {name!r}")
    return name


@styled
def activation_ridges(inside: Mapping[str, Inside]) -> Figure:
    """Draw each layer's outputs as one ridge an epoch, baseline beside best.

    Exact zeros (what ReLU and dropout make) are left out of the ridges, which would else be one
    spike; their share at the last epoch is written beside them.
    """
    columns = [who for who in WHO if who in inside and inside[who].activations]
    if not columns:
        return _nothing()
    layers = max((list(inside[who].activations) for who in columns), key=len)
    figure = new_figure(9, 0.5 + 2.1 * len(layers))
    grid = figure.subplots(len(layers), len(columns), squeeze=False, sharex="row")
    for column, who in enumerate(columns):
        for row, layer in enumerate(layers):
            axes = grid[row, column]
            activation = inside[who].activations.get(layer)
            if activation is None:
                remark(axes, f"no layer {label(layer)}")
                continue
            _ridges(axes, activation, inside[who].epochs, BASELINE if who == "baseline" else BEST)
            share = f"{activation.zero[-1]:.0%} zero"
            axes.set_title(f"{who.capitalize()}, {label(layer)}: {share}")
        grid[0, column].set_ylabel("epoch")
        grid[-1, column].set_xlabel("output of the layer")
    for axes in grid[:, 0]:
        axes.set_ylabel("epoch")
    return figure


def _ridges(axes: Axes, activation: Activation, epochs: np.ndarray, colour: str) -> None:
    chosen = np.unique(np.linspace(0, len(epochs) - 1, min(RIDGES, len(epochs))).astype(int))
    edges = activation.edges
    centres = (edges[1:] + edges[:-1]) / 2
    density = activation.counts[chosen].astype(float)
    holds_zero = (edges[:-1] <= 0) & (edges[1:] > 0)
    if (activation.zero[chosen] > 0.02).any() and holds_zero.sum() == 1:
        density[:, holds_zero] = np.nan
    peak = np.nanmax(density, axis=1, keepdims=True)
    density = np.where(peak > 0, density / np.where(peak > 0, peak, 1), 0) * 1.7
    for level in range(len(chosen))[::-1]:
        filled = np.nan_to_num(density[level])
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
    used = activation.counts[chosen].sum(axis=0) > activation.counts[chosen].sum() * 2e-4
    if used.any():
        inside = np.flatnonzero(used)
        axes.set_xlim(edges[inside[0]], edges[inside[-1] + 1])
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


@styled
def unit_health(inside: Mapping[str, Inside]) -> Figure:
    """Draw dead units, saturated outputs and gradient norms by layer over epochs.

    Columns are baseline and best; a row without data is left out.
    """
    columns = [who for who in WHO if who in inside]
    rows: list[tuple[str, dict[str, Mapping[str, np.ndarray]]]] = []
    for name, title in (("dead", "dead units"), ("saturated", "saturated outputs")):
        series = {
            who: {
                layer: values
                for layer, activation in inside[who].activations.items()
                if (values := getattr(activation, name)) is not None
            }
            for who in columns
        }
        if any(series.values()):
            rows.append((title, series))
    norms = {who: inside[who].gradient_norms for who in columns}
    if any(norms.values()):
        rows.append(("gradient norm", norms))
    if not rows:
        return _nothing()
    figure = new_figure(9, 0.4 + 2.3 * len(rows))
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharey="row", sharex=True)
    for row, (title, series) in enumerate(rows):
        for column, who in enumerate(columns):
            axes = grid[row, column]
            for index, (layer, values) in enumerate(series[who].items()):
                axes.plot(
                    inside[who].epochs,
                    values,
                    color=SERIES[index % len(SERIES)],
                    linestyle=DASHES[index % len(DASHES)],
                    label=label(layer),
                )
            if title == "gradient norm":
                positive = [v for v in series[who].values() if (v > 0).any()]
                if positive:
                    axes.set_yscale("log")
                    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
                    axes.yaxis.set_minor_formatter(lambda value, _: "")
            else:
                highest = max(float(np.max(v)) for s in series.values() for v in s.values())
                axes.set_ylim(-0.03 * max(0.1, highest), 1.2 * max(0.1, highest))
                axes.yaxis.set_major_formatter(percent)
            if row == 0:
                axes.set_title(who.capitalize())
            if series[who]:
                axes.legend(loc="upper right", ncols=3)
        grid[row, 0].set_ylabel(title)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    return figure


@styled
def weight_histograms(inside: Mapping[str, Inside]) -> Figure:
    """Draw each trained kernel's entries, baseline and best over each other."""
    layers = list(dict.fromkeys(layer for record in inside.values() for layer in record.weights))
    if not layers:
        return _nothing()
    columns = min(3, len(layers))
    rows = -(-len(layers) // columns)
    figure = new_figure(9, 0.5 + 2.3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, layer in zip(grid.flat, layers, strict=False):
        for who, colour in (("baseline", BASELINE), ("best", BEST)):
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
                label=f"{who}: {weights.near_zero:.0%} near zero",
            )
        axes.set_title(label(layer))
        axes.set_yscale("symlog", linthresh=0.1)
        axes.set_ylim(0, axes.get_ylim()[1] * 12)  # room for the legend
        axes.set_yticks([])
        axes.legend(loc="upper right", fontsize=7.5)
    for axes in list(grid.flat)[len(layers) :]:
        axes.set_visible(False)
    figure.supxlabel(f"weight (near zero: below {NEAR_ZERO:g} in size)", fontsize=9, color=MUTED)
    return figure


def _nothing() -> Figure:
    figure = new_figure(9, 1.4)
    note(figure.subplots(), "Nothing was recorded inside the networks.")
    return figure
