"""A member's arrays into a Keras model and out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.population.blueprint import Blueprint

if TYPE_CHECKING:
    import keras


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
    owners = [layer for layer in model.layers if layer.weights]
    positions = dict.fromkeys(parameter.layer for parameter in blueprint.parameters())
    by_position = dict(zip(positions, owners, strict=True))
    return [getattr(by_position[p.layer], p.name) for p in blueprint.parameters()]
