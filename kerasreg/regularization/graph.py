"""A model as a graph of its layers: who reads whose output, and which give the model's answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras

from kerasreg.layers import kind_of

NORMALIZATIONS = (
    *("BatchNormalization", "LayerNormalization", "GroupNormalization"),
    *("RMSNormalization", "UnitNormalization"),
)
DROPOUTS = {
    "Dropout": "dropout",
    "GaussianDropout": "dropout",
    "AlphaDropout": "dropout",
    "SpatialDropout1D": "spatial_dropout",
    "SpatialDropout2D": "spatial_dropout",
    "SpatialDropout3D": "spatial_dropout",
}
#: What a kernel is called in a layer's configuration: `kernel_regularizer` and so on.
KERNELS = ("kernel", "depthwise", "pointwise", "recurrent", "embeddings")

_ACTIVATIONS = (
    *("ReLU", "LeakyReLU", "PReLU", "ELU", "Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Celu"),
    *("Gelu", "Silu", "HardSilu", "Softplus", "Softsign", "Tanh", "HardTanh", "Sigmoid"),
    "HardSigmoid",
)
_NO_ACTIVATION = ("linear", "softmax", "log_softmax")
_SIGMOIDS = ("sigmoid", "hard_sigmoid", "Sigmoid", "HardSigmoid")


@dataclass(frozen=True)
class Graph:
    """One model's operations, without those inside the models nested in it.

    Attributes:
        model: The model.
        path: What precedes a layer's name: empty, or the names of the models around it.
        ending: What follows the model: `"output"`, `"normalization"`, or nothing of interest.
        operations: In an order in which each comes after those that it reads.
        sources: Operation -> those that it reads, each once.
        ends: Those whose tensors the model returns.
    """

    model: keras.Model
    path: str
    ending: str
    operations: list[Any]
    sources: dict[Any, list[Any]]
    ends: set[Any]

    @cached_property
    def readers(self) -> dict[Any, list[Any]]:
        """Operation -> those that read it, each once."""
        found: dict[Any, list[Any]] = {operation: [] for operation in self.operations}
        for operation, sources in self.sources.items():
            for source in sources:
                found[source].append(operation)
        return found

    @cached_property
    def answering(self) -> set[Any]:
        """The layers whose output, but for operations without weights, is the model's answer."""
        found: set[Any] = set()
        waiting = list(self.ends) if self.ending == "output" else []
        while waiting:
            operation = waiting.pop()
            if operation not in found:
                found.add(operation)
                if not _computes(operation):
                    waiting += self.sources[operation]
        return found

    def producer(self, operation: Any) -> Any | None:
        """The nearest layer with weights to multiply by that an operation depends on, or is."""
        while not _computes(operation):
            if not self.sources[operation]:
                return None
            operation = self.sources[operation][0]
        return operation

    def learns_from(self, operation: Any) -> bool:
        """Whether a layer that is not frozen computes next with an operation's output."""
        seen: set[Any] = set()
        waiting = list(self.readers[operation])
        while waiting:
            reader = waiting.pop()
            if _computes(reader) and reader.trainable:
                return True
            if reader not in seen and not _computes(reader):
                seen.add(reader)
                waiting += self.readers[reader]
        return False

    def is_gate(self, operation: Any) -> bool:
        """Whether an operation serves only to scale another: squeeze-and-excitation and the like.

        Its output goes nowhere but through a sigmoid into a product (Hu et al. 2018,
        arXiv:1709.01507).
        """
        squashed = False
        while True:
            if is_activation(operation):
                squashed = activation_of(operation) in _SIGMOIDS
            # relu6(x + 3) * (1 / 6) is a hard sigmoid.
            squashed |= kind_of(operation) == "Multiply" and len(self.sources[operation]) == 1
            if len(self.readers[operation]) != 1:
                return False
            (operation,) = self.readers[operation]
            if kind_of(operation) == "Multiply" and len(self.sources[operation]) > 1:
                return squashed

    def name(self, operation: Any) -> str:
        """An operation's name with the names of the models around it."""
        return f"{self.path}{operation.name}"


def graphs_of(model: keras.Model, path: str = "", ending: str = "output") -> Iterator[Graph]:
    """The graph of a model, then those of the models nested in it."""
    functional = as_functional(model)
    present = {id(node) for nodes in functional._nodes_by_depth.values() for node in nodes}
    sources = {
        operation: list(
            dict.fromkeys(
                parent.operation
                for node in operation._inbound_nodes
                if id(node) in present
                for parent in node.parent_nodes
            )
        )
        for operation in functional.operations
    }
    ends = {tensor._keras_history.operation for tensor in functional.outputs}
    graph = Graph(model, path, ending, functional.operations, sources, ends)
    yield graph
    for operation in graph.operations:
        if has_graph(operation):
            follows = ""
            if operation in graph.answering:
                follows = "output"
            elif any(is_normalization(reader) for reader in graph.readers[operation]):
                follows = "normalization"
            yield from graphs_of(operation, f"{path}{operation.name}/", follows)


def as_functional(model: keras.Model) -> keras.Model:
    """The model's graph as an uncompiled functional model that shares its layers."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


def has_graph(operation: Any) -> bool:
    """Whether this is a built Sequential or functional model, and of no class of the user's."""
    known = isinstance(operation, keras.Model) and kind_of(operation) is not None
    return known and operation.built and bool(getattr(operation, "inputs", None))


def is_normalization(operation: Any) -> bool:
    """Whether an operation normalises, or is a model that begins with that."""
    if has_graph(operation):
        graph = next(graphs_of(operation))
        first = (x for x in graph.operations if any(not graph.sources[s] for s in graph.sources[x]))
        return any(map(is_normalization, first))
    return kind_of(operation) in NORMALIZATIONS


def activation_of(operation: Any) -> str | None:
    """Name of the activation that an operation ends with, that of a wrapped layer included."""
    inner = _wrapped(operation) or operation
    if kind_of(inner) is None:
        return None
    if kind_of(inner) in _ACTIVATIONS:
        return kind_of(inner)
    activation = getattr(inner, "activation", None)
    return (
        None if activation is None else getattr(activation, "__name__", type(activation).__name__)
    )


def is_activation(operation: Any) -> bool:
    """Whether an operation ends with a hidden layer's activation."""
    name = activation_of(operation)
    return name is not None and name not in _NO_ACTIVATION


def has_kernel(operation: Any) -> bool:
    """Whether an operation is a layer of Keras' with a kernel, or holds one."""
    if kind_of(operation) is None or isinstance(operation, keras.Model):
        return False
    names = (f"{mark}{name}_regularizer" for name in KERNELS for mark in ("", "_"))
    own = any(hasattr(operation, name) for name in names)
    return own or has_kernel(_wrapped(operation))


def _wrapped(operation: Any) -> Any:
    """The layer that a wrapper calls, the first of two; None for other layers."""
    own = (getattr(operation, name, None) for name in ("layer", "forward_layer", "cell"))
    return next((layer for layer in own if isinstance(layer, keras.Layer)), None)


def _computes(operation: Any) -> bool:
    """Whether an operation is a layer with a kernel, a nested model or a layer of the user's."""
    own = kind_of(operation) is None and bool(getattr(operation, "weights", ()))
    return has_kernel(operation) or isinstance(operation, keras.Model) or own
