"""Where dropout belongs in a model, and which rate it gets there."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from kerasreg.layers import kind_of
from kerasreg.regularization.choosing import Chooser
from kerasreg.regularization.edits import Edits
from kerasreg.regularization.graph import (
    DROPOUTS,
    Graph,
    has_graph,
    is_activation,
    is_normalization,
)
from kerasreg.regularization.regularizers import Regularizers
from kerasreg.seeds import derive

_FOLLOWING = ("MaxPooling", "AveragePooling", "Activation")
_PREPARING = (
    "Rescaling",
    "Normalization",
    "Random",
    "CenterCrop",
    "Resizing",
    "Reshape",
    "Flatten",
    "Embedding",
)


@dataclass(frozen=True)
class Site:
    """A place for dropout: behind an activation, what normalises it and what pools it.

    Attributes:
        layers: The layer with the kernel first, then those up to the place.
        name: Which rate it takes: `"dropout"` or `"spatial_dropout"`.
        reason: Why nothing may stand there; empty where it may.
    """

    layers: tuple[Any, ...]
    name: str
    reason: str


def place_dropout(
    graph: Graph, asked: Regularizers, chosen: Chooser, edits: Edits, seed: int, zeros: bool
) -> None:
    """Give dropout layers that exist their rates, and put new ones where none is."""
    served = set()
    for operation in graph.operations:
        if kind_of(operation) in DROPOUTS:
            served.update(graph.sources[operation])
            _set_rate(graph, operation, asked, chosen, edits)
    for index, site in enumerate(_sites(graph)):
        rate, last = getattr(asked, site.name), site.layers[-1]
        if rate is None or not (rate or zeros):
            continue
        if not chosen(graph, *site.layers):
            edits.left.append((last, site.name, "not chosen by where"))
        elif site.reason:
            edits.left.append((last, site.name, site.reason))
        elif last in served:
            edits.left.append((last, site.name, "a dropout layer follows"))
        else:
            new = _new(graph, last, site.name, rate, derive(seed, graph.name(last), index))
            edits.after[last].append(new)
            edits.done.append((last, site.name, f"{new.func.__name__} {rate:.3g} after it"))
    if graph.path == "" and (asked.input_dropout or (zeros and asked.input_dropout == 0)):
        _drop_inputs(graph, asked.input_dropout, served, edits, seed)


def _set_rate(graph: Graph, layer: Any, asked: Regularizers, chosen: Chooser, edits: Edits) -> None:
    outer = graph.path == "" and graph.producer(layer) is None
    name = "input_dropout" if outer else DROPOUTS[kind_of(layer)]
    rate = getattr(asked, name)
    if rate is None:
        return
    if getattr(layer, "noise_shape", None) is not None:
        edits.left.append((layer, name, "it drops whole paths (noise_shape)"))
    elif not chosen(graph, layer, *graph.sources[layer]):
        edits.left.append((layer, name, "not chosen by where"))
    else:
        edits.configs[layer]["rate"] = rate
        edits.done.append((layer, name, f"rate {layer.rate:g} becomes {rate:.3g}"))


def _sites(graph: Graph) -> Iterator[Site]:
    """Every place once."""
    seen: dict[Any, str] = {}
    for operation in graph.operations:
        vector = _is_vector(graph, operation)
        if not (is_activation(operation) or vector):
            continue
        if vector and seen.get(graph.sources[operation][0]) == "dropout":
            continue
        producer = graph.producer(operation)
        if producer is None:
            continue
        layers, reason = _followed(graph, operation)
        if layers[-1] in seen:
            continue
        if layers[-1] in graph.answering:
            reason = "it gives the output"
        elif not (
            graph.learns_from(layers[-1]) or (producer.trainable and not has_graph(producer))
        ):
            reason = "frozen"
        elif graph.is_gate(operation):
            reason = "it gates other features"
        maps = not vector and _is_map(layers[-1]) and "Conv" in (kind_of(producer) or "")
        name = "spatial_dropout" if maps else "dropout"
        seen[layers[-1]] = name
        yield Site((producer, *layers), name, reason)


def _followed(graph: Graph, operation: Any) -> tuple[list[Any], str]:
    """The operation and what belongs to it, up to where dropout may stand, or why it may not."""
    layers = [operation]
    while True:
        readers = graph.readers[layers[-1]]
        if layers[-1] in graph.ends and graph.ending == "normalization":
            return layers, "its normalization follows"
        if len(readers) == 1 and layers[-1] not in graph.ends:
            (reader,) = readers
            kind = kind_of(reader) or ""
            if not has_graph(reader) and (is_normalization(reader) or kind.startswith(_FOLLOWING)):
                layers.append(reader)
                continue
        if any(is_normalization(reader) for reader in readers):
            return layers, "its normalization follows"
        return layers, "" if _is_tensor(layers[-1]) else "it gives several tensors"


def _drop_inputs(graph: Graph, rate: float, served: set, edits: Edits, seed: int) -> None:
    """Drop inputs behind what prepares them: rescaling, normalisation, augmentation, flattening."""
    for index, operation in enumerate(graph.operations):
        if graph.sources[operation]:
            continue
        last = operation
        while len(readers := _without_masks(graph.readers[last])) == 1:
            if not (kind_of(readers[0]) or "").startswith(_PREPARING):
                break
            last = readers[0]
        if last in served:
            continue
        if "float" not in str(last.output.dtype):
            edits.left.append((last, "input_dropout", f"inputs of {last.output.dtype}"))
            continue
        new = _new(graph, last, "dropout", rate, derive(seed, "input_dropout", index))
        edits.after[last].append(new)
        edits.done.append((last, "input_dropout", f"Dropout {rate:.3g} after it"))


def _without_masks(readers: list[Any]) -> list[Any]:
    """Readers but those that only look which words there are, as `mask_zero` does."""
    return [reader for reader in readers if kind_of(reader) != "NotEqual"]


def _is_vector(graph: Graph, operation: Any) -> bool:
    """Whether feature maps, or a frozen model's features, become a vector here."""
    kind = kind_of(operation) or ""
    turned = kind == "Flatten" or kind.startswith("Global")
    turned |= has_graph(operation) and not operation.trainable
    return turned and _is_tensor(operation) and len(_shape(operation)) == 2


def _is_map(operation: Any) -> bool:
    """Whether the output has axes of space with more than one place."""
    return _is_tensor(operation) and any(size != 1 for size in _shape(operation)[1:-1])


def _is_tensor(operation: Any) -> bool:
    return len(operation._inbound_nodes[-1].outputs) == 1


def _shape(operation: Any) -> tuple[int | None, ...]:
    return operation._inbound_nodes[-1].outputs[0].shape


def _new(graph: Graph, last: Any, name: str, rate: float, seed: int) -> partial:
    names, own = {operation.name for operation in graph.operations}, f"{last.name}_{name}"
    while own in names:
        own += "_"
    if name == "dropout":
        return partial(keras.layers.Dropout, rate, seed=seed, name=own)
    kind = getattr(keras.layers, f"SpatialDropout{len(_shape(last)) - 2}D")
    options = {}
    if kind is not keras.layers.SpatialDropout1D:
        options["data_format"] = getattr(graph.producer(last), "data_format", None)
    return partial(kind, rate, seed=seed, name=own, **options)
