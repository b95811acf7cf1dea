"""The engine of the project: settings of one structure train as one population."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from kerasreg.networks import Config, custom_objects_of
from kerasreg.population import MemberResult, Population, TrainingPlan
from kerasreg.search.engines.side_by_side import Tell, run_side_by_side
from kerasreg.search.engines.task import (
    TaskRows,
    TrainingTask,
    rows_of,
    structures_of,
)

if TYPE_CHECKING:
    from kerasreg.data import Dataset, Split


class PopulationEngine:
    """Trains the settings of each structure as a population, several of them side by side."""

    name = "population"
    workers = 0
    usage = None

    def train(
        self,
        task: TrainingTask,
        dataset: "Dataset",
        on_epoch: Callable[[np.ndarray], None] | None = None,
        on_setting: Callable[[int, list[MemberResult]], None] | None = None,
        checkpoints: Path | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[list[MemberResult]]:
        """See `Engine.train`."""
        if checkpoints:
            checkpoints.mkdir(exist_ok=True)
        results: list[list[MemberResult]] = [[] for _ in task.settings]

        def finished(index: int, members: list[MemberResult]) -> None:
            results[index] = members
            if on_setting:
                on_setting(index, members)

        def job(indices: Sequence[int]) -> Callable[[Tell], None]:
            first = task.settings[indices[0]]
            encoded = dataset.encoded(first.encoding)
            checkpoint = checkpoints and checkpoints / checkpoint_name(first.structure())

            def train_here(tell: Tell) -> None:
                # Keras keeps both for each thread.
                keras.config.set_dtype_policy(policy)
                with custom_objects_of(first):
                    train_structure(
                        task,
                        indices,
                        rows_of(task, encoded),
                        partial(tell, finished),
                        on_epoch and partial(tell, on_epoch),
                        checkpoint,
                        stop,
                    )

            return train_here

        policy = keras.config.dtype_policy()
        run_side_by_side(
            [job(indices) for indices in structures_of(task)],
            idle=lambda: on_epoch(np.empty(0)) if on_epoch else None,
            stop=stop or bool,
        )
        return results

    def fit(
        self,
        config: Config,
        seed: int,
        dataset: "Dataset",
        rows: "Split",
        epochs: int,
        batch_size: int,
        callbacks: tuple[keras.callbacks.Callback, ...] = (),
        horizon: int | None = None,
    ) -> keras.Model:
        """See `Engine.fit`."""
        shape = rows.x.shape[1:]
        population = Population([config], shape, dataset.outputs, dataset.task, seeds=[seed])
        # Every epoch is trained: the validation row decides nothing.
        fold = ((rows.x, rows.y, rows.weights), (rows.x[:1], rows.y[:1]))
        watch = {0: callbacks} if callbacks else None
        population.train([fold], TrainingPlan(epochs, batch_size, horizon=horizon), watch=watch)
        return population.member(0)


def train_structure(
    task: TrainingTask,
    indices: Sequence[int],
    rows: TaskRows,
    on_setting: Callable[[int, list[MemberResult]], None],
    on_epoch: Callable[[np.ndarray], None] | None = None,
    checkpoint: Path | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Train the settings of a task that have one structure, as one population.

    Args:
        indices: Of `structures_of`; those that the task does not want are not trained.
        rows: As their encoding wants them.
        checkpoint: A file for unfinished work.
        task, on_setting, on_epoch, stop: As in `Engine.train`.
    """
    setting_of = [index for index in indices for _ in rows.parts]
    folds = [
        ((training.x, training.y, training.weights), (validation.x, validation.y))
        for *_, training, validation in (rows.parts if task.folds else rows.parts[:1])
    ]
    population = Population(
        [task.settings[index] for index in setting_of],
        rows.input_shape,
        rows.outputs,
        rows.task,
        seeds=[seed for _ in indices for seed, *_ in rows.parts],
        folds=[k % len(folds) for _ in indices for k, _ in enumerate(rows.parts)],
        groups=setting_of,
    )

    def finished(pairs: Sequence[tuple[int, MemberResult]]) -> None:
        if task.plan.keep != "none":
            _predict_validation_rows(population, folds, pairs)
        settings: dict[int, list[MemberResult]] = {}
        for member, result in pairs:
            # A population counts the folds of all seeds, a record those of each.
            _, fold, *_ = rows.parts[member % len(rows.parts)]
            own = result if fold is None else replace(result, fold=fold)
            settings.setdefault(setting_of[member], []).append(own)
        for index, members in settings.items():
            on_setting(index, members)

    wanted = set(task.wanted)
    population.train(
        folds,
        task.plan,
        only=[member for member, index in enumerate(setting_of) if index in wanted],
        checkpoint=checkpoint,
        on_epoch=on_epoch and (lambda report: on_epoch(report.logs[task.plan.objective])),
        on_results=finished,
        stop=stop,
    )


def _predict_validation_rows(
    population: Population,
    folds: Sequence[tuple[tuple, tuple]],
    pairs: Sequence[tuple[int, MemberResult]],
) -> None:
    """Give the results of completed members what the kept weights say of their fold's rows."""
    by_fold: dict[int, list[tuple[int, MemberResult]]] = {}
    for member, result in pairs:
        if result.status == "completed" and result.weights is not None:
            by_fold.setdefault(result.fold or 0, []).append((member, result))
    for fold, those in by_fold.items():
        members = [population.members[member] for member, _ in those]
        weights = [result.weights for _, result in those]
        outputs = population.path.predict(members, weights, folds[fold][1][0])
        for (_, result), output in zip(those, outputs, strict=True):
            result.outputs = output


def checkpoint_name(key: object) -> str:
    """The file for unfinished work of what a `repr` names."""
    return f"population-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.npz"
