"""The reference engine: keras-tuner's way, one `model.fit` a member."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from kerasreg.networks import Config
from kerasreg.objectives import of_predictions, sign
from kerasreg.population import MemberResult, TrainingPlan, batch_order, build_model
from kerasreg.population.memory import REMEDY, named_out_of_memory
from kerasreg.scores import score, trained_classes
from kerasreg.search.engines.task import TrainingTask, rows_of
from kerasreg.search.metrics import measure, predict_outputs

if TYPE_CHECKING:
    from kerasreg.data import Dataset, Split


class KerasTunerEngine:
    """Every member is built by `build_model` and trained by `model.fit`, one after the other."""

    name = "keras-tuner"
    workers = 0
    usage = None

    def train(
        self,
        task: TrainingTask,
        dataset: Dataset,
        on_epoch: Callable[[np.ndarray], None] | None = None,
        on_setting: Callable[[int, list[MemberResult]], None] | None = None,
        checkpoints: Path | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[list[MemberResult]]:
        """See `Engine.train`; nothing is checkpointed, a setting that was cut short runs again."""
        results = [[] for _ in task.settings]
        for index in task.wanted:
            if stop and any(results) and stop():
                break
            config = task.settings[index]
            parts = rows_of(task, dataset.encoded(config.encoding)).parts
            with named_out_of_memory(f"Out of memory with a single trial: {REMEDY}."):
                members = [_Member(config, dataset, task.plan, *part) for part in parts]
                results[index] = _train_together(members, task.plan, on_epoch)
            if on_setting:
                on_setting(index, results[index])
        return results

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
        """See `Engine.fit`."""
        batches = _Batches(rows, seed, batch_size)
        model = _build(config, rows, dataset, seed, len(batches) * (horizon or epochs))
        model.fit(
            batches, epochs=epochs, shuffle=False, verbose=0, callbacks=[batches.order, *callbacks]
        )
        return model


def _build(config: Config, rows: Split, dataset: Dataset, seed: int, steps: int) -> keras.Model:
    return build_model(config, rows.x.shape[1:], dataset.outputs, dataset.task, seed, steps)


def _train_together(
    members: list[_Member], plan: TrainingPlan, on_epoch: Callable[[np.ndarray], None] | None
) -> list[MemberResult]:
    """Train the members of one setting epoch by epoch, because they stop together."""
    best, best_epoch = -math.inf, 0
    for epoch in range(plan.epochs):
        for member in members:
            member.train_epoch(epoch)
            if on_epoch:
                on_epoch(np.array([member.curves[plan.objective][-1]]))
        if any(member.diverged for member in members):
            break
        mean = float(np.mean([member.curves[plan.objective][-1] for member in members]))
        if sign(plan.objective) * mean > best:
            best, best_epoch = sign(plan.objective) * mean, epoch
        elif plan.patience is not None and epoch - best_epoch >= plan.patience:
            break
    broken = any(member.diverged for member in members)
    return [member.result("stopped" if broken else "completed") for member in members]


class _Member:
    """One model in training and what was measured of it."""

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        plan: TrainingPlan,
        seed: int,
        fold: int | None,
        rows: Split,
        validation: Split,
    ):
        self._config, self._seed, self._fold, self._task = config, seed, fold, dataset.task
        self._scores = of_predictions(plan.objective, plan.monitor)
        self._trained = None
        if self._scores and dataset.task == "classification":
            self._trained = trained_classes(rows.y, dataset.outputs, rows.weights)
        self._parts = {"": rows, "val_": validation}
        self._started = time.perf_counter()
        self._batches = _Batches(rows, seed, plan.batch_size)
        self._model = _build(config, rows, dataset, seed, len(self._batches) * plan.horizon)
        self._seconds = time.perf_counter() - self._started
        self.curves: dict[str, list[float]] = {}
        self.diverged = False

    def train_epoch(self, epoch: int) -> None:
        """Train one epoch and measure both sets in inference mode.

        Data loss and metric are computed from the logits at the epoch's end, not taken from
        Keras' running means, which mix the weights of a whole epoch and, for the training rows,
        dropout.
        """
        started = time.perf_counter()
        self._model.fit(
            self._batches,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=0,
            callbacks=[self._batches.order],
        )
        penalty = float(sum(keras.ops.convert_to_numpy(term) for term in self._model.losses))
        for prefix, rows in self._parts.items():
            logits = predict_outputs(self._model, rows.x)
            measured = measure(logits, rows.y, self._task, self._config.loss, rows.weights)
            measured |= {"penalty": penalty, "loss": measured["data_loss"] + penalty}
            for name in self._scores if prefix else ():
                measured[name] = float(score(name, rows.y, logits[None], self._trained)[0])
            for name, value in measured.items():
                self.curves.setdefault(prefix + name, []).append(value)
        self.diverged = not all(math.isfinite(curve[-1]) for curve in self.curves.values())
        self._seconds += time.perf_counter() - started

    def result(self, otherwise: str) -> MemberResult:
        """The member's result; its status is `otherwise` unless it diverged."""
        return MemberResult(
            config=self._config,
            seed=self._seed,
            fold=self._fold,
            status="diverged" if self.diverged else otherwise,
            epochs=len(self.curves["loss"]),
            curves={name: np.array(curve) for name, curve in self.curves.items()},
            seconds=self._seconds,
        )


class _Batches(keras.utils.PyDataset):
    """The rows in the order that the member's seed gives each epoch; the last batch may be short.

    Shape: x (batch, features), y (batch,), and weights (batch,) where the rows have them.
    """

    def __init__(self, rows: Split, seed: int, batch_size: int):
        super().__init__()
        self._rows, self._seed, self._batch_size = rows, seed, batch_size
        # `fit` makes its iterator after this callback, so an epoch never reads another's order.
        self.order = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, _: self._set(epoch)
        )
        self._set(0)

    def _set(self, epoch: int) -> None:
        self._permutation = batch_order(self._seed, epoch, len(self._rows.x))

    def __len__(self) -> int:
        return math.ceil(len(self._rows.x) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        start = index * self._batch_size
        chosen = self._permutation[start : start + self._batch_size]
        weights = () if self._rows.weights is None else (self._rows.weights[chosen],)
        return self._rows.x[chosen], self._rows.y[chosen], *weights
