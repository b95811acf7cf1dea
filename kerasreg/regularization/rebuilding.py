"""A model built anew with changes in and between its layers, with the weights of the old one."""

from __future__ import annotations

from typing import Any

import keras

from kerasreg.errors import UserError
from kerasreg.regularization.edits import Edits
from kerasreg.regularization.graph import as_functional, has_graph


def rebuild(model: keras.Model, edits: Edits) -> tuple[keras.Model, dict[Any, Any]]:
    """Build the model again with the changes, uncompiled; and each layer's copy by the original.

    Sequential models stay Sequential; shared layers stay shared; frozen ones stay frozen.

    Raises:
        UserError: A layer that Keras cannot build from its configuration.
    """
    copies: dict[Any, Any] = {}
    result = _rebuilt(model, edits, copies)
    for layer, copy in copies.items():
        if has_graph(layer):
            if not layer.trainable:
                copy.trainable = False
        elif copy is not layer and isinstance(layer, keras.Layer):
            copy.set_weights(layer.get_weights())
    return result, copies


def _rebuilt(model: keras.Model, edits: Edits, copies: dict[Any, Any]) -> keras.Model:
    graph = as_functional(model)
    after = {
        layer: [make() for make in edits.after[layer]]
        for layer in graph.operations
        if layer in edits.after
    }

    def copy(layer: Any) -> Any:
        if layer not in copies:
            copies[layer] = (
                _rebuilt(layer, edits, copies) if has_graph(layer) else _copied(layer, edits)
            )
        return copies[layer]

    if isinstance(model, keras.Sequential):
        layers = []
        for layer in graph.operations:
            layers += [copy(layer), *after.get(layer, ())]
        return keras.Sequential(layers, name=model.name)

    inputs = keras.tree.map_structure(_input_like, model.input)
    pairs = zip(keras.tree.flatten(model.input), keras.tree.flatten(inputs), strict=True)
    dropped = {id(new): _followed(new, after.get(_layer_of(old), ())) for old, new in pairs}
    originals: dict[Any, Any] = {}

    def clone(layer: Any) -> Any:
        new = copy(layer)
        originals[new] = layer
        return new

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = keras.tree.map_structure(lambda x: dropped.get(id(x), x), (args, kwargs))
        return _followed(layer(*args, **kwargs), after.get(originals[layer], ()))

    return keras.models.clone_model(
        graph, input_tensors=inputs, clone_function=clone, call_function=call
    )


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
