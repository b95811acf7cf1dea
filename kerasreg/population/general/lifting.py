"""Lifting any compiled Keras model: its structure, its values, its weights, or why not."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

import keras
import numpy as np

from kerasreg.errors import UserError
from kerasreg.population.general.description import describe, describe_model, regularizer_kind
from kerasreg.population.general.layer_values import kind_of
from kerasreg.population.general.optimizer import read_optimizer
from kerasreg.population.general.placement import layers_of, loss_options, read_values

#: Methods of a model by which a user trains or measures in a way of their own.
_OVERRIDES = (
    *("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics", "fit"),
    *("make_train_function", "make_test_function", "compute_own_loss", "evaluate"),
)
_OF_STRINGS = ("StringLookup", "TextVectorization", "Hashing", "HashedCrossing")


@dataclass(frozen=True)
class Lifted:
    """A model taken apart.

    Attributes:
        description: Its structure, line by line; models of equal lines train as one population.
        values: Its hyperparameters' values, by key.
    """

    model: keras.Model
    description: tuple[str, ...]
    values: dict[str, float]

    @cached_property
    def structure(self) -> str:
        """A digest of the description."""
        return hashlib.sha256("\n".join(self.description).encode()).hexdigest()

    @property
    def weights(self) -> list[np.ndarray]:
        """Its arrays, in the order of `model.get_weights()`."""
        return self.model.get_weights()


def lift_model(model: keras.Model) -> Lifted:
    """Take a compiled, untrained Keras model of any kind apart.

    Members may differ in the values of `layer_values`, in L1 and L2 strengths, in label smoothing
    and in the optimiser's values; in nothing else.

    Raises:
        UserError: What stands in the way, by name, and why.
    """
    if not getattr(model, "compiled", False) or model._compile_loss is None:
        raise UserError(
            "model: expected a Keras model compiled with a loss; call model.compile(...) first."
        )
    _check(model)
    optimizer, optimizer_values = read_optimizer(model)
    losses = (model._compile_loss._user_loss, model._compile_loss._user_loss_weights)
    metrics = model._compile_metrics
    measured = metrics and (metrics._user_metrics, metrics._user_weighted_metrics)
    description = (
        *describe_model(model),
        *(f"weight {regularizer_kind(v.regularizer)!r}" for v in model.trainable_variables),
        *(f"activity {regularizer_kind(x.activity_regularizer)!r}" for x in layers_of(model)),
        *(f"{variable.shape} {variable.dtype}" for variable in model.weights),
        f"optimizer {optimizer!r}",
        f"loss {_without_smoothing(losses)!r}",
        f"metrics {describe(measured)!r}",
    )
    return Lifted(model, description, {**read_values(model), **optimizer_values})


def differing(first: Lifted, second: Lifted) -> str:
    """The first line in which two descriptions differ, shortened."""
    pairs = zip(first.description, second.description, strict=False)
    mine, other = next(((a, b) for a, b in pairs if a != b), ("fewer layers", "more layers"))
    start = next((i for i, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b), 0)
    start = max(0, start - 40)
    return f"{mine[start : start + 80]!r} and {other[start : start + 80]!r}"


def _check(model: keras.Model) -> None:
    for name in _OVERRIDES:
        if getattr(type(model), name, None) is not getattr(keras.Model, name, None):
            _refuse(model, f"its class has a {name}() of its own")
    if not model.built:
        _refuse(model, "expected a built model; start it with keras.Input(shape)")
    for layer in layers_of(model):
        if kind_of(layer) in _OF_STRINGS:
            _refuse(layer, "it works on strings or hashes, which belongs into the input pipeline")
        if getattr(layer, "stateful", False):
            _refuse(layer, "its state is carried from batch to batch (stateful=True)")
        if getattr(layer, "quantization_mode", None) is not None:
            _refuse(layer, "it is quantised")
    for tensor in getattr(model, "inputs", None) or ():
        if tensor.shape[0] is not None:
            _refuse(model, f"its input has a fixed batch size, {tensor.shape[0]}")
        if tensor.sparse or getattr(tensor, "ragged", False):
            _refuse(model, "sparse and ragged inputs are not supported")
        if tensor.dtype == "string":
            _refuse(model, "inputs of strings belong into the input pipeline")


def _refuse(layer: keras.layers.Layer, reason: str) -> NoReturn:
    what = "model" if isinstance(layer, keras.Model) else "layer"
    raise UserError(f"{what} {layer.name!r} ({type(layer).__name__}): {reason}.")


def _without_smoothing(losses: tuple) -> object:
    """Description of the compiled losses; label smoothing is a value."""

    def one(loss):
        options = dict(loss_options(loss))
        if options.pop("label_smoothing", None) is None:
            return describe(loss)
        return (describe(type(loss)), str(loss.reduction), describe(options))

    return keras.tree.map_structure(one, losses)
