"""Normalisation for hidden layers that have none, between the product and the activation."""

from functools import partial
from typing import Any

import keras

from kerasreg.layers import kind_of
from kerasreg.regularization.choosing import Chooser
from kerasreg.regularization.edits import Edits
from kerasreg.regularization.graph import Graph, is_activation, is_normalization
from kerasreg.regularization.regularizers import Regularizers

#: As in a stack: Keras' 0.99 needs hundreds of steps before inference is what training was.
_MOMENTUM = 0.9


def normalize(graph: Graph, asked: Regularizers, chosen: Chooser, edits: Edits) -> None:
    """Put the normalisation that is asked for before each hidden activation that has none."""
    if asked.normalization in (None, "none"):
        return
    for layer in graph.operations:
        kind = kind_of(layer) or ""
        if kind != "Dense" and ("Conv" not in kind or "LSTM" in kind or not _is_layer(layer)):
            continue
        reason = _reason(graph, layer)
        if not chosen(graph, layer):
            reason = "not chosen by where"
        if reason:
            edits.left.append((layer, "normalization", reason))
            continue
        new = _new(asked.normalization, layer)
        edits.after[layer].append(new)
        said = f"{new.func.__name__} after it"
        if is_activation(layer):
            edits.configs[layer]["activation"] = "linear"
            name = f"{layer.name}_activation"
            edits.after[layer].append(partial(keras.layers.Activation, layer.activation, name=name))
            said = f"{new.func.__name__} before its activation"
        edits.done.append((layer, "normalization", said))


def _reason(graph: Graph, layer: Any) -> str:
    """Why a layer is left alone; empty where it is not."""
    readers = graph.readers[layer]
    if layer in graph.answering:
        return "it gives the output"
    if not layer.trainable:
        return "frozen"
    if graph.is_gate(layer):
        return "it gates other features"
    if layer in graph.ends and graph.ending == "normalization":
        return "it has one"
    if any(map(is_normalization, [*readers, *_before(graph, layer)])):
        return "it has one"
    if not (is_activation(layer) or any(map(is_activation, readers))):
        return "no activation follows"
    return ""


def _before(graph: Graph, layer: Any) -> list[Any]:
    """What gives the layer its inputs, but for activation, dropout and pooling."""
    sources = graph.sources[layer]
    while len(sources) == 1 and (kind_of(sources[0]) or "").endswith(("ReLU", "Activation")):
        sources = graph.sources[sources[0]]
    return sources


def _new(name: str, layer: Any) -> partial:
    first = getattr(layer, "data_format", None) == "channels_first"
    axis, own = 1 if first else -1, f"{layer.name}_normalization"
    if name == "batch":
        return partial(keras.layers.BatchNormalization, axis, momentum=_MOMENTUM, name=own)
    return partial(keras.layers.LayerNormalization, axis, name=own)


def _is_layer(operation: Any) -> bool:
    return isinstance(operation, keras.Layer)
