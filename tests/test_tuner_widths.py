"""Trials whose `units` differ train as one population and give back models of their own widths."""

import keras
import keras_tuner
import numpy as np
import pytest
from tuned import FIT, TRAIN, VALIDATION, make_tuner

from kerasreg.population.lifting import lift
from kerasreg.tuner import round_tuner
from kerasreg.tuner.tuned_widths import widths_of


def pyramid(hp, features=4):
    """Two tuned widths and one that is not."""
    model = keras.Sequential([keras.Input((features,))])
    for name, largest in (("first", 8), ("second", 6)):
        units = hp.Int(name, 2, largest, step=2)
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(5, activation="sigmoid"))
    model.add(keras.layers.Dense(3, activation="softmax"))
    rate = hp.Float("rate", 0.01, 0.5)
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["acc"])
    return model


def filters(hp):
    """A convolution and a dense layer of tuned widths."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Embedding(6, 3)])
    model.add(keras.layers.Conv1D(hp.Int("first", 2, 8, step=2), 2, activation="relu"))
    model.add(keras.layers.Dropout(hp.Float("dropout", 0.1, 0.5)))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(hp.Int("second", 2, 6, step=2), activation="tanh"))
    model.add(keras.layers.Dense(3, activation="softmax"))
    rate = hp.Float("rate", 0.01, 0.5)
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["acc"])
    return model


@pytest.mark.parametrize(
    ("hypermodel", "widths"), [(pyramid, (8, 6, 5)), (filters, (8, 6))], ids=["stack", "general"]
)
def test_units_are_values(hypermodel, widths, tmp_path, monkeypatch):
    populations = []
    train = round_tuner.JointTraining

    def recorded(job, prepared, *arguments):
        populations.append((job.widths, len(prepared)))
        return train(job, prepared, *arguments)

    monkeypatch.setattr(round_tuner, "JointTraining", recorded)
    tuner = make_tuner(tmp_path, hypermodel, "val_acc", max_trials=6)
    parts = [(np.clip(np.round(np.abs(x)), 0, 5), y) for x, y in (TRAIN, VALIDATION)]
    tuner.search(*parts[0], **{**FIT, "validation_data": parts[1]})
    assert populations == [(widths, 6)]
    trials = tuner.oracle.get_best_trials(6)
    assert len({trial.hyperparameters.get("first") for trial in trials}) > 1
    for trial, model in zip(trials, tuner.get_best_models(6), strict=True):
        units = [
            getattr(layer, "filters", None) or layer.units
            for layer in model.layers
            if isinstance(layer, keras.layers.Dense | keras.layers.Conv1D)
        ]
        assert units[:2] == [trial.hyperparameters.get(name) for name in ("first", "second")]
        found = model.evaluate(*parts[1], verbose=0, return_dict=True)
        assert found["acc"] == pytest.approx(trial.score, abs=1e-6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"units": 320}, (512, 64)),
        ({"units": 256}, (256, 64)),  # half as wide is wide enough
        ({"units": 32}, (256, 64)),  # and small enough
        ({"units": 64}, (128, 128)),  # both might be that number
        ({"units": 96, "rows": 64}, (512, 64)),  # the second might be that of the rows
    ],
)
def test_widths_follow_from_the_trial_and_its_space(values, expected):
    def build(hp):
        hp.Boolean("flag"), hp.Fixed("one", 320)
        model = keras.Sequential([keras.Input((784,))])
        model.add(keras.layers.Dense(hp.Int("units", 32, 512, step=32)))
        model.add(keras.layers.Dense(64))
        hp.Choice("rows", [32, 64])
        model.add(keras.layers.Dense(10))
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    hp = keras_tuner.HyperParameters()
    build(hp)
    hp.values.update(values)
    assert widths_of("stack", None, lift(build(hp)).blueprint, hp) == expected


def test_a_width_that_no_hyperparameter_has_stays_as_it_is():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(7), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    hp = keras_tuner.HyperParameters()
    hp.Int("other", 1, 9, default=6)
    assert widths_of("stack", None, lift(model).blueprint, hp) == (7,)
