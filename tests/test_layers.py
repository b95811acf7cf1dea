"""Layers and model functions: round trips, gradients, closed forms, identities."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.layers import (
    ClassicDropout,
    check_cost_decreases,
    dropout_penalty,
    dropout_ridge,
    fold_batch_normalization,
    mc_dropout_predict,
    recalibrate_batch_normalization,
)

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(1.0, 2.0, (1000, 6)).astype("float32")


def stir(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give every weight a value that no default hides (variances stay positive)."""
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        value = generator.normal(0, 0.5, variable.shape)
        variable.assign(abs(value) + 0.2 if "variance" in variable.path else value)
    return model


def graph_with_norms() -> keras.Model:
    """Two pairs to fold, one behind an activation, one Dense used twice."""
    inputs = keras.Input((6,))
    a = L.Dense(8, use_bias=False, kernel_regularizer="l2", name="a")(inputs)
    a = L.Activation("relu")(L.BatchNormalization(name="a_norm")(a))
    a = L.Dropout(0.4)(a)
    b = L.Dense(8, name="b")(a)
    b = L.BatchNormalization(scale=False, center=False, epsilon=0.1, name="b_norm")(b)
    c = L.Dense(8, activation="tanh", name="c")(a)
    c = L.BatchNormalization(name="c_norm")(c)
    d = L.Dense(8, name="d")(a)
    e = L.BatchNormalization(name="d_norm")(d)
    return keras.Model(inputs, L.Dense(3, name="out")(L.Add()([b, c, d, e])))


# --- everything that serialises --------------------------------------------------------------


@pytest.mark.parametrize(
    "layer",
    [
        ClassicDropout(0.7, seed=3),
        ClassicDropout(1.0),
    ],
    ids=lambda layer: f"{type(layer).__name__}-{layer.get_config().get('keep', 'rate')}",
)
def test_round_trip_through_a_file(layer, tmp_path):
    model = keras.Sequential([keras.Input((6,)), L.Dense(5), layer, L.Dense(2)])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.layers[1]) is type(layer)
    assert again.layers[1].get_config() == layer.get_config()
    assert keras.saving.get_registered_name(type(layer)) == f"kerasreg>{type(layer).__name__}"
    for training in (False, True):
        np.testing.assert_array_equal(again(X, training=training), model(X, training=training))


# --- ClassicDropout --------------------------------------------------------------------------


def test_classic_dropout_masks_in_training_and_scales_at_inference():
    layer = ClassicDropout(0.8, seed=1)
    x = np.full((1000, 50), 3.0, "float32")
    trained = layer(x, training=True).numpy()
    assert set(np.unique(trained)) == {0.0, 3.0}
    kept = np.mean(trained > 0)
    assert abs(kept - 0.8) < 4 * np.sqrt(0.8 * 0.2 / x.size)
    np.testing.assert_allclose(layer(x, training=False), 0.8 * x, rtol=1e-6)
    np.testing.assert_allclose(layer(x), 0.8 * x, rtol=1e-6)
    assert not np.array_equal(layer(x, training=True), trained)  # a new mask each call
    np.testing.assert_array_equal(ClassicDropout(1.0)(x, training=True), x)


def test_classic_dropout_blocks_the_gradient_exactly_where_the_mask_is_zero():
    layer = ClassicDropout(0.5, seed=2)
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        value = tf.reduce_sum(y * 7.0)
    gradient = tape.gradient(value, x).numpy()
    dropped = y.numpy() == 0
    assert 0.4 < dropped.mean() < 0.6
    np.testing.assert_array_equal(gradient, np.where(dropped, 0.0, 7.0))


def test_classic_dropout_drops_what_is_not_finite():
    out = ClassicDropout(0.5, seed=2)(np.full((100,), np.inf, "float32"), training=True).numpy()
    assert set(out) == {0.0, np.inf}


def test_classic_and_inverted_dropout_are_the_same_network_after_scaling_kernels():
    def network(dropout):
        return keras.Sequential(
            [keras.Input((6,)), L.Dense(16, "relu"), dropout, L.Dense(3, name="after")]
        )

    inverted = stir(network(L.Dropout(0.3, seed=9)))
    classic = network(ClassicDropout(0.7, seed=9))
    classic.set_weights(inverted.get_weights())
    kernel, bias = inverted.get_layer("after").get_weights()
    classic.get_layer("after").set_weights([kernel / 0.7, bias])
    for training in (False, True):
        np.testing.assert_allclose(
            classic(X, training=training), inverted(X, training=training), atol=1e-5
        )


# --- Monte Carlo dropout ---------------------------------------------------------------------


NOISY = {
    "dropout": lambda: L.Dropout(0.5),
    "spatial": lambda: L.SpatialDropout1D(0.5),
    "gaussian": lambda: L.GaussianDropout(0.5),
    "alpha": lambda: L.AlphaDropout(0.5),
    "classic": lambda: ClassicDropout(0.5),
    "nested": lambda: keras.Sequential([keras.Input((6, 4)), L.Dropout(0.5)]),
}


@pytest.mark.parametrize("kind", NOISY)
def test_mc_dropout_samples_every_kind_of_dropout(kind):
    inputs = keras.Input((6,))
    hidden = L.BatchNormalization()(L.Dense(24)(inputs))
    hidden = NOISY[kind]()(L.Reshape((6, 4))(hidden))
    model = stir(keras.Model(inputs, L.Dense(2)(L.Flatten()(hidden))))
    before = model.get_weights()
    samples = mc_dropout_predict(model, X[:20], 3, seed=0, batch_size=8)
    assert samples.shape == (3, 20, 2)
    assert np.mean(samples[0] != samples[1]) > 0.5
    np.testing.assert_array_equal(
        samples, mc_dropout_predict(model, X[:20], 3, seed=0, batch_size=8)
    )
    assert np.any(samples != mc_dropout_predict(model, X[:20], 3, seed=1, batch_size=8))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_mc_dropout_keeps_batch_normalization_in_inference_mode():
    """Linear behind the mask: the mean over masks is the ordinary prediction, the spread known."""
    model = keras.Sequential(
        [keras.Input((6,)), L.Dense(8), L.BatchNormalization(), L.Dropout(0.4), L.Dense(1)]
    )
    stir(model)
    samples = mc_dropout_predict(model, X[:50], 2000, seed=4, batch_size=50)[..., 0]
    hidden = keras.Model(model.inputs, model.layers[1].output).predict(X[:50], verbose=0)
    kernel = model.layers[-1].get_weights()[0][:, 0]
    spread = np.sqrt(0.4 / 0.6 * (hidden**2) @ kernel**2)
    error = spread / np.sqrt(2000)
    np.testing.assert_array_less(
        np.abs(samples.mean(axis=0) - model.predict(X[:50], verbose=0)[:, 0]), 4.5 * error
    )
    np.testing.assert_allclose(samples.std(axis=0), spread, rtol=0.1)


def test_mc_dropout_gives_equal_layers_masks_of_their_own():
    inputs = keras.Input((6,))
    drop = [L.Dropout(0.5, seed=7)(inputs), L.Dropout(0.5, seed=7)(inputs)]
    model = keras.Model(inputs, L.Subtract()(drop))
    assert np.any(mc_dropout_predict(model, X[:5], 2, seed=0) != 0)


# --- folding ---------------------------------------------------------------------------------


def sequence_model() -> keras.Model:
    return keras.Sequential(
        [keras.Input((6,)), L.Dense(8), L.BatchNormalization(), L.ReLU(), L.Dense(3)]
    )


def steps_model() -> keras.Model:
    inputs = keras.Input((3, 2))
    hidden = L.BatchNormalization()(L.Dense(5)(inputs))
    return keras.Model(inputs, L.Flatten()(hidden))


@pytest.mark.parametrize(
    ("build", "folded", "kept"),
    [(graph_with_norms, 2, 2), (sequence_model, 1, 0), (steps_model, 1, 0)],
)
def test_folding_changes_no_prediction(build, folded, kept, tmp_path):
    model = stir(build())
    norms = [layer for layer in model.layers if isinstance(layer, L.BatchNormalization)]
    assert len(norms) == folded + kept
    result = fold_batch_normalization(model)
    left = [layer for layer in result.layers if isinstance(layer, L.BatchNormalization)]
    assert len(left) == kept
    x = X.reshape(-1, *model.input_shape[1:])
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(result.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-5)
    assert not result.losses
    result.save(tmp_path / "folded.keras")
    again = keras.models.load_model(tmp_path / "folded.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-5)


def test_folding_spares_a_dense_layer_whose_output_is_needed_as_it_is():
    inputs = keras.Input((6,))
    shared = L.Dense(4)
    first = L.BatchNormalization()(shared(inputs))
    twice = keras.Model(inputs, L.Add()([first, shared(inputs)]))
    with pytest.raises(UserError, match="Dense layer without activation"):
        fold_batch_normalization(twice)
    norm = L.BatchNormalization()
    dense = [L.Dense(4)(inputs), L.Dense(4)(inputs)]
    with pytest.raises(UserError, match="Dense layer without activation"):
        fold_batch_normalization(keras.Model(inputs, L.Add()([norm(branch) for branch in dense])))
    axis = L.BatchNormalization(axis=1)(L.Dense(3)(L.Reshape((3, 2))(inputs)))
    with pytest.raises(UserError, match="Dense layer without activation"):
        fold_batch_normalization(keras.Model(inputs, axis))


# --- recalibration ---------------------------------------------------------------------------


def test_recalibration_gives_population_statistics():
    model = stir(
        keras.Sequential(
            [
                keras.Input((6,)),
                L.Dense(4, use_bias=False, name="first"),
                L.BatchNormalization(name="norm_1", epsilon=0.01),
                L.ReLU(),
                L.Dropout(0.5),
                L.GaussianNoise(1.0),
                L.Dense(3, name="second"),
                L.BatchNormalization(name="norm_2", trainable=False),
            ]
        )
    )
    before = model.get_weights()
    result = recalibrate_batch_normalization(model, X, batch_size=8)
    biased = recalibrate_batch_normalization(model, X, batch_size=8, unbiased=False)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)

    # By hand: batch statistics layer by layer, averaged, in float64.
    z = X.astype(np.float64) @ model.get_layer("first").get_weights()[0]
    z = z.reshape(125, 8, 4)
    mean, variance = z.mean(axis=1), z.var(axis=1)
    gamma, beta = model.get_layer("norm_1").get_weights()[:2]
    h = (z - mean[:, None]) / np.sqrt(variance[:, None] + 0.01) * gamma + beta
    kernel, bias = model.get_layer("second").get_weights()
    z2 = np.maximum(h, 0) @ kernel + bias
    for name, values in (("norm_1", z), ("norm_2", z2)):
        norm = result.get_layer(name)
        np.testing.assert_allclose(norm.moving_mean, values.mean(axis=(0, 1)), atol=1e-5)
        unbiased = values.var(axis=1, ddof=1).mean(axis=0)
        np.testing.assert_allclose(norm.moving_variance, unbiased, rtol=1e-5)
        np.testing.assert_allclose(
            biased.get_layer(name).moving_variance, unbiased * 7 / 8, rtol=1e-5
        )
        for index in (0, 1):  # gamma and beta stay
            np.testing.assert_array_equal(
                norm.get_weights()[index], model.get_layer(name).get_weights()[index]
            )
    assert isinstance(result, keras.Sequential)
    assert result.get_layer("norm_1").momentum == 0.99
    assert not result.get_layer("norm_2").trainable
    assert not result.compiled


def test_unbiased_variance_does_not_depend_on_the_batch_size():
    """The point of m / (m - 1): at m = 2 the biased average is half the population variance."""
    x = RNG.normal(0, 1, (4000, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), L.BatchNormalization()])
    for batch_size in (2, 100):
        norm = recalibrate_batch_normalization(model, x, batch_size).layers[0]
        np.testing.assert_allclose(norm.moving_variance, 1.0, atol=4 * np.sqrt(4 / 4000))
    biased = recalibrate_batch_normalization(model, x, 2, unbiased=False).layers[0]
    np.testing.assert_allclose(biased.moving_variance, 0.5, atol=2 * np.sqrt(4 / 4000))


def test_recalibration_counts_positions_and_drops_the_short_last_batch():
    x = RNG.normal(0, 3, (11, 5, 2)).astype("float32")
    inner = keras.Sequential([keras.Input((5, 2)), L.BatchNormalization(name="norm")], name="inner")
    model = keras.Sequential([keras.Input((5, 2)), inner])
    model.compile("sgd", "mse")
    result = recalibrate_batch_normalization(model, x, batch_size=4)
    batches = x[:8].reshape(2, 20, 2)
    norm = result.get_layer("inner").get_layer("norm")
    np.testing.assert_allclose(
        norm.moving_variance, batches.var(axis=1, ddof=1).mean(axis=0), rtol=1e-5
    )
    np.testing.assert_allclose(norm.moving_mean, batches.mean(axis=(0, 1)), atol=1e-6)
    assert result.compiled


def test_recalibration_repairs_averages_that_lag():
    model = keras.Sequential([keras.Input((6,)), L.BatchNormalization()])
    result = recalibrate_batch_normalization(model, X, 1000)
    out = result.predict(X, verbose=0)
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(out.std(axis=0), 1, atol=2e-3)


# --- dropout in linear regression ------------------------------------------------------------


def linear_problem():
    generator = np.random.default_rng(5)
    x = generator.normal(0, 1, (60, 10)) * np.arange(1, 11)
    return x, x @ generator.normal(0, 1, 10) + generator.normal(0, 5, 60)


@pytest.mark.parametrize("keep", [0.5, 0.8, np.linspace(0.3, 1.0, 10)], ids=["half", "most", "own"])
def test_dropout_ridge_is_where_the_gradient_over_masks_vanishes(keep):
    x, y = linear_problem()
    w = dropout_ridge(x, y, keep)
    generator = np.random.default_rng(6)
    gradients = []
    for _ in range(4000):
        dropped = x * (generator.random(x.shape) < keep) / keep
        gradients.append(dropped.T @ (dropped @ w - y))
    gradients = np.array(gradients)
    error = gradients.std(axis=0, ddof=1) / np.sqrt(len(gradients))
    assert np.all(np.abs(gradients.mean(axis=0)) < 4 * error)
    plain = np.linalg.lstsq(x, y, rcond=None)[0]  # the test must tell them apart
    assert np.abs(x.T @ (x @ w - y)).max() > 1
    assert not np.allclose(w, plain)


def test_dropout_penalty_is_the_expected_extra_cost():
    x, y = linear_problem()
    w = np.linspace(-1, 1, 10)
    generator = np.random.default_rng(7)
    costs = np.array(
        [np.sum((y - x * (generator.random(x.shape) < 0.6) / 0.6 @ w) ** 2) for _ in range(4000)]
    )
    expected = np.sum((y - x @ w) ** 2) + w @ dropout_penalty(x, 0.6) @ w
    assert abs(costs.mean() - expected) < 4 * costs.std() / np.sqrt(4000)


def test_dropout_ridge_on_standardised_columns_is_plain_ridge():
    x, y = linear_problem()
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    strength = 60 * 0.2 / 0.8
    expected = np.linalg.solve(x.T @ x + strength * np.eye(10), x.T @ y)
    np.testing.assert_allclose(dropout_ridge(x, y, 0.8), expected)
    both = dropout_ridge(x, np.stack([y, -y], axis=1), 0.8)
    np.testing.assert_allclose(both, np.stack([expected, -expected], axis=1))


# --- the check of the cost ----------------------------------------------------


def classifier(dropout: float) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((6,)),
            L.Dense(16, "relu", kernel_regularizer=keras.regularizers.L2(0.01)),
            L.BatchNormalization(),
            L.Dropout(dropout),
            L.GaussianNoise(dropout),
            L.Dense(3),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return stir(model)


LABELS = (X[:, 0] > 1).astype("int32") + (X[:, 1] > 1)


def test_the_cost_falls_with_dropout_off_and_the_model_stays_as_it_is():
    model = classifier(0.5)
    before = model.get_weights()
    check = check_cost_decreases(model, X, LABELS, learning_rate=0.05, steps=30)
    assert check.decreases
    assert len(check.costs) == 31
    assert check.costs[-1] < check.costs[0]
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    # Dropout was off: the model without any has the same costs.
    assert check.costs == check_cost_decreases(classifier(0.0), X, LABELS, 0.05, 30).costs
    # The first cost is Keras' own on the whole data as one batch, penalty included.
    plain = classifier(0.0)
    plain.optimizer = keras.optimizers.SGD(0.0)
    expected = plain.train_on_batch(X, LABELS)
    assert check.costs[0] == pytest.approx(float(np.ravel(expected)[0]), rel=1e-5)


def test_a_learning_rate_too_large_is_seen():
    check = check_cost_decreases(classifier(0.0), X, LABELS, learning_rate=30.0, steps=10)
    assert check.increases > 0
    assert not check.decreases


# --- bad input -------------------------------------------------------------------------------


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def two_inputs() -> keras.Model:
    inputs = [keras.Input((6,)), keras.Input((6,))]
    return keras.Model(inputs, L.Add()(inputs))


def plain() -> keras.Model:
    return keras.Sequential([keras.Input((6,)), L.Dense(2)])


def normalised(**arguments) -> keras.Model:
    return keras.Sequential([keras.Input((6,)), L.BatchNormalization(**arguments)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ClassicDropout(0.0), r"keep: .*got 0\.0"),
        (lambda: ClassicDropout(1.5), r"keep: .*got 1\.5"),
        (lambda: mc_dropout_predict(plain(), X, 2, 0), "without any"),
        (lambda: mc_dropout_predict(plain(), X, 0, 0), "samples: .*got 0"),
        (lambda: mc_dropout_predict(plain(), X, 1, 0, batch_size=0), "batch_size: .*got 0"),
        (lambda: mc_dropout_predict(Subclassed(), X, 2, 0), "Subclassed"),
        (lambda: mc_dropout_predict(two_inputs(), X, 2, 0), "with 2 and 1"),
        (lambda: fold_batch_normalization(keras.Sequential([L.Dense(2)])), "built Sequential"),
        (lambda: fold_batch_normalization(plain()), "without such a pair"),
        (lambda: recalibrate_batch_normalization(plain(), X, 10), "without any"),
        (lambda: recalibrate_batch_normalization(normalised(), X, 1001), "batch_size: .*got 1001"),
        (lambda: recalibrate_batch_normalization(normalised(), X, 1), "at least 2 values"),
        (
            lambda: recalibrate_batch_normalization(normalised(renorm=True), X, 10),
            "renorm=True",
        ),
        (lambda: dropout_penalty(np.ones(3), 0.5), r"shape \(3,\)"),
        (lambda: dropout_penalty(np.full((2, 2), np.nan), 0.5), "NaN"),
        (lambda: dropout_penalty(np.ones((2, 2)), 0.0), r"keep: .*got 0\.0"),
        (lambda: dropout_penalty(np.ones((2, 2)), [0.5] * 3), r"keep: .*shape \(3,\)"),
        (lambda: dropout_ridge(np.ones((2, 2)), np.ones(3), 0.5), r"y: .*shape \(3,\)"),
        (lambda: dropout_ridge(np.ones((2, 2)), np.ones(2), 1.0), "linearly dependent"),
        (lambda: check_cost_decreases(plain(), X, LABELS), "compiled with one loss"),
        (lambda: check_cost_decreases(classifier(0.0), X, LABELS, steps=0), "steps: .*and 0"),
        (
            lambda: check_cost_decreases(classifier(0.0), X, LABELS, -1.0),
            r"learning_rate.*-1\.0",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(call, message):
    with pytest.raises(UserError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
