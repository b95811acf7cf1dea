"""Keras' callbacks that steer training, or save what it makes: which ones a population runs."""

import copy
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras

from kerasreg.population.general import inner_optimizer
from kerasreg.tuner.rows_in_memory import CannotTrainTogether, Columns

C = keras.callbacks
#: They see a stand-in of the model after every epoch, see `execution`.
STEERING = (C.EarlyStopping, C.ReduceLROnPlateau, C.LearningRateScheduler, C.ModelCheckpoint)
_SETS_RATE = (C.ReduceLROnPlateau, C.LearningRateScheduler)
# Curves of which Keras knows the direction without the model's metrics, and ours.
_LOSSES = ("loss", "data_loss", "penalty")


def check_steering(callback: C.Callback) -> None:
    """Refuse what needs batches.

    Raises:
        CannotTrainTogether: A `ModelCheckpoint` that saves between epochs.
    """
    if getattr(callback, "save_freq", "epoch") != "epoch":
        raise CannotTrainTogether(f"ModelCheckpoint with save_freq={callback.save_freq!r}")


def made_ready(
    callbacks: Sequence[C.Callback], model: keras.Model, rows: Columns
) -> list[C.Callback]:
    """Copies of the callbacks that need no model to know which way what they monitor is better.

    The weights that a population keeps are those of the best epoch by the objective, as in
    keras-tuner, whatever `EarlyStopping` would restore.

    Where the metrics of a trial's `model` are asked for, Keras builds them on some `rows`.

    Raises:
        CannotTrainTogether: Keras refuses a callback for this model.
    """
    ready = copy.deepcopy(list(callbacks))
    rate = inner_optimizer(model)._learning_rate
    scheduled = isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    for callback in ready:
        if isinstance(callback, C.EarlyStopping):
            callback.restore_best_weights = False
        if scheduled and isinstance(callback, _SETS_RATE):
            kind = type(callback).__name__
            raise CannotTrainTogether(f"{kind} beside a learning-rate schedule")
        if isinstance(callback, STEERING) and getattr(callback, "mode", "") == "auto":
            name = callback.monitor.removeprefix("val_")
            callback.mode = "min" if name in _LOSSES else _direction(callback, model, rows)
    return ready


def _direction(callback: Any, model: keras.Model, rows: Columns) -> str:
    """`"min"` or `"max"`, as Keras decides when it trains."""
    probe = copy.deepcopy(callback)
    try:
        probe.set_model(SimpleNamespace(metrics=_built_metrics(model, rows.rows(slice(2)))))
        probe._set_monitor_op()
    except ValueError as error:
        raise CannotTrainTogether(str(error).rstrip(".")) from None
    return "max" if probe.monitor_op is keras.ops.greater else "min"


def _built_metrics(model: keras.Model, few: Columns) -> list[Any]:
    """The model's metrics as training builds them; its optimizer stays unbuilt."""
    given = model._compile_metrics
    if given is None:
        return []
    names = getattr(model, "output_names", None)
    built = type(given)(given._user_metrics, given._user_weighted_metrics, output_names=names)
    built.update_state(few.y, model(few.x), few.weights)
    built.reset_state()
    return [built]
