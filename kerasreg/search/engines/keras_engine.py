"""The reference engine: keras-tuner's way, one `model.fit` a member."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from kerasreg.objectives import sign
from kerasreg.population import MemberResult, batch_order
from kerasreg.search.engines.task import OutOfMemory, TrainingTask, members_of
from kerasreg.search.metrics import measure, predict_logits
from kerasreg.stacks import StackConfig, build_stack

if TYPE_CHECKING:
    from kerasreg.data import Dataset, Split


class KerasTunerEngine:
    """Every member is built by `build_stack` and trained by `model.fit`, one after the other."""

    name = "keras-tuner"

    def train(self, task, dataset, on_epoch=None, on_setting=None, checkpoints=None, stop=None):
        """See `Engine.train`; nothing is checkpointed, a setting that was cut short runs again."""
        parts = list(members_of(task, dataset))
        results = [[] for _ in task.settings]
        for index, config in enumerate(task.settings):
            if stop and index and stop():
                break
            try:
                members = [_Member(config, dataset, task, *part) for part in parts]
                results[index] = _train_together(members, task, on_epoch)
            except tf.errors.ResourceExhaustedError:
                raise OutOfMemory(
                    "Out of memory with a single trial: use a smaller batch_size or fewer units."
                ) from None
            if on_setting:
                on_setting(index, results[index])
        return results

    def fit(self, config, seed, dataset, rows, epochs, batch_size, callbacks=()):
        """See `Engine.fit`."""
        model = build_stack(config, dataset.input_shape, dataset.outputs, dataset.task, seed=seed)
        batches = _Batches(rows, seed, batch_size)
        model.fit(
            batches, epochs=epochs, shuffle=False, verbose=0, callbacks=[batches.order, *callbacks]
        )
        return model


def _train_together(
    members: list[_Member], task: TrainingTask, on_epoch: Callable[[np.ndarray], None] | None
) -> list[MemberResult]:
    """Train the members of one setting epoch by epoch, because they stop together."""
    best, best_epoch = -math.inf, 0
    for epoch in range(task.epochs):
        for member in members:
            member.train_epoch(epoch)
            if on_epoch:
                on_epoch(np.array([member.curves[task.objective][-1]]))
        if any(member.diverged for member in members):
            break
        mean = float(np.mean([member.curves[task.objective][-1] for member in members]))
        if sign(task.objective) * mean > best:
            best, best_epoch = sign(task.objective) * mean, epoch
        elif task.patience is not None and epoch - best_epoch >= task.patience:
            break
    broken = any(member.diverged for member in members)
    return [member.result("stopped" if broken else "completed") for member in members]


class _Member:
    """One model in training and what was measured of it."""

    def __init__(
        self,
        config: StackConfig,
        dataset: Dataset,
        task: TrainingTask,
        seed: int,
        fold: int | None,
        rows: Split,
        validation: Split,
    ):
        self._config, self._seed, self._fold, self._task = config, seed, fold, dataset.task
        self._parts = {"": rows, "val_": validation}
        self._started = time.perf_counter()
        self._model = build_stack(
            config, dataset.input_shape, dataset.outputs, dataset.task, seed=seed
        )
        self._batches = _Batches(rows, seed, task.batch_size)
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
            logits = predict_logits(self._model, rows.x)
            measured = measure(logits, rows.y, self._task, self._config.loss)
            measured |= {"penalty": penalty, "loss": measured["data_loss"] + penalty}
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

    Shape: x (batch, features), y (batch,).
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

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        start = index * self._batch_size
        chosen = self._permutation[start : start + self._batch_size]
        return self._rows.x[chosen], self._rows.y[chosen]
