"""A model built anew with changes in and between its layers, with the weights of the old one."""

from collections.abc import Callable
from typing import Any

import keras

from kerasreg.errors import UserError
from kerasreg.regularization.edits import Edits
from kerasreg.regularization.graph import as_functional, has_graph

Feed = Callable[[Any], tuple[keras.KerasTensor, Any]]


def rebuild(
    model: keras.Model, edits: Edits, fresh: bool = False, feed: Feed | None = None
) -> tuple[keras.Model, dict[Any, Any]]:
    """Build the model again with the changes, uncompiled; and each layer's copy by the original.

    Sequential models stay Sequential; shared layers stay shared; frozen ones stay frozen.

    Args:
        fresh: Whether only frozen layers keep their weights.
        feed: From the model's inputs to another input and what of it stands for them; the result
            is functional then.

    Raises:
        UserError: A layer that Keras cannot build from its configuration.
    """
    copies: dict[Any, Any] = {}
    result = _rebuilt(model, edits, copies, feed)
    for layer, copy in copies.items():
        if has_graph(layer):
            if not layer.trainable:
                copy.trainable = False
        elif copy is not layer and isinstance(layer, keras.Layer):
            if fresh and layer.trainable:
                continue
            copy.set_weights(layer.get_weights())
    return result, copies


def _rebuilt(
    model: keras.Model, edits: Edits, copies: dict[Any, Any], feed: Feed | None = None
) -> keras.Model:
    graph = as_functional(model)
    after = {
        layer: [make() for make in edits.after[layer]]
        for layer in graph.operations
        if layer in edits.after
    }
    originals: dict[Any, Any] = {}

    def copy(layer: Any) -> Any:
        if layer not in copies:
            copies[layer] = (
                _rebuilt(layer, edits, copies) if has_graph(layer) else _copied(layer, edits)
            )
        originals[copies[layer]] = layer
        return copies[layer]

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return _followed(layer(*args, **kwargs), after.get(originals[layer], ()))

    if isinstance(model, keras.Sequential) and feed is None:
        layers = []
        for layer in graph.operations:
            # The graph also has what makes masks, which Sequential makes itself.
            if isinstance(layer, keras.Layer):
                layers += [copy(layer), *after.get(layer, ())]
        return keras.Sequential(layers, name=model.name)
    if feed is None:
        inputs = tensors = keras.tree.map_structure(_input_like, graph.input)
    else:
        inputs, tensors = feed(graph.input)
    pairs = zip(graph.inputs, keras.tree.flatten(tensors), strict=True)
    fed = [_followed(new, after.get(_layer_of(old), ())) for old, new in pairs]
    outputs = graph._run_through_graph(fed, operation_fn=copy, call_fn=call)
    return keras.Model(inputs, outputs, name=model.name)


def _layer_of(tensor: keras.KerasTensor) -> keras.Layer:
    return tensor._keras_history.operation


def _input_like(tensor: keras.KerasTensor) -> keras.KerasTensor:
    name = _layer_of(tensor).name
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)


def _copied(layer: Any, edits: Edits) -> Any:
    if hasattr(layer, "adapt"):
        # What it learnt from data is no weight, and nothing trains it.
        return layer
    config = {**layer.get_config(), **edits.configs.get(layer, {})}
    try:
        return type(layer).from_config(config)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise UserError(
            f"layer {layer.name!r} ({type(layer).__name__}): expected a layer that its "
            f"configuration builds again; give its class a get_config() ({error})."
        ) from error


def _followed(tensor: Any, layers: Any) -> Any:
    for layer in layers:
        tensor = layer(tensor)
    return tensor
