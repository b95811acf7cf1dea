"""What a network's structure says, without any data."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras

from kerasreg.files.keras_model import output_activation


@dataclass(frozen=True)
class Structure:
    """Facts of a compiled model.

    Attributes:
        activation: What its output comes out of: `"softmax"`, `"sigmoid"` or `"linear"`.
        outputs: How many it has.
        loss: Name of its loss, in Keras' spelling with underscores.
        from_logits: Whether the loss is told that outputs are logits.
        optimizer: Name of its optimiser.
        after_dropout: Normalisation layers by name -> the dropout layer before them.
    """

    activation: str
    outputs: int
    loss: str
    from_logits: bool
    optimizer: str
    after_dropout: dict[str, str]


def structure_of(model: keras.Model) -> Structure:
    """Read a compiled model's structure."""
    loss = model._compile_loss._user_loss
    options = getattr(loss, "_fn_kwargs", {})
    return Structure(
        output_activation(model),
        model.output_shape[-1],
        loss_name(model),
        bool(options.get("from_logits", False)),
        type(model.optimizer).__name__,
        {normalization: dropout for dropout, normalization in _shifted(model)},
    )


def loss_name(model: keras.Model) -> str:
    """Name of a compiled model's loss, such as `sparse_categorical_crossentropy`."""
    loss = model._compile_loss._user_loss
    if isinstance(loss, dict | list | tuple):
        loss = keras.tree.flatten(loss)[0]
    if isinstance(loss, str):
        return loss
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", type(loss).__name__))


def _shifted(model: keras.Model) -> Iterator[tuple[str, str]]:
    """Pairs of a dropout layer and a batch normalisation that comes after it, in graphs."""
    graph = getattr(model, "_functional", model)
    dropped: dict[int, str] = {}  # id of an operation -> dropout before its output
    nodes = getattr(graph, "_nodes_by_depth", {})
    for depth in sorted(nodes, reverse=True):
        for node in nodes[depth]:
            layer = node.operation
            parents = [id(parent.operation) for parent in node.parent_nodes]
            before = [dropped[parent] for parent in parents if parent in dropped]
            if isinstance(layer, keras.Model):
                yield from _shifted(layer)
            if isinstance(layer, keras.layers.BatchNormalization) and before:
                yield before[0], layer.name
            elif "Dropout" in type(layer).__name__ and getattr(layer, "rate", 0) > 0:
                dropped[id(layer)] = layer.name
            elif before:
                dropped[id(layer)] = before[0]
