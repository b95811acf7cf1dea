"""Ordinary Keras callbacks on a member of a population."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


class Watched:
    """A Keras model of one member, brought up to date after every measured epoch.

    Args:
        build: Makes the model.
        write: Writes a member's arrays into it.
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

    def epoch(self, epoch: int, weights: Sequence[np.ndarray], logs: dict[str, float]) -> None:
        """Call the callbacks after `epoch` epochs (from 1), on a model with these weights."""
        if self._model is None:
            self._model = self._build()
            for callback in self._callbacks:
                callback.set_model(self._model)
                callback.on_train_begin()
        self._write(weights, self._model)
        for callback in self._callbacks:
            callback.on_epoch_end(epoch - 1, dict(logs))

    def end(self) -> None:
        """Close the callbacks."""
        if self._model is not None:
            for callback in self._callbacks:
                callback.on_train_end()
