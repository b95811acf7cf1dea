"""The engine of the project: settings of one structure train as one population."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from kerasreg.population import MemberResult, Population, TrainingPlan
from kerasreg.search.engines.task import TrainingTask, members_of
from kerasreg.stacks import StackConfig

if TYPE_CHECKING:
    from kerasreg.data import Dataset, Split


class PopulationEngine:
    """Groups the settings of a task by structure and trains each group as a population."""

    name = "population"

    def train(
        self,
        task: TrainingTask,
        dataset: Dataset,
        on_epoch: Callable[[np.ndarray], None] | None = None,
        on_setting: Callable[[int, list[MemberResult]], None] | None = None,
        checkpoints: Path | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[list[MemberResult]]:
        """See `Engine.train`."""
        if checkpoints:
            checkpoints.mkdir(exist_ok=True)
        results: list[list[MemberResult]] = [[] for _ in task.settings]
        structures: dict[tuple, list[int]] = {}
        for index, config in enumerate(task.settings):
            structures.setdefault(config.structure(), []).append(index)
        wanted = set(task.wanted)

        for structure, indices in structures.items():
            if wanted.isdisjoint(indices):
                continue
            if stop and any(results) and stop():
                break
            encoded = dataset.encoded(task.settings[indices[0]].encoding)
            parts = list(members_of(task, encoded))
            folds = [
                ((rows.x, rows.y, rows.weights), (validation.x, validation.y))
                for _, _, rows, validation in parts[: max(1, task.folds)]
            ]
            setting_of = [index for index in indices for _ in parts]
            population = Population(
                [task.settings[index] for index in setting_of],
                encoded.input_shape,
                encoded.outputs,
                encoded.task,
                seeds=[seed for _ in indices for seed, *_ in parts],
                folds=[fold or 0 for _ in indices for _, fold, *_ in parts],
                groups=setting_of,
            )

            def finished(
                pairs: Sequence[tuple[int, MemberResult]],
                setting_of: list[int] = setting_of,
                population: Population = population,
                folds: list[tuple[tuple, tuple]] = folds,
            ) -> None:
                if task.plan.keep != "none":
                    _predict_validation_rows(population, folds, pairs)
                for member, result in pairs:
                    results[setting_of[member]].append(result)
                for index in dict.fromkeys(setting_of[member] for member, _ in pairs):
                    if on_setting:
                        on_setting(index, results[index])

            population.train(
                folds,
                task.plan,
                only=[member for member, index in enumerate(setting_of) if index in wanted],
                checkpoint=checkpoints and checkpoints / _file_name(structure),
                on_epoch=on_epoch and (lambda report: on_epoch(report.logs[task.plan.objective])),
                on_results=finished,
                stop=stop,
            )
        return results

    def fit(
        self,
        config: StackConfig,
        seed: int,
        dataset: Dataset,
        rows: Split,
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


def _file_name(structure: tuple) -> str:
    return f"population-{hashlib.sha256(repr(structure).encode()).hexdigest()[:16]}.npz"
