"""Arguments of `fit` and Keras' callbacks do to a member what they do to its model alone."""

import copy
import csv
import warnings

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from tuned import FIT, TRAIN, VALIDATION, make_tuner, named, statuses

C = keras.callbacks
L = keras.layers
# Given weights and nothing random, so that a member and `fit` compute the same: one batch an epoch,
# or rows that are not shuffled.
EPOCHS = {**FIT, "epochs": 12, "batch_size": 80}
RATES = [0.5, 4.0]


def stack(hp):
    inputs = keras.Input((4,))
    return compiled(hp, inputs, dense(6, "relu")(inputs))


def residual(hp):
    inputs = keras.Input((4,))
    return compiled(hp, inputs, L.Add()([inputs, dense(4, "tanh")(inputs)]))


def dense(units, activation):
    return L.Dense(units, activation, True, keras.initializers.GlorotUniform(seed=units))


def compiled(hp, inputs, hidden):
    model = keras.Model(inputs, dense(3, "softmax")(hidden))
    optimizer = keras.optimizers.SGD(hp.Choice("rate", RATES), momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["acc"])
    return model


def searched(folder, build, callbacks, rows=TRAIN, **options):
    """Two trials together."""
    one = make_tuner(folder, build, "val_loss", 2)
    one.search(*rows, **EPOCHS | options, callbacks=callbacks)
    runs = {}
    for key, trial in one.oracle.trials.items():
        (run,) = one.executions(key)
        assert run["seed"] is not None, "trained the plain way"
        runs[key] = trial.hyperparameters.values["rate"], run["history"]
    assert statuses(one) == 2 * ["COMPLETED"]
    return one, runs


def alone(one, key, callbacks, rows=TRAIN, **options):
    """The same trial by Keras."""
    model = one.hypermodel.build(one.oracle.trials[key].hyperparameters)
    return model.fit(*rows, **EPOCHS | options, callbacks=callbacks).history


CASES = {
    "stopping": [C.EarlyStopping(min_delta=0.01, patience=2, restore_best_weights=True)],
    "baseline": [C.EarlyStopping("val_acc", patience=0, baseline=0.9, start_from_epoch=3)],
    "plateau": [
        C.EarlyStopping("val_loss", patience=6),
        C.ReduceLROnPlateau("val_acc", 0.3, 1, min_delta=0.01, cooldown=1, min_lr=0.1),
        C.EarlyStopping("learning_rate", mode="max", patience=9),
    ],
    "schedule": [C.LearningRateScheduler(lambda epoch, rate: rate * (0.5 if epoch % 3 else 1.5))],
}


@pytest.mark.parametrize(
    ("case", "build"),
    [
        ("stopping", stack),
        ("baseline", residual),
        ("plateau", stack),
        ("plateau", residual),
        ("schedule", residual),
    ],
)
def test_a_member_is_steered_as_its_model_alone(tmp_path, case, build):
    one, runs = searched(tmp_path, build, CASES[case])
    for key, (rate, history) in runs.items():
        expected = alone(one, key, copy.deepcopy(CASES[case]))
        # Training metrics are measured after the epoch, not in it.
        for name in expected.keys() - {"loss", "acc"}:
            np.testing.assert_allclose(history[name], expected[name], rtol=1e-4, err_msg=name)
        if case in ("stopping", "baseline"):
            assert len(history["loss"]) < EPOCHS["epochs"]
        else:
            assert min(history["learning_rate"]) < rate


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return tuple(part[16 * index : 16 * index + 16] for part in TRAIN)


TENSORS = tf.data.Dataset.from_tensor_slices(TRAIN).batch(16)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize(
    ("build", "rows", "options"),
    [
        (stack, TRAIN, {"shuffle": False, "steps_per_epoch": 2}),
        (residual, TRAIN, {"shuffle": False, "validation_steps": 1, "steps_per_epoch": 9}),
        (stack, (TENSORS,), {"initial_epoch": 2, "batch_size": None, "shuffle": False}),
        (residual, (Batches(),), {"shuffle": False, "batch_size": None}),
    ],
)
def test_rows_are_seen_as_by_the_model_alone(tmp_path, build, rows, options):
    """The learning rate falls by the epoch's number."""
    options = {"epochs": 4, "batch_size": 16} | options
    slower = [C.LearningRateScheduler(lambda epoch, rate: rate / (20 * (epoch + 1)))]
    one, runs = searched(tmp_path, build, slower, rows, **options)
    for key, (_, history) in runs.items():
        expected = alone(one, key, slower, rows, **options)
        for name in expected.keys() - {"loss", "acc"}:
            np.testing.assert_allclose(history[name], expected[name], rtol=1e-4, err_msg=name)


def test_files_are_those_of_the_last_trial_as_in_keras_tuner(tmp_path):
    def callbacks(folder):
        return [
            C.ModelCheckpoint(folder / "best.keras", save_best_only=True),
            C.CSVLogger(folder / "before.csv"),
            C.ReduceLROnPlateau(factor=0.5, patience=1),
            C.ModelCheckpoint(folder / "{epoch}-{learning_rate:.2f}.keras"),
            C.ModelCheckpoint(folder / "last.weights.h5", save_weights_only=True),
            C.CSVLogger(folder / "after.csv", append=True),
        ]

    one, runs = searched(tmp_path, residual, callbacks(tmp_path), epochs=4)
    folder = tmp_path / "alone"
    folder.mkdir()
    for key in runs:
        alone(one, key, callbacks(folder), epochs=4)
    files = {path.name for path in folder.iterdir()}
    assert {path.name for path in tmp_path.iterdir()} == files | {"p", "alone"}
    for name in files:
        if name.endswith(".csv"):
            with (folder / name).open() as mine, (tmp_path / name).open() as other:
                wanted, found = list(csv.DictReader(mine)), list(csv.DictReader(other))
            for column in set(wanted[0]) - {"loss", "acc"}:
                a, b = ([float(row[column]) for row in rows] for rows in (wanted, found))
                np.testing.assert_allclose(a, b, rtol=1e-4)
            assert ("learning_rate" in found[0]) == (name == "after.csv")
        else:
            a, b = said(folder / name), said(tmp_path / name)
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def said(path):
    """What a saved model predicts, and how fast one saved whole would go on learning."""
    if path.suffix == ".keras":
        model = keras.models.load_model(path)
        rate = float(model.optimizer.learning_rate)
    else:
        model, rate = residual(keras_tuner.HyperParameters()), 0
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model.load_weights(path)
    return np.append(model(VALIDATION[0]).numpy(), rate)


@pytest.mark.parametrize(
    ("callback", "reason"),
    [
        (C.ModelCheckpoint("unused.keras", save_freq=2), "save_freq=2"),
        (C.EarlyStopping("val_nothing"), "val_nothing"),
        (C.LearningRateScheduler(lambda epoch: "fast"), "LearningRateScheduler, which met"),
    ],
)
def test_what_keras_refuses_is_left_to_keras(tmp_path, monkeypatch, callback, reason):
    monkeypatch.chdir(tmp_path)
    one = make_tuner(tmp_path, stack, "val_loss", 1)
    with named(reason):
        one.search(*TRAIN, **FIT, callbacks=[callback])
