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


class OwnStep(keras.Model):
    """A model that trains in a way of its user's: no population can."""

    def __init__(self, rate):
        super().__init__()
        self.noise, self.dense = keras.layers.GaussianNoise(rate), keras.layers.Dense(3)

    def call(self, x, training=False):
        return self.dense(self.noise(x, training=training))

    def train_step(self, data):
        return super().train_step(data)


def own_step(hp):
    """A hypermodel whose models train the plain way, each under another name."""
    model = OwnStep(hp.Float("noise", 0, 1))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["acc"])
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


@contextlib.contextmanager
def heard(*reasons):
    """Expect these warnings, each once and no other; those of old Python names do not matter."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    ours = [
        str(w.message)
        for w in caught
        if w.category is UserWarning or "remove the call" in str(w.message)
    ]
    assert len(ours) == len(reasons), ours
    for message, reason in zip(ours, reasons, strict=True):
        assert reason in message


def scores(tuner):
    return {key: trial.score for key, trial in sorted(tuner.oracle.trials.items())}


def statuses(tuner):
    return [trial.status for _, trial in sorted(tuner.oracle.trials.items())]
