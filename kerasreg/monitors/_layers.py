"""Names of a model's layers and of their variables."""

import itertools
from collections.abc import Collection

import keras
import tensorflow as tf


def named_layers(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return every layer below `model`, nested ones as `outer.inner`, each layer once.

    In functional models the operations that are no layers (`keras.ops.relu(x)`) are included.
    """
    named: dict[str, keras.layers.Layer] = {}
    seen: set[int] = set()

    def walk(parent: keras.layers.Layer, prefix: str) -> None:
        for layer in children(parent):
            if id(layer) in seen or isinstance(layer, keras.layers.InputLayer):
                continue
            seen.add(id(layer))
            name = unique_name(prefix + layer.name, named)
            named[name] = layer
            walk(layer, f"{name}.")

    walk(model, "")
    return named


def children(layer: object) -> list[keras.layers.Layer]:
    """Return the layers directly inside `layer`, and the other operations of a functional model."""
    # A recurrent layer is one layer: its cell runs inside a loop, once a step.
    if isinstance(layer, keras.layers.RNN) or not isinstance(layer, keras.layers.Layer):
        return []
    return getattr(layer, "operations", None) or layer._layers


def unique_name(name: str, taken: Collection[str]) -> str:
    numbered = (f"{name}#{count}" for count in itertools.count(2))
    return next(n for n in itertools.chain([name], numbered) if n not in taken)


def _direct_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Return a layer's trainable variables without those of the layers inside it."""
    inside = [child for child in children(layer) if isinstance(child, keras.layers.Layer)]
    inner = {id(v) for child in inside for v in child.trainable_variables}
    return [v for v in layer.trainable_variables if id(v) not in inner]


def variables_by_layer(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Return the trainable variables that every layer holds directly, each variable once.

    A variable belongs to the innermost layer that holds it, or else to the model under its name.
    """
    layers = {model.name: model, **named_layers(model)}
    groups: dict[str, list[keras.Variable]] = {}
    seen: set[int] = set()
    for name, layer in layers.items():
        if isinstance(layer, keras.layers.Layer):
            new = [v for v in _direct_variables(layer) if id(v) not in seen]
            seen.update(id(v) for v in new)
            if new:
                groups[name] = new
    return groups


def number_tags(names: list[str]) -> dict[str, str]:
    """Return name -> name with its position in front, so that tags sort as the layers do."""
    digits = max(2, len(str(len(names))))
    return {name: f"{index:0{digits}d}_{name}" for index, name in enumerate(names, start=1)}


def call_arguments(layer: object, training: bool) -> dict[str, bool]:
    """Return `{"training": training}` if the layer's `call` takes it, else nothing."""
    return {"training": training} if getattr(layer, "_call_has_training_arg", False) else {}


def trainable_values(model: keras.Model) -> list[tuple[keras.Variable, tf.Tensor]]:
    """Return the trainable variables with their values, for a `keras.StatelessScope`.

    Inside such a scope Keras computes weight penalties from mapped values only.
    """
    return [(v, tf.convert_to_tensor(v.value)) for v in model.trainable_variables]
