"""From a user's model to one that takes a data set's rows and gives logits."""

import math
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np

from kerasreg.errors import UserError
from kerasreg.layers import kind_of
from kerasreg.regularization.edits import Edits
from kerasreg.regularization.graph import as_functional, has_graph
from kerasreg.regularization.rebuilding import rebuild
from kerasreg.seeds import derive, initial_draws

_LAST = {"classification": ("softmax", "sigmoid", "linear"), "regression": ("linear",)}


def adapted(
    model: keras.Model, shape: tuple[int, ...], outputs: int, task: str, seed: int | None
) -> keras.Model:
    """An uncompiled copy of the model, between a data set's rows and logits or targets.

    A last softmax or sigmoid is left off. Of two classes with an output each, the logit is the
    difference of theirs. Rows of another shape with as many values are reshaped.

    Args:
        model: Functional or Sequential, with one output; it stays as it is.
        shape, outputs, task: Of the data.
        seed: Of fresh weights for all layers but the frozen ones; None for the model's weights.

    Raises:
        UserError: The model does not fit the data; both shapes are named.
    """
    check_fit(model, shape, outputs, task)
    bare = _without_last_activation(model, task)

    def feed(inputs: Any) -> tuple[keras.KerasTensor, Any]:
        rows = keras.Input(shape, name="rows")
        fits = isinstance(inputs, keras.KerasTensor) and _fits(inputs.shape[1:], shape)
        return rows, rows if fits else _divided(rows, inputs)

    with nullcontext() if seed is None else initial_draws(derive(seed, "network")):
        copy, _ = rebuild(bare, Edits(), seed is not None, feed)
    if task == "regression" or outputs > 1 or copy.outputs[0].shape[-1] == 1:
        return copy
    difference = keras.layers.Dense(1, use_bias=False, trainable=False, name="logit")
    result = keras.Model(copy.inputs[0], difference(copy.outputs[0]), name=copy.name)
    difference.set_weights([np.array([[-1.0], [1.0]])])
    return result


def check_fit(model: keras.Model, shape: tuple[int, ...], outputs: int, task: str) -> None:
    """Refuse a model whose input or output does not fit the data; see `adapted`."""
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in model.outputs)
        raise UserError(
            f"--model: expected one output of shape (rows, outputs), got {shapes}; choose one "
            "with keras.Model(model.inputs, model.outputs[K])."
        )
    given = model.outputs[0].shape[1]
    wanted = {outputs, 2} if task == "classification" and outputs == 1 else {outputs}
    if given not in wanted:
        several = " or ".join(map(str, sorted(wanted)))
        what = "classes" if task == "classification" else "target"
        raise UserError(
            f"--model: it gives outputs of shape (rows, {given}), but the data's {what} need "
            f"(rows, {several}); change the last layer's units to {several}."
        )
    takes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if len(takes) == 1 and _fits(takes[0], shape):
        return
    sizes = [math.prod(size or 0 for size in one) for one in takes]
    if not all(sizes) or sum(sizes) != math.prod(shape):
        raise UserError(
            f"--model: it takes rows of shape {' and '.join(map(str, takes))}, but the data has "
            f"rows of shape {shape}; change keras.Input, or reshape the data."
        )


def last_layer(model: keras.Model) -> Any:
    """The operation that gives a model's output, inside nested models."""
    layer = model.outputs[0]._keras_history.operation
    return last_layer(layer) if has_graph(layer) else layer


def _without_last_activation(model: keras.Model, task: str) -> keras.Model:
    layer = last_layer(model)
    own = layer.activation if hasattr(layer, "activation") else layer
    name = getattr(own, "__name__", type(own).__name__).lower()
    if name not in ("softmax", "sigmoid"):
        name = "linear" if kind_of(layer) is None or not hasattr(layer, "activation") else name
    if name not in _LAST[task]:
        raise UserError(
            f"--model: expected a last layer with {' or '.join(_LAST[task])} for {task}, got "
            f"{name} in {layer.name!r}; change its activation."
        )
    if name == "linear":
        return model
    if kind_of(layer) in ("Activation", "Softmax") or not isinstance(layer, keras.Layer):
        if layer is model.outputs[0]._keras_history.operation:
            return keras.Model(as_functional(model).input, layer.input, name=model.name)
        raise UserError(
            f"--model: {layer.name!r} ends a model inside the model; give the layer before it "
            f"activation={name!r} instead."
        )
    edits = Edits()
    edits.configs[layer]["activation"] = "linear"
    return rebuild(model, edits)[0]


def _fits(takes: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    """Whether rows of a shape can be given to an input; None takes any size."""
    pairs = zip(takes, shape, strict=False)
    return len(takes) == len(shape) and all(size in (None, own) for size, own in pairs)


def _divided(rows: keras.KerasTensor, inputs: Any) -> Any:
    """A row's values as a model's inputs: one after the other, each of its shape."""
    if isinstance(inputs, keras.KerasTensor):
        return keras.layers.Reshape(inputs.shape[1:], name="reshaped_rows")(rows)
    flat = keras.layers.Flatten(name="flat_rows")(rows) if len(rows.shape) > 2 else rows
    start = 0

    def part(tensor: keras.KerasTensor) -> keras.KerasTensor:
        nonlocal start
        own = tuple(tensor.shape[1:])
        stop = start + math.prod(own)
        values, start = flat[:, start:stop], stop
        return keras.layers.Reshape(own)(values) if len(own) > 1 else values

    return keras.tree.map_structure(part, inputs)
