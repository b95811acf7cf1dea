"""Who hears of a member's epochs: the contract, and ordinary Keras callbacks on its model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import keras
import numpy as np

from kerasreg.objectives import Direction


class Follower(Protocol):
    """Who hears of one member's epochs, and may change its learning rate or end its training.

    Training that is out of memory begins again: epoch 0 may be told twice.

    Attributes:
        adds: Curves that it adds to each epoch's metrics, and which way they are better.
    """

    adds: Mapping[str, Direction]

    def epoch_begin(self, epoch: int) -> float | None:
        """Before epoch `epoch` (from 0): another learning rate from here on, or None."""

    def epoch_end(
        self, epoch: int, metrics: dict[str, float], weights: Callable[[], list[np.ndarray]]
    ) -> bool:
        """After epoch `epoch` (from 0), if it is measured: whether training ends.

        Args:
            metrics: By curve; it takes up what is added.
            weights: Copies the member's arrays, in the path's order.
        """


class Watched:
    """A Keras model of one member, brought up to date after every measured epoch.

    Args:
        callbacks: They see the model at `on_train_begin`, `on_epoch_end` and `on_train_end`.
    """

    def __init__(
        self,
        build: Callable[[], keras.Model],
        write: Callable[[Sequence[np.ndarray], keras.Model], None],
        callbacks: Sequence[keras.callbacks.Callback],
    ):
        self._build, self._write = build, write
        self._callbacks = list(callbacks)
        self._model: keras.Model | None = None

    def epoch_begin(self, epoch: int) -> None:
        """See `Follower.epoch_begin`."""

    def epoch_end(
        self, epoch: int, metrics: dict[str, float], weights: Callable[[], list[np.ndarray]]
    ) -> bool:
        """Call the callbacks on a model with these weights, see `Follower.epoch_end`."""
        if self._model is None:
            self._model = self._build()
            for callback in self._callbacks:
                callback.set_model(self._model)
                callback.on_train_begin()
        self._write(weights(), self._model)
        for callback in self._callbacks:
            callback.on_epoch_end(epoch, dict(metrics))
        return False

    def end(self) -> None:
        """Close the callbacks."""
        if self._model is not None:
            for callback in self._callbacks:
                callback.on_train_end()
