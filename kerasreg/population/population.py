"""The population: members of one structure, trained together and handed back one by one."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasreg.errors import UserError
from kerasreg.networks import Config
from kerasreg.population.blueprint import Blueprint
from kerasreg.population.building import path_of_configs, path_of_models
from kerasreg.population.checkpoint import Checkpoint, context_digest
from kerasreg.population.memory import named_out_of_memory
from kerasreg.population.plan import TrainingPlan
from kerasreg.population.results import EpochReport, MemberResult
from kerasreg.population.rows import count_rows, single_fold
from kerasreg.population.runs import name_runs, new_runs
from kerasreg.population.training import Training
from kerasreg.population.watching import Follower, Watched

if TYPE_CHECKING:
    import keras


class Population:
    """Members that differ in any value and in their seeds, trained as one TensorFlow program.

    Made of settings, members are stacks; `from_models` takes Keras models of any kind. Stacks with
    convolutions are Keras models too, and take the general path.

    Each member computes what it would compute alone: same initial kernels as
    `build_stack(config, ..., seed)`, batches and dropout masks from its seed, an optimiser state
    for it alone. Members with equal seeds share batches and the draws behind their masks.

    Shape: inputs (rows, features) -> predictions (members, rows, outputs).

    Args:
        configs: One `StackConfig` a member, all of one structure.
        seeds: One seed a member, or one for all.
        input_shape: Shape of a row; several axes are flattened, unless there are convolutions.
        outputs, task: As in `build_stack`.
        folds: Index of each member's fold.
        groups: Which members form a trial: they stop together, judged by their mean objective.
        dtype: `"float32"`, or `"float64"` for proofs; of convolutions Keras' own.

    Raises:
        UserError: No members, lists of different length, or different structures (named).
    """

    def __init__(
        self,
        configs: Sequence[Config],
        input_shape: int | tuple[int, ...],
        outputs: int,
        task: str = "classification",
        seeds: int | Sequence[int] = 0,
        *,
        folds: Sequence[int] | None = None,
        groups: Sequence[int] | None = None,
        dtype: str = "float32",
    ):
        self.path, self.members = path_of_configs(
            list(configs), input_shape, outputs, task, seeds, folds, groups, dtype
        )

    @classmethod
    def from_models(
        cls,
        models: "Sequence[keras.Model]",
        seeds: int | Sequence[int] = 0,
        *,
        folds: Sequence[int] | None = None,
        groups: Sequence[int] | None = None,
        dtype: str | None = None,
        general: bool = False,
        widths: Sequence[int] | None = None,
    ) -> "Population":
        """Train existing compiled models of one structure, from their weights, with their values.

        Stacks (Dense, normalisation, activation, Dropout, Flatten and Rescaling layers in a row)
        take the path of stacks; models of any other kind take the general path.

        Args:
            models: Of one structure; see `lifting.lift` and `general.lifting.lift` for what that
                may be. Their weights are not changed.
            seeds, folds, groups: As the class does.
            dtype: Of a stack's arrays; by default the models'.
            general: Whether to take the general path even for stacks.
            widths: Units or filters that every layer but the last has in the population's arrays:
                narrower models are padded with zeros and train as they would alone. Members' models
                and files keep their own widths. Of stacks and Sequential models; None for models of
                equal widths.

        Raises:
            UserError: A layer, optimiser or loss that no path can hold, by name; or models of
                different structure.
        """
        population = cls.__new__(cls)
        population.path, population.members = path_of_models(
            list(models), seeds, folds, groups, dtype, general, widths
        )
        return population

    @property
    def blueprint(self) -> Blueprint:
        """The structure of stacks."""
        return self.path.structure

    @property
    def dtype(self) -> str:
        """Of the members' arrays."""
        return self.path.dtype

    def __len__(self) -> int:
        return len(self.members)

    def __getstate__(self) -> dict[str, Any]:
        # Travels to another process to be trained there, without the users' models.
        members = [replace(one, source=None, weights=None) for one in self.members]
        return {"path": self.path, "members": members}

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
        smallest = min(count_rows(rows[0]) for rows, _ in folds)
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
        watch: "Mapping[int, Sequence[keras.callbacks.Callback]] | None" = None,
        follow: Mapping[int, Follower] | None = None,
        cohort_size: int | None = None,
        checkpoint: str | File | None = None,
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
            follow: By member, who may change its learning rate and end its trial's training; not
                together with a `checkpoint`.
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
        with named_out_of_memory():
            rows = self.path.gather(folds)
        known = dict(self.path.objectives(rows))
        for one in (follow or {}).values():
            known |= one.adds
        plan = plan.directed(known)
        runs = new_runs(self.members, rows, range(len(self)) if only is None else only)
        saved = None
        if checkpoint is not None:
            context = context_digest(self.path.structure, rows, plan, self.path.dtype)
            saved = Checkpoint(checkpoint, context)
            name_runs(runs, self.members)
        watched = {
            index: Watched(partial(self.member, index), self.path.write, callbacks)
            for index, callbacks in (watch or {}).items()
        }
        followers = {index: [one] for index, one in (follow or {}).items()}
        for index, one in watched.items():
            followers.setdefault(index, []).append(one)
        new_chunk = partial(self.path.new_chunk, rows=rows, plan=plan)
        training = Training(runs, plan, new_chunk, followers, saved, on_epoch, on_results)
        if not cohort_size:
            cohort_size = self.path.cohort_size(plan, max(map(len, rows.train)), len(runs))
        try:
            return training.run(cohort_size, stop)
        finally:
            for one in watched.values():
                one.end()

    def get_weights(self, index: int) -> list[np.ndarray]:
        """A member's arrays in the path's order: trained ones, or the initial ones."""
        member = self.members[index]
        return self.path.initial(member) if member.weights is None else member.weights

    def member(self, index: int) -> "keras.Model":
        """A member as an ordinary compiled Keras model with its weights and statistics."""
        if not 0 <= index < len(self.members):
            raise UserError(f"member: expected 0 to {len(self) - 1}, got {index!r}.")
        model = self.path.build(self.members[index])
        self.path.write(self.get_weights(index), model)
        return model

    def save_weights(self, index: int, path: str | File) -> None:
        """Write a member's weights as a `.weights.h5` file that loads into `member(index)`."""
        self.path.save(self.members[index], self.get_weights(index), path)

    def load_weights(self, index: int, path: str | File) -> None:
        """Start a member from a file of `save_weights`; its optimiser starts anew."""
        member = self.members[index]
        member.initial, member.weights = self.path.load(member, path), None

    def predict(self, x: Any) -> Any:
        """Outputs (members, rows, ...) in inference mode; of stacks, logits."""
        weights = [self.get_weights(index) for index in range(len(self))]
        return self.path.predict(self.members, weights, x)
