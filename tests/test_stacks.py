"""One builder of stacks: what it refuses, what it writes down, what it builds."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasreg.errors import UserError
from kerasreg.losses import SmoothedCrossentropy
from kerasreg.stacks import (
    ACTIVATIONS,
    AUGMENTATIONS,
    HEADS,
    INITIALIZERS,
    LOSSES,
    NORMALIZATIONS,
    OPTIMIZERS,
    POOLINGS,
    SCHEDULES,
    StackConfig,
    build_stack,
    l2_from_lambda,
    l2_from_weight_decay,
    lambda_from_l2,
)

INF, NAN = float("inf"), float("nan")

# field, value, part of the message
REFUSED = [
    ("filters", (0,), "positive widths"),
    ("kernel_size", 0, "whole number from 1"),
    ("pooling", "mean", "one of max, average, none"),
    ("head", "dense", "one of flatten, gap"),
    ("spatial_dropout", 1.0, "[0, 1)"),
    ("shift", 1.0, "[0, 1)"),
    ("rotation", -0.1, "[0, 1)"),
    ("zoom", NAN, "finite"),
    ("contrast", 1.0, "[0, 1)"),
    ("erase", 1.0, "[0, 1)"),
    ("flip", "both", "one of none, horizontal, vertical"),
    ("spatial_dropout", (0.1,), "0 (one per convolution), got 1"),
    ("units", (0,), "positive widths"),
    ("units", (8, -1), "positive widths"),
    ("units", (8.0,), "whole numbers"),
    ("units", "8", "whole numbers"),
    ("units", (True,), "whole numbers"),
    ("activation", "Relu", "one of relu, "),
    ("normalization", "instance", "one of none, batch, layer, group"),
    ("groups", 3, "divisor"),
    ("groups", 8, "two units a group"),
    ("groups", 0, "whole number from 1"),
    ("groups", 2.0, "whole number from 1"),
    ("norm_position", "inside", "one of before, after"),
    ("norm_momentum", 1.0, "[0, 1)"),
    ("norm_momentum", -0.1, "[0, 1)"),
    ("norm_epsilon", 0.0, "(0, inf)"),
    ("dropout", 1.0, "[0, 1)"),
    ("dropout", -0.1, "[0, 1)"),
    ("dropout", NAN, "finite"),
    ("dropout", (0.1,), "2 (one per hidden layer), got 1"),
    ("dropout", (0.1, 1.5), "[0, 1)"),
    ("dropout", "0.5", "list of numbers"),
    ("input_dropout", 1.0, "[0, 1)"),
    ("input_dropout", None, "finite number"),
    ("l1", -1e-3, "[0, inf)"),
    ("l1", (0.1, 0.1), "3 (one per penalised kernel), got 2"),
    ("l2", INF, "finite"),
    ("l2", (0.1, 0.1, 0.1, 0.1), "3 (one per penalised kernel), got 4"),
    ("l2", (0.1, 0.1, -0.1), "[0, inf)"),
    ("penalize_output", 1, "True or False"),
    ("initializer", "lecun", "or a standard deviation"),
    ("initializer", -1.0, "[0, inf)"),
    ("initial_scale", 0.0, "(0, inf)"),
    ("output_scale", 0.0, "(0, inf)"),
    ("feature_scale", 1, "True or False"),
    ("encoding", "one-hot", "one of standard, smooth"),
    ("schedule", "linear", "one of constant, cosine"),
    ("global_clipnorm", -1.0, "[0, inf)"),
    ("optimizer", "lion", "one of sgd, momentum"),
    ("learning_rate", 0.0, "(0, inf)"),
    ("learning_rate", "fast", "finite number"),
    ("momentum", 1.0, "[0, 1)"),
    ("weight_decay", -0.1, "[0, inf)"),
    ("rho", 1.0, "[0, 1)"),
    ("initial_accumulator", -0.1, "[0, inf)"),
    ("label_smoothing", 1.0, "[0, 1)"),
    ("loss", "hinge", "one of mse, mae, huber"),
]


@pytest.mark.parametrize(("field", "value", "expected"), REFUSED)
def test_a_bad_value_is_refused_by_name(field, value, expected):
    with pytest.raises(UserError) as caught:
        StackConfig(**{"units": (8, 8), "normalization": "group", "groups": 2, field: value})
    message = str(caught.value)
    assert message.startswith(f"{field}: ")
    assert expected in message
    assert "\n" not in message


def test_every_field_has_a_row():
    assert {field for field, *_ in REFUSED} == {f.name for f in dataclasses.fields(StackConfig)}


def test_without_an_output_penalty_strengths_are_one_per_hidden_kernel():
    config = StackConfig(units=(4, 4), l2=(0.1, 0.2), penalize_output=False)
    assert config.kernel_l2 == (0.1, 0.2, 0.0)
    with pytest.raises(UserError, match=r"2 [(]one per penalised kernel[)], got 3"):
        config.replace(l2=(0.1, 0.2, 0.3))


def test_an_unknown_field_names_the_nearest():
    with pytest.raises(UserError, match="'droput'; did you mean dropout"):
        StackConfig.from_dict({"droput": 0.5})
    with pytest.raises(UserError, match="mapping"):
        StackConfig.from_dict([])


def test_one_width_stands_for_a_list():
    assert StackConfig(units=8) == StackConfig(units=(8,))
    assert StackConfig(units=()).units == ()


def numbers(low, high, **options):
    return st.floats(low, high, allow_nan=False, **options)


@st.composite
def stack_configs(draw):
    """Any valid `StackConfig`."""
    groups = draw(st.integers(1, 4))
    units, filters = (
        tuple(groups * n for n in draw(st.lists(st.integers(2, 6), max_size=size)))
        for size in (4, 2)
    )
    rate, strength = numbers(0, 1, exclude_max=True), numbers(0, 1e6)
    penalize_output = draw(st.booleans())

    def one_or(values, count):
        return draw(st.one_of(values, st.tuples(*[values] * count)))

    kernels = len(filters) + len(units) + penalize_output
    positive = numbers(0, 1e6, exclude_min=True)
    return StackConfig(
        filters=filters,
        kernel_size=draw(st.integers(1, 5)),
        pooling=draw(st.sampled_from(POOLINGS)),
        head=draw(st.sampled_from(HEADS)),
        flip=draw(st.sampled_from(["none", "horizontal", "vertical"])),
        **{name: draw(rate) for name in AUGMENTATIONS},
        spatial_dropout=one_or(rate, len(filters)),
        units=units,
        activation=draw(st.sampled_from(ACTIVATIONS)),
        normalization=draw(st.sampled_from(NORMALIZATIONS)),
        groups=groups,
        norm_position=draw(st.sampled_from(["before", "after"])),
        norm_momentum=draw(rate),
        norm_epsilon=draw(positive),
        dropout=one_or(rate, len(units)),
        input_dropout=draw(rate),
        l1=one_or(strength, kernels),
        l2=one_or(strength, kernels),
        penalize_output=penalize_output,
        initializer=draw(st.one_of(st.sampled_from(INITIALIZERS), strength)),
        initial_scale=draw(positive),
        output_scale=draw(positive),
        feature_scale=not filters and draw(st.booleans()),
        schedule=draw(st.sampled_from(SCHEDULES)),
        global_clipnorm=draw(strength),
        optimizer=draw(st.sampled_from(OPTIMIZERS)),
        learning_rate=draw(positive),
        momentum=draw(rate),
        weight_decay=draw(strength),
        rho=draw(rate),
        initial_accumulator=draw(strength),
        label_smoothing=draw(rate),
        loss=draw(st.sampled_from(LOSSES)),
    )


@settings(max_examples=100, deadline=None)
@given(stack_configs())
def test_json_round_trip(config):
    copy = StackConfig.from_dict(json.loads(config.to_json()))
    assert copy == config
    assert hash(copy) == hash(config)
    assert copy.structure() == config.structure()
    assert StackConfig.from_dict(config.to_dict()) == config


@settings(max_examples=50, deadline=None)
@given(stack_configs())
def test_the_baseline_keeps_the_shape_and_no_regulariser(config):
    plain = config.unregularized()
    assert (plain.filters, plain.units) == (config.filters, config.units)
    assert plain.optimizer == config.optimizer
    assert not any(plain.dropout_rates + plain.kernel_l1 + plain.kernel_l2)
    assert not plain.augmented
    assert (plain.normalization, plain.weight_decay, plain.input_dropout) == ("none", 0, 0)


def compiled(config, seed=0, features=5, outputs=3, task="classification"):
    return build_stack(config, features, outputs, task, seed=seed)


def batch(features=5, rows=12):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows, features)).astype("float32")
    return x, draw.integers(0, 3, rows).astype("int32")


def loss_gradients(model, x, y):
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True))
    return [g.numpy() for g in tape.gradient(loss, model.trainable_variables)]


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        ({"l2": 0.3}, lambda w: 2 * 0.3 * w),
        ({"l1": 0.3}, lambda w: 0.3 * np.sign(w)),
        ({"l1": 0.2, "l2": 0.1}, lambda w: 0.2 * np.sign(w) + 2 * 0.1 * w),
        # The notes' penalty 1/2 * lambda * sum w^2 has the gradient lambda * w.
        ({"l2": l2_from_lambda(0.5)}, lambda w: 0.5 * w),
    ],
)
def test_penalty_gradients_in_closed_form(penalty, expected):
    x, y = batch()
    plain, penalised = (compiled(StackConfig(units=(4,), **p)) for p in ({}, penalty))
    before, after = loss_gradients(plain, x, y), loss_gradients(penalised, x, y)
    for variable, without, with_penalty in zip(
        penalised.trainable_variables, before, after, strict=True
    ):
        wanted = expected(variable.numpy()) if variable.name == "kernel" else 0.0
        np.testing.assert_allclose(with_penalty - without, wanted, atol=1e-6)


def test_lambda_and_l2_are_inverse():
    assert lambda_from_l2(l2_from_lambda(0.37)) == pytest.approx(0.37)


def step(model, x, y):
    """One Keras update; the weights after it by (layer, variable)."""
    model.train_on_batch(x, y)
    return {v.path: v.numpy() for v in model.trainable_variables}


def test_decoupled_decay_of_sgd_is_its_l2():
    x, y = batch()
    decay = step(compiled(StackConfig(units=(4,), optimizer="sgd", weight_decay=0.4)), x, y)
    l2 = l2_from_weight_decay(0.4)
    coupled = step(compiled(StackConfig(units=(4,), optimizer="sgd", l2=l2)), x, y)
    for name, value in decay.items():
        np.testing.assert_allclose(value, coupled[name], atol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weight_decay_shrinks_kernels_and_nothing_else(optimizer):
    """w - rate * decay * w on kernels, on top of the same step; biases and norms left alone."""
    config = StackConfig(
        units=(4,), normalization="batch", norm_position="after", optimizer=optimizer
    )
    config = config.replace(learning_rate=0.1)
    plain, decayed = compiled(config), compiled(config.replace(weight_decay=0.5))
    assert decayed.optimizer.weight_decay == 0.5
    zero = [tf.zeros(v.shape) for v in plain.trainable_variables]
    for model in (plain, decayed):
        for variable in model.trainable_variables:
            variable.assign(tf.fill(variable.shape, 2.0))
        model.optimizer.apply_gradients(zip(zero, model.trainable_variables, strict=True))
    for before, after in zip(plain.trainable_variables, decayed.trainable_variables, strict=True):
        np.testing.assert_allclose(before.numpy(), 2.0)
        wanted = 2.0 * (1 - 0.1 * 0.5) if after.name == "kernel" else 2.0
        np.testing.assert_allclose(after.numpy(), wanted, rtol=1e-6)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("position", ["before", "after"])
def test_layers_stand_in_order_and_no_bias_before_a_normalisation(normalization, position):
    config = StackConfig(
        units=(4, 4),
        normalization=normalization,
        groups=2,
        norm_position=position,
        dropout=(0.5, 0.0),
        input_dropout=0.1,
    )
    model = compiled(config)
    norm = ["norm_1"] if normalization != "none" else []
    block = ["dense_1", *norm, "activation_1"]
    if position == "after":
        block = ["dense_1", "activation_1", *norm]
    second = [name.replace("1", "2") for name in block]
    names = ["inputs", "input_dropout", *block, "dropout_1", *second, "output"]
    assert [layer.name for layer in model.layers] == names
    biased = not (norm and position == "before")
    assert [model.get_layer(f"dense_{i}").use_bias for i in (1, 2)] == [biased] * 2
    assert model.get_layer("output").use_bias
    assert model.name == "stack"


@pytest.mark.parametrize(("head", "features"), [("flatten", 2 * 3 * 4), ("gap", 4)])
def test_convolutions_stand_before_the_dense_layers(head, features):
    config = StackConfig(
        filters=(2, 4),
        units=(5,),
        head=head,
        pooling="average",
        normalization="batch",
        dropout=0.5,
        spatial_dropout=(0.0, 0.5),
        l2=(0.1, 0.2, 0.3, 0.4),
    )
    model = build_stack(config, (5, 9), 3)
    first, second = ([f"conv_{k}", f"norm_{k}", f"activation_{k}", f"pooling_{k}"] for k in (1, 2))
    third = ["dense_3", "norm_3", "activation_3", "dropout_3"]
    assert [layer.name for layer in model.layers] == [
        *("inputs", "channels", *first, *second, "dropout_2", head, *third, "output")
    ]
    assert model.get_layer(head).output.shape == (None, features)
    kernels = [layer for layer in model.layers if hasattr(layer, "kernel")]
    assert [float(layer.kernel_regularizer.l2) for layer in kernels] == pytest.approx(config.l2)
    assert [layer.use_bias for layer in kernels] == [False, False, False, True]
    colour = build_stack(config.replace(pooling="none"), (5, 9, 3), 3)
    assert colour.get_layer("conv_2").output.shape == (None, 5, 9, 4)


def test_a_factor_a_pixel_is_refused():
    with pytest.raises(UserError, match=r"feature_scale: expected False with convolutions"):
        StackConfig(filters=4, feature_scale=True)


def test_initial_kernels_have_the_stated_deviation_and_their_own_draws():
    for initializer, variance in (("he", 2 / 300), ("xavier", 1 / 300), ("glorot", 2 / 500)):
        config = StackConfig(units=(200, 200), initializer=initializer, initial_scale=3.0)
        model = compiled(config, features=300)
        kernel = model.get_layer("dense_1").kernel.numpy()
        # 60,000 draws: the deviation is known to 0.3 %.
        assert kernel.std() == pytest.approx(3 * variance**0.5, rel=0.02)
        second = model.get_layer("dense_2").kernel.numpy()
        assert abs(np.corrcoef(kernel[:200].ravel(), second.ravel())[0, 1]) < 0.03
    images = build_stack(StackConfig(filters=(60, 60)), (6, 6, 30), 3)
    assert images.get_layer("conv_1").kernel.numpy().std() == pytest.approx(
        (2 / (9 * 30)) ** 0.5, rel=0.02
    )
    small = compiled(StackConfig(units=(200,), output_scale=0.1), outputs=200).get_layer("output")
    assert small.kernel.numpy().std() == pytest.approx(0.1 * (2 / 200) ** 0.5, rel=0.02)
    same = compiled(StackConfig(units=(8,)), seed=4).get_layer("dense_1").kernel.numpy()
    again = compiled(StackConfig(units=(8,)), seed=4).get_layer("dense_1").kernel.numpy()
    other = compiled(StackConfig(units=(8,)), seed=5).get_layer("dense_1").kernel.numpy()
    np.testing.assert_array_equal(same, again)
    assert np.abs(same - other).max() > 0.1


def test_inputs_are_scaled_by_factors_that_start_at_one_and_do_not_decay():
    model = compiled(StackConfig(units=(4,), feature_scale=True, weight_decay=0.5))
    x, _ = batch()
    until = keras.Model(model.input, model.get_layer("feature_scale").output)
    np.testing.assert_allclose(until(x), x, rtol=1e-6)
    decays = [v.path for v in model.trainable_variables if model.optimizer._use_weight_decay(v)]
    assert decays == ["dense_1/kernel", "output/kernel"]


def test_label_smoothing_is_in_the_training_loss_only():
    x, y = batch()
    smooth = compiled(StackConfig(units=(4,), label_smoothing=0.3, l2=0.1))
    plain = compiled(StackConfig(units=(4,), l2=0.1))
    got = smooth.evaluate(x, y, verbose=0, return_dict=True)
    wanted = plain.evaluate(x, y, verbose=0, return_dict=True)
    assert got["data_loss"] == pytest.approx(wanted["data_loss"], rel=1e-6)
    assert got["loss"] != pytest.approx(wanted["loss"], rel=1e-3)
    penalty = sum(float(term) for term in plain.losses)
    assert wanted["loss"] == pytest.approx(wanted["data_loss"] + penalty, rel=1e-6)


def test_smoothed_crossentropy_equals_keras_one_hot_loss():
    draw = np.random.default_rng(0)
    logits, labels = draw.normal(size=(9, 4)).astype("float32"), draw.integers(0, 4, 9)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    wanted = theirs(np.eye(4, dtype="float32")[labels], logits)
    assert float(SmoothedCrossentropy(0.3)(labels, logits)) == pytest.approx(float(wanted))
    loss = SmoothedCrossentropy(0.3)
    assert SmoothedCrossentropy.from_config(loss.get_config()).label_smoothing == 0.3
    with pytest.raises(UserError, match="label_smoothing"):
        SmoothedCrossentropy(1.0)


@pytest.mark.parametrize(
    ("task", "outputs", "loss", "metrics"),
    [
        ("classification", 3, "SparseCategoricalCrossentropy", {"data_loss", "accuracy"}),
        ("classification", 1, "BinaryCrossentropy", {"data_loss", "accuracy"}),
        ("regression", 1, "MeanSquaredError", {"data_loss", "mae"}),
    ],
)
def test_loss_and_metrics_follow_the_task(task, outputs, loss, metrics):
    model = compiled(StackConfig(units=(4,)), outputs=outputs, task=task)
    assert type(model.loss).__name__ == loss
    x, y = batch()
    found = model.evaluate(x, y % max(outputs, 2), verbose=0, return_dict=True)
    assert set(found) == {"loss", *metrics}


@pytest.mark.parametrize(
    ("shape", "outputs", "task", "expected"),
    [
        ((), 3, "classification", "input_shape"),
        ((4, 0), 3, "classification", "input_shape"),
        (2.5, 3, "classification", "input_shape"),
        (4, 0, "classification", "outputs"),
        (4, 2.0, "classification", "outputs"),
        (4, 3, "clustering", "task"),
    ],
)
def test_what_cannot_be_built_between_is_refused(shape, outputs, task, expected):
    with pytest.raises(UserError, match=f"^{expected}: "):
        build_stack(StackConfig(), shape, outputs, task)


def test_an_input_of_several_axes_is_flattened():
    model = build_stack(StackConfig(units=(4,)), (3, 5), 2)
    assert model.input_shape == (None, 3, 5)
    assert model.output_shape == (None, 2)
