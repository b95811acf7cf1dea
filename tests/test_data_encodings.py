"""Encodings of numeric columns: what they make of numbers, and that nothing leaks into them."""

from itertools import pairwise

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from kerasreg.data import ENCODINGS, from_arrays, from_frame, load, story
from kerasreg.data._encodings import fit_encoder
from kerasreg.errors import UserError

rng = np.random.default_rng(0)
HUGE = float(np.finfo(np.float32).max)
numbers = st.one_of(
    st.floats(-HUGE, HUGE, width=32, allow_subnormal=False),
    st.sampled_from([0.0, 1.0, 2.0, -1e30, 1e-30]),
)


def encoder_of(encoding, columns, bins=None):
    gain = np.array([1 / np.std(c) if np.ptp(c) else 0.0 for c in columns])
    return fit_encoder(encoding, lambda j: np.asarray(columns[j], float), gain, bins)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(numbers, max_size=40), min_size=1, max_size=3),
    st.lists(numbers, min_size=1, max_size=10),
    st.sampled_from(ENCODINGS[1:]),
)
def test_any_numbers_become_bounded_features_that_keras_computes_too(columns, cells, encoding):
    columns = [column for column in columns if column] or [[0.0]]
    with np.errstate(over="ignore"):
        gain = np.array([1 / np.float64(np.std(c)) if min(c) < max(c) else 0.0 for c in columns])
    encoder = fit_encoder(encoding, lambda j: np.asarray(columns[j], float), gain)
    # The median may fill a column in of which a fold has no cell.
    fit_encoder(encoding, lambda j: np.empty(0), gain, getattr(encoder, "bins", None))
    x = np.tile(np.asarray(cells, float)[:, None], (1, len(columns)))
    made = encoder.apply(np, x)
    assert made.shape[1] == len(encoder.names(tuple("abc"[: len(columns)])))
    # No number is farther out than one bin's width, of bins whose variances sum to 1.
    limit = {"smooth": 3, "quantile": 3, "piecewise": 3 * np.sqrt(40)}[encoding]
    assert np.abs(made).max() <= limit * (1 + 1e-12)
    np.testing.assert_allclose(
        np.asarray(encoder.apply(keras.ops, keras.ops.convert_to_tensor(x))), made, atol=1e-12
    )
    for j, column in enumerate(columns):
        if min(column) == max(column) and encoding != "piecewise":
            np.testing.assert_array_equal(made[:, j], 0)


def test_encodings_are_what_their_papers_say():
    column = rng.normal(5, 2, 600)
    cells = np.append(column, [-1e6, 1e6])
    median, spread = np.median(column), np.subtract(*np.quantile(column, [0.75, 0.25]))
    z = 1.349 * (cells - median) / spread
    smooth = encoder_of("smooth", [column]).apply(np, cells[:, None])[:, 0]
    np.testing.assert_allclose(smooth, z / np.sqrt(1 + z**2 / 9))

    levels = np.linspace(0, 1, 20)
    heights = ndtri([0.5 / 600, *levels[1:-1], 1 - 0.5 / 600]).clip(-3, 3)
    normal = encoder_of("quantile", [column]).apply(np, cells[:, None])[:, 0]
    np.testing.assert_allclose(normal, np.interp(cells, np.quantile(column, levels), heights))
    assert abs(normal[:600].mean()) < 0.02
    assert 0.95 < normal[:600].std() < 1.1

    edges = np.quantile(column, np.linspace(0, 1, 17))
    code = np.array([(column - a) / (b - a) for a, b in pairwise(edges)]).T
    code = np.clip(code, 0, 1)  # no cell of the training rows lies outside
    made = encoder_of("piecewise", [column]).apply(np, cells[:, None])
    scale = np.sqrt(code.var(axis=0).sum())
    np.testing.assert_allclose(made[:600], (code - code.mean(axis=0)) / scale, atol=1e-10)
    np.testing.assert_allclose(made[600], ([-1] + [0] * 15 - code.mean(axis=0)) / scale)
    np.testing.assert_allclose(made[601], ([1] * 15 + [2] - code.mean(axis=0)) / scale)


def test_bins_go_where_the_values_are():
    ages = rng.uniform(0, 1, 500)
    columns = [[0.0, 1.0] * 250, rng.integers(0, 5, 500), np.where(ages < 0.7, 0, ages), [7.0] * 9]
    encoder = encoder_of("piecewise", columns)
    np.testing.assert_array_equal(encoder.bins, [1, 4, 16, 1])
    assert encoder.names(tuple("abcd"))[:6] == (
        "a",
        *(f"b bin {n}" for n in (1, 2, 3, 4)),
        "c bin 1",
    )
    made = encoder.apply(np, np.array(columns[:1] * 4).T)
    # A column of two values is standardised.
    np.testing.assert_allclose(made[:2, 0], [-1, 1])
    # Seven of ten cells are 0; more than half of the bins are for the others.
    assert np.sum(encoder.low[2] > 0.7) >= 8
    assert np.all(made[:, -1] == 0)
    # Equal cells get the middle of their ranks: here a quarter and three quarters.
    halves = encoder_of("quantile", columns[:1])
    np.testing.assert_allclose(
        halves.apply(np, np.array([[0.0], [1.0]]))[:, 0], ndtri([0.25, 0.75]), atol=0.1
    )


def table(planted=()):
    """100 rows of two classes; rows of `planted` have other cells, but no new count.

    (A value more would be a bin more, of all folds: how many features there are is the dataset's.)
    """
    draw = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "size": draw.lognormal(3, 2, 100),
            "count": draw.integers(0, 4, 100),
            "hole": np.where(draw.random(100) < 0.3, np.nan, draw.normal(size=100)),
            "place": draw.choice(["x", "y"], 100),
            "y": np.arange(100) % 2,
        }
    )
    frame.loc[list(planted), ["size", "hole"]] = 1e6
    frame.loc[list(planted), "count"] = 3
    return from_frame(frame, "y")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_only_training_rows_are_looked_at(encoding):
    plain = table()
    sizes = pd.Series(np.random.default_rng(3).lognormal(3, 2, 100)).astype(np.float32)
    raw, trained = plain.raw.numeric[:, 0], len(plain.train)
    held = np.flatnonzero(np.isin(sizes, raw[trained:]))
    planted = table(held)
    np.testing.assert_array_equal(
        plain.encoded(encoding).train.x, planted.encoded(encoding).train.x
    )
    for index, fold in enumerate(plain.encoded(encoding).folds(4, 7)):
        held = np.flatnonzero(np.isin(sizes, raw[fold.validation_rows]))
        other = table(held).encoded(encoding).folds(4, 7)[index]
        np.testing.assert_array_equal(fold.train.x, other.train.x)
        assert not np.array_equal(fold.validation.x, other.validation.x)


@pytest.mark.parametrize("build", [table, lambda: load("diabetes"), lambda: load("digits")])
def test_an_encoded_dataset_is_the_same_rows(build):
    data = build()
    assert data.encoded("standard") is data
    assert data.encoding == "standard"
    for encoding in data.encodings:
        other = data.encoded(encoding)
        assert data.encoded(encoding) is other
        assert other.encoding == encoding
        assert other.encoded("standard") is data
        assert other.train.x.dtype == np.float32
        assert other.input_shape == (other.train.x.shape[1],) == (len(other.feature_names),)
        np.testing.assert_array_equal(other.refit.y, data.refit.y)
        assert (other.notes, other.source) == (data.notes, data.source)
        assert other.folds(3, 1) is other.folds(3, 1)
        for mine, fold in zip(other.folds(3, 1), data.folds(3, 1), strict=True):
            assert mine.train.x.shape[1] == mine.validation.x.shape[1] == len(other.feature_names)
            np.testing.assert_array_equal(mine.validation.y, fold.validation.y)
            np.testing.assert_array_equal(fold.validation_rows, mine.validation_rows)
            if data.task == "classification":
                np.testing.assert_array_equal(data.refit.y[fold.validation_rows], mine.validation.y)
    other.read_test()
    assert data.test_reads == other.test_reads == 1


def test_missing_cells_have_a_feature_in_every_encoding():
    data = table()
    for encoding in ENCODINGS:
        encoded = data.encoded(encoding)
        flag = encoded.train.x[:, encoded.feature_names.index("hole is missing")]
        np.testing.assert_array_equal(flag == 1, np.isnan(data.raw.numeric[: len(flag), 2]))
    assert {"count bin 3", "place=x"} < set(encoded.feature_names)


def test_the_encoding_is_said():
    for data in (table(), load("wine")):
        said = data.encoded("smooth").describe()["preprocessing"]
        assert said["encoding"] == "smooth"
        assert tuple(said["encodings"]) == ENCODINGS
    assert "3 of numbers, 1 of" in "".join(story(table().describe()))
    encoded = story(table().encoded("piecewise").describe())
    assert "3 of numbers (piecewise encoding), 1 of" in "".join(encoded)


def test_what_cannot_be_encoded_is_refused():
    with pytest.raises(UserError, match=r"expected one of standard, smooth, .*, got 'ranks'"):
        load("iris").encoded("ranks")
    images = from_arrays(rng.integers(0, 256, (60, 4, 4), dtype=np.uint8), np.arange(60) % 3)
    for data in (images, load("digits")):
        with pytest.raises(UserError, match="which can be standard or smooth, got 'piecewise'"):
            data.encoded("piecewise")
    texts = from_frame(pd.DataFrame({"a": ["x", "y"] * 30, "y": [0, 0, 1] * 20}), "y")
    assert texts.encodings == ("standard",)
    np.testing.assert_array_equal(texts.encoded("quantile").train.x, texts.train.x)


@pytest.mark.parametrize("name", ["wine", "digits"])
def test_arrays_become_features_inside_keras_too(name):
    from sklearn import datasets

    raw = getattr(datasets, f"load_{name}")().data[:50]
    data = load(name)
    for encoding in data.encodings[1:]:
        encoded = data.encoded(encoding)
        fold = encoded.folds(2, 0)[1]
        inputs = data.raw_inputs()
        model = keras.Model(inputs, encoded.features_model(fold)(inputs))
        np.testing.assert_allclose(
            model.predict(raw, verbose=0),
            fold.preprocessing.transform(raw, np.arange(50)),
            rtol=1e-6,
        )
