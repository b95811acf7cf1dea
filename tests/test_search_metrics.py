"""Data loss and metrics from logits, against Keras."""

import math

import keras
import numpy as np
import pytest

from kerasreg.search.metrics import measure


@pytest.mark.parametrize(
    ("shape", "y", "task", "loss", "reference"),
    [
        ((6, 3), [0, 1, 2, 2, 1, 0], "classification", "mse",
         keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
        ((4, 1), [0, 1, 1, 0], "classification", "mse",
         keras.losses.BinaryCrossentropy(from_logits=True)),
        ((4, 1), [0.5, -1, 3, 0.2], "regression", "mse", keras.losses.MeanSquaredError()),
        ((4, 1), [0.5, -1, 3, 0.2], "regression", "mae", keras.losses.MeanAbsoluteError()),
        ((4, 1), [0.5, -1, 3, 0.2], "regression", "huber", keras.losses.Huber()),
    ],
)  # fmt: skip
def test_data_loss_is_keras(shape, y, task, loss, reference):
    logits = np.random.default_rng(1).normal(0, 3, shape)
    expected = float(reference(np.reshape(y, (-1, 1)), logits.astype(np.float32)))
    assert measure(logits, np.array(y), task, loss)["data_loss"] == pytest.approx(expected, 1e-5)


def test_nothing_finite_comes_of_a_logit_that_is_not():
    measured = measure(np.array([[0.0, np.inf], [1.0, 2.0]]), np.array([0, 1]), "classification")
    assert math.isnan(measured["data_loss"])
    assert math.isnan(measured["accuracy"])


def test_huge_logits_have_a_finite_loss():
    measured = measure(np.array([[1e30, 0.0]]), np.array([1]), "classification")
    assert measured == {"data_loss": 1e30, "accuracy": 0.0}
