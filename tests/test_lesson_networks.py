"""Networks in plain Keras are read as the stacks that they are, or refused by the layer's name."""

import re

import keras
import numpy as np
import pytest
from keras import layers, optimizers, regularizers

from kerasreg.errors import UserError
from kerasreg.lesson._data import load_lesson_data
from kerasreg.lesson._lesson import Lesson
from kerasreg.lesson._training import configs_of
from kerasreg.lesson.networks import config_of, read_networks
from kerasreg.networks import NetworkConfig
from kerasreg.stacks import StackConfig, build_stack

SGD = StackConfig(units=(8, 6), optimizer="sgd", learning_rate=0.01)


def network(*hidden, optimizer="sgd", outputs=3, **options):
    options = {"activation": "softmax", "kernel_initializer": "he_normal"} | options
    model = keras.Sequential([keras.Input((5,)), *hidden, layers.Dense(outputs, **options)])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def dense(units=8, **options):
    return layers.Dense(
        units, **({"activation": "relu", "kernel_initializer": "he_normal"} | options)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"units": ()},
        {"units": (), "input_dropout": 0.2, "initializer": 0.01},
        {"units": (4, 4, 4), "dropout": 0.3, "activation": "tanh", "initializer": "xavier"},
        {"dropout": (0.1, 0.0), "input_dropout": 0.5, "activation": "linear"},
        {"l1": 1e-4, "l2": 2e-3},
        {"l2": 1e-3, "penalize_output": False},
        {"l1": (0.1, 0.0, 0.2), "initializer": "glorot"},
        {"initializer": 0.02, "normalization": "batch", "norm_epsilon": 1e-5},
        {"initial_scale": 1.5, "normalization": "batch", "norm_position": "after"},
        {"initializer": "xavier", "initial_scale": 4.0, "activation": "sigmoid"},
        {"normalization": "layer", "norm_epsilon": 1e-6, "activation": "gelu"},
        {"normalization": "group", "groups": 2, "norm_momentum": 0.9, "dropout": 0.2},
        {"normalization": "batch", "norm_momentum": 0.8, "dropout": 0.2},
        {"optimizer": "momentum", "momentum": 0.8, "learning_rate": 0.3},
        {"optimizer": "nesterov", "weight_decay": 0.1},
        {"optimizer": "adagrad", "initial_accumulator": 0.0},
        {"optimizer": "rmsprop", "rho": 0.99},
        {"optimizer": "adam", "learning_rate": 3e-4, "label_smoothing": 0.1},
        {"optimizer": "adamw", "weight_decay": 0.004},
    ],
)
@pytest.mark.parametrize("outputs", [1, 3])
def test_what_build_stack_builds_is_read_back(changes, outputs):
    config = SGD.replace(**changes)
    assert config_of(build_stack(config, 5, outputs)) == config


def test_a_stack_of_regression_is_read_back():
    config = SGD.replace(loss="huber")
    assert config_of(build_stack(config, 5, 1, "regression")) == config


def test_a_config_is_itself():
    assert config_of(SGD) is SGD


def decaying(**options):
    optimizer = optimizers.SGD(0.01, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(**options)
    return optimizer


L1 = {"kernel_regularizer": regularizers.L1(1e-4)}
L2 = {"kernel_regularizer": regularizers.L2(0.05)}
BARE = {"activation": None, "use_bias": False}


@pytest.mark.parametrize(
    ("build", "changes"),
    [
        (lambda: network(dense(), dense(6)), {}),
        (
            lambda: network(layers.Dropout(0.2), dense(), dense(6), layers.Dropout(0.5)),
            {"input_dropout": 0.2, "dropout": (0.0, 0.5)},
        ),
        (lambda: network(dense(**L2), dense(6, **L2), **L2), {"l2": 0.05}),
        (lambda: network(dense(**L1), dense(6)), {"l1": (1e-4, 0.0), "penalize_output": False}),
        (lambda: network(dense(**L2), dense(6, **L2)), {"l2": 0.05, "penalize_output": False}),
        (
            lambda: network(
                dense(**BARE),
                layers.BatchNormalization(),
                layers.ReLU(),
                dense(6, **BARE),
                layers.BatchNormalization(),
                layers.ReLU(),
            ),
            {"normalization": "batch", "norm_momentum": 0.99},
        ),
        (
            lambda: network(
                dense(), layers.LayerNormalization(), dense(6), layers.LayerNormalization()
            ),
            {"normalization": "layer", "norm_position": "after"},
        ),
        (
            lambda: network(dense(), dense(6), optimizer=decaying(var_names=["bias"])),
            {"weight_decay": 0.1},
        ),
    ],
)
def test_plain_keras_is_read(build, changes):
    assert config_of(build()) == SGD.replace(**changes)


@pytest.mark.parametrize(
    ("initializer", "fields"),
    [
        ("he_normal", {"initializer": "he"}),
        ("lecun_normal", {"initializer": "xavier"}),
        ("glorot_normal", {"initializer": "glorot"}),
        (keras.initializers.RandomNormal(stddev=0.01), {"initializer": 0.01}),
        (
            keras.initializers.VarianceScaling(16.0, "fan_in", "untruncated_normal"),
            {"initializer": "xavier", "initial_scale": 4.0},
        ),
    ],
)
def test_initial_weights_are_read(initializer, fields):
    start = {"kernel_initializer": initializer}
    assert config_of(network(dense(**start), dense(6, **start), **start)) == SGD.replace(**fields)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: keras.Sequential([keras.Input((5,)), dense()]), "not compiled"),
        (lambda: network(layers.Reshape((5,)), dense()), "reshape.* (Reshape)"),
        (lambda: network(layers.Rescaling(0.5), dense()), "rescaling.* (Rescaling)"),
        (lambda: network(dense(), dense(6, activation="tanh")), "dense.* (Dense)"),
        (lambda: network(dense(), layers.BatchNormalization(), dense(6)), "(Dense)"),
        (
            lambda: network(dense(activation=None), layers.BatchNormalization(), layers.ReLU()),
            "use_bias=False",
        ),
        (lambda: network(dense(), layers.Dropout(0.1), layers.Dropout(0.2)), "(Dropout)"),
        (lambda: network(dense(kernel_initializer="he_uniform")), "dense.*one kernel_initializer"),
        (lambda: network(dense(bias_initializer="ones")), "bias_initializer of layer 'dense"),
        (lambda: network(dense(kernel_initializer="zeros")), "dense.*one kernel_initializer"),
        (lambda: network(dense(), kernel_initializer="zeros"), "dense.*one kernel_initializer"),
        (
            lambda: network(dense(kernel_initializer=keras.initializers.RandomNormal(stddev=3.0))),
            "dense.*one kernel_initializer",
        ),
        (
            lambda: network(dense(), optimizer=decaying(var_names=["beta"])),
            "weight_decay of biases",
        ),
        (lambda: network(dense(), optimizer=optimizers.Adam(beta_1=0.5)), "beta_1=0.9, got 0.5"),
        (lambda: network(dense(), optimizer=optimizers.Adam(clipnorm=1.0)), "optimizer Adam"),
    ],
)
def test_what_a_stack_cannot_say_is_refused(build, words):
    with pytest.raises(UserError) as error:
        config_of(build())
    assert re.search(words.replace("(", r"\(").replace(")", r"\)"), str(error.value))
    assert "\n" not in str(error.value)


def test_a_network_is_one_for_the_rows():
    data = load_lesson_data("digits", 100)
    with pytest.raises(
        UserError, match=r"'mine': expected shapes \(None, 64\) -> \(None, 10\), got"
    ):
        configs_of({"mine": network(dense())}, data)


def convolution(rate=0.01):
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(2, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizers.SGD(rate), "sparse_categorical_crossentropy")
    return model


def test_what_is_no_stack_trains_as_keras_has_it(tmp_path):
    text = dict.fromkeys(("question", "prediction", "source", "rule"), "So.")
    lesson = Lesson("tried", text, "digits", (0, 1), False, tmp_path)
    data = lesson.data(train_size=100)
    best = lesson.tune({"conv": convolution()}, [1e-5, 0.1], data, epochs=3, batch_size=20, seeds=1)
    assert best["conv"].learning_rate == 0.1
    runs = lesson.train(best, data, epochs=20, batch_size=20, every=20)
    for place, seed in enumerate(lesson.seeds):
        rows = data.judging(seed)
        said = runs.model("conv", place).evaluate(rows.x, rows.y, verbose=0, return_dict=True)
        assert runs["conv"].final("test_accuracy")[place] == pytest.approx(said["accuracy"])
        assert runs["conv"].final("test_data_loss")[place] == pytest.approx(said["loss"], rel=1e-4)
    assert (runs["conv"].final("train_accuracy") > 0.3).all()
    first, second = (runs.model("conv", place).get_weights()[0] for place in (0, 1))
    assert not np.array_equal(first, second)
    assert read_networks(best) == best


def test_a_stack_beside_what_is_none_starts_as_it_does():
    both = read_networks({"dense": network(dense()), "conv": convolution()})
    assert {type(one) for one in both.values()} == {NetworkConfig}
    assert type(read_networks({"dense": network(dense())})["dense"]) is StackConfig


def test_a_network_that_is_not_compiled_is_refused():
    with pytest.raises(UserError, match="not compiled"):
        read_networks({"own": keras.Sequential([keras.Input((5,)), layers.Dense(3)])})
