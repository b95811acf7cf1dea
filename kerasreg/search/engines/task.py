"""How settings are trained: a task goes in, a list of results a setting comes out.

The search knows nothing of how or where a task is trained; a task is plain values and can be sent
elsewhere. `KerasTunerEngine` is the reference: one `model.fit` a member. `PopulationEngine` trains
all members together and must give the same numbers; `RayEngine` has it do so on a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kerasreg.errors import UserError
from kerasreg.networks import Config
from kerasreg.population import TrainingPlan

if TYPE_CHECKING:
    import keras
    import numpy as np

    from kerasreg.data import Dataset, Fold, Split
    from kerasreg.population import MemberResult


class WorkerLost(UserError):
    """The processes that trained some settings ended, time and again; the other settings are done.

    Fewer settings at once may need less of whatever they lacked.
    """


@dataclass(frozen=True)
class TrainingTask:
    """Settings to train on one data set, every one with every seed and fold.

    Attributes:
        settings: One stack each.
        seeds: Member seeds; each fixes initial weights, batch order and masks, and which rows are
            in which fold: several seeds are repeated cross-validation.
        plan: How to train them.
        folds: How many cross-validation folds, 0 for the data set's own validation rows.
        only: Indices of the settings to train; None for all. The others are recorded already, and
            still part of what decides the program, so that an interrupted round gives the same
            numbers.
        balance: Whether training rows weigh inverse to the frequency of their class.
        names: What messages call the settings; none where nobody asked for messages.
    """

    settings: tuple[Config, ...]
    seeds: tuple[int, ...]
    plan: TrainingPlan
    folds: int = 0
    only: frozenset[int] | None = None
    balance: bool = False
    names: tuple[str, ...] = ()

    @property
    def wanted(self) -> list[int]:
        """Indices of the settings to train."""
        return [k for k in range(len(self.settings)) if self.only is None or k in self.only]


class Engine(Protocol):
    """What the search asks of whoever trains.

    Attributes:
        name: As a request and the trial records have it.
        workers: How many processes of a cluster train now; 0 where this one does.
        usage: What was used of a cluster so far; None where this process trains.
    """

    name: str
    workers: int
    usage: dict[str, float] | None

    def train(
        self,
        task: TrainingTask,
        dataset: Dataset,
        on_epoch: Callable[[np.ndarray], None] | None = None,
        on_setting: Callable[[int, list[MemberResult]], None] | None = None,
        checkpoints: Path | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[list[MemberResult]]:
        """Train the settings of a task; one list of members a setting, in the task's order.

        Args:
            task: What to train.
            dataset: On what; the test rows are never asked for.
            on_epoch: Called with the objective, shape (members,), of those just trained an epoch;
                of none where an engine only waits, so that signals are answered.
            on_setting: Called with (index, members) as soon as a setting is finished.
            checkpoints: A folder for unfinished work, to go on from after a kill.
            stop: Asked whenever all that trained together has been told; True ends the training
                there.

        Returns:
            Empty lists for settings that were not to be trained or had not begun.

        Raises:
            OutOfMemory: A setting does not fit into memory, not even alone.
            WorkerLost: See there.
        """

    def fit(
        self,
        config: Config,
        seed: int,
        dataset: Dataset,
        rows: Split,
        epochs: int,
        batch_size: int,
        callbacks: tuple[keras.callbacks.Callback, ...] = (),
        horizon: int | None = None,
    ) -> keras.Model:
        """Train one stack on `rows` for exactly `epochs` epochs and return it.

        `horizon` is that of `TrainingPlan`.
        """


@dataclass(frozen=True)
class TaskRows:
    """The rows of a task as the stacks of one encoding see them: plain arrays, no test rows.

    Attributes:
        input_shape, outputs, task: As `Population` takes them.
        parts: Seed, fold, training and validation rows of every member of a setting; without folds
            the fold is None and the rows are the data set's own.
    """

    input_shape: tuple[int, ...]
    outputs: int
    task: str
    parts: list[tuple[int, int | None, Split, Split]]


def rows_of(task: TrainingTask, dataset: Dataset) -> TaskRows:
    """The rows that every setting of this encoding trains and validates on."""
    if not task.folds:
        rows = dataset.train.balanced() if task.balance else dataset.train
        parts = [(seed, None, rows, dataset.validation) for seed in task.seeds]
    else:
        parts = []
        for k, (seed, fold) in enumerate(repeated_folds(dataset, task.folds, task.seeds)):
            rows = fold.train.balanced() if task.balance else fold.train
            parts.append((seed, k % task.folds, rows, fold.validation))
    return TaskRows(dataset.input_shape, dataset.outputs, dataset.task, parts)


def repeated_folds(dataset: Dataset, folds: int, seeds: Sequence[int]) -> list[tuple[int, Fold]]:
    """Seed and fold of every member of a setting: each seed divides the rows anew."""
    return [(seed, fold) for seed in seeds for fold in dataset.folds(folds, seed)]


def structures_of(task: TrainingTask) -> list[list[int]]:
    """The settings by structure: indices of those that can train as one population."""
    structures: dict[tuple, list[int]] = {}
    for index, config in enumerate(task.settings):
        structures.setdefault(config.structure(), []).append(index)
    wanted = set(task.wanted)
    return [indices for indices in structures.values() if wanted.intersection(indices)]
