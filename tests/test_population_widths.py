"""Widths are values: a narrow member of a wide population is the narrow network alone."""

import keras
import numpy as np
import pytest
import test_population_general as general
from solo_training import GivenMask, keras_dtype, model_weights, train_solo

from kerasreg.errors import UserError
from kerasreg.population import Population
from kerasreg.population.general import own_widths

L = keras.layers
ROWS, FEATURES, CLASSES = 22, 5, 3
WIDTHS, WIDE = [(3, 2), (4, 7), (8, 5)], (8, 7)
EXACT = {"beta_1": 0.875, "beta_2": 1 - 2.0**-7, "epsilon": 2.0**-20}


def zero_at_zero(units, noise):
    """What is padded stays 0 by itself."""
    penalty = keras.regularizers.L1L2(2.0**-9, 2.0**-6)
    return [
        L.Dense(units[0], activation="relu", kernel_regularizer=penalty),
        L.BatchNormalization(momentum=0.75),
        noise(0.25, 1),
        L.Dense(units[1], activation="tanh", kernel_regularizer=penalty),
        noise(0.5, 2),
    ]


def masked(units, noise):
    """What is padded is masked: f(0) is not 0, or statistics are taken over units."""
    return [
        L.Dense(units[0], activation="softplus"),
        L.LayerNormalization(),
        noise(0.25, 1),
        L.Dense(units[1], activation="sigmoid"),
        L.LayerNormalization(scale=False, center=False),
        L.Activation("exponential"),
    ]


def network(layers, units, noise, k):
    keras.utils.set_random_seed(k)
    model = keras.Sequential(
        [keras.Input((FEATURES,)), *layers(units, noise), L.Dense(CLASSES, activation="softmax")]
    )
    rate = 2.0 ** -(5 + k)
    optimizer = keras.optimizers.Adam(rate, **EXACT)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def problem():
    draw = np.random.default_rng(0)
    return draw.normal(size=(ROWS, FEATURES)), draw.integers(0, CLASSES, ROWS)


def keras_noise(rate, index):
    return L.Dropout(rate)


@pytest.mark.parametrize("layers", [zero_at_zero, masked])
def test_a_narrow_member_equals_the_narrow_network_alone(layers, tmp_path):
    """15 steps of Adam in float64, of three networks of which none is as wide as the arrays."""
    with keras_dtype("float64"):
        x, y = problem()
        models = [network(layers, units, keras_noise, k) for k, units in enumerate(WIDTHS)]
        initial = [model.get_weights() for model in models]
        population = Population.from_models(models, seeds=[4, 5, 5], widths=WIDE)
        population.fit(x, y, validation_data=(x, y), epochs=5, batch_size=8)
        for k, units in enumerate(WIDTHS):
            seed = (4, 5, 5)[k]

            def mask(rate, index, seed=seed):
                return GivenMask(seed, "dropout", index, rate, False, f"mask_{index}")

            alone = network(layers, units, mask, k)
            alone.set_weights(initial[k])
            train_solo(alone, x, y, seed, 5, 8)
            member = population.member(k)
            for ours, theirs in zip(model_weights(member), model_weights(alone), strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)
            outputs = member.predict(x, verbose=0)
            np.testing.assert_allclose(outputs, alone.predict(x, verbose=0), rtol=1e-10)
            # What is beyond its width is 0 to the last bit.
            for wide, narrow in zip(population.get_weights(k), model_weights(member), strict=True):
                assert np.count_nonzero(wide) == np.count_nonzero(narrow)
            population.save_weights(k, tmp_path / f"{k}.weights.h5")
            models[k].load_weights(tmp_path / f"{k}.weights.h5")
            np.testing.assert_array_equal(models[k].predict(x, verbose=0), outputs)
        before = population.predict(x)
        population.load_weights(0, tmp_path / "0.weights.h5")
        np.testing.assert_array_equal(population.predict(x)[0], before[0])


def convolution(units, noise):
    return [
        keras.Input((6, 6, 2)),
        L.Conv2D(units[0], 3, use_bias=False, kernel_regularizer=keras.regularizers.L2(2.0**-6)),
        L.BatchNormalization(momentum=0.75),
        L.ReLU(),
        noise(0.25, 0, True),
        L.MaxPooling2D(),
        L.Flatten(),
        L.Dense(units[1], activation="tanh"),
    ]


def recurrence(units, noise):
    return [
        keras.Input((5, 3)),
        L.Conv1D(4, 2, activation="relu"),
        L.GRU(units[0], return_sequences=True),
        L.LSTM(units[1]),
        noise(0.25, 0, False),
    ]


def keras_dropout(rate, index, spatial):
    return L.SpatialDropout2D(rate) if spatial else L.Dropout(rate)


@pytest.mark.parametrize("layers", [convolution, recurrence])
def test_filters_and_recurrent_units_are_values_too(layers, tmp_path):
    """4 steps of Adam in float64 on the general path."""
    with keras_dtype("float64"):
        draw = np.random.default_rng(0)
        shape = layers(WIDTHS[0], keras_dropout)[0].shape[1:]
        x, y = draw.normal(size=(general.ROWS, *shape)), draw.integers(0, CLASSES, general.ROWS)

        def model(k, noise):
            keras.utils.set_random_seed(k)
            made = keras.Sequential([*layers(WIDTHS[k], noise), L.Dense(CLASSES)])
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            made.compile(keras.optimizers.Adam(2.0 ** -(5 + k), **EXACT), loss)
            return made

        models = [model(k, keras_dropout) for k in range(3)]
        initial = [one.get_weights() for one in models]
        widths = WIDE if layers is convolution else (4, *WIDE)
        population = Population.from_models(models, seeds=[0, 1, 2], general=True, widths=widths)
        population.fit(x, y, validation_data=(x, y), epochs=general.EPOCHS, batch_size=8)
        for k in range(3):
            alone = model(k, lambda rate, i, s, k=k: general.PlainDropout(rate, k, i, s))
            alone.set_weights(initial[k])
            general.train_alone(alone, x, y, seed=k)
            member = population.member(k)
            general.assert_equal_arrays(member.get_weights(), alone.get_weights())
            for wide, narrow in zip(population.get_weights(k), member.get_weights(), strict=True):
                assert np.count_nonzero(wide) == np.count_nonzero(narrow)
            population.save_weights(k, tmp_path / f"{k}.weights.h5")
            models[k].load_weights(tmp_path / f"{k}.weights.h5")
            general.assert_equal_arrays(models[k].get_weights(), member.get_weights())
        population.load_weights(0, tmp_path / "0.weights.h5")
        outputs = member.predict(x, verbose=0)
        np.testing.assert_allclose(population.predict(x)[2], outputs, rtol=1e-10)


def excluding(model):
    model.optimizer.exclude_from_weight_decay(var_names=["bias"])


CONV = dict(filters=4, kernel_size=3)


@pytest.mark.parametrize(
    ("layers", "change"),
    [
        ([L.Conv2D(**CONV), L.LayerNormalization(), L.Flatten()], None),
        ([L.Conv2D(**CONV, activation="sigmoid"), L.Flatten()], None),
        ([L.Conv2D(**CONV), L.ReLU(threshold=0.5), L.Flatten()], None),
        ([L.Conv2D(**CONV, groups=2), L.Flatten()], None),
        ([L.Conv2D(**CONV, kernel_regularizer="orthogonal_regularizer"), L.Flatten()], None),
        ([L.Conv2D(**CONV), L.BatchNormalization(axis=1), L.Flatten()], None),
        ([L.Conv2D(**CONV), L.Flatten(), L.Dropout(0.5)], None),
        ([L.Conv2D(**CONV), L.Dropout(0.5, noise_shape=(None, 1, 1, 4)), L.Flatten()], None),
        ([L.Conv2D(**CONV), L.Flatten()], excluding),
    ],
)
def test_a_model_that_needs_more_than_zeros_keeps_its_widths(layers, change):
    model = keras.Sequential([keras.Input((6, 6, 2)), *layers, L.Dense(CLASSES)])
    model.compile(keras.optimizers.AdamW(), "mse")
    if change is not None:
        assert own_widths(model) == (4,)
        change(model)
    assert own_widths(model) == ()
    with pytest.raises(UserError, match=r"widths: expected None or larger .* got \(8,\)"):
        Population.from_models([model], general=True, widths=(8,))


def test_sequences_of_any_length_keep_their_widths():
    model = keras.Sequential([keras.Input((None, 3)), L.LSTM(4), L.Dense(1)])
    model.compile("adam", "mse")
    assert own_widths(model) == ()


def test_widths_too_small_or_groups_of_units_are_refused():
    with pytest.raises(UserError, match=r"at least \(3, 2\) .* got \(8, 1\)"):
        Population.from_models([network(masked, (3, 2), keras_noise, 0)], widths=(8, 1))
    layers = [keras.Input((FEATURES,)), L.Dense(4), L.GroupNormalization(2), L.Dense(CLASSES)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    with pytest.raises(UserError, match="no group normalization"):
        Population.from_models([model], widths=(8,))
