"""Models that are no stacks train together too, and come back as they were measured."""

import keras
import keras_tuner
import numpy as np
import pytest
from tuned import FIT, TRAIN, VALIDATION, X, Y, heard, make_tuner, named, network, statuses

import kerasreg
from kerasreg import StackConfig

L = keras.layers


def convolution(hp):
    model = keras.Sequential(
        [
            keras.Input((4, 1)),
            L.Conv1D(3, 2, activation="relu"),
            L.BatchNormalization(),
            L.Flatten(),
            L.Dropout(hp.Float("dropout", 0.1, 0.5)),
            L.Dense(3, activation="softmax"),
        ]
    )
    rate = hp.Float("rate", 0.01, 0.1)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["acc"])
    return model


def convolving_stack(hp):
    rate = hp.Float("rate", 0.01, 0.1)
    dropout = hp.Float("dropout", 0.1, 0.5)
    return StackConfig(filters=(2,), units=(), spatial_dropout=dropout, learning_rate=rate)


def detector(hp):
    model = keras.Sequential([keras.Input((4,)), L.Dense(1, "sigmoid")])
    auc = keras.metrics.AUC(name="auc")
    rate = hp.Float("rate", 0.01, 0.1)
    model.compile(keras.optimizers.Lion(rate), "binary_crossentropy", metrics=[auc])
    return model


def two_inputs(hp):
    inputs = {"a": keras.Input((2,), name="a"), "b": keras.Input((2,), name="b")}
    joined = L.Concatenate()([L.Dropout(hp.Float("dropout", 0, 0.5))(inputs["a"]), inputs["b"]])
    model = keras.Model(inputs, L.Dense(1)(joined))
    model.compile("sgd", "mse")
    return model


def together(tuner):
    """Whether every execution was a member: what trains the plain way has no seed."""
    runs = [run for key in tuner.oracle.trials for run in tuner.executions(key)]
    return all(run["seed"] is not None for run in runs)


SQUARES, NEW_SQUARES = (part[0].reshape(-1, 2, 2) for part in (TRAIN, VALIDATION))
IMAGES, NEW = (part[0][..., None] for part in (TRAIN, VALIDATION))
BINARY = (Y > 0).astype("float32")


@pytest.mark.parametrize(
    ("build", "objective", "rows", "validation"),
    [
        (convolution, ("val_acc", "max"), (IMAGES, TRAIN[1]), (NEW, VALIDATION[1])),
        (detector, ("val_auc", "max"), (X[:80], BINARY[:80]), (X[80:], BINARY[80:])),
    ],
)
def test_the_best_model_is_what_was_measured(tmp_path, build, objective, rows, validation):
    one = make_tuner(tmp_path, build, keras_tuner.Objective(*objective), 2)
    one.search(*rows, **FIT | {"validation_data": validation, "epochs": 2})
    assert statuses(one) == 2 * ["COMPLETED"]
    assert together(one)
    measured = one.get_best_models()[0].evaluate(*validation, verbose=0, return_dict=True)
    best = one.oracle.get_best_trials()[0].score
    assert measured[objective[0].removeprefix("val_")] == pytest.approx(best, abs=1e-5)


def test_a_stack_with_convolutions_trains_the_plain_way(tmp_path):
    one = make_tuner(tmp_path, convolving_stack, "val_accuracy", 1)
    with named("a StackConfig with filters; build_stack"):
        one.search(SQUARES, TRAIN[1], **FIT | {"validation_data": (NEW_SQUARES, VALIDATION[1])})
    assert statuses(one) == ["COMPLETED"]


def test_a_sequential_model_without_an_input_is_built_for_any_batch(tmp_path):
    def unbuilt(hp):
        model = keras.Sequential([L.GaussianNoise(hp.Float("noise", 0, 1)), L.Dense(3, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    one = make_tuner(tmp_path, unbuilt, "val_loss", 2)
    one.search(*TRAIN, **FIT | {"epochs": 1})
    assert statuses(one) == 2 * ["COMPLETED"]
    assert together(one)


@pytest.mark.parametrize("build", [network, detector])
def test_several_objectives_are_one_sum(tmp_path, build):
    """keras-tuner adds those that should fall and takes away those that should rise."""
    metric = "acc" if build is network else "auc"
    rows, new = [(x, y if build is network else (y > 0)) for x, y in (TRAIN, VALIDATION)]
    objectives = [keras_tuner.Objective("val_loss", "min")]
    objectives += [keras_tuner.Objective(f"val_{metric}", "max")]
    one = make_tuner(tmp_path, build, objectives, 2)
    one.search(*rows, **FIT | {"validation_data": new})
    assert together(one)
    for key, trial in one.oracle.trials.items():
        history = one.executions(key)[0]["history"]
        sums = np.subtract(history["val_loss"], history[f"val_{metric}"])
        assert trial.score == pytest.approx(min(sums))
    best = one.get_best_models()[0].evaluate(*new, verbose=0, return_dict=True)
    score = one.oracle.get_best_trials()[0].score
    assert best["loss"] - best[metric] == pytest.approx(score, abs=1e-5)


class Own(keras.Model):
    """Its call is its own; training is Keras'."""

    def __init__(self, rate):
        super().__init__()
        self.noise, self.dense = L.GaussianNoise(rate), L.Dense(3, "softmax")

    def call(self, x, training=False):
        return self.dense(self.noise(x, training=training))


def test_the_best_of_subclassed_models_comes_back_built(tmp_path):
    def build(hp):
        model = Own(hp.Float("noise", 0.1, 1))
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    one = make_tuner(tmp_path, build, "val_loss", 1)
    one.search(*TRAIN, **FIT | {"epochs": 1})
    assert together(one)
    best = one.get_best_models()[0].evaluate(*VALIDATION, verbose=0)
    assert best == pytest.approx(one.oracle.trials["0"].score, abs=1e-5)


def test_several_inputs_without_validation(tmp_path):
    x = {"a": X[:, :2], "b": X[:, 2:]}
    one = make_tuner(tmp_path, two_inputs, "loss", 2)
    one.search(x, X[:, :1], epochs=2, verbose=0)
    assert statuses(one) == 2 * ["COMPLETED"]
    assert together(one)
    assert not any(name.startswith("val_") for name in one.executions("0")[0]["history"])


def test_hyperband_goes_on_with_any_model(tmp_path):
    one = kerasreg.Hyperband(convolution, "val_loss", max_epochs=2, factor=2, directory=tmp_path)
    one.search(IMAGES, TRAIN[1], **FIT | {"validation_data": (NEW, VALIDATION[1])})
    assert set(statuses(one)) == {"COMPLETED"}
    assert together(one)
    values = [trial.hyperparameters.values for trial in one.oracle.trials.values()]
    assert any("tuner/trial_id" in given for given in values)


def test_what_fails_inside_a_population_is_trained_the_plain_way(tmp_path):
    """Keras says what is wrong with rows that do not fit, in the words that its users know."""
    one = make_tuner(tmp_path, convolution, "val_loss", 1)
    wide = np.zeros((40, 9, 1), "float32")
    with heard("Trained the plain way", "A trial failed"):
        one.search(IMAGES, TRAIN[1], **FIT | {"validation_data": (wide, VALIDATION[1])})
    assert statuses(one) == ["FAILED"]
