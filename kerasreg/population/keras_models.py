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


class MemberModels:
    """Makes and fills the Keras models of one structure's members.

    Args:
        blueprint: The structure.
        input_shape: Shape of a row.
        task: As in `build_stack`.
    """

    def __init__(self, blueprint: Blueprint, input_shape: tuple[int, ...], task: str):
        self._blueprint, self._input_shape, self._task = blueprint, input_shape, task
        self._shell: keras.Model | None = None

    def build(self, member: Member) -> keras.Model:
        """A compiled model with a member's hyperparameters and fresh weights."""
        if member.source is None:
            return build_stack(
                member.config, self._input_shape, self._blueprint.outputs, self._task, member.seed
            )
        import keras

        model = keras.models.clone_model(member.source)
        model.compile_from_config(member.source.get_compile_config())
        if not self._blueprint.decay_all:
            # An optimiser's configuration forgets what it leaves out.
            model.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return model

    def shell(self, member: Member) -> keras.Model:
        """One model for the weights of all members, made from the first: building costs time."""
        if self._shell is None:
            self._shell = self.build(member)
            optimizer = self._shell.optimizer
            # A fresh optimiser: a built one's slots would be in the file, and warned of on loading.
            self._shell.compile(type(optimizer).from_config(optimizer.get_config()))
        return self._shell

    def write(self, weights: Sequence[np.ndarray], model: keras.Model) -> None:
        """Copy a member's arrays into a model."""
        for variable, array in zip(_variables(self._blueprint, model), weights, strict=True):
            variable.assign(array.reshape(variable.shape))

    def read(self, model: keras.Model) -> list[np.ndarray]:
        """A model's arrays in the blueprint's order: the inverse of `write`."""
        parameters = self._blueprint.parameters()
        variables = _variables(self._blueprint, model)
        return [
            variable.numpy().reshape(parameter.shape)
            for variable, parameter in zip(variables, parameters, strict=True)
        ]


def _variables(blueprint: Blueprint, model: keras.Model) -> list[keras.Variable]:
    """By position, not by name: the models of one structure may name their layers as they like."""
    layers = [layer for layer in model.layers if layer.weights]
    positions = dict.fromkeys(parameter.layer for parameter in blueprint.parameters())
    by_position = dict(zip(positions, layers, strict=True))
    return [getattr(by_position[p.layer], p.name) for p in blueprint.parameters()]
