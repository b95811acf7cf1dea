"""The population: members of one structure, trained together and handed back one by one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.population.blueprint import Blueprint, blueprint_of_config
from kerasreg.population.checkpoint import Checkpoint, context_digest
from kerasreg.population.chunk import Chunk
from kerasreg.population.keras_weights import read_weights, write_weights
from kerasreg.population.members import (
    InitialWeights,
    Member,
    numbers_of_config,
    stack_numbers,
)
from kerasreg.population.memory import named_out_of_memory
from kerasreg.population.plan import TrainingPlan
from kerasreg.population.results import EpochReport, MemberResult
from kerasreg.population.rows import Rows, class_weights, gather_rows
from kerasreg.population.sizes import largest_chunk
from kerasreg.population.training import Training
from kerasreg.stacks import StackConfig, build_stack, check_geometry

if TYPE_CHECKING:
    import keras

#: Memory a chunk may take, padding included; beyond this, larger chunks were not faster either.
CHUNK_BYTES = 768 * 2**20


class Population:
    """Members that differ in any number and in their seeds, trained as one TensorFlow program.

    Each member computes what it would compute alone: same initial kernels as
    `build_stack(config, ..., seed)`, batches and dropout masks from its own seed, its own
    optimiser state. Members with equal seeds share batches and the draws behind their masks.

    Shape: inputs (rows, features) -> predictions (members, rows, outputs).

    Args:
        configs: One `StackConfig` a member, all of one structure.
        seeds: One seed a member, or one for all.
        input_shape: Shape of a row; several axes are flattened.
        outputs, task: As in `build_stack`.
        folds: Number of each member's fold, for `fit(folds=...)`.
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
        configs = list(configs)
        if not configs:
            raise UserError("configs: expected at least one StackConfig, got an empty list.")
        for config in configs:
            if not isinstance(config, StackConfig):
                raise UserError(f"configs: expected StackConfig objects, got {config!r}.")
        _check_structures(configs)
        self.input_shape = check_geometry(input_shape, outputs, task)
        features = int(np.prod(self.input_shape))
        blueprint = blueprint_of_config(configs[0], features, outputs, task)
        count = len(configs)
        members = [
            Member(config, seed, fold, group, numbers_of_config(config, blueprint))
            for config, seed, fold, group in zip(
                configs,
                _per_member("seeds", [seeds] * count if isinstance(seeds, int) else seeds, count),
                _per_member("folds", [0] * count if folds is None else folds, count),
                _per_member("groups", range(count) if groups is None else groups, count),
                strict=True,
            )
        ]
        self._set_up(blueprint, members, task, dtype)

    def _set_up(
        self,
        blueprint: Blueprint,
        members: list[Member],
        task: str,
        dtype: str,
    ) -> None:
        self.blueprint = blueprint
        self.members = members
        self.task = task
        self.dtype = dtype
        self._initial = InitialWeights(blueprint, dtype)
        # Decided for all members at once: a chunk's program must not depend on its neighbours.
        self._active = tuple(stack_numbers(members, blueprint, dtype))
        self._weights: list[list[np.ndarray] | None] = [None] * len(members)
        self._templates: list[keras.Model] | None = None
        self._shell: keras.Model | None = None

    @classmethod
    def from_models(
        cls, models: Sequence[keras.Model], seeds: int | Sequence[int] = 0, **options
    ) -> Population:
        """Stack existing compiled models of one structure, with their weights and numbers.

        Takes models of Dense, BatchNormalization, LayerNormalization, GroupNormalization,
        Activation, ReLU, Dropout, Flatten, Rescaling and Input layers in a row, and `folds`,
        `groups` and `dtype` as the class does.

        Raises:
            UserError: A layer, optimiser or loss that a population cannot hold, by name; or
                models of different structure.
        """
        from kerasreg.population.lifting import lift

        lifted = [lift(model) for model in models]
        if not lifted:
            raise UserError("models: expected at least one model, got an empty list.")
        for number, item in enumerate(lifted):
            first = lifted[0]
            if (item.blueprint, item.dtype) != (first.blueprint, first.dtype):
                raise UserError(
                    f"models: expected one structure, but models 0 and {number} differ."
                )
        count = len(models)
        self = cls.__new__(cls)
        self.input_shape = tuple(models[0].input_shape[1:])
        seeds = [seeds] * count if isinstance(seeds, int) else seeds
        folds = options.pop("folds", None) or [0] * count
        groups = options.pop("groups", None) or range(count)
        members = [
            Member(None, seed, fold, group, item.numbers, item.weights)
            for item, seed, fold, group in zip(
                lifted,
                _per_member("seeds", seeds, count),
                _per_member("folds", folds, count),
                _per_member("groups", groups, count),
                strict=True,
            )
        ]
        task = "regression" if lifted[0].blueprint.metric == "mae" else "classification"
        self._set_up(lifted[0].blueprint, members, task, options.pop("dtype", lifted[0].dtype))
        if options:
            raise UserError(f"from_models: unknown argument {next(iter(options))!r}.")
        self._templates = list(models)
        return self

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
        watch: Mapping[int, Sequence[keras.callbacks.Callback]] | None = None,
        chunk_size: int | None = None,
        checkpoint: str | Path | None = None,
        on_epoch: Callable[[EpochReport], None] | None = None,
        on_results: Callable[[list[tuple[int, MemberResult]]], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[MemberResult]:
        """Train every member from its initial weights; for those who know `keras.Model.fit`.

        Args:
            x, y: Training rows (rows, *input_shape) and (rows,).
            validation_data: `(x, y)` or `(x, y, weights)`.
            folds: Instead of both, as in `train`.
            sample_weight, class_weight: As in `keras.Model.fit`.
            epochs, batch_size, objective, patience, monitor, halving, keep, every: As in
                `TrainingPlan`.
            watch, chunk_size, checkpoint, on_epoch, on_results, stop: As in `train`.

        Returns:
            One `MemberResult` a member, in order.

        Raises:
            UserError: Data that cannot be trained on, or an argument out of range.
        """
        if folds is None:
            if x is None or y is None or validation_data is None:
                raise UserError("fit: expected x, y and validation_data, or folds.")
            weights = _row_weights(y, sample_weight, class_weight)
            folds = [((x, y, weights), validation_data)]
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
        return self.train(
            folds,
            plan,
            watch=watch,
            chunk_size=chunk_size,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            on_results=on_results,
            stop=stop,
        )

    def train(
        self,
        folds: Sequence[tuple[tuple, tuple]],
        plan: TrainingPlan,
        *,
        only: Sequence[int] | None = None,
        watch: Mapping[int, Sequence[keras.callbacks.Callback]] | None = None,
        chunk_size: int | None = None,
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
            chunk_size: Most members at once; by default by memory. Results do not depend on it.
            checkpoint: A file to go on from if it is there, written about once a minute and
                removed at the end. Continued training gives the same numbers.
            on_epoch: Called after every epoch of a chunk.
            on_results: Called with `(member, result)` pairs when a chunk is through.
            stop: Asked whenever a chunk is through and others are left; True ends the training
                there. Members that had not begun have a result of 0 epochs.

        Returns:
            One `MemberResult` a member that was to be trained, in order.

        Raises:
            UserError: Data that cannot be trained on.
            OutOfMemory: A trial does not fit into memory, not even alone.
        """
        folds = [((*rows, None)[:3], (*held, None)[:3]) for rows, held in folds]
        needed = max(member.fold for member in self.members)
        if needed >= len(folds):
            raise UserError(f"folds: expected {needed + 1} folds, got {len(folds)}.")
        plan.check_names(("val_data_loss", "val_loss", f"val_{self.blueprint.metric}"))
        with named_out_of_memory():
            rows = gather_rows(self.blueprint, self.dtype, folds)
        saved = None
        if checkpoint is not None:
            context = context_digest(self.blueprint, rows, plan, self.dtype)
            saved = Checkpoint(checkpoint, context, self.members)
        chosen = range(len(self)) if only is None else only
        training = Training(self, rows, plan, chosen, watch or {}, saved, on_epoch, on_results)
        if not chunk_size:
            batch = min(plan.batch_size, max(len(own) for own in rows.train))
            # Between two rungs every cohort is waiting for the others.
            waiting = len(chosen) if plan.halving else 0
            chunk_size = largest_chunk(self.blueprint, batch, self.dtype, CHUNK_BYTES, waiting)
        return training.run(chunk_size, stop)

    def new_chunk(self, numbers: Sequence[int], rows: Rows, batch_size: int) -> Chunk:
        """The members `numbers`, before their first step."""
        return Chunk(
            self.blueprint,
            [self.members[n] for n in numbers],
            rows,
            batch_size,
            self._initial,
            self.dtype,
            self._active,
        )

    def set_weights(self, number: int, weights: list[np.ndarray]) -> None:
        """Give member `number` these arrays, in the blueprint's order."""
        self._weights[number] = weights

    def get_weights(self, number: int) -> list[np.ndarray]:
        """A member's arrays in the blueprint's order: trained ones, or the initial ones."""
        weights = self._weights[number]
        if weights is None:
            weights = [a[0] for a in self._initial.stack([self.members[number]])]
        return weights

    def member(self, number: int) -> keras.Model:
        """Member `number` as an ordinary compiled Keras model with its weights and statistics."""
        if not 0 <= number < len(self.members):
            raise UserError(f"member: expected 0 to {len(self) - 1}, got {number!r}.")
        model = self._template(number)
        write_weights(self.blueprint, self.get_weights(number), model)
        return model

    def save_weights(self, number: int, path: str | Path) -> None:
        """Write a member's weights as a `.weights.h5` file that loads into `member(number)`.

        Building a model costs more than writing it, so one model serves all members: the file
        holds neither dropout rates nor penalties. Of the optimiser it holds the learning rate.
        """
        model = self._filled(number, self.get_weights(number))
        model.optimizer.learning_rate = self.members[number].numbers[-1, "learning_rate"]
        model.save_weights(path)

    def load_weights(self, number: int, path: str | Path) -> None:
        """Start a member from a file of `save_weights`; its optimiser starts anew."""
        model = self._filled(number, self.get_weights(number))
        model.load_weights(path)
        self.members[number].weights = read_weights(self.blueprint, model)

    def _filled(self, number: int, weights: list[np.ndarray]) -> keras.Model:
        if self._shell is None:
            self._shell = self._template(number)
            optimizer = self._shell.optimizer
            # A fresh optimiser: a built one's slots would be in the file, and warned of on loading.
            self._shell.compile(type(optimizer).from_config(optimizer.get_config()))
        write_weights(self.blueprint, weights, self._shell)
        return self._shell

    def _template(self, number: int) -> keras.Model:
        member = self.members[number]
        if self._templates is None:
            return build_stack(
                member.config, self.input_shape, self.blueprint.outputs, self.task, member.seed
            )
        import keras

        source = self._templates[number]
        model = keras.models.clone_model(source)
        model.compile_from_config(source.get_compile_config())
        if not self.blueprint.decay_all:
            # An optimiser's configuration forgets what it leaves out.
            model.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return model

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Logits (members, rows, outputs) in inference mode."""
        x = np.asarray(x, self.dtype).reshape(len(x), -1)
        size = max(1, 50_000_000 // max(self.blueprint.member_size(), 1))
        parts = []
        for start in range(0, len(self), size):
            some = range(start, min(len(self), start + size))
            stacked = [
                tf.constant(np.stack(arrays))
                for arrays in zip(*(self.get_weights(n) for n in some), strict=True)
            ]
            chunk = self._program_for(some)
            parts.append(chunk[0].predict(stacked, chunk[1], tf.constant(x)).numpy())
        return np.concatenate(parts)

    def _program_for(self, numbers: Sequence[int]):
        from kerasreg.population.program import ProgramKey, program

        key = ProgramKey(self.blueprint, self._active, False, False, False, self.dtype)
        members = [self.members[n] for n in numbers]
        values = stack_numbers(members, self.blueprint, self.dtype)
        zeros = np.zeros((len(members), 1, 1), self.dtype)
        return program(key), [tf.constant(values.get(name, zeros)) for name in self._active]


def _row_weights(y, sample_weight, class_weight) -> np.ndarray | None:
    if class_weight is None:
        return None if sample_weight is None else np.asarray(sample_weight)
    weights = class_weights(y, class_weight)
    return weights if sample_weight is None else weights * np.asarray(sample_weight)


def _per_member(name: str, values: Sequence[int], count: int) -> list[int]:
    values = [int(v) for v in values]
    if len(values) != count:
        raise UserError(f"{name}: expected one a member, {count}, got {len(values)}.")
    return values


def _check_structures(configs: Sequence[StackConfig]) -> None:
    first = configs[0].structure()
    for number, config in enumerate(configs):
        for (name, expected), (_, value) in zip(first, config.structure(), strict=True):
            if value != expected:
                raise UserError(
                    f"configs: expected one structure, but {name} is {expected!r} in config 0 "
                    f"and {value!r} in config {number}. Train them as two populations."
                )
