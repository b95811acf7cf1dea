"""What is structure, what is a value, and what the general path cannot hold."""

import keras
import numpy as np
import pytest
from keras import layers as L

from kerasreg.errors import UserError
from kerasreg.population.general import lift_model
from kerasreg.population.general.lifting import differing


def model(*hidden, optimizer="adam", loss="mse", shape=(6, 2), **options):
    """A compiled network of these layers between an input and a Dense output."""
    network = keras.Sequential([keras.Input(shape), *hidden, L.Flatten(), L.Dense(1)])
    network.compile(optimizer, loss, **options)
    return network


def closure(factor):
    return lambda y, p: factor * keras.ops.mean(keras.ops.square(y - p))


class Scaled(keras.layers.Layer):
    """A user's layer with a configuration."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self.factor * x

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


L2, Adam, SGD = keras.regularizers.L2, keras.optimizers.Adam, keras.optimizers.SGD
Conv = L.Conv1D
EQUAL = {
    "rates": lambda v: model(Conv(2, 3), L.Dropout(v), L.GaussianNoise(v)),
    "a rate of 0": lambda v: model(Conv(2, 3), L.Dropout(0.5 * (v > 0.2))),
    "penalties": lambda v: model(Conv(2, 3, kernel_regularizer=L2(v) if v < 0.2 else None)),
    "activity": lambda v: model(Conv(2, 3, activity_regularizer=L2(v))),
    "names": lambda v: model(Conv(2, 3, name=f"layer_{int(10 * v)}")),
    "seeds and initialisers": lambda v: model(
        Conv(2, 3, kernel_initializer=keras.initializers.RandomNormal(v)),
        L.Dropout(0.5, seed=int(10 * v)),
    ),
    "normalisation": lambda v: model(L.BatchNormalization(momentum=v, epsilon=v)),
    "slopes": lambda v: model(L.LeakyReLU(v), L.ELU(v)),
    "recurrent rates": lambda v: model(L.LSTM(2, dropout=v, recurrent_dropout=v)),
    "learning rates and decay": lambda v: model(optimizer=Adam(v, weight_decay=v)),
    "betas": lambda v: model(optimizer=Adam(beta_1=v, beta_2=v, epsilon=v)),
    "momenta": lambda v: model(optimizer=SGD(momentum=v)),
    "clipping": lambda v: model(optimizer=Adam(clipnorm=v)),
    "schedules": lambda v: model(
        optimizer=Adam(keras.optimizers.schedules.ExponentialDecay(v, int(100 * v), v))
    ),
    "label smoothing": lambda v: model(loss=keras.losses.BinaryCrossentropy(label_smoothing=v)),
    "a function in a function": lambda v: model(loss=lambda y, p: keras.ops.mean(y - p)),
    "a user's layer": lambda v: model(Scaled(3.0), L.Dropout(v)),
    "a user's activation": lambda v: model(Conv(2, 3, activation=lambda x: x * x), L.Dropout(v)),
}
DIFFERENT = {
    "units": lambda v: model(Conv(int(10 * v), 3)),
    "activations": lambda v: model(Conv(2, 3, activation="relu" if v < 0.2 else "tanh")),
    "layers": lambda v: model(Conv(2, 3), *([L.Dropout(0.1)] if v < 0.2 else [])),
    "recurrent rate or none": lambda v: model(L.LSTM(2, dropout=0.5 * (v > 0.2))),
    "momentum or none": lambda v: model(optimizer=SGD(momentum=0.5 * (v > 0.2))),
    "optimisers": lambda v: model(optimizer="adam" if v < 0.2 else "adamw"),
    "nesterov": lambda v: model(optimizer=SGD(momentum=0.5, nesterov=v < 0.2)),
    "kinds of clipping": lambda v: model(
        optimizer=Adam(**{"clipnorm" if v < 0.2 else "clipvalue": 1.0})
    ),
    "losses": lambda v: model(loss="mse" if v < 0.2 else "mae"),
    "what a loss closes over": lambda v: model(loss=closure(v)),
    "metrics": lambda v: model(metrics=["mae"] if v < 0.2 else ["mse"]),
    "a user's layer": lambda v: model(Scaled(v)),
    "frozen or not": lambda v: model(Conv(2, 3, trainable=v < 0.2)),
    "orthogonal penalties": lambda v: model(
        L.Flatten(), L.Dense(2, kernel_regularizer=keras.regularizers.OrthogonalRegularizer(v))
    ),
    "an adapted layer": lambda v: model(L.Normalization(mean=v, variance=1.0)),
}


@pytest.mark.parametrize("name", EQUAL)
def test_values_are_no_structure(name):
    first, second = (lift_model(EQUAL[name](v)) for v in (0.1, 0.3))
    assert first.structure == second.structure, differing(first, second)
    assert first.values.keys() == second.values.keys()


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_computes_differently_is_another_structure(name):
    first, second = (lift_model(DIFFERENT[name](v)) for v in (0.1, 0.3))
    assert first.structure != second.structure


def test_branches_and_shared_layers_are_structure():
    def shared(twice):
        first, second = keras.Input((3,)), keras.Input((3,))
        layer = L.Dense(2)
        other = layer if twice else L.Dense(2)
        network = keras.Model([first, second], L.Add()([layer(first), other(second)]))
        network.compile("sgd", "mse")
        return lift_model(network).structure

    assert shared(True) == shared(True)
    assert shared(False) == shared(False)
    assert shared(True) != shared(False)


class TrainStep(keras.Model):
    """A model that trains in a way of its own."""

    def __init__(self):
        super().__init__()
        self.layer = L.Dense(1)

    def call(self, x):
        return self.layer(x)

    def train_step(self, data):
        return super().train_step(data)


def with_train_step():
    network = TrainStep()
    network.compile("adam", "mse")
    network(np.zeros((1, 3)))
    return network


def unbuilt():
    network = keras.Sequential([L.Dense(1)])
    network.compile("adam", "mse")
    return network


def trained():
    network = model()
    network.fit(np.zeros((2, 6, 2)), np.zeros(2), verbose=0)
    return network


def stateful():
    network = keras.Sequential([keras.Input(batch_shape=(2, 6, 2)), L.LSTM(2, stateful=True)])
    network.compile("adam", "mse")
    return network


REFUSED = {
    "train_step": with_train_step,
    "expected a built model": unbuilt,
    "compiled with a loss": lambda: keras.Sequential([keras.Input((3,)), L.Dense(1)]),
    "untrained model": trained,
    "stateful=True": stateful,
    "gradient_accumulation_steps": lambda: model(optimizer=Adam(gradient_accumulation_steps=2)),
    "ema_overwrite_frequency": lambda: model(
        optimizer=Adam(use_ema=True, ema_overwrite_frequency=2)
    ),
    "arrays it has overwritten": lambda: model(optimizer=keras.optimizers.ScheduleFreeAdamW()),
    "a number or a LearningRateSchedule": lambda: model(optimizer=Adam(lambda: 0.1)),
    "belongs into the input pipeline": lambda: model(L.Hashing(3), L.Embedding(3, 2), shape=(6,)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_held_is_refused_with_its_reason(reason):
    with pytest.raises(UserError, match=reason):
        lift_model(REFUSED[reason]())
