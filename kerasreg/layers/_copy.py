"""Copies of a model with some layers configured or called differently."""

from collections.abc import Callable
from typing import Any

import keras

from kerasreg.errors import UserError


class FixedMode(keras.layers.Wrapper):
    """Calls a layer in training or in inference mode, whatever mode the model is called in.

    Keras' `training` argument is one switch for the whole model: it turns on dropout and batch
    statistics together. Lives only in copies that are never saved, so it is not registered.
    """

    def __init__(self, layer: keras.Layer, training: bool, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.training = training

    def call(self, inputs: Any, training: bool | None = None, **arguments: Any) -> Any:
        # `arguments` are those the layer was called with in the graph, such as a mask.
        return self.layer(inputs, training=self.training, **arguments)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)


def clone(model: keras.Model) -> keras.Model:
    """Return what `keras.models.clone_model` makes of a model: its layers with new weights.

    Raises:
        UserError: A model that Keras cannot clone, by name.
    """
    try:
        return keras.models.clone_model(model)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise UserError(
            f"model {model.name!r}: expected a model that keras.models.clone_model can clone; give "
            f"its class a get_config() and its functions a registered name ({error})."
        ) from error


def as_graph(model: keras.Model) -> keras.Model:
    """Return the model's graph as an uncompiled functional model that shares its layers.

    Raises:
        UserError: The model is subclassed or not built, so that it has no graph, or has more than
            one input or output.
    """
    has_graph = isinstance(model, keras.Sequential) or hasattr(model, "operations")
    if not has_graph or not model.built:
        raise UserError(
            "model: expected a built Sequential or functional Keras model, whose layers can be "
            f"copied, got {type(model).__name__} {getattr(model, 'name', model)!r}."
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UserError(
            "model: expected one input and one output, got "
            f"{model.name!r} with {len(model.inputs)} and {len(model.outputs)}."
        )
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def copy_model(
    model: keras.Model,
    fixed: tuple[type, ...] = (),
    training: bool = False,
    configure: Callable[[], dict[str, Any]] = dict,
) -> tuple[keras.Model, dict[keras.Layer, keras.Layer]]:
    """Copy a model, the models nested in it, and their weights.

    Args:
        model: A built Sequential or functional model, left as it is. The copy is compiled if the
            model is.
        fixed: Kinds of layers that the copy calls in one mode, whatever mode it is called in.
        training: That mode.
        configure: Gives, for each layer of these kinds, the configuration entries to replace.

    Returns:
        The copied model, and each layer's copy by the original.
    """
    copies: dict[keras.Layer, keras.Layer] = {}

    def clone(layer: keras.Layer) -> keras.Layer:
        is_fixed = isinstance(layer, fixed)
        changes = configure() if is_fixed else {}
        copy = type(layer).from_config({**layer.get_config(), **changes})
        if not isinstance(layer, keras.Layer):  # an operation such as addition: nothing to copy
            return copy
        copies[layer] = copy
        return FixedMode(copy, training, name=layer.name) if is_fixed else copy

    result = keras.models.clone_model(model, clone_function=clone, recursive=True)
    for layer, copy in copies.items():
        copy.set_weights(layer.get_weights())
    return result, copies
