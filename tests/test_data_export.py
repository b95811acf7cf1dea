"""Exported models: raw rows in, probabilities or quantities out, with Keras alone."""

import subprocess
import sys
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from kerasreg.data import ENCODINGS, from_arrays, from_frame, load, read_new_rows
from kerasreg.data._table import read_table
from kerasreg.errors import UserError
from kerasreg.stacks import StackConfig, build_stack


def stack_for(dataset, seed=0):
    """A small stack; the export must not depend on who built it."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(shape=dataset.input_shape)
    hidden = keras.layers.Dense(8, activation="relu")(keras.layers.Flatten()(inputs))
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
    assert dataset.input_shape == (4, 5, 3)
    model = stack_for(dataset)
    exported = dataset.export(model)
    assert exported.input_shape == (None, 4, 5, 3)
    x = (images / 255).astype(np.float32)
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


# --- tables ---

TEXTS = ["Paris", "Oslo\nline", "[unknown]", "😀", "שלום", "<script>", ""]
HOSTILE = [
    *("plain", "<b>bold</b>", "two\nlines", "\x07bell\x1b[31m", "a/b", "a_b", "name with space"),
    *("x" * 200, "😀", "שלום", "concatenate", "preprocessing", "stack", "probabilities"),
    *("exported", "input_layer", "prediction", "0", "-1", "training", "__proto__", "../../etc"),
]


def table_of(names, rows=90, seed=0):
    """A table with numbers, booleans and hostile texts, a fifth of it missing."""
    rng = np.random.default_rng(seed)
    columns = {}
    for index, name in enumerate(names):
        if index % 3 == 0:
            column = rng.normal(1e3 * index, 1 + index, rows)
            columns[name] = np.where(rng.random(rows) < 0.2, np.nan, column)
        elif index % 3 == 1:
            columns[name] = rng.choice(np.array(TEXTS, dtype=object), rows)
        else:
            columns[name] = rng.random(rows) < 0.5
    return columns


def features(dataset, columns):
    """What a dataset's, or a fold's, preprocessing makes of raw columns."""
    preprocessing = getattr(dataset, "_preprocessing", None) or dataset.preprocessing
    table, _ = read_table(pd.DataFrame(columns)[list(preprocessing.columns)])
    return preprocessing.transform(table, np.arange(len(table)))


@pytest.mark.parametrize("task", ["two", "many", "regression"])
def test_exported_tables_equal_the_preprocessed_path(task, tmp_path):
    columns = table_of(HOSTILE)
    rng = np.random.default_rng(1)
    target = {
        "two": np.arange(90) % 2,
        "many": np.array(["<i>", "ü", "3"])[np.arange(90) % 3],
        "regression": 1e4 + 300 * rng.normal(size=90),
    }[task]
    dataset = from_frame(pd.DataFrame(columns).assign(target=target), "target")
    model = stack_for(dataset)
    dataset.export(model).save(tmp_path / "best.keras")
    # Keras takes no "/" in a layer's name and says so on loading; the keys stay the columns'.
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "When providing `inputs` as a dict.*key '.*/", UserWarning
        )
        loaded = keras.models.load_model(tmp_path / "best.keras")

    # Rows the dataset has not seen: unknown texts, missing values where training had none.
    fresh = table_of(HOSTILE, rows=40, seed=7)
    fresh["<b>bold</b>"][:5] = "never seen"
    fresh["plain"][:5] = np.nan
    result = loaded.predict(fresh, verbose=0)
    np.testing.assert_allclose(
        result, expected(dataset, model, features(dataset, fresh)), rtol=1e-5, atol=1e-5
    )
    if task != "regression":
        assert result.shape == (40, dataset.outputs)
        assert np.all((result >= 0) & (result <= 1))
    if task == "many":
        np.testing.assert_allclose(result.sum(axis=1), 1, rtol=1e-5)

    # The same as tensors of one column each, in any order.
    tensors = {
        name: tf.constant(column.tolist() if column.dtype == object else column)[:, None]
        for name, column in reversed(fresh.items())
    }
    np.testing.assert_allclose(loaded(tensors).numpy(), result, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "columns",
    [
        {"only": np.arange(30.0)},
        {"only": np.array(["x", "y", "z"] * 10, dtype=object)},
        {"only": np.array(["[unknown]", "y", "z"] * 10, dtype=object)},
        {"a": np.arange(30), "fixed": np.full(30, "same", dtype=object)},
        {"a": np.where(np.arange(30) % 4 == 0, np.nan, 1.0)},
        {"time": 1.7e9 + 1e4 * np.arange(30.0)},
    ],
)
def test_small_tables_export(columns):
    dataset = from_frame(pd.DataFrame(columns).assign(y=np.arange(30) % 2), "y")
    model = stack_for(dataset)
    result = dataset.export(model).predict(columns, verbose=0)
    np.testing.assert_allclose(
        result, expected(dataset, model, features(dataset, columns)), rtol=1e-5, atol=1e-5
    )


ALONE = """
import importlib.abc, sys

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("kerasreg", "sklearn", "pandas"):
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Block())
import keras
import numpy as np

for name in ("table", "images", "encodings", "stack"):
    model = keras.models.load_model(f"{name}.keras", compile=name != "stack")
    with np.load(f"{name}.npz") as saved:
        raw = {key.removeprefix("raw:"): saved[key] for key in saved if key.startswith("raw:")}
        # Keras takes NumPy text as objects only.
        raw = {key: x.astype(object) if x.dtype.kind == "U" else x for key, x in raw.items()}
        result = model.predict(raw.get("x", raw), verbose=0)
        atol = 1e-6 if name == "stack" else 1e-5
        np.testing.assert_allclose(result, saved["expected"], rtol=1e-5, atol=atol)
assert "kerasreg" not in sys.modules
print("equal")
"""


def test_exported_models_and_a_bare_stack_predict_without_kerasreg(tmp_path):
    columns = table_of(["size", "place", "member"])
    columns["place"] = np.array(["Oslo", "Rome", ""] * 30)
    data = from_frame(pd.DataFrame(columns).assign(y=np.arange(90) % 3), "y")
    model = stack_for(data)
    data.export(model).save(tmp_path / "table.keras")
    wanted = expected(data, model, features(data, columns))
    raw = {f"raw:{name}": column for name, column in columns.items()}
    np.savez(tmp_path / "table.npz", expected=wanted, **raw)

    blocks, inputs = [], data.raw_inputs()
    for encoding in ENCODINGS:
        encoded = data.encoded(encoding)
        blocks.append((encoded.features_model()(inputs), features(encoded, columns)))
        for fold in encoded.folds(2, 0):
            blocks.append((encoded.features_model(fold)(inputs), features(fold, columns)))
    symbolic, wanted = zip(*blocks, strict=True)
    keras.Model(inputs, keras.layers.concatenate(symbolic)).save(tmp_path / "encodings.keras")
    np.savez(tmp_path / "encodings.npz", expected=np.hstack(wanted), **raw)

    images = np.random.default_rng(0).integers(0, 256, (60, 4, 4), dtype=np.uint8)
    data = from_arrays(images, np.arange(60) % 2)
    model = stack_for(data)
    data.export(model).save(tmp_path / "images.keras")
    wanted = expected(data, model, (images / 255).astype(np.float32))
    np.savez(tmp_path / "images.npz", expected=wanted, **{"raw:x": images})

    config = StackConfig(
        units=(8, 4), normalization="batch", dropout=0.3, l2=1e-3, label_smoothing=0.1
    )
    stack = build_stack(config, 5, 3, seed=0)
    x = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
    stack.train_on_batch(x, np.arange(12) % 3)
    stack.save(tmp_path / "stack.keras", include_optimizer=False)
    np.savez(tmp_path / "stack.npz", expected=stack.predict(x, verbose=0), **{"raw:x": x})

    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip().endswith("equal"), done.stderr


def messy_lines(rows, seed):
    """A German export: decimal commas, currency, dates, marks for missing, row numbers."""
    rng = np.random.default_rng(seed)
    lines = ["nr;Preis ;Anteil;Stadt;am;gut"]
    for index in range(rows):
        price = f"{rng.lognormal(8, 1):,.2f}".translate(str.maketrans(",.", ".,")) + " €"
        share = "-" if index % 9 == 4 else f"{rng.uniform(0, 100):.1f} %".replace(".", ",")
        town = rng.choice(["Köln", " Köln ", "Bonn", "NA"])
        day = pd.Timestamp("2021-05-01") + pd.Timedelta(days=int(rng.integers(0, 700)))
        lines.append(
            f"{index};{price};{share};{town};{day:%d.%m.%Y};{'ja' if index % 2 else 'nein'}"
        )
    return lines


def test_a_later_file_reaches_the_model_as_the_training_rows_did(tmp_path):
    (tmp_path / "t.csv").write_text("\n".join(messy_lines(90, 0)), encoding="cp1252")
    data = load(tmp_path / "t.csv", target="gut")
    model = data.export(stack_for(data))
    # The training file itself gives the features of training; its rows come in another order.
    rows, notes = read_new_rows(tmp_path / "t.csv", data.describe())
    assert notes == ("Anteil: 10 of 90 cells are missing",)
    assert set(rows) == {"Preis", "Anteil", "Stadt", *(n for n in rows if n.startswith("am: "))}
    stack = model.get_layer("stack")
    seen = np.concatenate([data.refit.x, data.read_test().x])
    np.testing.assert_allclose(
        np.sort(model.predict(rows, verbose=0)[:, 0]),
        np.sort(expected(data, stack, seen)[:, 0]),
        rtol=1e-5,
        atol=1e-6,
    )
    # Another file, in UTF-8, without the target and with a town that training did not know.
    later = [line.rpartition(";")[0] for line in messy_lines(20, 1)]
    later[3] = later[3].replace("Köln", "Trier").replace("Bonn", "Trier").replace("NA", "Trier")
    (tmp_path / "later.csv").write_text("\n".join(later), encoding="utf-8")
    rows, notes = read_new_rows(tmp_path / "later.csv", data.describe())
    assert "Stadt: training knew no 'Trier'; they count as no category" in notes
    assert model.predict(rows, verbose=0).shape == (20, 1)
    with pytest.raises(UserError, match="'Preis', 'am' are not there"):
        read_new_rows(pd.DataFrame({"Anteil": [1.0], "Stadt": ["Bonn"]}), data.describe())
