"""Networks that lose units, in NumPy: as Keras computes them, and as their expectations say."""

import numpy as np
import pytest

from kerasreg.data import Split
from kerasreg.lesson import thinning
from kerasreg.stacks import StackConfig, build_stack


@pytest.fixture(scope="module")
def model():
    built = build_stack(StackConfig(units=(9, 7), dropout=0.5), 5, 3, seed=4)
    generator = np.random.default_rng(0)
    built.set_weights([generator.normal(size=w.shape) for w in built.get_weights()])
    return built


@pytest.fixture(scope="module")
def split():
    generator = np.random.default_rng(1)
    return Split(generator.normal(size=(40, 5)).astype("float32"), generator.integers(0, 3, 40))


def test_nothing_lost_is_what_keras_predicts(model, split):
    weights = thinning.dense_weights(model)
    np.testing.assert_allclose(
        thinning.thinned_logits(weights, split.x), model(split.x).numpy(), rtol=1e-4, atol=1e-4
    )
    found = model.evaluate(split.x, split.y, verbose=0, return_dict=True)
    logits = thinning.thinned_logits(weights, split.x)
    assert thinning.data_loss(logits, split) == pytest.approx(found["data_loss"], rel=1e-4)
    assert thinning.accuracy(logits, split) == pytest.approx(found["accuracy"])


def test_a_lost_unit_is_a_kernel_row_of_zeros(model, split):
    weights = thinning.dense_weights(model)
    masks = [np.array([0.0, *[1.0] * 8]), np.array([*[1.0] * 6, 0.0])]
    lost = [(kernel.copy(), bias) for kernel, bias in weights]
    lost[1][0][0] = 0
    lost[2][0][6] = 0
    np.testing.assert_allclose(
        thinning.thinned_logits(weights, split.x, masks),
        thinning.thinned_logits(lost, split.x),
        rtol=1e-4,
        atol=1e-5,
    )


def test_masks_keep_the_mean_and_are_one_for_all_rows_unless_asked(model):
    weights = thinning.dense_weights(model)
    generator = np.random.default_rng(2)
    assert [mask.shape for mask in thinning.keep_masks(generator, weights, 0.5)] == [(9,), (7,)]
    masks = thinning.keep_masks(generator, weights, 0.8, rows=20_000)
    assert set(np.unique(masks[0]).round(6)) == {0.0, 1.25}
    assert masks[0].mean(axis=0) == pytest.approx(1.0, abs=0.02)
    assert (masks[0] > 0).mean() == pytest.approx(0.8, abs=0.01)


def test_the_penalty_is_the_rise_of_the_loss_where_every_unit_matters_little(model, split):
    weights = thinning.dense_weights(model)
    hidden, rate = thinning.hidden_units(weights, split.x)[-1], 0.3
    last = [(0.02 * weights[-1][0], weights[-1][1])]
    plain = thinning.data_loss(thinning.thinned_logits(last, hidden), split)
    generator = np.random.default_rng(3)
    losses = [
        thinning.data_loss(thinning.thinned_logits(last, hidden * mask), split)
        for mask in (generator.random((20_000, *hidden.shape)) >= rate) / (1 - rate)
    ]
    error = np.std(losses) / np.sqrt(len(losses))
    penalty = thinning.softmax_penalty(hidden, last, rate)
    assert penalty > 10 * error
    assert np.mean(losses) - plain == pytest.approx(penalty, abs=4 * error, rel=0.02)
