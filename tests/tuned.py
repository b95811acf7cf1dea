"""A small search: rows, two hypermodels, and what came of the trials."""

import contextlib
import warnings

import keras
import numpy as np

from kerasreg import PopulationTuner, StackConfig

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(0, 1.5, (3, 4))
Y = (np.arange(120) % 3).astype(np.int32)
X = (CENTRES[Y] + RNG.normal(0, 1, (120, 4))).astype(np.float32)
TRAIN, VALIDATION = (X[:80], Y[:80]), (X[80:], Y[80:])
FIT = {"validation_data": VALIDATION, "epochs": 3, "batch_size": 16, "verbose": 0}
BASE = StackConfig(units=(6,), optimizer="sgd")


def stack(hp):
    return BASE.replace(
        dropout=hp.Float("dropout", 0.1, 0.5), learning_rate=hp.Float("rate", 0.01, 0.5)
    )


def network(hp):
    model = keras.Sequential(
        [
            keras.layers.Dense(6, activation="relu"),
            keras.layers.Dropout(hp.Float("dropout", 0.1, 0.5)),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(hp.Float("rate", 0.01, 0.5)),
        loss="sparse_categorical_crossentropy",
        metrics=["acc"],
    )
    return model


def make_tuner(folder, hypermodel=stack, objective="val_accuracy", max_trials=3, **options):
    """A tuner in one project folder."""
    if "oracle" in options:
        objective = None
    return PopulationTuner(
        hypermodel, objective, max_trials, directory=folder, project_name="p", **options
    )


@contextlib.contextmanager
def named(reason):
    """Expect one warning of the plain way; keras-tuner's own, of Python, do not matter."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    plain = [str(w.message) for w in caught if "plain way" in str(w.message)]
    assert len(plain) == 1
    assert reason in plain[0]


def scores(tuner):
    return {key: trial.score for key, trial in sorted(tuner.oracle.trials.items())}


def statuses(tuner):
    return [trial.status for _, trial in sorted(tuner.oracle.trials.items())]
