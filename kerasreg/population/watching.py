"""Ordinary Keras callbacks on a member of a population."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kerasreg.population.keras_weights import write_weights

if TYPE_CHECKING:
    import keras

    from kerasreg.population.cohort import Cohort
    from kerasreg.population.engine import Population


class Watched:
    """A member's Keras model, kept in step with the population for ordinary callbacks."""

    def __init__(
        self, population: Population, number: int, callbacks: Sequence[keras.callbacks.Callback]
    ):
        self._population = population
        self._number = number
        self._callbacks = list(callbacks)
        self._model: keras.Model | None = None

    def epoch(self, cohort: Cohort, logs: dict[str, float]) -> None:
        """Bring the model up to date and call the callbacks."""
        if self._model is None:
            self._model = self._population.member(self._number)
            for callback in self._callbacks:
                callback.set_model(self._model)
                callback.on_train_begin()
        chunk, position = cohort.where(self._number)
        write_weights(self._population.blueprint, chunk.weights(position), self._model)
        for callback in self._callbacks:
            callback.on_epoch_end(cohort.epoch - 1, dict(logs))

    def end(self) -> None:
        """Close the callbacks."""
        if self._model is not None:
            for callback in self._callbacks:
                callback.on_train_end()
