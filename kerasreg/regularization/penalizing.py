"""Penalties and bounds of kernels, as entries of a layer's configuration."""

from typing import Any

import keras

from kerasreg.layers import kind_of
from kerasreg.regularization.choosing import Chooser
from kerasreg.regularization.edits import Edits
from kerasreg.regularization.graph import KERNELS, Graph, has_graph, has_kernel
from kerasreg.regularization.regularizers import Regularizers

_SAID = {"l1": "L1", "l2": "L2", "max_norm": "max norm"}


def penalize(graph: Graph, asked: Regularizers, chosen: Chooser, edits: Edits) -> None:
    """Set L1, L2 and the largest norm of every chosen kernel."""
    wanted = [name for name in _SAID if getattr(asked, name) is not None]
    for layer in graph.operations if wanted else ():
        if kind_of(layer) is None and getattr(layer, "weights", ()):
            reason = "a layer of your own: Keras cannot tell which weights are kernels"
        elif has_graph(layer) or not has_kernel(layer):
            continue
        elif not chosen(graph, layer):
            reason = "not chosen by where"
        elif not layer.trainable:
            reason = "frozen"
        else:
            _penalize(layer, asked, wanted, edits)
            continue
        edits.left += [(layer, name, reason) for name in wanted]


def _penalize(layer: Any, asked: Regularizers, wanted: list[str], edits: Edits) -> None:
    before = layer.get_config()
    kept: set[str] = set()
    had: list[dict] = []
    after = _changed(before, kind_of(layer), asked, kept, had)
    edits.configs[layer] |= {key: after[key] for key in after if after[key] is not before[key]}
    for name in wanted:
        owners = {one for one in kept if (one == "max_norm") == (name == "max_norm")}
        if name == "max_norm" and owners:
            edits.left.append((layer, name, "its kernel's last axis is not that of its units"))
        elif owners:
            edits.left.append((layer, name, f"it has a {', '.join(sorted(owners))} of its own"))
        elif getattr(asked, name) or had:
            edits.done.append((layer, name, f"{_SAID[name]} {getattr(asked, name):.3g}"))


def _changed(
    config: dict[str, Any], kind: str | None, asked: Regularizers, kept: set[str], had: list[dict]
) -> dict:
    """A layer's configuration with those of the layers inside it changed.

    Args:
        kept: Takes the names of what is left as it is.
        had: Takes the penalties that there were.
    """
    new = {}
    for key, value in config.items():
        kernel, _, role = key.rpartition("_")
        inside = isinstance(value, dict) and isinstance(value.get("config"), dict)
        if kernel in KERNELS and role == "regularizer":
            had += [] if value is None else [value]
            value = _penalty(value, asked, kept)
        elif kernel in KERNELS and role == "constraint" and asked.max_norm is not None:
            value = _bound(kernel, kind or "", asked.max_norm, value, kept)
        elif inside and key in ("layer", "backward_layer", "cell"):
            name = str(value["class_name"])
            value = {**value, "config": _changed(value["config"], name, asked, kept, had)}
        new[key] = value
    return new


def _penalty(given: dict | None, asked: Regularizers, kept: set[str]) -> dict | None:
    if asked.l1 is None and asked.l2 is None:
        return given
    if given is not None and given["class_name"] not in ("L1", "L2", "L1L2"):
        kept.add(given["class_name"])
        return given
    before = given["config"] if given else {}
    l1, l2 = (
        float(before.get(name, 0.0)) if value is None else value
        for name, value in (("l1", asked.l1), ("l2", asked.l2))
    )
    return keras.regularizers.serialize(keras.regularizers.L1L2(l1, l2)) if l1 or l2 else None


def _bound(kernel: str, kind: str, largest: float, given: dict | None, kept: set[str]) -> Any:
    """Keras' MaxNorm over all axes of a kernel but those of its units."""
    recurrent = any(name in kind for name in ("LSTM", "GRU", "SimpleRNN"))
    convolution = "Conv" in kind and "Transpose" not in kind
    if not (kind == "Dense" or recurrent or convolution):
        kept.add("max_norm")
        return given
    axis: int | list[int] = 0
    if convolution:
        # "Conv2D" has two axes of space; a depthwise kernel's third is one of units.
        space = int(next(letter for letter in kind if letter.isdigit()))
        axis = list(range(space + (kernel != "depthwise")))
    return keras.constraints.serialize(keras.constraints.MaxNorm(largest, axis))
