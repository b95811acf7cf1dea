"""The template: one model of a structure, called with the arrays and values of any member."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kerasreg.population.general.layer_values import generators_of, is_noise
from kerasreg.population.general.optimizer import MappedOptimizer
from kerasreg.population.general.placement import OPTIONAL_VALUES, layers_of, placed
from kerasreg.population.general.value import Value


class State(NamedTuple):
    """What training changes of a member, as lists of arrays; stacked, each has a first axis more.

    Attributes:
        weights: Trainable weights, in Keras' order.
        others: Weights that no gradient changes: moving statistics, frozen layers.
        seeds: States of the random layers' seed generators, (2,) each.
        slots: The optimiser's variables, iterations and learning rate included.
    """

    weights: list[Any]
    others: list[Any]
    seeds: list[Any]
    slots: list[Any]


def active_values(values: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """Keys of the values that a program of these members reads.

    A penalty, a rate or a decay that is 0 for all of them is left out of it.
    """
    keys = sorted(values[0])
    return tuple(
        key
        for key in keys
        if key.rpartition("/")[2] not in OPTIONAL_VALUES or any(one[key] for one in values)
    )


class Template:
    """One model of a structure, with `Value`s for the values.

    Args:
        model: Built and compiled.
        active: Keys of the values that are inputs.
        keys: Of all values; those not active are 0.

    Attributes:
        active: Keys of the values that are inputs, in order.
        optimizer: The optimiser as a function.
        weights, others, seeds: The variables that a `State`'s arrays are values of.
    """

    def __init__(self, model: keras.Model, active: Sequence[str], keys: Sequence[str]):
        dtype = keras.config.floatx()
        self.model = model
        self.active = tuple(active)
        self._inputs = [Value(key, dtype) for key in active]
        self._values: dict[str, Any] = dict.fromkeys(keys, 0.0)
        self._values |= zip(active, self._inputs, strict=True)
        # The learning rate is a variable of the optimiser's: a member's is among its slots.
        self.optimizer = MappedOptimizer(model, self._values)
        layers = list(enumerate(layers_of(model)))
        self._generators = {i: keras.random.SeedGenerator(0) for i, x in layers if is_noise(x)}
        generators = [
            [self._generators[i]] if i in self._generators else generators_of(layer)
            for i, layer in layers
        ]
        self.seeds = [generator.state for own in generators for generator in own]
        self.weights = list(model.trainable_variables)
        trainable = {id(variable) for variable in self.weights}
        self.others = [v for v in model.weights if id(v) not in trainable]
        self._places = _places(model, self.weights, self.others)

    def bind(self, values: tf.Tensor) -> None:
        """Let the values be this float64 vector, in the order of `active`."""
        for index, value in enumerate(self._inputs):
            value.bind(values[index])

    @contextmanager
    def scope(
        self, state: State, training: bool, more: Sequence[tuple[keras.Variable, Any]] = ()
    ) -> Iterator[keras.StatelessScope]:
        """Within it the template is the member of `state`; `more` maps further variables.

        Labels are smoothed in training only.
        """
        values = self._values
        if not training:
            values = {k: 0.0 if k.endswith("label_smoothing") else v for k, v in values.items()}
        mapping = [*zip(self.weights, state.weights, strict=True)]
        mapping += zip(self.others, state.others, strict=True)
        mapping += zip(self.seeds, state.seeds, strict=True)
        with (
            placed(self.model, values, self._generators),
            keras.StatelessScope([*mapping, *more], collect_losses=True) as scope,
        ):
            yield scope

    def call(self, x: Any, training: bool) -> tuple[Any, tf.Tensor]:
        """Outputs and the sum of all penalties, within a scope."""
        model = self.model
        outputs = model(x, training=training) if model._call_has_training_arg else model(x)
        terms = [tf.reduce_sum(tf.cast(loss, keras.config.floatx())) for loss in model.losses]
        return outputs, tf.add_n(terms) if terms else tf.zeros([], keras.config.floatx())

    def split(self, arrays: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """`model.get_weights()` as trainable weights and others."""
        parts: tuple[list, list] = ([None] * len(self.weights), [None] * len(self.others))
        for (part, index), array in zip(self._places, arrays, strict=True):
            parts[part][index] = array
        return parts

    def joined(self, weights: Sequence[Any], others: Sequence[Any]) -> list[Any]:
        """The inverse of `split`."""
        parts = (weights, others)
        return [parts[part][index] for part, index in self._places]


def _places(model, weights, others) -> list[tuple[int, int]]:
    where = {id(variable): (0, index) for index, variable in enumerate(weights)}
    where |= {id(variable): (1, index) for index, variable in enumerate(others)}
    return [where[id(variable)] for variable in model.weights]
