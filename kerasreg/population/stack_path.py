"""The path of stacks: dense layers with the member axis inside every product."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path as File
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasreg.objectives import Direction, direction, objectives_of
from kerasreg.population.blueprint import Blueprint
from kerasreg.population.members import InitialWeights, Member
from kerasreg.population.plan import TrainingPlan
from kerasreg.population.program import Program, ProgramKey, program
from kerasreg.population.rows import Rows, gather_rows
from kerasreg.population.sizes import (
    largest_cohort,
    state_bytes,
    training_bytes,
    training_flops,
    worth_compiling,
)
from kerasreg.population.stack_chunk import StackChunk
from kerasreg.population.values import active_names, stack_values
from kerasreg.population.widths import padded_arrays
from kerasreg.stacks import build_stack

#: Largest arrays of one call of `predict`, in floats.
PREDICT_FLOATS = 50_000_000


class StackPath:
    """How the members of one blueprint are computed, see `kerasreg.population.path.Path`."""

    def __init__(
        self,
        blueprint: Blueprint,
        members: Sequence[Member],
        input_shape: tuple[int, ...],
        task: str,
        dtype: str,
    ):
        self.structure, self.dtype = blueprint, dtype
        self._input_shape, self._task = input_shape, task
        self._shells: dict[tuple, keras.Model] = {}
        self._initial = InitialWeights(blueprint, dtype)
        # Decided for all members at once: a chunk's program must not depend on who is in it.
        self._count = len(members)
        self._active = active_names([member.values for member in members], blueprint)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_shells": {}}

    def gather(self, folds: Sequence[tuple[tuple, tuple]]) -> Rows:
        """See `Path.gather`."""
        return gather_rows(self.structure, self.dtype, folds)

    def objectives(self, rows: Rows) -> Mapping[str, Direction | None]:
        """See `Path.objectives`."""
        task = "regression" if self.structure.metric == "mae" else "classification"
        return {name: direction(name) for name in (*objectives_of(task), "val_loss")}

    def new_chunk(self, members: Sequence[Member], rows: Rows, plan: TrainingPlan) -> StackChunk:
        """See `Path.new_chunk`."""
        # Decided for all members at once, as the names of the values are.
        flops = training_flops(self.structure, max(map(len, rows.train)), plan.epochs)
        fused = worth_compiling(flops * self._count, len(plan.halving))
        return StackChunk(
            self.structure, members, rows, plan, self._initial, self.dtype, self._active, fused
        )

    def cohort_size(self, plan: TrainingPlan, rows: int, members: int) -> int:
        """See `Path.cohort_size`."""
        state = state_bytes(self.structure, self.dtype)
        training = training_bytes(self.structure, min(plan.batch_size, rows), self.dtype)
        # Between two rungs every cohort is waiting for the others.
        return largest_cohort(state, training, members if plan.halving else 0)

    def initial(self, member: Member) -> list[np.ndarray]:
        """See `Path.initial`."""
        return [array[0] for array in self._initial.stack([member])]

    def build(self, member: Member) -> keras.Model:
        """See `Path.build`."""
        outputs = self.structure.outputs
        if member.source is None:
            return build_stack(member.config, self._input_shape, outputs, self._task, member.seed)
        model = keras.models.clone_model(member.source)
        model.compile_from_config(member.source.get_compile_config())
        if not self.structure.decay_all:
            # An optimiser's configuration forgets what it leaves out.
            model.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return model

    def write(self, weights: Sequence[np.ndarray], model: keras.Model) -> None:
        """See `Path.write`."""
        for variable, array in zip(self._variables(model), weights, strict=True):
            # A narrow member's arrays end with zeros.
            rows, columns = _shape(variable)
            variable.assign(array[:rows, :columns].reshape(variable.shape))

    def save(self, member: Member, weights: Sequence[np.ndarray], file: str | File) -> None:
        """See `Path.save`.

        One model serves all members: the file holds neither dropout rates nor penalties. Of the
        optimiser it holds the learning rate.
        """
        model = self._model_of_all(member)
        self.write(weights, model)
        model.optimizer.learning_rate = member.values[-1, "learning_rate"]
        model.save_weights(file)

    def load(self, member: Member, file: str | File) -> list[np.ndarray]:
        """See `Path.load`."""
        model = self._model_of_all(member)
        model.load_weights(file)
        shapes = [parameter.shape for parameter in self.structure.parameters()]
        arrays = [variable.numpy().reshape(_shape(variable)) for variable in self._variables(model)]
        return padded_arrays(arrays, shapes)

    def _model_of_all(self, member: Member) -> keras.Model:
        """One model for the weights of all members of its widths: building costs time."""
        widths = tuple(v.shape for v in member.source.weights) if member.source else ()
        if widths not in self._shells:
            self._shells[widths] = shell = self.build(member)
            optimizer = shell.optimizer
            # A fresh optimiser: a built one's slots would be in the file, and warned of on loading.
            shell.compile(type(optimizer).from_config(optimizer.get_config()))
        return self._shells[widths]

    def _variables(self, model: keras.Model) -> list[keras.Variable]:
        """By position, not by name: models of one structure may name their layers as they like."""
        parameters = self.structure.parameters()
        layers = [layer for layer in model.layers if layer.weights]
        by_position = dict(zip(dict.fromkeys(p.layer for p in parameters), layers, strict=True))
        return [getattr(by_position[p.layer], p.name) for p in parameters]

    def predict(
        self, members: Sequence[Member], weights: Sequence[Sequence[np.ndarray]], x: np.ndarray
    ) -> np.ndarray:
        """Logits (members, rows, outputs), see `Path.predict`."""
        x = np.asarray(x, self.dtype).reshape(len(x), -1)
        size = max(1, PREDICT_FLOATS // max(self.structure.member_size(), 1))
        parts = []
        for start in range(0, len(members), size):
            arrays = zip(*weights[start : start + size], strict=True)
            stacked = [tf.constant(np.stack(own)) for own in arrays]
            compiled, values = self.program_of(members[start : start + size])
            parts.append(compiled.predict(stacked, values, tf.constant(x[None])).numpy())
        return np.concatenate(parts)

    def program_of(self, members: Sequence[Member]) -> tuple[Program, list[tf.Tensor]]:
        """A program for some members on shared rows, and their values as it takes them."""
        key = ProgramKey(self.structure, self._active, False, False, False, self.dtype)
        stacked = stack_values([m.values for m in members], self._active, self.dtype)
        return program(key), [tf.constant(array) for array in stacked]


def _shape(variable: keras.Variable) -> tuple[int, int]:
    """Of the member's array: (in, out) of a kernel, (1, units) of everything else."""
    shape = tuple(variable.shape)
    return shape if len(shape) == 2 else (1, math.prod(shape))
