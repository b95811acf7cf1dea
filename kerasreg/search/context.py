"""What every step of a study works with: made at the beginning and handed to each of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasreg.data import Dataset, Split
from kerasreg.networks import Config, NetworkConfig
from kerasreg.objectives import in_target_unit
from kerasreg.population import MemberResult, TrainingPlan, halving_rungs
from kerasreg.search.engines import Engine, TrainingTask
from kerasreg.search.progress import Counter, Event, Progress
from kerasreg.search.request import Request
from kerasreg.study import Study, trial_record


@dataclass(frozen=True)
class Side:
    """Baseline or best: the trial record that was chosen, and its stack."""

    record: Mapping[str, Any]
    config: Config


@dataclass(frozen=True)
class SearchContext:
    """One study in progress.

    Attributes:
        request: What is to be done.
        dataset: On what.
        study: The folder that keeps what was done.
        engine: What trains.
        progress: Called with an `Event` at every step; None for a silent search.
    """

    request: Request
    dataset: Dataset
    study: Study
    engine: Engine
    progress: Progress | None

    @property
    def batch_size(self) -> int:
        """Rows a step."""
        return self.request.batch_size or self.dataset.default_batch_size

    @property
    def objective_scale(self) -> float:
        """Factor from what engines measure to the objective in the target's unit."""
        return self.dataset.target_scale if in_target_unit(self.request.objective) else 1.0

    def rows_for(self, config: Config) -> Dataset:
        """The data as a stack wants them encoded."""
        return self.dataset.encoded(config.encoding)

    def task(
        self,
        settings: Mapping[str, Config],
        only: Iterable[int] | None = None,
        halving: bool = False,
        keep: bool = False,
    ) -> TrainingTask:
        """The training of these settings, by name, (of `only`'s indices) as requested.

        With `keep` the results have the weights of the epoch that counts.
        """
        request = self.request
        plan = TrainingPlan(
            epochs=request.epochs,
            batch_size=self.batch_size,
            objective=request.objective,
            patience=request.patience or None,
            halving=halving_rungs(request.epochs) if halving else (),
            keep=request.epoch_rule if keep else "none",
        )
        return TrainingTask(
            tuple(settings.values()),
            request.member_seeds,
            plan,
            request.folds,
            None if only is None else frozenset(only),
            request.balance,
            tuple(settings),
        )

    def fit(
        self,
        config: Config,
        seed: int,
        rows: Split,
        epochs: int,
        callbacks: tuple[keras.callbacks.Callback, ...] = (),
        horizon: int | None = None,
    ) -> keras.Model:
        """See `Engine.fit`; schedules are laid out for the requested epochs, or for `horizon`."""
        rows = rows.balanced() if self.request.balance else rows
        return self.engine.fit(
            config,
            seed,
            self.dataset,
            rows,
            epochs,
            self.batch_size,
            callbacks,
            horizon or self.request.epochs,
        )

    def record(
        self, trial: str, hyperparameters: Mapping[str, Any], members: Sequence[MemberResult]
    ) -> dict[str, Any]:
        """The record of a trained setting, its errors in the target's unit."""
        return trial_record(
            trial,
            hyperparameters,
            members,
            self.request.objective,
            self.request.epoch_rule,
            self.engine.name,
            target_scale=self.dataset.target_scale,
        )

    def exported(self, model: keras.Model) -> keras.Model:
        """What is saved of a model that takes the data's rows."""
        base = self.request.base
        return base.network.apart(model) if isinstance(base, NetworkConfig) else model

    def counter(self, phase: str, total: int) -> Counter:
        """A counter of the `total` settings of one phase."""
        request = self.request
        epochs = request.epochs * request.seeds * max(1, request.folds)
        return Counter(
            self.progress, phase, total, epochs, request.objective, lambda: self.engine.workers
        )

    def enter(self, phase: str) -> None:
        """Say that a phase begins that is not counted."""
        if self.progress:
            self.progress(Event(phase))

    def notice(self, text: str) -> None:
        """Say one sentence that the user should read about the trials."""
        if self.progress:
            self.progress(Event("searching", notice=text))
