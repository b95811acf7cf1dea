"""The population: members of one structure, trained together and handed back one by one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.population.blueprint import Blueprint
from kerasreg.population.building import members_of_configs, members_of_models
from kerasreg.population.checkpoint import Checkpoint, context_digest
from kerasreg.population.keras_models import MemberModels
from kerasreg.population.members import InitialWeights, Member
from kerasreg.population.memory import named_out_of_memory
from kerasreg.population.plan import TrainingPlan
from kerasreg.population.program import Program, ProgramKey, program
from kerasreg.population.results import EpochReport, MemberResult
from kerasreg.population.rows import Rows, gather_rows, single_fold
from kerasreg.population.runs import name_runs, new_runs
from kerasreg.population.sizes import largest_cohort
from kerasreg.population.stack_chunk import StackChunk
from kerasreg.population.training import Training
from kerasreg.population.values import active_names, stack_values
from kerasreg.population.watching import Watched
from kerasreg.stacks import StackConfig, check_geometry

if TYPE_CHECKING:
    import keras

#: Largest arrays of one call of `predict`, in floats.
PREDICT_FLOATS = 50_000_000


class Population:
    """Members that differ in any value and in their seeds, trained as one TensorFlow program.

    Each member computes what it would compute alone: same initial kernels as
    `build_stack(config, ..., seed)`, batches and dropout masks from its seed, an optimiser state
    for it alone. Members with equal seeds share batches and the draws behind their masks.

    Shape: inputs (rows, features) -> predictions (members, rows, outputs).

    Args:
        configs: One `StackConfig` a member, all of one structure.
        seeds: One seed a member, or one for all.
        input_shape: Shape of a row; several axes are flattened.
        outputs, task: As in `build_stack`.
        folds: Index of each member's fold.
        groups: Which members form a trial: they stop together, judged by their mean objective.
        dtype: `"float32"`, or `"float64"` for proofs.

    Raises:
        UserError: No members, lists of different length, or different structures (named).
    """

    def __init__(
        self,
        configs: Sequence[StackConfig],
        input_shape: int | tuple[int, ...],
        outputs: int,
        task: str = "classification",
        seeds: int | Sequence[int] = 0,
        *,
        folds: Sequence[int] | None = None,
        groups: Sequence[int] | None = None,
        dtype: str = "float32",
    ):
        shape = check_geometry(input_shape, outputs, task)
        features = int(np.prod(shape))
        blueprint, members = members_of_configs(
            list(configs), features, outputs, task, seeds, folds, groups
        )
        self._set_up(blueprint, members, shape, task, dtype)

    @classmethod
    def from_models(
        cls,
        models: Sequence[keras.Model],
        seeds: int | Sequence[int] = 0,
        *,
        folds: Sequence[int] | None = None,
        groups: Sequence[int] | None = None,
        dtype: str | None = None,
    ) -> Population:
        """Stack existing compiled models of one structure, with their weights and values.

        Takes models of Dense, BatchNormalization, LayerNormalization, GroupNormalization,
        Activation, ReLU, Dropout, Flatten, Rescaling and Input layers in a row; `folds`, `groups`
        and `dtype` (by default the models') as the class does.

        Raises:
            UserError: A layer, optimiser or loss that a population cannot hold, by name; or
                models of different structure.
        """
        blueprint, members, found = members_of_models(models, seeds, folds, groups)
        task = "regression" if blueprint.metric == "mae" else "classification"
        population = cls.__new__(cls)
        population._set_up(
            blueprint, members, tuple(models[0].input_shape[1:]), task, dtype or found
        )
        return population

    def _set_up(
        self,
        blueprint: Blueprint,
        members: list[Member],
        input_shape: tuple[int, ...],
        task: str,
        dtype: str,
    ) -> None:
        self.blueprint, self.members, self.dtype = blueprint, members, dtype
        self._models = MemberModels(blueprint, input_shape, task)
        self._initial = InitialWeights(blueprint, dtype)
        # Decided for all members at once: a chunk's program must not depend on who is in it.
        self._active = active_names([member.values for member in members], blueprint)

    def __len__(self) -> int:
        return len(self.members)

    def fit(
        self,
        x: np.ndarray | None = None,
        y: np.ndarray | None = None,
        *,
        validation_data: tuple | None = None,
        folds: Sequence[tuple[tuple, tuple]] | None = None,
        epochs: int = 1,
        batch_size: int = 32,
        sample_weight: np.ndarray | None = None,
        class_weight: Mapping[int, float] | None = None,
        objective: str = "val_data_loss",
        patience: int | None = None,
        monitor: str | None = None,
        halving: Sequence[tuple[int, float]] = (),
        keep: str = "last",
        every: int = 1,
        **options: Any,
    ) -> list[MemberResult]:
        """Train every member from its initial weights; for those who know `keras.Model.fit`.

        Args:
            x, y: Training rows (rows, *input_shape) and (rows,).
            validation_data: `(x, y)` or `(x, y, weights)`.
            folds: Instead of both, as in `train`.
            sample_weight, class_weight: As in `keras.Model.fit`.
            epochs, batch_size, objective, patience, monitor, halving, keep, every: As in
                `TrainingPlan`.
            options: `watch`, `cohort_size`, `checkpoint`, `on_epoch`, `on_results`, `stop` and
                `only`, as in `train`.

        Returns:
            One `MemberResult` a member, in order.

        Raises:
            UserError: Data that cannot be trained on, or an argument out of range.
        """
        if folds is None:
            folds = [single_fold(x, y, validation_data, sample_weight, class_weight)]
        plan = TrainingPlan(
            epochs, batch_size, objective, patience, monitor, tuple(halving), keep, every
        )
        smallest = min(len(rows[0]) for rows, _ in folds)
        if batch_size > smallest > 0:
            warnings.warn(
                f"batch_size {batch_size} is larger than the data: every step sees all "
                f"{smallest} rows.",
                stacklevel=2,
            )
        return self.train(folds, plan, **options)

    def train(
        self,
        folds: Sequence[tuple[tuple, tuple]],
        plan: TrainingPlan,
        *,
        only: Sequence[int] | None = None,
        watch: Mapping[int, Sequence[keras.callbacks.Callback]] | None = None,
        cohort_size: int | None = None,
        checkpoint: str | Path | None = None,
        on_epoch: Callable[[EpochReport], None] | None = None,
        on_results: Callable[[list[tuple[int, MemberResult]]], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[MemberResult]:
        """Train members from their initial weights.

        Args:
            folds: `((x, y), (x_val, y_val))` a fold, each with weights of its rows as a third
                item or without: members see their own fold.
            plan: How to train.
            only: Indices of the members to train; None for all. The program is that of all, so
                that what is left of an interrupted population gives the same numbers to the last
                bit.
            watch: Ordinary Keras callbacks by member: `on_epoch_end` sees its model.
            cohort_size: Most members at once; by default as memory allows. Results do not depend
                on it.
            checkpoint: A file to go on from if it is there, written about once a minute and
                removed at the end. Continued training gives the same numbers.
            on_epoch: Called after every measured epoch of a cohort.
            on_results: Called with `(member, result)` pairs when a cohort is through.
            stop: Asked whenever a cohort is through and others are left; True ends the training
                there. Members that had not begun have a result of 0 epochs.

        Returns:
            One `MemberResult` a member that was to be trained, in order.

        Raises:
            UserError: Data that cannot be trained on.
            OutOfMemory: A trial does not fit into memory, not even alone.
        """
        needed = max(member.fold for member in self.members)
        if needed >= len(folds):
            raise UserError(f"folds: expected {needed + 1} folds, got {len(folds)}.")
        plan.check_names(("val_data_loss", "val_loss", f"val_{self.blueprint.metric}"))
        with named_out_of_memory():
            rows = gather_rows(self.blueprint, self.dtype, folds)
        runs = new_runs(self.members, rows, range(len(self)) if only is None else only)
        saved = None
        if checkpoint is not None:
            saved = Checkpoint(checkpoint, context_digest(self.blueprint, rows, plan, self.dtype))
            name_runs(runs, self.members)
        watched = {
            index: Watched(partial(self.member, index), self._models.write, callbacks)
            for index, callbacks in (watch or {}).items()
        }
        new_chunk = partial(self.new_chunk, rows=rows, batch_size=plan.batch_size)
        training = Training(runs, plan, new_chunk, watched, saved, on_epoch, on_results)
        most = max(map(len, rows.train))
        return training.run(cohort_size or self.cohort_size(plan, most, len(runs)), stop)

    def cohort_size(self, plan: TrainingPlan, rows: int, members: int) -> int:
        """How many of `members` members `train` lets train at once, on `rows` rows, by memory."""
        # Between two rungs every cohort is waiting for the others.
        waiting = members if plan.halving else 0
        return largest_cohort(self.blueprint, min(plan.batch_size, rows), self.dtype, waiting)

    def new_chunk(self, indices: Sequence[int], rows: Rows, batch_size: int) -> StackChunk:
        """Some members before their first step."""
        members = [self.members[index] for index in indices]
        return StackChunk(
            self.blueprint, members, rows, batch_size, self._initial, self.dtype, self._active
        )

    def get_weights(self, index: int) -> list[np.ndarray]:
        """A member's arrays in the blueprint's order: trained ones, or the initial ones."""
        member = self.members[index]
        if member.weights is not None:
            return member.weights
        return [array[0] for array in self._initial.stack([member])]

    def member(self, index: int) -> keras.Model:
        """A member as an ordinary compiled Keras model with its weights and statistics."""
        if not 0 <= index < len(self.members):
            raise UserError(f"member: expected 0 to {len(self) - 1}, got {index!r}.")
        model = self._models.build(self.members[index])
        self._models.write(self.get_weights(index), model)
        return model

    def save_weights(self, index: int, path: str | Path) -> None:
        """Write a member's weights as a `.weights.h5` file that loads into `member(index)`.

        One model serves all members: the file holds neither dropout rates nor penalties. Of the
        optimiser it holds the learning rate.
        """
        model = self._models.shell(self.members[index])
        self._models.write(self.get_weights(index), model)
        model.optimizer.learning_rate = self.members[index].values[-1, "learning_rate"]
        model.save_weights(path)

    def load_weights(self, index: int, path: str | Path) -> None:
        """Start a member from a file of `save_weights`; its optimiser starts anew."""
        member = self.members[index]
        model = self._models.shell(member)
        model.load_weights(path)
        member.initial, member.weights = self._models.read(model), None

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Logits (members, rows, outputs) in inference mode."""
        x = np.asarray(x, self.dtype).reshape(len(x), -1)
        size = max(1, PREDICT_FLOATS // max(self.blueprint.member_size(), 1))
        parts = []
        for start in range(0, len(self), size):
            some = range(start, min(len(self), start + size))
            weights = zip(*(self.get_weights(index) for index in some), strict=True)
            stacked = [tf.constant(np.stack(arrays)) for arrays in weights]
            compiled, values = self.program_of(some)
            parts.append(compiled.predict(stacked, values, tf.constant(x)).numpy())
        return np.concatenate(parts)

    def program_of(self, indices: Sequence[int]) -> tuple[Program, list[tf.Tensor]]:
        """A program for some members on shared rows, and their values as it takes them."""
        key = ProgramKey(self.blueprint, self._active, False, False, False, self.dtype)
        values = [self.members[index].values for index in indices]
        stacked = stack_values(values, self._active, self.dtype)
        return program(key), [tf.constant(array) for array in stacked]
