"""Which of the user's callbacks a population runs: those that steer training or only listen."""

import copy
from collections.abc import Sequence
from types import CodeType, SimpleNamespace
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
# What some of Keras' callbacks must be left at: a population has nothing to show between epochs.
_BETWEEN_EPOCHS = {"save_freq": "epoch", "embeddings_freq": 0, "update_freq": "epoch"}
_HEARD = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")
# Keras' callbacks for batches call those of before TensorFlow 2 by these names.
_BASE = frozenset(name for name in dir(C.Callback) if name.startswith("on_"))


def check_epochs(callback: C.Callback) -> None:
    """Raise `CannotTrainTogether` if a callback of Keras asks for more than epochs and weights."""
    for name, neutral in _BETWEEN_EPOCHS.items():
        value = getattr(callback, name, neutral)
        if value != neutral:
            raise CannotTrainTogether(f"{type(callback).__name__} with {name}={value!r}")


def only_listens(callback: C.Callback) -> bool:
    """Whether a callback hears of epochs alone, and never touches `self.model`.

    Judged by its code: what it overrides, and the names that its functions use. One that cannot
    be copied for every execution is left to keras-tuner, which says so.
    """
    if not isinstance(callback, C.Callback):
        return False
    try:
        copy.deepcopy(callback)
    except Exception:
        return False
    kinds = [k for k in type(callback).__mro__ if issubclass(k, C.Callback)]
    own = [vars(k) for k in kinds if k is not C.Callback] + [vars(callback)]
    if any(type(callback) is getattr(C, k.__name__, None) for k in kinds):
        # Keras' callbacks use the model where one does not see it; these do not.
        if type(callback) in (C.CSVLogger, C.RemoteMonitor):
            return True
        if type(callback) is not C.LambdaCallback:
            return False
        own = [vars(callback)]
    named = {name for space in own for name in space}
    if named & (_BASE | {"set_model", "set_params"}) - {*_HEARD}:
        return False
    values = [value for space in own for value in space.values()]
    codes = [value.__code__ for value in values if hasattr(value, "__code__")]
    return not any({"model", "_model", "params"} & names for names in map(_names, codes))


def _names(code: CodeType) -> set[str]:
    """Names that a function uses, functions inside it included."""
    inner = (_names(const) for const in code.co_consts if isinstance(const, CodeType))
    return {*code.co_names, *code.co_freevars}.union(*inner)


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
