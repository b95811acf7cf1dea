"""Dropout as it was first written, and predictions that average dropout."""

import itertools
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasreg.errors import UserError
from kerasreg.layers._copy import as_graph, copy_model
from kerasreg.seeds import derive


@keras.saving.register_keras_serializable(package="kerasreg")
class ClassicDropout(keras.layers.Layer):
    """Dropout without rescaling in training: the network is scaled at inference instead.

    In training each input is kept with probability `keep` and set to 0 otherwise; at inference
    every input is multiplied by `keep`, its expectation over the masks. `keras.layers.Dropout` is
    the *inverted* form: it divides by the probability of keeping in training and leaves inference
    alone. With equal seeds both draw the same masks, so this layer's training output is `keep`
    times that of `Dropout(1 - keep)`.

    Source: Srivastava et al. (2014), Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting, JMLR 15, section 4.

    Args:
        keep: Probability of keeping an input, in (0, 1]. Keras' `rate` is `1 - keep`.
        seed: Integer seed of the masks, or None. Give each layer another one: equal seeds give
            equal masks to layers of equal shape.

    Shape:
        Input and output: any shape, the same.
    """

    def __init__(self, keep: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < keep <= 1:
            raise UserError(
                f"keep: expected the probability of keeping an input, in (0, 1], got {keep!r}."
            )
        self.keep = float(keep)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training:
            return inputs * self.keep
        if self.keep == 1:
            return inputs
        ones = ops.ones_like(inputs)
        kept = keras.random.dropout(ones, 1 - self.keep, seed=self.seed_generator) > 0
        # Not a product: 0 times infinity would let a dropped input through as NaN.
        return ops.where(kept, inputs, ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "keep": self.keep, "seed": self.seed}


DROPOUT_LAYERS = (
    keras.layers.Dropout,  # and its subclasses, SpatialDropout1D to 3D among them
    keras.layers.GaussianDropout,
    keras.layers.AlphaDropout,
    ClassicDropout,
)


def mc_dropout_predict(
    model: keras.Model, x: np.ndarray, samples: int, seed: int, batch_size: int = 256
) -> np.ndarray:
    """Predict with dropout on and everything else, batch normalisation included, in inference mode.

    The average over samples (of probabilities, not of logits) approximates the average of the
    thinned networks; their spread is a measure of uncertainty. Source: Gal and Ghahramani (2016),
    Dropout as a Bayesian Approximation.

    Args:
        model: A built Sequential or functional model with dropout layers and one output. It is
            copied, not changed. Dropout inside recurrent or attention layers stays off.
        x: Inputs, shape (rows, ...).
        samples: Count of passes; every row has other masks in each.
        seed: Of the masks. The same seed and batch size give the same numbers.
        batch_size: Rows a pass takes at once.

    Returns:
        Outputs of the model, shape (samples, rows, ...).

    Raises:
        UserError: The model cannot be copied or has no dropout layer, or `samples` or
            `batch_size` is below 1.
    """
    for name, value in (("samples", samples), ("batch_size", batch_size)):
        if value < 1:
            raise UserError(f"{name}: expected at least 1, got {value!r}.")
    seeds = (derive(seed, "mc_dropout", count) for count in itertools.count(1))
    noisy, copies = copy_model(
        as_graph(model), DROPOUT_LAYERS, training=True, configure=lambda: {"seed": next(seeds)}
    )
    if not any(isinstance(layer, DROPOUT_LAYERS) for layer in copies):
        raise UserError(
            f"model: expected one with dropout layers, got {model.name!r} without any, whose "
            "samples would all be equal; use model.predict."
        )
    step = tf.function(
        lambda batch: noisy(batch, training=False), autograph=False, reduce_retracing=True
    )
    x = tf.convert_to_tensor(x, dtype=noisy.inputs[0].dtype)
    starts = range(0, len(x), batch_size)
    return np.stack(
        [
            np.concatenate([step(x[start : start + batch_size]).numpy() for start in starts])
            for _ in range(samples)
        ]
    )
