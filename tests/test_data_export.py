"""Exported models: raw rows in, probabilities or quantities out, with Keras alone."""

import keras
import numpy as np
import pytest

from kerasreg.data import from_arrays, load
from kerasreg.errors import UserError


def stack_for(dataset, seed=0):
    """A small stack; the export must not depend on who built it."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(shape=dataset.input_shape)
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    hidden = keras.layers.BatchNormalization()(hidden)
    hidden = keras.layers.Dropout(0.5)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(dataset.outputs)(hidden))
    model.compile(optimizer="adam", loss="mse")
    return model


def expected(dataset, model, x):
    """Predictions from preprocessed rows, by NumPy."""
    logits = model.predict(x, verbose=0).astype(np.float64)
    if dataset.task == "regression":
        return logits * dataset.target_scale + dataset.target_offset
    if dataset.outputs == 1:
        return 1 / (1 + np.exp(-logits))
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine", "diabetes"])
def test_exported_array_model_equals_the_preprocessed_path(name, tmp_path):
    from sklearn import datasets

    dataset = load(name)
    raw = getattr(datasets, f"load_{name}")().data
    model = stack_for(dataset)
    dataset.export(model).save(tmp_path / "best.keras")
    loaded = keras.models.load_model(tmp_path / "best.keras")
    x = dataset._preprocessing.transform(raw, np.arange(len(raw)))
    np.testing.assert_allclose(
        loaded.predict(raw, verbose=0), expected(dataset, model, x), rtol=1e-5, atol=1e-5
    )
    assert not loaded.compiled


def test_images_enter_an_exported_model_in_their_raw_shape():
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 5, 3), dtype=np.uint8)
    dataset = from_arrays(images, np.arange(60) % 3)
    assert dataset.input_shape == (60,)
    model = stack_for(dataset)
    exported = dataset.export(model)
    assert exported.input_shape == (None, 4, 5, 3)
    x = (images / 255).reshape(60, 60).astype(np.float32)
    np.testing.assert_allclose(
        exported.predict(images, verbose=0), expected(dataset, model, x), rtol=1e-5, atol=1e-6
    )


def test_training_on_does_not_change_an_exported_model():
    dataset = load("iris")
    model = stack_for(dataset)
    exported = dataset.export(model)
    rows = np.ones((2, 4), dtype=np.float32)
    before = exported.predict(rows, verbose=0)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    np.testing.assert_array_equal(exported.predict(rows, verbose=0), before)


def test_a_model_of_other_data_is_refused():
    with pytest.raises(UserError, match="takes rows of shape"):
        load("iris").export(stack_for(load("wine")))
