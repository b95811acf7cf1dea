"""What happens inside a network while it trains: the file of recorded distributions.

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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasreg.errors import UserError
from kerasreg.files import load_npz
from kerasreg.plots._style import SIDES

#: Of one record in a figure; more have no room, nor colours that can be told apart.
MOST_LAYERS = 9
# In names of activation layers: Keras' own, and those of stacks.
_NONLINEAR = ("activation", "relu", "re_lu")


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


@dataclass(frozen=True)
class Inside:
    """What was recorded in one network while it trained, layers in their order."""

    epochs: np.ndarray
    activations: Mapping[str, Activation] = field(default_factory=dict)
    gradient_norms: Mapping[str, np.ndarray] = field(default_factory=dict)
    weights: Mapping[str, Weights] = field(default_factory=dict)


def load_inside(path: Path | str) -> dict[str, Inside]:
    """Read the records of what a search watched: `baseline` and/or `best` to their records.

    Raises:
        UserError: The file is missing, damaged, holds pickles, or an array is absent or misshapen.
    """
    arrays = load_npz(path)
    return {who: _read(path, arrays, who) for who in SIDES if f"{who}/epochs" in arrays}


def for_drawing(inside: Mapping[str, Inside]) -> dict[str, Inside]:
    """What figures and captions have room for: of each record `MOST_LAYERS` layers at most.

    They are spread evenly from the first layer to the last. Of outputs, those of layers named as
    activations are, where there are any.
    """
    return {
        who: replace(
            one,
            activations=_spread(_activations(one.activations)),
            gradient_norms=_spread(one.gradient_norms),
            weights=_spread(one.weights),
        )
        for who, one in inside.items()
    }


def _activations(found: Mapping[str, Activation]) -> Mapping[str, Activation]:
    named = [name for name in found if any(word in name for word in _NONLINEAR)]
    return {name: found[name] for name in named or found}


def _spread(found: Mapping[str, Any]) -> dict[str, Any]:
    names = list(found)
    if len(names) > MOST_LAYERS:
        places = np.linspace(0, len(names) - 1, MOST_LAYERS).round().astype(int)
        names = [names[place] for place in places]
    return {name: found[name] for name in names}


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
