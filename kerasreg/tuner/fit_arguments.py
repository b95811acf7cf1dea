"""What a keras-tuner user passes to `search(...)`, read as what a population can do."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras_tuner.engine.trial import Trial

from kerasreg.monitors import ActivationMonitor, GradientMonitor, PenaltyMonitor, TrainEvaluation
from kerasreg.population.rows import check_class_weight, class_weights
from kerasreg.tuner.callbacks import STEERING, check_epochs, only_listens
from kerasreg.tuner.rows_in_memory import (
    CannotTrainTogether,
    Columns,
    is_pipeline,
    read_arrays,
    read_pipeline,
)

_MONITORS = (ActivationMonitor, GradientMonitor, PenaltyMonitor, TrainEvaluation)
# Arguments of `fit` that are read here or change nothing.
_HONOURED = (
    *("x", "y", "sample_weight", "class_weight", "validation_data", "validation_split"),
    *("epochs", "initial_epoch", "batch_size", "shuffle", "steps_per_epoch", "callbacks"),
    *("validation_batch_size", "validation_steps", "verbose"),
    # A population is measured after every epoch.
    "validation_freq",
)


@dataclass(frozen=True)
class FitRows:
    """The rows that `fit` would train and validate on.

    Attributes:
        train, validation: `(x, y, weights)`; weights may be None, and so may validation.
        batch_size: Rows in a batch, at most those of training.
        shuffle: Whether every epoch has an order of its own.
        steps_per_epoch: Batches of an epoch; None for all.
    """

    train: Columns
    validation: Columns | None
    batch_size: int
    shuffle: bool = True
    steps_per_epoch: int | None = None

    def check_plain(self) -> None:
        """Raise `CannotTrainTogether` unless these are what a stack can train on."""
        if self.validation is None:
            raise CannotTrainTogether("no validation_data and no validation_split")
        self.train.check_plain("x")
        self.validation.check_plain("validation_data")

    def check_nesting(self) -> None:
        """Raise `CannotTrainTogether` unless training and validation rows are nested alike."""
        for what in ("x", "y"):
            parts = [getattr(part, what) for part in (self.train, self.validation) if part]
            if len({str(keras.tree.map_structure(lambda _: 0, part)) for part in parts}) > 1:
                raise CannotTrainTogether(f"{what} and validation_data of other nesting")


@dataclass(frozen=True)
class FitCallbacks:
    """The callbacks that a population honours.

    Attributes:
        told: Those that steer training or only hear of epochs, in the user's order.
        boards: The `TensorBoard` callbacks, of which the log folder is used.
        monitors: kerasreg's callbacks.
    """

    told: tuple[keras.callbacks.Callback, ...] = ()
    boards: tuple[keras.callbacks.TensorBoard, ...] = ()
    monitors: tuple[keras.callbacks.Callback, ...] = ()


@dataclass(frozen=True, eq=False)
class FitArguments:
    """Everything that `fit` was to be called with, read and as it was given, by name.

    Trials of one population share it; two that were read are never equal.
    """

    rows: FitRows
    callbacks: FitCallbacks
    given: Mapping[str, Any]


@dataclass(frozen=True)
class SearchCall:
    """One call of `search`; no `fit` of trials where all are trained the plain way."""

    args: tuple
    kwargs: dict[str, Any]
    fit: Callable[[Trial], FitArguments] | None


def epochs_of(trial: Trial) -> dict[str, int]:
    """The arguments of `fit` that Hyperband's oracle decides for a trial."""
    values = trial.hyperparameters.values
    names = ("epochs", "initial_epoch")
    return {name: values[f"tuner/{name}"] for name in names if f"tuner/{name}" in values}


def bind_fit(args: tuple, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `keras.Model.fit` by name.

    Raises:
        TypeError: As `fit` would, for an argument that it does not have.
        UserError: A `class_weight` that is no dictionary.
    """
    bound = inspect.signature(keras.Model.fit).bind(None, *args, **kwargs).arguments
    check_class_weight(bound.get("class_weight"))
    return {name: value for name, value in bound.items() if name != "self"}


def read_rows(given: Mapping[str, Any]) -> FitRows:
    """Read the training and validation rows into memory.

    Raises:
        CannotTrainTogether: They are of a kind that only `fit` can take; the message names it.
    """
    batch_size = given.get("batch_size") or 32
    measured_size = given.get("validation_batch_size") or batch_size
    shuffle = given.get("shuffle", True)
    steps, measured_steps = (
        _steps(given, name) for name in ("steps_per_epoch", "validation_steps")
    )
    share = given.get("validation_split") or 0.0
    if is_pipeline(given.get("x")):
        for name in ("y", "sample_weight", "validation_split"):
            if given.get(name) is not None:
                raise CannotTrainTogether(f"{name} beside a pipeline")
        # Keras goes by the pipeline's batches whatever batch_size says.
        train, batch_size, in_order = read_pipeline("x", given["x"])
        # Keras shuffles the batches of a PyDataset, those of a tf.data pipeline never.
        shuffle = not in_order or (shuffle and isinstance(given["x"], keras.utils.PyDataset))
    else:
        weights = given.get("sample_weight")
        train = read_arrays("x", given.get("x"), given.get("y"), weights)
    validation = given.get("validation_data")
    if is_pipeline(validation):
        validation, measured_size, _ = read_pipeline("validation_data", validation)
    elif isinstance(validation, tuple | list) and 2 <= len(validation) <= 3:
        validation = read_arrays("validation_data", *validation)
    elif validation is not None:
        raise CannotTrainTogether(f"validation_data of type {type(validation).__name__}")
    elif 0 < share < 1:
        # As Keras does: the last rows, before any shuffling.
        cut = math.floor(len(train) * (1 - share))
        train, validation = train.rows(slice(cut)), train.rows(slice(cut, None))
    if validation is not None and measured_steps:
        validation = validation.rows(slice(measured_steps * measured_size))
    parts = [part for part in (train, validation) if part is not None]
    if not all(map(len, parts)):
        raise CannotTrainTogether("training or validation data without rows")
    train = _class_weighted(train, given.get("class_weight"))
    for part in (train, *parts[1:]):
        if part.weights is not None and not (
            np.isfinite(part.weights).all() and (part.weights >= 0).all()
        ):
            raise CannotTrainTogether("weights of rows that are negative or not finite")
    return FitRows(train, validation, min(int(batch_size), len(train)), bool(shuffle), steps)


def _steps(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if not isinstance(value, int | np.integer | None):
        raise CannotTrainTogether(f"{name}={value!r}")
    return int(value) if value else None


def _class_weighted(rows: Columns, factors: Mapping[int, float] | None) -> Columns:
    if not factors:
        return rows
    if rows.weights is not None:
        raise CannotTrainTogether("class_weight together with sample weights")
    rows.check_plain("x")
    return Columns(rows.x, rows.y, class_weights(rows.y, factors))


def read_callbacks(given: Mapping[str, Any]) -> FitCallbacks:
    """Read the callbacks, and see that nothing else needs `fit` itself.

    Raises:
        CannotTrainTogether: A callback or an argument does; the message names it.
    """
    for name, value in given.items():
        if name not in _HONOURED and value is not None:
            raise CannotTrainTogether(f"the argument {name}={value!r}")
    callbacks = given.get("callbacks") or []
    callbacks = callbacks if isinstance(callbacks, Sequence) else [callbacks]
    told, boards, monitors = [], [], []
    for callback in callbacks:
        kind = type(callback)
        if kind in STEERING:
            check_epochs(callback)
            told.append(callback)
        elif kind is keras.callbacks.TensorBoard:
            check_epochs(callback)
            boards.append(callback)
        elif kind in _MONITORS:
            monitors.append(callback)
        elif only_listens(callback):
            told.append(callback)
        elif kind is keras.callbacks.TerminateOnNaN:
            # A member that diverges is a failed trial as it is.
            continue
        else:
            raise CannotTrainTogether(f"the callback {kind.__name__}")
    return FitCallbacks(*map(tuple, (told, boards, monitors)))
