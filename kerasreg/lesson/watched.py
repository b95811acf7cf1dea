"""Stacks trained update by update, their covariate shift measured, with layers of another kind."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasreg.layers import ClassicDropout
from kerasreg.lesson._data import LessonData
from kerasreg.lesson.gradients import start
from kerasreg.lesson.networks import config_of
from kerasreg.population import batch_order
from kerasreg.seeds import derive
from kerasreg.stacks import StackConfig, build_stack


class NoisyBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation whose output is shifted and scaled by noise that changes every call.

    In training each unit draws a mean in [-0.5, 0.5] and a scale in [1, 1.25] for the whole batch,
    and each row values around them, by 0.1; at inference there is no noise. Source:
    Santurkar et al. (2018), How Does Batch Normalization Help Optimization?, section 2.1.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.noise = keras.random.SeedGenerator(0)

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Normalise, and in training add the noise."""
        outputs = super().call(inputs, training=training, mask=mask)
        if not training:
            return outputs
        units, rows = outputs.shape[-1:], ops.shape(outputs)
        mean = keras.random.uniform(units, -0.5, 0.5, seed=self.noise)
        scale = keras.random.uniform(units, 1.0, 1.25, seed=self.noise)
        mean = mean + keras.random.uniform(rows, -0.1, 0.1, seed=self.noise)
        scale = scale + 0.1 * keras.random.normal(rows, seed=self.noise)
        return scale * outputs + mean


@dataclass(frozen=True)
class Accuracies:
    """What runs that were trained update by update reached.

    Attributes:
        updates: Updates after which was measured, (measurements,).
        train_accuracy, test_accuracy: (seeds, measurements), fractions.
    """

    updates: np.ndarray
    train_accuracy: np.ndarray
    test_accuracy: np.ndarray


class WatchedNet:
    """A stack trained update by update with plain gradient descent, its shift measured on the way.

    Initial weights, rows and batches of a seed are those of `Lesson.train`.

    Args:
        network: The stack, as in `Lesson.train`; its optimiser is not used.
        data: Where seeds draw their rows.
        batch_size: Rows of an update; divides the rows of a draw.
        replace: Layer of the stack -> the layer that takes its place, or None to leave it.
    """

    def __init__(
        self,
        network: keras.Model | StackConfig,
        data: LessonData,
        batch_size: int,
        replace: Callable[[keras.Layer], keras.Layer | None] = lambda layer: None,
    ):
        self.config, self.data, self.batch_size = config_of(network), data, batch_size
        self.model = build_stack(self.config, data.input_shape, data.outputs)
        self.model = keras.models.clone_model(
            self.model,
            clone_function=lambda layer: (
                replace(layer) or type(layer).from_config(layer.get_config())
            ),
        )
        dense = [layer for layer in self.model.layers if isinstance(layer, keras.layers.Dense)]
        # A group: a layer's kernel and bias, and the parameters of the normalisation after it.
        self._groups: list[list[tf.Variable]] = []
        for variable in self.model.trainable_variables:
            if variable.name == "kernel":
                self._groups.append([])
            self._groups[-1].append(variable.value)
        self._inputs = keras.Model(self.model.inputs, [layer.input for layer in dense[1:-1]])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        # Traced once, called by every pass of a measured step.
        self._value = _traced(lambda x, y: loss(y, self.model(x, training=True)))
        self._update = _traced(self._update_all)
        self._measured = _traced(self._update_by_layer)
        self._moments = _traced(self._input_moments)
        self._correct = _traced(
            lambda x, y: tf.reduce_mean(
                tf.cast(tf.argmax(self.model(x), axis=-1, output_type=y.dtype) == y, "float32")
            )
        )

    def shift(self, seed: int, rate: float, updates: int, every: int) -> dict[str, np.ndarray]:
        """Train and measure every few updates.

        Returns:
            Arrays (measurements,), averaged over the hidden layers but the first:

            - `loss`: of the batch;
            - `gradients`: |G - G'| / |G|, where G is the gradient of a layer's kernel and G' the
              same on the same batch after the layers below have made their update;
            - `cosine`: of the angle between G and G';
            - `inputs`: by how much one update moves the means of a layer's inputs on 100 fixed
              rows, relative to their standard deviation.

        Source: `gradients` and `cosine` are definition 2.1 of Santurkar et al. (2018).
        """
        probe = tf.constant(self.data.tuning.x[:100])
        kept: dict[str, list[float]] = {"loss": [], "gradients": [], "cosine": [], "inputs": []}
        step = tf.constant(rate, "float32")  # a Python number would be traced anew
        for update, (x, y) in enumerate(self._batches(seed, updates)):
            if update % every:
                self._update(x, y, step)
                continue
            means, deviations = self._moments(probe)
            loss, gradient, cosine = self._measured(x, y, step)
            moved, _ = self._moments(probe)
            drift = [
                np.abs(new - old).mean() / max(float(sd), 1e-12)
                for new, old, sd in zip(moved, means, deviations, strict=True)
            ]
            values = (loss, np.mean(gradient), np.mean(cosine), np.mean(drift))
            for name, value in zip(kept, values, strict=True):
                kept[name].append(float(value))
        return {name: np.array(values) for name, values in kept.items()}

    def train(self, seeds: Sequence[int], rate: float, updates: int, every: int) -> Accuracies:
        """Train a run a seed; accuracies at inference after every few updates."""
        found = np.array([self._accuracies(seed, rate, updates, every) for seed in seeds])
        measured = np.arange(every, updates + 1, every)
        return Accuracies(measured, found[..., 0], found[..., 1])

    def _accuracies(self, seed: int, rate: float, updates: int, every: int) -> list[list[float]]:
        parts = [
            (tf.constant(rows.x), tf.constant(rows.y))
            for rows in (self.data.draw(seed), self.data.judging(seed))
        ]
        kept = []
        step = tf.constant(rate, "float32")
        for update, (x, y) in enumerate(self._batches(seed, updates), start=1):
            self._update(x, y, step)
            if update % every == 0:
                kept.append([float(self._correct(*part)) for part in parts])
        return kept

    def tuned(self, rates: Sequence[float], seeds: Sequence[int], updates: int) -> float:
        """The rate with the best mean accuracy on the tuning rows after some updates.

        Of equals the smallest. `Lesson.tune` for what populations do not hold.
        """
        x, y = tf.constant(self.data.tuning.x), tf.constant(self.data.tuning.y)

        def accuracy(rate: float) -> float:
            step = tf.constant(rate, "float32")
            found = []
            for seed in seeds:
                for batch in self._batches(seed, updates):
                    self._update(*batch, step)
                found.append(float(self._correct(x, y)))
            return float(np.mean(found))

        return max(sorted(rates), key=accuracy)

    def _batches(self, seed: int, updates: int) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        start(self.model, self.config, seed)
        for layer in self.model.layers:
            for name, value in vars(layer).items():
                if isinstance(value, keras.random.SeedGenerator):
                    value.state.assign([derive(seed, f"{name} of {layer.name}"), 0])
        draw = self.data.draw(seed)
        steps = len(draw) // self.batch_size
        for update in range(updates):
            if update % steps == 0:
                order = batch_order(seed, update // steps, len(draw))
            first = update % steps * self.batch_size
            rows = order[first : first + self.batch_size]
            yield tf.constant(draw.x[rows]), tf.constant(draw.y[rows])

    def _update_all(self, x, y, rate):
        variables = [variable for group in self._groups for variable in group]
        with tf.GradientTape() as tape:
            value = self._value(x, y)
        for variable, slope in zip(variables, tape.gradient(value, variables), strict=True):
            variable.assign_sub(rate * slope)

    def _update_by_layer(self, x, y, rate):
        with tf.GradientTape() as tape:
            value = self._value(x, y)
        slopes = tape.gradient(value, self._groups)
        gradient, cosine = [], []
        for index, (group, group_slopes) in enumerate(zip(self._groups, slopes, strict=True)):
            if 0 < index < len(self._groups) - 1:
                with tf.GradientTape() as tape:
                    again = self._value(x, y)
                now = tape.gradient(again, group[0])
                before = group_slopes[0]
                gradient.append(tf.norm(now - before) / tf.norm(before))
                cosine.append(tf.reduce_sum(now * before) / (tf.norm(now) * tf.norm(before)))
            for variable, slope in zip(group, group_slopes, strict=True):
                variable.assign_sub(rate * slope)
        return value, gradient, cosine

    def _input_moments(self, x):
        inputs = self._inputs(x, training=True)
        means = [tf.reduce_mean(values, axis=0) for values in inputs]
        deviations = [tf.reduce_mean(tf.math.reduce_std(values, axis=0)) for values in inputs]
        return means, deviations


def _traced(function: Callable) -> Callable:
    # TensorFlow counts tracings by code and would warn of nets in a row; a partial counts alone.
    return tf.function(functools.partial(function), autograph=False, reduce_retracing=True)


def with_noise(layer: keras.Layer) -> keras.Layer | None:
    """For `WatchedNet`: `NoisyBatchNormalization` in the place of batch normalisation."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return NoisyBatchNormalization.from_config(layer.get_config())
    return None


def with_classic_dropout(layer: keras.Layer) -> keras.Layer | None:
    """For `WatchedNet`: `ClassicDropout` in the place of Keras' inverted dropout."""
    if isinstance(layer, keras.layers.Dropout):
        return ClassicDropout(1 - layer.rate, seed=layer.seed)
    return None
