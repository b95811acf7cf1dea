"""A compiled model's loss, metrics and targets in a population's words."""

import keras
import numpy as np
import pytest
from tuned import BASE, Y

from kerasreg.losses import DataLoss
from kerasreg.stacks import build_stack
from kerasreg.tuner.objectives import curve_names, population_objective
from kerasreg.tuner.rows_in_memory import CannotTrainTogether, check_targets


def compiled(loss, metrics, activation=None, outputs=3):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(outputs, activation)])
    model.compile("sgd", loss, metrics=metrics)
    return model


@pytest.mark.parametrize(
    ("y", "loss"), [(2 * Y - 1, "binary"), (Y + 1, "softmax"), (np.nan * Y, "mse")]
)
def test_targets_that_only_keras_can_take(y, loss):
    model = compiled("mse" if loss == "mse" else "sparse_categorical_crossentropy", [])
    with pytest.raises(CannotTrainTogether, match="targets"):
        check_targets(y, 3 if loss == "softmax" else 1, loss, model)


BINARY = keras.losses.BinaryCrossentropy(from_logits=True)


def mae(y, p):
    return keras.ops.zeros_like(y)


class BinaryAccuracy(keras.metrics.BinaryAccuracy):
    """A metric of the user's own."""


@pytest.mark.parametrize(
    ("model", "loss", "expected"),
    [
        (compiled("mse", ["mae", "mse"], None, 1), "mse", {"mae": "mae", "mse": "data_loss"}),
        (
            compiled("mse", [keras.metrics.MeanAbsoluteError(name="off")], None, 1),
            "mse",
            {"off": "mae"},
        ),
        (
            compiled("sparse_categorical_crossentropy", ["accuracy"], "softmax"),
            "softmax",
            {"accuracy": "accuracy"},
        ),
        (compiled(BINARY, ["accuracy"], "sigmoid", 1), "binary", {"accuracy": "accuracy"}),
        (
            compiled(BINARY, [keras.metrics.BinaryAccuracy(threshold=0.0)], None, 1),
            "binary",
            {"binary_accuracy": "accuracy"},
        ),
        (
            compiled(
                "mse",
                [keras.metrics.mean_absolute_error, keras.losses.mean_squared_error],
                outputs=1,
            ),
            "mse",
            {"mean_absolute_error": "mae", "mean_squared_error": "data_loss"},
        ),
        (
            compiled("mse", [DataLoss(keras.losses.MeanSquaredError(), "own")], outputs=1),
            "mse",
            {"own": "data_loss"},
        ),
        (build_stack(BASE, 4, 3), "softmax", {"accuracy": "accuracy"}),
    ],
)
def test_curves_have_the_users_names(model, loss, expected):
    names = curve_names(model, loss, weighted=False)
    assert {k: v for k, v in names.items() if k not in ("loss", "data_loss", "penalty")} == expected
    assert names["loss"] == "loss"


@pytest.mark.parametrize(
    ("model", "loss", "reason"),
    [
        (compiled("mse", ["mape"], None, 1), "mse", "mape"),
        # Keras compares the logits with 0.5.
        (compiled(BINARY, ["accuracy"], None, 1), "binary", "threshold"),
        (compiled("sparse_categorical_crossentropy", ["Accuracy"], "softmax"), "softmax", "Acc"),
        # Keras would compare class numbers with the largest of one.
        (
            compiled("sparse_categorical_crossentropy", ["categorical_accuracy"], "softmax"),
            "softmax",
            "categorical_accuracy",
        ),
        # Names that are Keras' of things that are not.
        (compiled("mse", [mae], None, 1), "mse", "mae"),
        (compiled(BINARY, [BinaryAccuracy()], "sigmoid", 1), "binary", "binary_accuracy"),
        (compiled("mse", [DataLoss(keras.losses.Huber())], None, 1), "mse", "data_loss"),
        (compiled("mse", ["mae", mae], None, 1), "mse", "mae"),
        (compiled("mse", ["mae", "mae"], None, 1), "mse", "used twice"),
        # A mean over batches, of which the last may be short.
        (compiled("mse", [keras.losses.MeanSquaredError()], None, 1), "mse", "mean_squared_error"),
    ],
)
def test_metrics_that_a_population_does_not_measure(model, loss, reason):
    with pytest.raises(CannotTrainTogether, match=reason):
        curve_names(model, loss, weighted=False)


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (("val_loss", "min"), "val_loss"),
        (("val_acc", "max"), "val_accuracy"),
        (("val_data_loss", "min"), "val_data_loss"),
        (("loss", "min"), None),
        (("val_acc", "min"), None),
        (("val_penalty", "min"), None),
        (("multi_objective", "min"), None),
    ],
)
def test_objectives(objective, expected):
    names = {"loss": "loss", "data_loss": "data_loss", "penalty": "penalty", "acc": "accuracy"}
    if expected is None:
        with pytest.raises(CannotTrainTogether, match=objective[0]):
            population_objective(*objective, names)
    else:
        assert population_objective(*objective, names) == expected
