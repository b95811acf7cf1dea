"""Values on the general path: every one of them is read where Keras reads it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L
from solo_training import keras_dtype

from kerasreg.population import Population, batch_order
from kerasreg.seeds import derive

ROWS, BATCH = 12, 6
SHAPE = (4, 3)


def rows():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(ROWS, *SHAPE))
    return x, x.sum((1, 2), keepdims=True)[:, 0]


def network(layer, optimizer, loss="mse", outputs=1):
    """A residual network with one layer in question, which no stack is."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input(SHAPE)
    hidden = layer(L.Dense(3)(inputs)) if layer else L.Dense(3)(inputs)
    flat = L.Flatten()(L.Add()([hidden, inputs]))
    model = keras.Model(inputs, L.Dense(outputs)(flat))
    model.compile(optimizer, loss)
    return model


def train_alone(model, x, y, seed, epochs=2):
    for epoch in range(epochs):
        order = batch_order(seed, epoch, ROWS)
        for chosen in np.split(order, ROWS // BATCH):
            with tf.GradientTape() as tape:
                loss = model.compute_loss(x[chosen], y[chosen], model(x[chosen], training=True))
                loss = model.optimizer.scale_loss(loss)
            gradients = tape.gradient(loss, model.trainable_variables)
            model.optimizer.apply(gradients, model.trainable_variables)


def compare(build, alone=None, loss="mse", epochs=2, tolerance=1e-12):
    """Train `build(k)` of members 0 and 1 together and `alone(k)` by hand."""
    x, y = rows()
    if loss != "mse":
        y = (y > 0).astype("float64")
    models = [build(0), build(1)]
    initial = [model.get_weights() for model in models]
    population = Population.from_models(models, seeds=[0, 1], general=True)
    population.fit(
        x, y, validation_data=(x, y), epochs=epochs, batch_size=BATCH, every=epochs, keep="last"
    )
    for k in range(2):
        model = (alone or build)(k)
        model.set_weights(initial[k])
        for layer in model.layers:
            drawing = getattr(layer, "cell", layer)
            if hasattr(drawing, "seed_generator"):
                drawing.seed_generator.state.assign([derive(k, "draws", 0), 0])
        train_alone(model, x, y, k, epochs)
        model.optimizer.finalize_variable_values(model.trainable_variables)
        for mine, wanted in zip(population.get_weights(k), model.get_weights(), strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=tolerance, atol=tolerance)


def units_first(draw, layer, x):
    """The contract's draws: (units, rows, ...)."""
    rows, *places, units = x.shape
    layer.count += 1
    draws = draw([units, rows, *places], [derive(layer.seed, "draws", 0), layer.count - 1])
    return tf.cast(tf.transpose(draws, [1, 2, 0]), x.dtype)


class PlainNoise(keras.layers.Layer):
    """A formula of a layer's inputs, its value and the contract's draws, in training only."""

    def __init__(self, formula, value, seed):
        super().__init__()
        self.formula, self.noise_value, self.seed, self.count = formula, value, seed, 0

    def call(self, x, training=False):
        return self.formula(self, x, self.noise_value) if training and self.noise_value else x


def gaussian_dropout(layer, x, rate):
    draws = units_first(tf.random.stateless_normal, layer, x)
    return x * (1 + np.sqrt(rate / (1 - rate)) * draws)


def gaussian_noise(layer, x, stddev):
    return x + stddev * units_first(tf.random.stateless_normal, layer, x)


def alpha_dropout(layer, x, rate):
    """Klambauer et al. 2017, arXiv:1706.02515: dropped units take SELU's limit."""
    limit = -1.7580993408473766
    kept = units_first(tf.random.stateless_uniform, layer, x) >= rate
    a = 1 / np.sqrt((1 - rate) * (1 + rate * limit**2))
    return a * tf.where(kept, x, limit) - a * rate * limit


NOISE = {
    L.GaussianDropout: gaussian_dropout,
    L.GaussianNoise: gaussian_noise,
    L.AlphaDropout: alpha_dropout,
}


@pytest.mark.parametrize("kind", NOISE)
def test_noise_is_its_formula(kind):
    values = (0.25, 0.5)
    with keras_dtype("float64"):
        compare(
            lambda k: network(kind(values[k]), keras.optimizers.SGD(0.0625)),
            lambda k: network(PlainNoise(NOISE[kind], values[k], k), keras.optimizers.SGD(0.0625)),
        )


LAYERS = {
    "leaky_relu": lambda k: L.LeakyReLU((0.25, 0.5)[k]),
    "elu": lambda k: L.ELU((0.5, 2.0)[k]),
    "batch": lambda k: L.BatchNormalization(momentum=(0.75, 0.5)[k], epsilon=(0.25, 0.125)[k]),
    "layer": lambda k: L.LayerNormalization(epsilon=(0.25, 0.125)[k]),
    "group": lambda k: L.GroupNormalization(3, epsilon=(0.25, 0.125)[k]),
    "lstm": lambda k: L.LSTM(3, return_sequences=True, dropout=(0.25, 0.5)[k]),
    "gru": lambda k: L.GRU(3, return_sequences=True, recurrent_dropout=(0.25, 0.5)[k]),
    "activity": lambda k: L.Dense(
        3, activity_regularizer=keras.regularizers.L1L2((0.25, 0.0)[k], (0.0, 0.5)[k])
    ),
    "constraint": lambda k: L.Dense(3, kernel_constraint=keras.constraints.MaxNorm(0.5)),
    "penalties": lambda k: L.Dense(
        3,
        kernel_regularizer=keras.regularizers.L1L2((0.25, 0.0)[k], (0.0, 0.5)[k]),
        bias_regularizer=keras.regularizers.L2((0.0, 0.25)[k]),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_values_of_layers_are_those_of_keras(name):
    with keras_dtype("float64"):
        compare(lambda k: network(LAYERS[name](k), keras.optimizers.SGD(0.0625)))


rules, schedules = keras.optimizers, keras.optimizers.schedules
# Keras rounds these values to float32 on their way, in float64 too: powers of 2 stay exact.
BETAS = {"beta_1": 0.875, "beta_2": 1 - 2.0**-7, "epsilon": 2.0**-20}
OPTIMIZERS = {
    "sgd": lambda v: rules.SGD(v, weight_decay=v),
    "nesterov": lambda v: rules.SGD(0.0625, momentum=v, nesterov=True),
    "rmsprop": lambda v: rules.RMSprop(v, rho=1 - v, momentum=v, centered=True),
    "adam": lambda v: rules.Adam(v, **BETAS, amsgrad=True),
    "adamw": lambda v: rules.AdamW(0.0625, weight_decay=v, beta_1=1 - v, beta_2=0.75),
    "adamax": lambda v: rules.Adamax(v, **BETAS),
    "nadam": lambda v: rules.Nadam(v, **BETAS),
    "lamb": lambda v: rules.Lamb(v, **BETAS),
    "lion": lambda v: rules.Lion(v, beta_1=0.875, beta_2=1 - v),
    "adagrad": lambda v: rules.Adagrad(v, initial_accumulator_value=0.25, epsilon=v),
    "adadelta": lambda v: rules.Adadelta(1.0, rho=1 - v, epsilon=v),
    "ftrl": lambda v: rules.Ftrl(v, l1_regularization_strength=0.25),
    "adafactor": lambda v: rules.Adafactor(v),
    "muon": lambda v: rules.Muon(v, weight_decay=v, adam_weight_decay=0.25),
    "clipnorm": lambda v: rules.SGD(0.125, clipnorm=v),
    "clipvalue": lambda v: rules.SGD(0.125, clipvalue=v),
    "global_clipnorm": lambda v: rules.SGD(0.125, global_clipnorm=v),
    "ema": lambda v: rules.SGD(0.125, use_ema=True, ema_momentum=v),
    "scaled": lambda v: rules.SGD(v, loss_scale_factor=4.0),
    "exponential": lambda v: rules.SGD(schedules.ExponentialDecay(v, 2, 0.5, staircase=True)),
    "polynomial": lambda v: rules.SGD(schedules.PolynomialDecay(0.125, 2, end_learning_rate=v)),
    "cosine": lambda v: rules.SGD(schedules.CosineDecay(v, 8, alpha=v)),
    "inverse": lambda v: rules.SGD(schedules.InverseTimeDecay(0.125, 2, v)),
    "piecewise": lambda v: rules.SGD(schedules.PiecewiseConstantDecay([2], [0.125, 0.0625])),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_steps_as_in_keras(name):
    # Keras computes these two schedules in float32, whatever its own precision.
    tolerance = 1e-6 if name in ("cosine", "inverse") else 1e-12
    with keras_dtype("float64"):
        compare(lambda k: network(None, OPTIMIZERS[name]((0.0625, 0.125)[k])), tolerance=tolerance)


def test_label_smoothing_is_a_value_in_training():
    with keras_dtype("float64"):

        def build(k):
            loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=(0.0, 0.25)[k])
            return network(None, keras.optimizers.SGD(0.125), loss)

        compare(build, loss="binary")
