"""How settings are trained: a task goes in, a list of results a setting comes out.

The search knows nothing of how or where a task is trained; a task is plain values and can be sent
elsewhere. `KerasTunerEngine` is the reference: one `model.fit` a member. `PopulationEngine` trains
all members together and must give the same numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kerasreg.errors import UserError
from kerasreg.objectives import EPOCH_RULES
from kerasreg.stacks import StackConfig

if TYPE_CHECKING:
    import keras
    import numpy as np

    from kerasreg.data import Dataset, Split
    from kerasreg.population import MemberResult


class OutOfMemory(UserError):
    """A setting does not fit into memory, not even alone."""


@dataclass(frozen=True)
class TrainingTask:
    """Settings to train on one data set, every one with every seed and fold.

    Attributes:
        settings: One stack each.
        seeds: Member seeds; each fixes initial weights, batch order and masks.
        folds: Number of cross-validation folds, 0 for the data set's own validation rows.
        fold_seed: Seed of the assignment of rows to folds.
        epochs: Most epochs a member trains.
        batch_size: Rows a step; more than there are means all of them.
        patience: Epochs without a better objective (mean over a setting's members) after which
            the members of the setting stop together; None for never.
        objective: `val_data_loss`, `val_accuracy` or `val_mae`.
        epoch_rule: `"best"` or `"last"`, which epoch counts.
        halving: `(epoch, share)` pairs: after that epoch only the best share of the settings of a
            structure goes on (successive halving, Jamieson and Talwalkar 2016, arXiv:1502.07943).
        beside: Settings of the same round that are recorded already: not trained, but part of what
            decides the program, so that an interrupted round gives the same numbers.
    """

    settings: tuple[StackConfig, ...]
    seeds: tuple[int, ...]
    folds: int
    epochs: int
    batch_size: int
    patience: int | None = None
    objective: str = "val_data_loss"
    epoch_rule: str = "best"
    fold_seed: int = 0
    halving: tuple[tuple[int, float], ...] = ()
    beside: tuple[StackConfig, ...] = ()

    def __post_init__(self) -> None:
        if not self.seeds:
            raise UserError("seeds: expected at least one, got none.")
        if self.folds < 0 or self.folds == 1:
            raise UserError(f"folds: expected 2 or more (or 0 for none), got {self.folds}.")
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name}: expected a whole number of at least 1, got {value}.")
        if self.epoch_rule not in EPOCH_RULES:
            raise UserError(f"epoch: expected best or last, got {self.epoch_rule!r}.")

    @property
    def members_per_setting(self) -> int:
        """Seeds times folds."""
        return len(self.seeds) * max(1, self.folds)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = dataclasses.asdict(self)
        settings, beside = (
            [config.to_dict() for config in configs] for configs in (self.settings, self.beside)
        )
        plain = {"settings": settings, "beside": beside, "seeds": list(self.seeds)}
        return {**values, **plain, "halving": [list(pair) for pair in self.halving]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingTask:
        """The inverse of `to_dict`."""
        settings, beside = (
            tuple(StackConfig.from_dict(config) for config in values.get(name, ()))
            for name in ("settings", "beside")
        )
        plain = {
            "settings": settings,
            "beside": beside,
            "seeds": tuple(values["seeds"]),
            "halving": tuple(map(tuple, values.get("halving", ()))),
        }
        return cls(**{**values, **plain})


class Engine(Protocol):
    """What the search asks of whoever trains."""

    name: str

    def train(
        self,
        task: TrainingTask,
        dataset: Dataset,
        on_epoch: Callable[[np.ndarray], None] | None = None,
        on_setting: Callable[[int, list[MemberResult]], None] | None = None,
        checkpoints: Path | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[list[MemberResult]]:
        """Train every setting; one list of members a setting, in the order of the task.

        Args:
            task: What to train.
            dataset: On what; the test rows are never asked for.
            on_epoch: Called with the objective, shape (members,), of those just trained an epoch.
            on_setting: Called with (index, members) as soon as a setting is finished.
            checkpoints: A folder for unfinished work, to go on from after a kill.
            stop: Asked whenever all that trained together has been told; True ends the training
                there, with empty lists for what was not begun.

        Raises:
            OutOfMemory: A setting does not fit into memory, not even alone.
        """

    def fit(
        self,
        config: StackConfig,
        seed: int,
        dataset: Dataset,
        rows: Split,
        epochs: int,
        batch_size: int,
        callbacks: tuple[keras.callbacks.Callback, ...] = (),
    ) -> keras.Model:
        """Train one stack on `rows` for exactly `epochs` epochs and return it."""


def halving_rungs(epochs: int) -> tuple[tuple[int, float], ...]:
    """Keep the better half after an eighth, a quarter and half of the epochs."""
    rungs = dict.fromkeys(epochs // part for part in (8, 4, 2))
    return tuple((epoch, 0.5) for epoch in rungs if epoch)


def members_of(
    task: TrainingTask, dataset: Dataset
) -> Iterator[tuple[int, int | None, Split, Split]]:
    """Yield (seed, fold, training rows, validation rows) of each member of a setting."""
    if not task.folds:
        parts = [(None, dataset.train, dataset.validation)]
    else:
        folds = dataset.folds(task.folds, task.fold_seed)
        parts = [(k, fold.train, fold.validation) for k, fold in enumerate(folds)]
    for seed in task.seeds:
        for fold, rows, validation in parts:
            yield seed, fold, rows, validation
