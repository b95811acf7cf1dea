"""Models of every kind, trained with monitors, and their event files."""

import keras
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kerasreg.monitors import ActivationMonitor, GradientMonitor, PenaltyMonitor, TrainEvaluation

ROWS, FEATURES, CLASSES, BATCH = 50, 6, 3, 16


def rows():
    """Inputs and class labels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype("float32")
    return x, (np.abs(x[:, 0]) * 2).astype("int32") % CLASSES


class Subclassed(keras.Model):
    """Layers called from Python."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(8, "tanh", kernel_regularizer="l2", name="hidden")
        self.dropout = keras.layers.Dropout(0.3)
        self.logits = keras.layers.Dense(CLASSES, name="logits")

    def call(self, x, training=False):
        return self.logits(self.dropout(self.hidden(x), training=training))


def functional():
    inputs = keras.Input((FEATURES,))
    x = keras.layers.Dense(8, kernel_regularizer=keras.regularizers.L1L2(0.01, 0.02), name="a")(
        inputs
    )
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Activation("relu", name="relu_a")(x)
    x = keras.layers.Dropout(0.4, name="drop")(x)
    inner = keras.Sequential([keras.Input((8,)), keras.layers.Dense(5, "sigmoid", name="b")])
    inner.name = "inner"
    x = keras.ops.relu(inner(x))
    outputs = keras.layers.Dense(CLASSES, kernel_regularizer="l2", name="output")(x)
    return keras.Model(inputs, outputs)


def sequential():
    """Not built before the first step."""
    return keras.Sequential(
        [
            keras.layers.GaussianNoise(0.1),
            keras.layers.Dense(8, "relu", kernel_regularizer="l2", name="first"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(CLASSES, name="second"),
        ]
    )


MODELS = {"functional": functional, "sequential": sequential, "subclassed": Subclassed}


# Models run eagerly unless a test is about compiling: tracing is most of the time.
def build(kind="functional", *, eager=True, optimizer="adam", seed=1):
    keras.utils.clear_session()  # the same automatic names every time
    keras.utils.set_random_seed(seed)
    model = MODELS[kind]() if isinstance(kind, str) else kind()
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        run_eagerly=eager,
    )
    return model


def fit(model, data, callbacks=(), epochs=2, validation=True, **options):
    x, y = data
    return model.fit(
        x[:40],
        y[:40],
        validation_data=(x[40:], y[40:]) if validation else None,
        batch_size=BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=list(callbacks),
        **options,
    )


def all_monitors(data, log_dir=None):
    x, y = data
    return [
        PenaltyMonitor(log_dir),
        TrainEvaluation(x[:40], y[:40], log_dir=log_dir),
        ActivationMonitor(x[40:], log_dir),
        GradientMonitor((x[:20], y[:20]), log_dir),
    ]


def read(log_dir):
    reader = EventAccumulator(str(log_dir), size_guidance={"tensors": 0, "scalars": 0})
    return reader.Reload()
