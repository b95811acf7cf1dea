"""A member as a Keras model: built, filled with arrays, read out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.population.blueprint import Blueprint
from kerasreg.population.members import Member
from kerasreg.stacks import build_stack

if TYPE_CHECKING:
    import keras


def build_model(
    member: Member, blueprint: Blueprint, input_shape: tuple[int, ...], task: str
) -> keras.Model:
    """A compiled model with a member's hyperparameters and fresh weights."""
    if member.source is None:
        return build_stack(member.config, input_shape, blueprint.outputs, task, member.seed)
    import keras

    model = keras.models.clone_model(member.source)
    model.compile_from_config(member.source.get_compile_config())
    if not blueprint.decay_all:
        # An optimiser's configuration forgets what it leaves out.
        model.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return model


def with_fresh_optimizer(model: keras.Model) -> keras.Model:
    """The same model; a built optimiser's slots would be saved, and warned of on loading."""
    optimizer = model.optimizer
    model.compile(type(optimizer).from_config(optimizer.get_config()))
    return model


def write_weights(blueprint: Blueprint, weights: Sequence[np.ndarray], model: keras.Model) -> None:
    """Copy a member's arrays into a Keras model of the same structure."""
    for variable, array in zip(_variables(blueprint, model), weights, strict=True):
        variable.assign(array.reshape(variable.shape))


def read_weights(blueprint: Blueprint, model: keras.Model) -> list[np.ndarray]:
    """A Keras model's arrays in the blueprint's order: the inverse of `write_weights`."""
    return [
        variable.numpy().reshape(parameter.shape)
        for variable, parameter in zip(
            _variables(blueprint, model), blueprint.parameters(), strict=True
        )
    ]


def _variables(blueprint: Blueprint, model: keras.Model) -> list[keras.Variable]:
    """By position, not by name: the models of one structure may name their layers as they like."""
    layers = [layer for layer in model.layers if layer.weights]
    positions = dict.fromkeys(parameter.layer for parameter in blueprint.parameters())
    by_position = dict(zip(positions, layers, strict=True))
    return [getattr(by_position[p.layer], p.name) for p in blueprint.parameters()]
