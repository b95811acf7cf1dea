"""Which one-change variations of a plain program train together, decided without training."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tuned import TRAIN, VALIDATION, make_tuner

C, K, L, M, T = keras.callbacks, keras, keras.layers, keras.metrics, keras.optimizers
X, Y = TRAIN
BINARY = {"x": X, "y": Y > 0, "validation_data": (VALIDATION[0], VALIDATION[1] > 0)}
VALUES = {"x": X, "y": X[:, 0], "validation_data": (VALIDATION[0], VALIDATION[0][:, 0])}
ONE_HOT = {"x": X, "y": np.eye(3)[Y], "validation_data": (VALIDATION[0], np.eye(3)[VALIDATION[1]])}


def program(
    between=(), loss="sparse_categorical_crossentropy", metrics=("accuracy",), last="softmax",
    out=3, optimizer=T.Adam, policy="float32", activation="relu", **dense,
):  # fmt: skip
    """A hypermodel of an MLP with some arguments changed."""

    def build(hp):
        K.config.set_dtype_policy(policy)
        try:
            model = K.Sequential([K.Input((4,)), L.Dense(5, activation, **dense)])
            for layer in between:
                model.add(layer())
            model.add(L.Dropout(hp.Float("dropout", 0.1, 0.5)))
            model.add(L.Dense(out, last))
            rate = hp.Float("rate", 0.01, 0.1)
            model.compile(optimizer(rate), loss=loss, metrics=list(metrics))
            return model
        finally:
            K.config.set_dtype_policy("float32")

    return build


def image(hp):
    model = K.Sequential([K.Input((2, 2, 1)), L.Conv2D(3, 2), L.Flatten(), L.Dense(3)])
    model.compile("adam", K.losses.SparseCategoricalCrossentropy(True), ["accuracy"])
    return model


class Decided(Exception):
    """The search, at the point where training would begin."""


def alone(folder, build, objective="val_loss", tuner=None, **fit):
    """Why the trial would train alone; None if it would not."""
    one = make_tuner(folder, build, objective, 1, **tuner or {})
    warned = []
    one._warn_plain = warned.append

    def decided(drawn, call):
        raise Decided

    one._train_round = decided
    fit = {"x": X, "y": Y, "validation_data": VALIDATION, "epochs": 2, "verbose": 0} | fit
    with pytest.raises(Decided):
        one.search(**{name: value for name, value in fit.items() if value is not None})
    return warned[0] if warned else None


LAYERS = [
    *(L.BatchNormalization, L.LayerNormalization, L.UnitNormalization, L.PReLU, L.LeakyReLU),
    *(lambda: L.AlphaDropout(0.1), lambda: L.GaussianNoise(0.1), L.Softmax),
    lambda: L.Lambda(lambda x: 2 * x),
]
OPTIMIZERS = [
    *(T.SGD, T.RMSprop, T.AdamW, T.Nadam, T.Adamax, T.Adagrad, T.Adadelta, T.Ftrl, T.Lion),
    *(lambda r: T.Adam(r, clipnorm=1.0), lambda r: T.Adam(r, amsgrad=True)),
    *(lambda r: T.Adam(r, use_ema=True), lambda r: T.Adam(T.schedules.CosineDecay(r, 9))),
]
CALLBACKS = [
    *(C.EarlyStopping(start_from_epoch=1), C.EarlyStopping(min_delta=0.1, baseline=1.0)),
    *(C.ReduceLROnPlateau(), C.LearningRateScheduler(lambda epoch: 0.1), C.CSVLogger("unused")),
    *(C.ModelCheckpoint("unused.keras"), C.TerminateOnNaN(), C.TensorBoard("unused")),
    *(C.TensorBoard("unused", histogram_freq=1), C.LambdaCallback(on_epoch_end=print)),
]
# The program, and how it is searched.
TOGETHER = [
    *((program([layer]), {}) for layer in LAYERS),
    *((program(optimizer=optimizer), {}) for optimizer in OPTIMIZERS),
    *((program(), {"callbacks": [callback]}) for callback in CALLBACKS),
    *((program(activation=name), {}) for name in ("tanh", "gelu", "softmax", tf.nn.relu)),
    (program(kernel_regularizer=K.regularizers.OrthogonalRegularizer()), {}),
    (program(kernel_constraint=K.constraints.MaxNorm(3)), {}),
    (program(out=1, last="sigmoid", loss="bce", metrics=[M.AUC(), M.Precision()]), BINARY),
    (program(out=1, last=None, loss="huber", metrics=["mse", M.R2Score()]), VALUES),
    (program(out=1, last="softplus", loss="poisson", metrics=()), VALUES),
    (program(loss=K.losses.CategoricalCrossentropy(label_smoothing=0.1)), ONE_HOT),
    (program(policy="mixed_float16"), {}),
    (image, {"x": X.reshape(-1, 2, 2, 1), "validation_data": None, "objective": "loss"}),
    (program(), {"objective": ["val_loss", "val_accuracy"]}),
    (program(), {"validation_data": None, "validation_split": 0.25}),
    (program(), {"validation_data": None, "objective": "accuracy"}),
    (program(), {"shuffle": False, "steps_per_epoch": 2, "validation_steps": 1}),
    (program(), {"initial_epoch": 1, "validation_freq": 2, "batch_size": 64}),
    (program(), {"class_weight": {0: 2.0}}),
    (program(), {"x": X.tolist(), "y": Y.tolist()}),
    (program(), {"x": tf.data.Dataset.from_tensor_slices(TRAIN).batch(8), "y": None}),
    (program(), {"tuner": {"executions_per_trial": 2, "optimizer": "adam"}}),
]
ALONE = [
    (program(), {"callbacks": [C.SwapEMAWeights()]}, "SwapEMAWeights"),
    (program(), {"x": tf.data.Dataset.from_tensor_slices(TRAIN).repeat().batch(8), "y": None,
                 "steps_per_epoch": 3}, "endless"),
    (program(), {"tuner": {"distribution_strategy": tf.distribute.OneDeviceStrategy("/cpu:0")}},
     "distribution_strategy"),
    (program(optimizer=lambda r: T.SGD(r, gradient_accumulation_steps=2)), {}, "accumulation"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "search"), TOGETHER)
def test_together(tmp_path, build, search):
    assert alone(tmp_path, build, **search) is None


@pytest.mark.parametrize(("build", "search", "reason"), ALONE)
def test_alone(tmp_path, build, search, reason):
    assert reason in alone(tmp_path, build, **search)
