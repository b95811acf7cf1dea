"""How settings are trained: a task goes in, a list of results a setting comes out.

The search knows nothing of how or where a task is trained; a task is plain values and can be sent
elsewhere. `KerasTunerEngine` is the reference: one `model.fit` a member. `PopulationEngine` trains
all members together and must give the same numbers.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np

from kerasreg.errors import UserError
from kerasreg.population.results import MemberResult
from kerasreg.population.orders import batch_order
from kerasreg.stacks import StackConfig, build_stack

if TYPE_CHECKING:
    from kerasreg.data import Dataset, Split

OBJECTIVES = {
    "classification": ("val_data_loss", "val_accuracy"),
    "regression": ("val_data_loss", "val_mae"),
}
EPOCH_RULES = ("best", "last")
_EVALUATION_ROWS = 8192  # rows a forward pass: bounds the memory of evaluating a large set


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
        patience: Epochs without a better objective after which a member stops; None for never.
        objective: `val_data_loss`, `val_accuracy` or `val_mae`.
        epoch_rule: `"best"` or `"last"`, which epoch counts.
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
        settings = [config.to_dict() for config in self.settings]
        return {**values, "settings": settings, "seeds": list(self.seeds)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingTask:
        """The inverse of `to_dict`."""
        settings = tuple(StackConfig.from_dict(config) for config in values["settings"])
        return cls(**{**values, "settings": settings, "seeds": tuple(values["seeds"])})


class Engine(Protocol):
    """What the search asks of whoever trains."""

    name: str

    def train(
        self,
        task: TrainingTask,
        dataset: Dataset,
        on_epoch: Callable[[int], None] | None = None,
        on_setting: Callable[[int, list[MemberResult]], None] | None = None,
    ) -> list[list[MemberResult]]:
        """Train every setting; one list of members a setting, in the order of the task.

        Args:
            task: What to train.
            dataset: On what; the test rows are never asked for.
            on_epoch: Called with the number of member-epochs just trained.
            on_setting: Called with (index, members) as soon as a setting is finished.
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


class KerasTunerEngine:
    """The reference path: every member is built by `build_stack` and trained by `model.fit`."""

    name = "keras-tuner"

    def train(self, task, dataset, on_epoch=None, on_setting=None):
        """See `Engine.train`."""
        results = []
        for index, config in enumerate(task.settings):
            members = []
            for seed, fold, rows, validation in _members(task, dataset):
                started = time.perf_counter()
                curves = _Curves(config, dataset, rows, validation, task, on_epoch)
                self.fit(
                    config, seed, dataset, rows, task.epochs, task.batch_size, callbacks=(curves,)
                )
                members.append(
                    MemberResult(
                        config=config,
                        seed=seed,
                        fold=fold,
                        status="diverged" if curves.diverged else "completed",
                        epochs=len(curves.history["loss"]),
                        curves={name: np.array(v) for name, v in curves.history.items()},
                        seconds=time.perf_counter() - started,
                    )
                )
            results.append(members)
            if on_setting:
                on_setting(index, members)
        return results

    def fit(self, config, seed, dataset, rows, epochs, batch_size, callbacks=()):
        """See `Engine.fit`."""
        model = build_stack(config, dataset.input_shape, dataset.outputs, dataset.task, seed=seed)
        batches = _Batches(rows, seed, batch_size)
        model.fit(
            batches, epochs=epochs, shuffle=False, verbose=0, callbacks=[batches.order, *callbacks]
        )
        return model


def _members(task: TrainingTask, dataset: Dataset) -> Iterator[tuple]:
    """(seed, fold, training rows, validation rows) of each member of a setting."""
    if not task.folds:
        parts = [(None, dataset.train, dataset.validation)]
    else:
        folds = dataset.folds(task.folds, task.fold_seed)
        parts = [(k, fold.train, fold.validation) for k, fold in enumerate(folds)]
    for seed in task.seeds:
        for fold, rows, validation in parts:
            yield seed, fold, rows, validation


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


class _Curves(keras.callbacks.Callback):
    """Measures both sets at each epoch's end in inference mode, and stops a member that is done.

    Data loss and metric are computed here from the logits, not taken from Keras' running means,
    which mix the weights of a whole epoch and, for the training rows, dropout.
    """

    def __init__(self, config, dataset, rows, validation, task: TrainingTask, on_epoch):
        super().__init__()
        self._config, self._dataset, self._task = config, dataset, task
        self._parts = {"": rows, "val_": validation}
        self._on_epoch = on_epoch
        self.history: dict[str, list[float]] = {}
        self.diverged = False
        self._best, self._best_epoch = math.inf, -1

    def on_epoch_end(self, epoch, logs=None):
        penalty = float(sum(keras.ops.convert_to_numpy(term) for term in self.model.losses))
        for prefix, rows in self._parts.items():
            logits = predict_logits(self.model, rows.x)
            measured = measure(logits, rows.y, self._dataset.task, self._config.loss)
            measured |= {"penalty": penalty, "loss": measured["data_loss"] + penalty}
            for name, value in measured.items():
                self.history.setdefault(prefix + name, []).append(value)
        if self._on_epoch:
            self._on_epoch(1)
        if not all(math.isfinite(values[-1]) for values in self.history.values()):
            self.diverged = self.model.stop_training = True
            return
        value = self.history[self._task.objective][-1]
        value = -value if self._task.objective == "val_accuracy" else value
        if value < self._best:
            self._best, self._best_epoch = value, epoch
        elif self._task.patience and epoch - self._best_epoch >= self._task.patience:
            self.model.stop_training = True


def predict_logits(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """The model's outputs in inference mode as float64, (rows, outputs)."""
    parts = [
        keras.ops.convert_to_numpy(model(x[start : start + _EVALUATION_ROWS], training=False))
        for start in range(0, len(x), _EVALUATION_ROWS)
    ]
    return np.concatenate(parts).astype(np.float64)


def measure(logits: np.ndarray, y: np.ndarray, task: str, loss: str = "mse") -> dict[str, float]:
    """Data loss (no penalty, no smoothing) and accuracy or mae of logits (rows, outputs).

    Regression is measured in the units of `y`. A logit that is not finite gives NaN, never a score.
    """
    if not np.isfinite(logits).all():
        return {"data_loss": math.nan, "mae" if task == "regression" else "accuracy": math.nan}
    if task == "regression":
        error = np.abs(logits[:, 0] - y)
        losses = {
            "mse": error**2,
            "mae": error,
            "huber": np.where(error <= 1, error**2 / 2, error - 0.5),
        }[loss]
        return {"data_loss": float(losses.mean()), "mae": float(error.mean())}
    if logits.shape[1] == 1:
        z = logits[:, 0]
        losses, right = np.logaddexp(0, z) - y * z, (z > 0) == y
    else:
        losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(y)), y]
        right = logits.argmax(axis=1) == y
    return {"data_loss": float(losses.mean()), "accuracy": float(right.mean())}


def engine_named(name: str) -> Engine:
    """The engine of the command line's `--engine`.

    Raises:
        UserError: There is no engine of that name.
    """
    if name == "keras-tuner":
        return KerasTunerEngine()
    raise UserError(f"engine: expected keras-tuner, got {name!r}.")
