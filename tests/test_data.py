"""Datasets: what is split, scaled, counted and refused."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from kerasreg.data import NAMES, from_arrays, from_frame, load
from kerasreg.data._splitting import fold_rows, split_rows, subset_rows
from kerasreg.errors import UserError

BUNDLED = {
    "digits": (1797, 64, 10),
    "breast_cancer": (569, 30, 1),
    "wine": (178, 13, 3),
    "iris": (150, 4, 3),
    "diabetes": (442, 10, 1),
}


def numbers(rows=60, columns=3, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, columns))


def mixed_frame(rows=100, seed=0):
    """A table with numbers, text, booleans, missing values and two classes."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(50, 10, rows),
            "city": rng.choice(["Paris", "Oslo", "Rome"], rows),
            "member": rng.random(rows) < 0.5,
            "visits": rng.integers(0, 9, rows),
            "outcome": np.where(np.arange(rows) % 3 == 0, "good", "bad"),
        }
    )
    frame.loc[frame.index % 7 == 0, "age"] = np.nan
    frame.loc[frame.index % 11 == 0, "city"] = None
    return frame


# --- what a dataset is ---


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets(name):
    rows, features, outputs = BUNDLED[name]
    data = load(name)
    assert data.name == name
    assert data.input_shape == (features,)
    assert len(data.feature_names) == features
    assert data.outputs == outputs
    assert len(data.train) + len(data.validation) + data.test_size == rows
    assert data.train.x.dtype == np.float32
    assert data.train.y.dtype == (np.float32 if name == "diabetes" else np.int32)
    assert data.default_batch_size == 32
    assert (data.class_names is None) == (name == "diabetes")
    json.dumps(data.describe(), allow_nan=False)


def test_parts_hold_every_row_once():
    x = np.arange(200.0).reshape(100, 2)
    data = from_arrays(x, np.arange(100) % 4, scaling="none")
    parts = [data.train.x, data.validation.x, data.read_test().x]
    assert [len(part) for part in parts] == [60, 20, 20]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)[:, 0]), x[:, 0])
    np.testing.assert_array_equal(data.refit.x, np.concatenate(parts[:2]))


def test_the_split_is_a_function_of_its_seed():
    same, again, other = (load("iris", split_seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(same.train.x, again.train.x)
    assert not np.array_equal(same.train.y, other.train.y) or not np.array_equal(
        same.train.x, other.train.x
    )
    assert same.fingerprint == again.fingerprint == other.fingerprint


def test_fingerprint_sees_a_changed_cell_and_a_changed_target():
    frame = mixed_frame()
    prints = {from_frame(frame, "outcome").fingerprint}
    for column, value in (("age", 51.5), ("city", "Bern"), ("outcome", "good")):
        changed = frame.copy()
        changed.loc[5, column] = value
        prints.add(from_frame(changed, "outcome").fingerprint)
    prints.add(from_frame(frame, "member").fingerprint)
    assert len(prints) == 5
    x, y = numbers(), np.arange(60) % 2
    assert from_arrays(x, y).fingerprint != from_arrays(x + 1e-3, y).fingerprint
    assert from_arrays(x, y).fingerprint != from_arrays(x, 1 - y).fingerprint


def test_splits_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        load("iris").train.x[0, 0] = 1


def test_balanced_weights_are_scikit_learns():
    rows = from_frame(mixed_frame(), "outcome").train
    expected = compute_sample_weight("balanced", rows.y)
    np.testing.assert_allclose(rows.balanced().weights, expected, rtol=1e-6)
    assert rows.weights is None


def test_reading_the_test_rows_is_counted_and_nothing_else_reads_them():
    data = load("wine")
    _ = data.train, data.validation, data.refit, data.folds(3, 0), data.describe()
    assert data.test_reads == 0
    data.read_test()
    assert len(data.read_test()) == data.test_size
    assert data.test_reads == 2


def test_batch_size_grows_above_2000_training_rows():
    x = numbers(4000)
    assert from_arrays(x, np.arange(4000) % 2).default_batch_size == 128
    assert from_arrays(x, np.arange(4000) % 2, train_size=2000).default_batch_size == 32


# --- splitting ---


@settings(max_examples=150, deadline=None)
@given(
    counts=st.lists(st.integers(3, 60), min_size=2, max_size=8),
    cut=st.tuples(st.floats(0.1, 0.8), st.floats(0.1, 0.9)),
    seed=st.integers(0, 2**31),
)
def test_split_is_a_stratified_partition(counts, cut, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    first = cut[0]
    second = (1 - first) * cut[1]
    fractions = (first, second, 1 - first - second)
    parts = split_rows(y, fractions, seed, tuple("abcdefgh"[: len(counts)]))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(y)))
    table = np.array([np.bincount(y[part], minlength=len(counts)) for part in parts]).T
    assert table.min() >= 1
    # Within a row of the share, but for classes raised to one row and what that displaces.
    assert np.abs(table - np.outer(counts, fractions)).max() <= 1 + len(counts)


@settings(max_examples=100, deadline=None)
@given(counts=st.lists(st.integers(20, 60), min_size=2, max_size=8), seed=st.integers(0, 99))
def test_split_shares_are_within_one_row_when_no_class_is_rare(counts, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    parts = split_rows(y, (0.6, 0.2, 0.2), seed, tuple("abcdefgh"[: len(counts)]))
    table = np.array([np.bincount(y[part], minlength=len(counts)) for part in parts]).T
    assert np.abs(table - np.outer(counts, (0.6, 0.2, 0.2))).max() < 2
    sizes = len(y) * np.array([0.6, 0.2, 0.2])
    assert np.abs(table.sum(axis=0) - sizes).max() <= 2


@settings(max_examples=100, deadline=None)
@given(
    counts=st.lists(st.integers(1, 40), min_size=2, max_size=6),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_subset_has_the_size_and_every_class(counts, seed, data):
    y = np.repeat(np.arange(len(counts)), counts)
    size = data.draw(st.integers(len(counts), len(y)))
    rows = subset_rows(y, size, seed, tuple("abcdef"[: len(counts)]))
    assert len(rows) == len(set(rows)) == size
    assert len(np.unique(y[rows])) == len(counts)


@settings(max_examples=100, deadline=None)
@given(
    counts=st.lists(st.integers(5, 40), min_size=2, max_size=6),
    k=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_folds_partition_and_spread_every_class(counts, k, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    folds = fold_rows(y, k, seed, tuple("abcdef"[: len(counts)]))
    np.testing.assert_array_equal(
        np.sort(np.concatenate([held for _, held in folds])), np.arange(len(y))
    )
    for train, held in folds:
        assert set(train).isdisjoint(held)
        assert len(train) == (k - 1) * len(y) // k
        assert set(y[train]) == set(y)
    table = np.array([np.bincount(y[held], minlength=len(counts)) for _, held in folds])
    assert (table.max(axis=0) - table.min(axis=0)).max() <= 1
    assert table.sum(axis=1).max() - table.sum(axis=1).min() <= 1


def test_train_size_keeps_the_other_parts():
    whole, small = load("digits"), load("digits", train_size=300)
    assert len(small.train) == 300
    assert small.test_size == whole.test_size
    # Scaled by other training rows: the rows are the same up to the scale.
    np.testing.assert_array_equal(small.validation.y, whole.validation.y)
    counts = np.bincount(small.train.y)
    assert counts.min() >= 28
    assert counts.max() <= 32


def test_an_own_test_part_is_respected():
    x, y = numbers(80), np.arange(80) % 2
    x_test, y_test = numbers(10, seed=1), np.arange(10) % 2
    data = from_arrays(x, y, x_test=x_test, y_test=y_test, scaling="none")
    assert [len(data.train), len(data.validation), data.test_size] == [60, 20, 10]
    test = data.read_test()
    np.testing.assert_allclose(test.x, x_test, rtol=1e-6)
    np.testing.assert_array_equal(test.y, y_test)


# --- scaling and preprocessing ---


def test_columns_are_standardised_by_training_rows():
    data = from_arrays(numbers(200) * [1, 100, 1e-3] + [0, 1e4, 5], np.arange(200) % 2)
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(data.train.x.std(axis=0), 1, atol=1e-4)


def test_images_are_scaled_by_one_number_and_keep_their_shape():
    images = np.random.default_rng(0).integers(0, 200, (50, 4, 3), dtype=np.uint8)
    data = from_arrays(images, np.arange(50) % 2)
    assert data.input_shape == data.train.x.shape[1:] == (4, 3)
    assert data.train.x.max() <= 199 / 255
    reals = from_arrays(images * 1.0, np.arange(50) % 2)
    assert reals.train.x.max() == 1.0


@pytest.mark.parametrize("kind", ["arrays", "frame"])
def test_regression_targets_are_standardised_by_training_rows(kind):
    x, y = numbers(100), 1000 + 50 * np.random.default_rng(1).normal(size=100)
    if kind == "arrays":
        data = from_arrays(x, y)
    else:
        frame = pd.DataFrame(x, columns=list("abc")).assign(y=y)
        data = from_frame(frame, "y")
    assert data.task == "regression"
    assert data.outputs == 1
    np.testing.assert_allclose([data.train.y.mean(), data.train.y.std()], [0, 1], atol=1e-5)
    parts = [data.train.y, data.validation.y, data.read_test().y]
    original = np.concatenate(parts).astype(np.float64) * data.target_scale + data.target_offset
    np.testing.assert_allclose(np.sort(original), np.sort(y), rtol=1e-5)


@pytest.mark.parametrize("kind", ["arrays", "frame"])
def test_validation_and_test_rows_cannot_leak_into_training(kind):
    rows = 100
    x, y = numbers(rows), np.linspace(-1, 1, rows)
    _, held, test = split_rows(y, (0.6, 0.2, 0.2), 0, None)
    planted_x, planted_y = x.copy(), y.copy()
    outside = np.concatenate([held, test])
    planted_x[outside] = 1e6
    planted_y[outside] = 1e6

    def build(x, y):
        if kind == "arrays":
            return from_arrays(x, y, task="regression")
        frame = pd.DataFrame(x, columns=list("abc")).assign(y=y)
        frame["text"] = np.where(frame["a"] == 1e6, "planted", np.where(y > 0, "up", "down"))
        return from_frame(frame, "y", task="regression")

    clean, planted = build(x, y), build(planted_x, planted_y)
    np.testing.assert_array_equal(clean.train.x, planted.train.x)
    np.testing.assert_array_equal(clean.train.y, planted.train.y)
    assert clean.feature_names == planted.feature_names
    assert not np.array_equal(clean.validation.x, planted.validation.x)


@pytest.mark.parametrize("kind", ["arrays", "frame"])
def test_a_folds_validation_rows_cannot_leak_into_its_training(kind):
    def build(planted):
        x, y = numbers(100), np.arange(100) % 2
        text = np.where(np.arange(100) % 4 < 2, "even", "odd").astype(object)
        if planted is not None:
            x[planted] = 1e6
            text[planted] = "even"
        if kind == "arrays":
            return from_arrays(x, y, scaling="standard")
        frame = pd.DataFrame(x, columns=list("abc")).assign(text=text, y=y)
        return from_frame(frame, "y")

    train, held, _ = split_rows(np.arange(100) % 2, (0.6, 0.2, 0.2), 0, ("0", "1"))
    rows = np.concatenate([train, held])
    folds = fold_rows((np.arange(100) % 2)[rows], 4, 7, ("0", "1"))
    clean = build(None).folds(4, 7)
    for index, (_, validation) in enumerate(folds):
        planted = build(rows[validation]).folds(4, 7)[index]
        np.testing.assert_array_equal(planted.train.x, clean[index].train.x)
        assert planted.train.x.shape[1] == planted.validation.x.shape[1]


def test_fold_zeroes_what_its_training_rows_do_not_have():
    frame = pd.DataFrame({"a": numbers(60)[:, 0], "text": ["x", "y"] * 30, "y": [0, 0, 1] * 20})
    frame.loc[10, "text"] = "rare"
    data = from_frame(frame, "y", fractions=(0.8, 0.1, 0.1), split_seed=3)
    assert "text=rare" in data.feature_names
    column = data.feature_names.index("text=rare")
    folds = data.folds(3, 0)
    assert sum(fold.train.x[:, column].sum() for fold in folds) == 2
    assert all(fold.validation.x[:, column].sum() == 0 for fold in folds)


def test_table_features_equal_scikit_learn():
    frame = mixed_frame(300)
    data = from_frame(frame, "outcome")
    y = (frame["outcome"] == "good").to_numpy().astype(int)
    train, held, test = split_rows(y, (0.6, 0.2, 0.2), 0, ("bad", "good"))
    raw = frame.drop(columns="outcome").assign(
        city=frame["city"].fillna("").astype(object), member=frame["member"].astype(float)
    )
    numeric = FeatureUnion(
        [
            (
                "scaled",
                Pipeline([("i", SimpleImputer(strategy="median")), ("s", StandardScaler())]),
            ),
            ("flags", MissingIndicator()),
        ]
    )
    reference = ColumnTransformer(
        [
            ("numeric", numeric, ["age", "member", "visits"]),
            ("text", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city"]),
        ]
    ).fit(raw.iloc[train])
    for part, rows in ((data.train, train), (data.validation, held), (data.read_test(), test)):
        np.testing.assert_allclose(part.x, reference.transform(raw.iloc[rows]), atol=1e-5)
        np.testing.assert_array_equal(part.y, y[rows])
    assert data.feature_names == (
        *("age", "member", "visits", "age is missing"),
        *("city is missing", "city=Oslo", "city=Paris", "city=Rome"),
    )


def test_constant_features_are_zero_everywhere():
    x = numbers(100)
    _, held, test = split_rows(np.arange(100) % 2, (0.6, 0.2, 0.2), 0, ("0", "1"))
    x[:, 1] = 3.0
    x[np.concatenate([held, test]), 1] = 1e6
    for data in (
        from_arrays(x, np.arange(100) % 2),
        from_frame(pd.DataFrame(x, columns=list("abc")).assign(y=np.arange(100) % 2), "y"),
    ):
        assert np.all(data.read_test().x[:, 1] == 0)
        assert any("constant" in note for note in data.notes)


def test_columns_of_many_texts_keep_the_frequent_ones():
    rows = 400
    text = [f"id{index}" for index in range(rows)]
    text[::3] = ["common"] * len(text[::3])
    frame = pd.DataFrame({"a": numbers(rows)[:, 0], "text": text, "y": np.arange(rows) % 2})
    data = from_frame(frame, "y")
    assert [name for name in data.feature_names if "text" in name] == ["text=common"]
    assert any("different texts" in note for note in data.notes)


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1, 1e10, 1e30])
def test_any_unit_gives_the_same_features(scale):
    x, y = numbers(100), np.arange(100) % 2
    np.testing.assert_allclose(
        from_arrays(x * scale, y).train.x, from_arrays(x, y).train.x, atol=2e-6
    )


# --- labels ---


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["b", "a", "c"], ("a", "b", "c")),
        ([10, 9, 200], ("9", "10", "200")),
        ([True, False], ("False", "True")),
        ([0.0, 1.0, 2.0], ("0", "1", "2")),
        ([-1, 1], ("-1", "1")),
        ([b"x", b"\xc3\xa9"], ("x", "é")),
        (["😀", "<b>", "line\nbreak"], ("<b>", "line\nbreak", "😀")),
    ],
)
def test_labels_of_any_type(values, names):
    y = np.array(values * 10)
    data = from_arrays(numbers(len(y)), y)
    assert data.task == "classification"
    assert data.class_names == names
    assert data.outputs == (1 if len(names) == 2 else len(names))
    assert set(np.unique(data.train.y)) == set(range(len(names)))


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (np.linspace(0, 1, 60), "regression"),
        (np.arange(60), "regression"),
        (np.arange(60) % 20, "classification"),
        (np.arange(60) % 21, "regression"),
        (np.arange(60) % 3 * 1.0, "classification"),
    ],
)
def test_inferred_task(y, task):
    assert from_arrays(numbers(), y).task == task


def test_the_task_can_be_forced():
    assert from_arrays(numbers(), np.arange(60) % 3, task="regression").task == "regression"
    data = from_arrays(numbers(90), np.arange(90) % 30, task="classification")
    assert data.outputs == 30


def test_rows_without_target_are_left_out_and_said():
    frame = mixed_frame()
    frame.loc[:9, "outcome"] = None
    data = from_frame(frame, "outcome")
    assert len(data.refit) + data.test_size == 90
    assert data.notes[0] == "10 rows without a target are left out"


# --- the user's mistakes ---

X, Y = numbers(), np.arange(60) % 2


def spoiled(value):
    x = numbers()
    x[7, 1] = value
    return x


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": spoiled(np.nan)}, "row 7, feature 1 is nan"),
        ({"x": spoiled(-np.inf)}, "row 7, feature 1 is -inf"),
        ({"x": spoiled(1e300)}, "beyond float32"),
        ({"x": X.astype(object)}, "object array"),
        ({"x": X.astype(str)}, "expected numbers"),
        ({"x": X + 1j}, "expected numbers, got dtype complex"),
        ({"x": X[:, 0]}, r"\(rows, features\)"),
        ({"x": X[:, :0]}, "empty shape"),
        ({"x": X * 0 + 5}, "no feature varies"),
        ({"x": 1.7e9 + X}, "subtract a constant"),
        ({"x": [[1], [2, 3]]}, "different lengths"),
        ({"y": Y[:-1]}, "x has 60 rows and y has 59"),
        ({"y": np.eye(2)[Y]}, "argmax"),
        ({"y": np.zeros(60)}, "constant"),
        ({"y": np.where(Y, np.nan, 1.0)}, "row 1 is nan"),
        ({"y": np.array([None, "a"] * 30)}, "NoneType in an object array"),
        ({"y": np.linspace(0, 1, 60), "task": "classification"}, "class labels must be whole"),
        ({"y": np.array(["a", "b"] * 30), "task": "regression"}, "needs numbers"),
        ({"y": np.array([0] * 58 + [1] * 2)}, "class '1' has 2 rows"),
        ({"x": numbers(1200), "y": np.arange(1200), "task": "classification"}, "identifier"),
        ({"task": "cluster"}, "task: expected"),
        ({"x_test": X}, "both or neither"),
        ({"x_test": X[:, :2], "y_test": Y}, r"x_test: expected rows of shape \(3,\)"),
        ({"x_test": X, "y_test": np.array(["a", "b"] * 30)}, "y_test: expected labels as in y"),
        ({"x_test": X, "y_test": Y + 1}, "class '2' appears in the test part only"),
        ({"fractions": (0.5, 0.5)}, "fractions"),
        ({"fractions": (0.5, 0.4, 0.4)}, "fractions"),
        ({"fractions": (1.0, 0.0, 0.0)}, "fractions"),
        ({"train_size": 100}, "training part has 36"),
        ({"train_size": 1}, "at least 2"),
        ({"train_size": 0}, "at least 1"),
        ({"train_size": 2.5}, "whole number"),
        ({"split_seed": 1.5}, "split_seed"),
        ({"scaling": "minmax"}, "scaling: expected"),
        ({"feature_names": ("a",)}, "feature_names: expected 3"),
        ({"class_names": ("a",)}, "class_names: expected 2"),
    ],
)
def test_mistakes_in_arrays_end_in_one_line(arguments, message):
    with pytest.raises(UserError, match=message) as caught:
        from_arrays(**({"x": X, "y": Y} | arguments))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "target", "message"),
    [
        ({}, "outcme", "no column 'outcme'; nearest are 'outcome'"),
        ({}, "zzz", "there are 'age', 'city'"),
        ({}, None, "--target"),
        ({}, 7, "no column 7"),
        ({"outcome": "same"}, "outcome", "constant"),
        ({"outcome": None}, "outcome", "missing in every row"),
        ({"age": np.inf}, "outcome", "column 'age': row 0 is inf"),
        ({"age": 1e300}, "outcome", "beyond float32"),
        ({"age": pd.Timedelta(1)}, "outcome", "column 'age' holds timedelta64"),
        ({"age": 1j}, "outcome", "complex"),
        (
            dict.fromkeys(("age", "city", "member", "visits")),
            "outcome",
            "every value of every feature column is missing",
        ),
        (
            {"age": 1, "city": "x", "member": True, "visits": 0},
            "outcome",
            "no feature column varies",
        ),
    ],
)
def test_mistakes_in_tables_end_in_one_line(change, target, message):
    with pytest.raises(UserError, match=message) as caught:
        from_frame(mixed_frame().assign(**change), target)
    assert "\n" not in str(caught.value)


def test_cells_of_other_objects_are_refused():
    frame = mixed_frame()
    frame["city"] = [[1]] * len(frame)
    with pytest.raises(UserError, match="column 'city' holds list"):
        from_frame(frame, "outcome")


@pytest.mark.parametrize("k", [1, 0, 2.5, True, 40])
def test_folds_refuse(k):
    with pytest.raises(UserError, match="fold"):
        load("iris").folds(k, 0) if k != 40 else load("iris", train_size=9).folds(40, 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digit", "did you mean digits"),
        ("cifar-10", "did you mean cifar10"),
        ("fashion", "fashion_mnist"),
        ("qqqq", "the names are digits"),
        ("data.xlsx", r"files end in \.csv, \.parquet, \.npz"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(UserError, match=message):
        load(name)


@pytest.mark.parametrize("options", [{"target": "y"}, {"header": False}])
def test_table_options_are_refused_for_named_sets(options):
    with pytest.raises(UserError, match="iris"):
        load("iris", **options)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mnist", "datasets/mnist.npz"),
        ("fashion_mnist", "datasets/fashion-mnist/train-"),
        ("cifar10", "datasets/cifar-10-batches-py-target_archive"),
    ],
)
def test_fetched_sets_name_the_missing_file(name, file, tmp_path, monkeypatch):
    import urllib.request

    def unreachable(*arguments, **options):
        raise OSError("Name or service not known")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(UserError) as caught:
        load(name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / file) in str(caught.value)
    assert ".npz" in str(caught.value)


def test_names_are_the_contracts():
    assert set(NAMES) == {*BUNDLED, "mnist", "fashion_mnist", "cifar10"}
