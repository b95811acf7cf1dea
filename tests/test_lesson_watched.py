"""Stacks trained update by update: what a population trains, with layers of another kind."""

import keras
import numpy as np
import pytest

from kerasreg.layers import ClassicDropout
from kerasreg.lesson import Lesson
from kerasreg.lesson.watched import (
    NoisyBatchNormalization,
    WatchedNet,
    with_classic_dropout,
    with_noise,
)
from kerasreg.stacks import StackConfig

TEXT = {"question": "Why?", "prediction": "So.", "source": "Notes.", "rule": "If."}
NET = StackConfig(units=(8, 8), optimizer="sgd", learning_rate=0.1)
SEEDS = (0, 1)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory) -> Lesson:
    return Lesson("tried", TEXT, "digits", SEEDS, False, tmp_path_factory.mktemp("watched"))


@pytest.mark.parametrize("changes", [{}, {"normalization": "batch"}], ids=["plain", "batch norm"])
def test_it_trains_what_a_population_trains(lesson, changes):
    data = lesson.data(100)
    config = NET.replace(**changes)
    runs = lesson.train({"net": config}, data, epochs=3, batch_size=50)
    found = WatchedNet(config, data, 50).train(SEEDS, 0.1, updates=6, every=2)
    assert found.updates.tolist() == runs["net"].updates.tolist() == [2, 4, 6]
    # Rounding may turn a row that lies between two classes.
    np.testing.assert_allclose(found.train_accuracy, runs["net"].train_accuracy, atol=0.011)
    np.testing.assert_allclose(found.test_accuracy, runs["net"].test_accuracy, atol=0.004)


@pytest.mark.parametrize(
    ("changes", "replace", "kind"),
    [
        ({"dropout": 0.2}, with_classic_dropout, ClassicDropout),
        ({"normalization": "batch"}, with_noise, NoisyBatchNormalization),
    ],
)
def test_layers_are_replaced_one_by_one(lesson, changes, replace, kind):
    net = WatchedNet(NET.replace(**changes), lesson.data(100), 50, replace)
    kinds = [type(layer) for layer in net.model.layers]
    assert kinds.count(kind) == 2
    assert keras.layers.Dropout not in kinds
    assert keras.layers.BatchNormalization not in kinds
    dropout = [layer for layer in net.model.layers if isinstance(layer, ClassicDropout)]
    assert all(layer.keep == pytest.approx(0.8) for layer in dropout)
    runs = [net.train(SEEDS, 0.1, updates=2, every=2) for _ in range(2)]
    np.testing.assert_array_equal(runs[0].train_accuracy, runs[1].train_accuracy)
