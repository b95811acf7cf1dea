"""A member of a population is what the same setting would be alone, number by number."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from solo_training import (
    gradients,
    keras_dtype,
    model_weights,
    solo_model,
    train_solo,
)

from kerasreg.population import Population, program, sizes
from kerasreg.population.forward import penalty
from kerasreg.stacks import ACTIVATIONS, NORMALIZATIONS, StackConfig, build_stack

FEATURES, ROWS, BATCH, EPOCHS = 6, 48, 16, 7  # 3 steps an epoch: 21 steps
SHORT = 44  # rows that leave a last batch of 12
RULES = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
LOSSES = ("softmax", "binary", "mse", "mae", "huber")
PENALTIES = (
    {},
    {"l1": 0.003},
    {"l2": 0.02},
    {"l1": (0.002, 0.004, 0.001), "l2": (0.01, 0.03, 0.02)},  # one per kernel
)
RATES = {"sgd": 0.1, "momentum": 0.03, "nesterov": 0.03, "adagrad": 0.1}


def rows(loss: str, dtype: str, seed: int = 0, count: int = ROWS):
    """Inputs, targets, outputs and task of a small problem."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(count, FEATURES)).astype(dtype)
    signal = x @ draw.normal(size=(FEATURES, 3))
    match loss:
        case "softmax":
            return x, signal.argmax(1).astype("int32"), 3, "classification"
        case "binary":
            return x, (signal[:, 0] > 0).astype("int32"), 1, "classification"
    # Beyond 1 from zero now and then, so that Huber's both branches are used.
    return x, (1.5 * signal[:, 0]).astype(dtype), 1, "regression"


def loss_field(loss: str) -> dict:
    return {"loss": loss} if loss in ("mse", "mae", "huber") else {}


def compare_with_solo(configs, seeds, loss, dtype, count=ROWS, weight=None):
    """Train members together and one by one; yield pairs of everything that must agree."""
    x, y, outputs, task = rows(loss, dtype, count=count)
    epochs, batch = EPOCHS, BATCH
    with keras_dtype(dtype):
        population = Population(configs, FEATURES, outputs, task, seeds=seeds, dtype=dtype)
        before = population.predict(x)
        initial = [population.get_weights(k) for k in range(len(configs))]
        results = population.fit(
            x, y, validation_data=(x, y), epochs=epochs, batch_size=batch, sample_weight=weight
        )
        after = population.predict(x)
        for k, (config, seed) in enumerate(zip(configs, seeds, strict=True)):
            steps = epochs * math.ceil(count / batch)
            model = solo_model(config, FEATURES, outputs, task, seed, initial[k], steps)
            first = model(x, training=False).numpy()
            train_solo(model, x, y, seed, epochs, batch, weight)
            yield {
                "config": config,
                "before": (before[k], first),
                "after": (after[k], model(x, training=False).numpy()),
                "weights": (population.get_weights(k), model_weights(model)),
                "result": results[k],
                "model": model,
            }


def assert_elementwise(pair, tolerance=1e-8):
    got, wanted = pair
    for ours, theirs in zip(got, wanted, strict=True):
        difference = np.abs(np.reshape(ours, np.shape(theirs)) - theirs)
        assert np.all(difference <= tolerance * np.maximum(1, np.abs(theirs))), difference.max()


def assert_same_in_float32(pair, weights):
    """Predictions to 1e-5 of the largest logit, every tensor to 1e-4 of its norm."""
    got, wanted = pair
    assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()
    for ours, theirs in zip(*weights, strict=True):
        difference = np.linalg.norm(np.reshape(ours, theirs.shape) - theirs)
        assert difference <= 1e-4 * np.linalg.norm(theirs), difference


def members_of(rule: str, normalization: str, number: int, units=(8,)):
    """Every penalty under one rule, losses, activations and places of the norm taken in turn."""
    loss = LOSSES[number % len(LOSSES)]
    base = {
        "units": units,
        "activation": ACTIVATIONS[number % len(ACTIVATIONS)],
        "normalization": normalization,
        "norm_position": ("before", "after")[RULES.index(rule) % 2],
        "groups": 2,  # of 4 units: pairs normalise to ±1, which amplifies rounding step by step
        "optimizer": rule,
        # Steps of plain gradients are 36 times as long there, and amplify rounding.
        "feature_scale": number % 2 == 1 and rule in ("rmsprop", "adam"),
        **loss_field(loss),
    }
    kernels = len(units) + 1
    penalties = [
        {name: v[:kernels] if isinstance(v, tuple) else v for name, v in p.items()}
        for p in PENALTIES
    ]
    configs = [StackConfig(**base, **p, learning_rate=RATES.get(rule, 0.01)) for p in penalties]
    # Numbers of the optimiser and the normalisation differ between members too.
    configs[1] = configs[1].replace(learning_rate=configs[1].learning_rate / 2, momentum=0.8)
    configs[1] = configs[1].replace(schedule="cosine", output_scale=0.5)
    configs[2] = configs[2].replace(weight_decay=0.1, rho=0.8, norm_momentum=0.7)
    configs[2] = configs[2].replace(schedule="cosine", global_clipnorm=0.3)
    configs[3] = configs[3].replace(norm_epsilon=0.01, initial_accumulator=0.3, weight_decay=0.02)
    if loss in ("softmax", "binary"):
        configs[3] = configs[3].replace(label_smoothing=0.2)
    if rule == "adam":
        configs.append(configs[0].replace(optimizer="adamw", weight_decay=0.05))
    return configs, [3, 4, 3, 4, 3][: len(configs)], loss


TABLE = list(enumerate(itertools.product(RULES, NORMALIZATIONS)))


def test_the_table_has_every_activation_loss_and_place():
    cases = [(members_of(rule, norm, i), norm) for i, (rule, norm) in TABLE]
    assert {configs[0].activation for (configs, *_), _ in cases} == set(ACTIVATIONS)
    assert {loss for (_, _, loss), _ in cases} == set(LOSSES)
    places = {(norm, configs[0].norm_position) for (configs, *_), norm in cases}
    assert len(places) == 2 * len(NORMALIZATIONS)


@pytest.mark.parametrize(
    ("number", "rule", "normalization"), [(i, rule, norm) for i, (rule, norm) in TABLE]
)
def test_float64_equals_keras_elementwise(number, rule, normalization, monkeypatch):
    """Every optimiser x normalisation x penalty, 21 steps: outputs, weights, metrics.

    Rules in turn with XLA, which takes large trainings, and without: every normalisation has both.
    """
    if RULES.index(rule) % 2:
        monkeypatch.setattr(sizes, "COMPILATION_FLOPS", 0.0)
    configs, seeds, loss = members_of(rule, normalization, number)
    # A second size of batch is a second compilation: every fifth case has a short last batch.
    count = SHORT if number % 5 == 0 else ROWS
    for member in compare_with_solo(configs, seeds, loss, "float64", count):
        assert_elementwise(member["before"])
        assert_elementwise(member["after"])
        assert_elementwise(member["weights"])
        curves, model = member["result"].curves, member["model"]
        penalty_now = float(sum(model.losses)) if model.losses else 0.0
        assert curves["penalty"][-1] == pytest.approx(penalty_now, rel=1e-8, abs=1e-12)


def population_gradients(population, x, y):
    """Gradients of data loss and penalty by trainable array, from the compiled room's own parts."""
    own, numbers = population.path.program_of(population.members)
    arrays = [
        tf.constant(np.stack(a))
        for a in zip(*(population.get_weights(k) for k in range(len(population))), strict=True)
    ]
    if population.blueprint.loss != "softmax":
        y = y.astype(x.dtype)
    data, statistics = own.gradients(arrays, numbers, x[None], y[None], None, {})
    with tf.GradientTape() as tape:
        tape.watch(arrays)
        extra = penalty(population.blueprint, own.named(arrays), own.named_values(numbers))
        extra = tf.reduce_sum(extra)
    extra = tape.gradient(extra, arrays, unconnected_gradients="zero")
    trainable = [i for i, p in enumerate(own.parameters) if p.trainable]
    return [d + extra[i] for d, i in zip(data, trainable, strict=True)], statistics


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradients_equal_keras(normalization, dtype):
    """Before any step: gradients of the full loss, and the moving statistics of the batch."""
    number = 20 + NORMALIZATIONS.index(normalization)
    configs, seeds, loss = members_of("adam", normalization, number, units=(8, 4))
    x, y, outputs, task = rows(loss, dtype)
    with keras_dtype(dtype):
        population = Population(configs, FEATURES, outputs, task, seeds=seeds, dtype=dtype)
        found, statistics = population_gradients(population, x, y)
        for k, (config, seed) in enumerate(zip(configs, seeds, strict=True)):
            model = solo_model(config, FEATURES, outputs, task, seed, population.get_weights(k))
            wanted = gradients(model, x, y)
            for ours, theirs in zip(found, wanted, strict=True):
                theirs = theirs.numpy()
                difference = np.abs(ours[k].numpy().reshape(theirs.shape) - theirs)
                if dtype == "float64":
                    assert difference.max() <= 1e-12
                else:
                    assert np.linalg.norm(difference) <= 1e-4 * np.linalg.norm(theirs)
            for (layer, name), value in statistics.items():
                layer = model.get_layer(population.blueprint.layers[layer].name)
                theirs = getattr(layer, name).numpy()
                tolerance = 1e-12 if dtype == "float64" else 1e-6
                np.testing.assert_allclose(value[k, 0], theirs, rtol=tolerance, atol=tolerance)


FLOAT32 = [
    (0, "sgd", "none"),
    (5, "momentum", "batch"),
    (10, "nesterov", "layer"),
    (15, "adagrad", "group"),
    (17, "rmsprop", "batch"),
    (21, "adam", "batch"),
]


@pytest.mark.parametrize(("number", "rule", "normalization"), FLOAT32)
def test_float32_equals_keras_in_norm(number, rule, normalization):
    """Every optimiser and normalisation in the precision that people train in, two layers deep."""
    configs, seeds, loss = members_of(rule, normalization, number, units=(8, 8))
    # At the larger steps of the table Keras' own float32 is already 5e-6 away from its float64.
    configs = [config.replace(learning_rate=config.learning_rate / 2) for config in configs]
    for member in compare_with_solo(configs[2:], seeds[2:], loss, "float32"):
        assert_same_in_float32(member["before"], ([], []))
        assert_same_in_float32(member["after"], member["weights"])


def test_the_program_of_large_kernels_is_the_same(monkeypatch):
    """Where the step is not compiled as one: the rest of this file has small kernels."""
    monkeypatch.setattr(program, "_fuse_whole_step", lambda blueprint: False)
    program.program.cache_clear()
    configs, seeds, loss = members_of("adam", "batch", 20)
    for member in compare_with_solo(configs, seeds, loss, "float64", SHORT):
        assert_elementwise(member["after"])
        assert_elementwise(member["weights"])
    program.program.cache_clear()


def test_initial_kernels_are_those_of_build_stack():
    configs = [
        StackConfig(units=(5, 4), initializer=i, initial_scale=s)
        for i, s in (("he", 1.0), ("xavier", 0.5), ("glorot", 2.0), (0.01, 1.0))
    ]
    population = Population(configs * 2, FEATURES, 3, seeds=[0] * 4 + [7] * 4)
    for k, member in enumerate(population.members):
        model = build_stack(member.config, FEATURES, 3, seed=member.seed)
        for ours, theirs in zip(population.get_weights(k), model_weights(model), strict=True):
            np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=1e-6, atol=1e-9)


def test_dropout_is_exact_under_equal_masks():
    """Rates of one, per layer, on the input: both sides drop where the contract's draws say."""
    base = StackConfig(units=(16, 8), activation="tanh", learning_rate=0.01)
    configs = [
        base,
        base.replace(dropout=0.5),
        base.replace(dropout=(0.2, 0.6), input_dropout=0.1),
        base.replace(input_dropout=0.3, l2=0.01),
    ]
    seeds = [0, 0, 1, 5]
    for member in compare_with_solo(configs, seeds, "softmax", "float64"):
        assert_elementwise(member["after"])
        assert_elementwise(member["weights"])


# Of a softmax: test_population_training, with class weights.
@pytest.mark.parametrize("loss", ["binary", "mse"])
def test_sample_weights_are_those_of_keras(loss):
    weight = np.random.default_rng(1).uniform(0, 3, ROWS)
    configs = [StackConfig(units=(8,), activation="tanh", l2=v, **loss_field(loss)) for v in (0, 1)]
    for member in compare_with_solo(configs, [0, 1], loss, "float64", weight=weight):
        assert_elementwise(member["weights"])
