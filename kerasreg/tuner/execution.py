"""One execution of a trial in a population: its logs as `fit` gives them, and its callbacks."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import keras_tuner
import numpy as np

from kerasreg.tuner.callbacks import STEERING
from kerasreg.tuner.rows_in_memory import CannotTrainTogether

Callback = keras.callbacks.Callback
Weights = Callable[[], list[np.ndarray]]
#: Writes the member's model: name of its method, file, weights, learning rate.
Save = Callable[[str, str, list[np.ndarray], float], None]


class Execution:
    """A member's `Follower`: Keras' own callbacks run on a stand-in of its model.

    Callbacks that only listen hear everything when the trial is through, so that what they write
    is in the order of trials, as if these had trained one after the other.

    Args:
        given: The user's callbacks, as `made_ready` gives them; the execution has copies.
        names: `Curves.names`.
        validated: Whether there are validation rows.
        first_epoch, learning_rate: Number of the first epoch, and the rate before its first step.
        save: For `ModelCheckpoint`.
        objective: Of the search.

    Attributes:
        history: What `fit` would have returned.
        adds: The sum of several objectives, see `Follower`.
    """

    history: keras.callbacks.History

    def __init__(
        self,
        given: Sequence[Callback],
        names: Sequence[tuple[str, str]] | None,
        validated: bool,
        first_epoch: int,
        learning_rate: float,
        save: Save,
        objective: keras_tuner.Objective,
    ):
        several = hasattr(objective, "name_to_direction")
        self.adds = {objective.name: objective.direction} if several else {}
        self._objective = objective
        self._given, self._names, self._validated = given, names, validated
        self._first, self._rate, self._save = first_epoch, learning_rate, save

    def epoch_begin(self, epoch: int) -> float | None:
        """See `Follower.epoch_begin`."""
        if epoch == 0:
            self._begin()
        self._tell("on_epoch_begin", self._first + epoch, {})
        rate, used = self._model.optimizer.learning_rate, self._used
        self._used = rate
        return None if rate == used else float(rate)

    def _begin(self) -> None:
        self._callbacks = copy.deepcopy(list(self._given))
        self.history = keras.callbacks.History()
        self._model = _Model(self._rate, self._given, self._save)
        self._used = self._model.optimizer.learning_rate
        # By callback, what a listener will hear: the events before it are those of every epoch.
        self._heard: list[list[tuple]] = [[] for _ in self._callbacks]
        self._logs: dict[str, float] = {}
        self._tell("on_train_begin", {})

    def epoch_end(self, epoch: int, metrics: dict[str, float], weights: Weights) -> bool:
        """See `Follower.epoch_end`."""
        prefixes = ("", "val_") if self._validated else ("",)
        names = self._names or [(name, name) for name in metrics if f"val_{name}" in metrics]
        self._logs = {p + name: metrics[p + curve] for p in prefixes for name, curve in names}
        self._model.weights = weights
        self._tell("on_epoch_end", self._first + epoch, self._logs)
        metrics |= {name: self._objective.get_value(self._logs) for name in self.adds}
        return self._model.stop_training

    def steering(self) -> "Execution":
        """One that changes training as this would, and keeps nothing: for another process."""
        copied = copy.copy(self)
        copied._given = [one for one in self._given if isinstance(one, STEERING)]
        copied._save = None
        return copied

    def replay(self, curves: Mapping[str, np.ndarray], epochs: int) -> None:
        """Hear of epochs that were trained in another process."""
        for epoch in range(epochs):
            self.epoch_begin(epoch)
            self.epoch_end(epoch, {name: float(c[epoch]) for name, c in curves.items()}, None)

    def finish(self) -> None:
        """After the last epoch: write the files that were left for now, tell the listeners."""
        self._model.write()
        self._tell("on_train_end", self._logs)
        for callback, heard in zip(self._callbacks, self._heard, strict=True):
            for event in heard:
                _call(callback, *event)

    def _tell(self, event: str, *given: Any) -> None:
        """Tell the callbacks in order: what one adds to the logs is there for the next."""
        for callback, heard in zip(self._callbacks, self._heard, strict=True):
            if isinstance(callback, STEERING):
                callback.set_model(self._model)
                _call(callback, event, *given)
            else:
                heard.append((event, *map(copy.copy, given)))
        self.history.set_model(self._model)
        _call(self.history, event, *given)


def _call(callback: Callback, event: str, *given: Any) -> None:
    try:
        getattr(callback, event)(*given)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise CannotTrainTogether(f"{type(callback).__name__}, which met {reason}") from error


class _Model:
    """Of a model, what Keras' callbacks of epochs use.

    A file that is overwritten epoch by epoch is written once, when the trial is through.
    """

    def __init__(self, rate: float, callbacks: Sequence[Callback], save: Save):
        self.optimizer = _Optimizer(rate)
        self.stop_training = False
        self.weights: Weights | None = None
        files = [getattr(callback, "filepath", "{") for callback in callbacks]
        self._overwritten = {file for file in files if "{" not in file}
        self._waiting: dict[str, tuple] = {}
        self._save = save

    def save(self, filepath: str, overwrite: bool) -> None:
        """See `keras.Model.save`."""
        self._later("save", filepath)

    def save_weights(self, filepath: str, overwrite: bool) -> None:
        """See `keras.Model.save_weights`."""
        self._later("save_weights", filepath)

    def _later(self, method: str, file: str) -> None:
        rate = float(self.optimizer.learning_rate)
        self._waiting[file] = (method, file, self.weights(), rate)
        if file not in self._overwritten:
            self.write()

    def write(self) -> None:
        """Write what waits."""
        for saved in self._waiting.values():
            self._save(*saved)
        self._waiting.clear()


class _Optimizer:
    """The learning rate, in Keras' precision."""

    def __init__(self, rate: float):
        self.learning_rate = rate

    @property
    def learning_rate(self) -> np.floating:
        return self._rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._rate = np.dtype(keras.config.floatx()).type(rate)
