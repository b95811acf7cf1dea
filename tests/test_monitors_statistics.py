"""What a monitor measures, against NumPy, SciPy and hand calculation."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasreg.monitors import statistics

samples = hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-300, 300, width=32))


@settings(deadline=None, max_examples=60)
@given(values=samples)
def test_histogram_is_numpys_with_open_ends(values):
    edges = statistics.ACTIVATION_EDGES
    clipped = np.clip(values, edges[0], np.nextafter(edges[-1], 0))
    expected, _ = np.histogram(clipped, edges.astype(np.float32))
    np.testing.assert_array_equal(statistics.histogram(np.sort(values), edges), expected)


@settings(deadline=None, max_examples=60)
@given(values=samples, seed=st.integers(0, 99))
def test_wasserstein_is_scipys(values, seed):
    other = values + np.random.default_rng(seed).normal(size=values.size).astype(np.float32)
    ours = statistics.wasserstein(np.sort(values), np.sort(other))
    assert ours == pytest.approx(scipy.stats.wasserstein_distance(values, other), abs=1e-4)


def test_drift_is_the_distance_of_outputs_standardised_by_the_earlier_record():
    rng = np.random.default_rng(0)
    before, now = np.sort(rng.normal(3, 2, 400)), np.sort(rng.normal(5, 1, 400))
    mean, std = before.mean(), before.std()
    expected = scipy.stats.wasserstein_distance((before - mean) / std, (now - mean) / std)
    assert statistics.drift(before, now) == pytest.approx(expected)
    assert statistics.drift(before, before + 2 * std) == pytest.approx(2)
    assert np.isnan(statistics.drift(None, now))
    assert np.isnan(statistics.drift(np.zeros(400), now))


@pytest.mark.parametrize("edges", [statistics.ACTIVATION_EDGES, statistics.GRADIENT_EDGES])
def test_default_edges_increase_are_symmetric_and_have_zero_as_an_edge(edges):
    assert np.all(np.diff(edges) > 0)
    np.testing.assert_array_equal(edges, -edges[::-1])
    assert edges[edges.size // 2] == 0
    assert not edges.flags.writeable


def test_activation_statistics_by_hand():
    outputs = np.array([[0, 0.02, 1, 0], [0, 0.5, 0.99, np.nan]], np.float32)
    ordered = statistics.sort_finite(outputs)
    found = statistics.activation_statistics(outputs, ordered, None, (0.0, 1.0))
    finite = outputs[np.isfinite(outputs)]
    assert found["mean"] == pytest.approx(finite.mean())
    assert found["std"] == pytest.approx(finite.std())
    assert found["zeros"] == 3 / 8
    assert found["dead"] == 1 / 4  # NaN is not zero
    assert found["saturated"] == pytest.approx(6 / 7)
    assert found["nonfinite"] == 1 / 8
    assert np.isnan(found["drift"])


def test_statistics_of_nothing_finite_are_nan_without_a_warning():
    outputs = np.full((2, 3), np.inf, np.float32)
    ordered = statistics.sort_finite(outputs)
    found = statistics.activation_statistics(outputs, ordered, ordered, (0.0, 1.0))
    assert ordered.size == 0
    assert found["nonfinite"] == 1
    assert all(np.isnan(found[key]) for key in ("mean", "std", "saturated", "drift"))
    assert statistics.histogram(ordered, statistics.ACTIVATION_EDGES).sum() == 0


def test_many_values_are_thinned_evenly():
    ordered = statistics.sort_finite(np.arange(3 * statistics.SORTED_LIMIT, dtype=np.float32))
    assert ordered.size == statistics.SORTED_LIMIT
    assert set(np.diff(ordered)) == {3}
