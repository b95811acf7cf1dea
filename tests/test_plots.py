"""Figures: what is drawn where, and that drawing leaves no trace."""

import importlib
import io
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_studies import inside_arrays
from matplotlib.figure import Figure

from kerasreg import plots
from kerasreg.errors import UserError
from kerasreg.files import atomic_save_npz
from kerasreg.plots import _inside_figures, _records, _style
from kerasreg.study import best_trial

HOSTILE = ["$x^$", "<b>&\"'", "شبكة עברית", "🙂 emoji", "n" * 200, "", "a\nb\tc"]


def trial(number, score=0.5, status="completed", epochs=6, seconds=2.0, **values):
    lost = status in ("diverged", "failed")
    curve = [score + 1 / (k + 1) for k in range(epochs)]
    curves = {
        "data_loss": [value / 2 for value in curve],
        "val_data_loss": curve,
        "penalty": [0.1] * epochs,
        "val_penalty": [0.1] * epochs,
        "accuracy": [1 - value / 10 for value in curve],
        "val_accuracy": [1 - value / 5 for value in curve],
    }
    if lost:
        curves = {name: [*values_[:-1], None] for name, values_ in curves.items()}
    return {
        "trial": f"t{number}",
        "hyperparameters": values,
        "status": status,
        "seeds": [0],
        "score": None if lost else score,
        "score_std": None,
        "metrics": {name: value[-1] for name, value in curves.items()},
        "chosen_epoch": epochs,
        "epochs": epochs,
        "curves": curves,
        "members": [],
        "seconds": seconds,
        "engine": "population",
    }


def search_of(count, seed=0):
    """Trials whose score depends on dropout alone: lowest at 0.3."""
    draw = np.random.default_rng(seed)
    return [
        trial(
            k,
            score=float((dropout - 0.3) ** 2 + 0.1),
            dropout=dropout,
            l2=0.0 if draw.random() < 0.3 else float(10 ** draw.uniform(-7, -1)),
            normalization=str(draw.choice(["none", "batch"])),
        )
        for k, dropout in enumerate(draw.uniform(0.05, 0.7, count).tolist())
    ]


@pytest.fixture
def inside(tmp_path):
    """What was recorded in baseline and best, through its file."""
    path = tmp_path / "inside.npz"
    atomic_save_npz(path, inside_arrays("baseline") | inside_arrays("best", layers=1))
    return plots.load_inside(path)


def test_of_many_layers_some_are_drawn_evenly_and_activations_before_others(tmp_path):
    arrays = inside_arrays("best", layers=20, epochs=1)
    of_one = {k: a for k, a in arrays.items() if "/activation_1/" in k}
    arrays |= {k.replace("activation_1", "conv"): array for k, array in of_one.items()}
    atomic_save_npz(tmp_path / "inside.npz", arrays)
    drawn = plots.for_drawing(plots.load_inside(tmp_path / "inside.npz"))
    names = [int(name.removeprefix("activation_")) for name in drawn["best"].activations]
    assert (len(names), names[0], names[-1]) == (9, 1, 20)
    assert set(np.diff(names)) == {2, 3}
    figure = plots.unit_health(drawn)
    assert {line.get_marker() for line in figure.axes[0].lines} == {"o"}
    assert all(tick.is_integer() for tick in figure.axes[-1].get_xticks())


# Records and scales


def test_best_is_a_completed_trial_in_the_objectives_direction():
    trials = [
        trial(0, 0.9),
        trial(1, 0.2),
        trial(2, 0.1, status="stopped"),
        trial(3, status="diverged"),
    ]
    assert best_trial(trials, "val_data_loss")["trial"] == "t1"
    for one in trials:
        one["metrics"]["val_accuracy"] = one["score"]
    assert best_trial(trials, "val_accuracy")["trial"] == "t0"
    assert best_trial(trials[2:], "val_data_loss") is None


@given(
    values=st.lists(st.floats(1e-9, 1e3), min_size=2, max_size=20, unique=True),
    zero=st.booleans(),
)
@settings(max_examples=60)
def test_scale_keeps_order_and_gives_zero_a_band_of_its_own(values, zero):
    values = sorted([0.0, *values] if zero else values)
    scale = _records.Scale.of("l2", [trial(k, l2=value) for k, value in enumerate(values)])
    places = [scale.position(value) for value in values]
    assert places == sorted(places)
    if zero:
        assert _records.ZERO_BAND[0] < places.pop(0) < _records.ZERO_BAND[1]
    assert places[0] == pytest.approx(0, abs=1e-9)
    assert places[-1] == pytest.approx(1)
    ticks, texts = scale.ticks()
    assert len(ticks) == len(texts) == len(set(texts))
    low, high = scale.limits()
    assert all(low <= tick <= high for tick in ticks)


def test_scale_is_logarithmic_over_decades_and_even_over_categories():
    log = _records.Scale.of("l2", [trial(0, l2=1e-6), trial(1, l2=1e-2)])
    assert log.log
    assert log.position(1e-4) == pytest.approx(0.5)
    mixed = _records.Scale.of("norm", [trial(0, norm="none"), trial(1, norm="batch")])
    assert [mixed.position("batch"), mixed.position("none")] == [0, 1]


def test_one_terrible_score_does_not_stretch_the_limits():
    values = np.array([0.1, 0.2, 0.3, 0.4, 1e9])
    assert _records.robust_limit(values, lower=True)[1] < 2
    assert _records.robust_limit(-values, lower=False)[0] > -2


# Importance


def test_importance_finds_what_matters_and_is_reproducible():
    trials = search_of(60)
    result = plots.importance(trials, seed=3)
    again = plots.importance(trials, seed=3)
    assert result.names[0] == "dropout"
    assert result.low[0] > max(result.mean[1:])
    assert result.r2 > 0.7
    assert len(plots.importance_figure(result).axes) == 1
    assert np.array_equal(result.mean, again.mean)
    assert not np.array_equal(result.mean, plots.importance(trials, seed=4).mean)


def test_importance_of_noise_is_not_claimed():
    draw = np.random.default_rng(0)
    trials = [
        trial(k, score=float(draw.random()), dropout=float(draw.random()), l2=float(draw.random()))
        for k in range(40)
    ]
    assert plots.importance(trials, seed=0).r2 < 0.1


def test_importance_needs_enough_trials():
    assert plots.importance(search_of(19), seed=0) is None
    assert plots.importance([trial(k, dropout=0.1) for k in range(50)], seed=0) is None


# What happens inside


def test_inside_holds_what_the_file_has(inside):
    assert list(inside) == ["baseline", "best"]
    arrays, got = inside_arrays("baseline"), inside["baseline"]
    assert list(got.activations) == ["activation_1", "activation_2"]
    for name in ("counts", "edges", "zero", "dead"):
        np.testing.assert_array_equal(
            getattr(got.activations["activation_2"], name),
            arrays[f"baseline/activation/activation_2/{name}"],
        )
    assert got.activations["activation_1"].saturated is None
    np.testing.assert_array_equal(got.epochs, arrays["baseline/epochs"])
    np.testing.assert_array_equal(
        got.gradient_norms["dense_1"], arrays["baseline/gradient_norm/dense_1"]
    )
    assert got.weights["dense_1"].counts.sum() == 101
    assert got.weights["dense_1"].near_zero == 0.25


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("best/activation/activation_1/counts", np.ones((5, 3))),
        ("best/activation/activation_1/dead", np.ones(4)),
        ("best/gradient_norm/dense_1", np.ones((5, 2))),
        ("best/weights/dense_1/near_zero", np.ones(2)),
        ("best/activation/activation_1/edges", None),
    ],
)
def test_a_misshapen_array_is_named(tmp_path, name, array):
    path = tmp_path / "inside.npz"
    arrays = inside_arrays("best") | {name: array}
    atomic_save_npz(path, {key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(UserError, match=re.escape(name if array is not None else "edges")):
        plots.load_inside(path)


def test_inside_refuses_other_files(tmp_path):
    (tmp_path / "text.npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"text\.npz"):
        plots.load_inside(tmp_path / "text.npz")


def test_ridges_leave_out_exact_zeros_and_undo_uneven_bins():
    # Uniform outputs on [0, 4], as many exact zeros again, in bins that double in width.
    edges = np.array([-1, 0, 0.5, 1, 2, 4.0])
    counts = np.array([[0, 125 + 1000, 125, 250, 500]])
    record = plots.Activation(counts, edges, np.array([0.5]), np.array([0.0]))
    centres, even = _inside_figures._even(record, np.array([0]))
    assert 0 < centres[0] < 0.1
    assert 3.9 < centres[-1] < 4
    np.testing.assert_allclose(even, even.mean(), rtol=1e-6)


# Figures


def finite_collections(axes):
    return [c.get_offsets() for c in axes.collections if len(c.get_offsets())]


def test_learning_curves_shade_the_gap_and_mark_the_chosen_epoch():
    record = trial(0, 0.5)
    record["chosen_epoch"] = 4
    figure = plots.learning_curves({"Baseline": record, "Best": trial(1, 0.2)})
    axes = figure.axes[0]
    (band,) = axes.collections
    corners = {tuple(map(float, np.round(p, 6))) for p in band.get_paths()[0].vertices}
    for epoch, (train, validation) in enumerate(
        zip(record["curves"]["data_loss"], record["curves"]["val_data_loss"], strict=True), start=1
    ):
        assert (epoch, round(train, 6)) in corners
        assert (epoch, round(validation, 6)) in corners
    marker = next(line for line in axes.lines if line.get_marker() == "o")
    assert marker.get_xdata().tolist() == [4]
    assert marker.get_ydata()[0] == record["curves"]["val_data_loss"][3]
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == [
        "Data loss (without penalty)",
        "Accuracy",
        "Penalty",
    ]


def test_best_so_far_follows_completed_trials_only():
    trials = [
        trial(0, 0.5, seconds=1),
        trial(1, 0.1, status="stopped", seconds=2),
        trial(2, status="diverged", seconds=4),
        trial(3, 0.3, seconds=8),
        trial(4, 0.4, seconds=16),
    ]
    left, right = plots.best_so_far(trials, "val_data_loss", baseline=0.45).axes
    steps = {
        axes: next(x for x in axes.lines if x.get_label() == "best so far")
        for axes in (left, right)
    }
    assert steps[left].get_ydata().tolist() == [0.5, 0.5, 0.3, 0.3]
    assert steps[left].get_xdata().tolist() == [1, 2, 4, 5]
    assert steps[right].get_xdata().tolist() == [1, 3, 15, 31]


def test_response_surface_stars_the_best_and_links_every_trial():
    trials = [
        *search_of(20),
        trial(20, status="diverged", dropout=0.2, l2=0.0, normalization="none"),
    ]
    figure = plots.response_surface(trials, "val_data_loss", [("dropout", "l2")])
    axes = figure.axes[0]
    points = next(c for c in axes.collections if len(c.get_offsets()) == 20)
    assert points.get_urls() == [f"#trial-{k}" for k in range(20)]
    star = next(c for c in axes.collections if c.get_label().startswith("best"))
    best = min(range(20), key=lambda k: trials[k]["score"])
    np.testing.assert_allclose(star.get_offsets()[0], points.get_offsets()[best])
    zeros = [k for k in range(20) if trials[k]["hyperparameters"]["l2"] == 0]
    heights = points.get_offsets()[zeros, 1]
    assert ((heights > _records.ZERO_BAND[0]) & (heights < _records.ZERO_BAND[1])).all()


def every_figure(trials, names, inside):
    pairs = list(pairwise(names))
    best = best_trial(trials, "val_data_loss")
    yield plots.learning_curves({names[0]: best, "none": {**best, "curves": {}}})
    yield plots.best_so_far(trials, "val_data_loss", 0.3)
    yield plots.response_surface(trials, "val_data_loss", pairs)
    yield plots.slices(trials, "val_data_loss", names)
    yield plots.parallel_coordinates(trials, "val_data_loss", names)
    yield plots.activation_ridges(inside)
    yield plots.unit_health(inside)
    yield plots.weight_histograms(inside)


def test_the_overview_shows_both_sides_and_their_intervals():
    trials = [trial(k, 0.1 + k, dropout=k / 9, l2=10.0**-k) for k in range(1, 4)]
    sides = {
        who: {**one, "chosen_epoch": 1, "test": {"accuracy": accuracy}}
        for who, one, accuracy in (("baseline", trials[2], 0.5), ("best", trials[0], 0.75))
    }
    result = {"objective": "val_data_loss", "rows": {"test": 40}, **sides}
    figure = plots.overview(trials, result)
    plots.png_bytes(figure, 50)
    right = figure.axes[2]
    assert [text.get_text() for text in right.texts] == ["50.0 %", "75.0 %"]
    low, high = right.lines[0].get_xdata()
    assert (low, high) == pytest.approx((0.352, 0.648), abs=1e-3)  # Wilson's, 20 of 40
    assert right.get_title("left") == "40 test rows, read once"


def hostile_trials(count):
    return [
        trial(k, 0.1 + k, **{name: k * 0.1 + n for n, name in enumerate(HOSTILE)})
        for k in range(count)
    ]


@pytest.mark.parametrize(
    ("trials", "names"),
    [
        ([trial(0, dropout=0.1, l2=0.0)], ["dropout", "l2"]),
        ([trial(k, 0.5, dropout=0.0, l2=0.0) for k in range(4)], ["dropout", "l2"]),
        (
            [trial(k, 0.1 + k, epochs=1, dropout=k / 9, l2=None) for k in range(4)],
            ["dropout", "l2"],
        ),
        ([trial(k, -1.0 - k, a=-k, b=k % 2 == 0) for k in range(6)], ["a", "b"]),
        (hostile_trials(5), HOSTILE),
    ],
    ids=["one-zero", "equal", "null", "negative", "hostile"],
)
def test_every_figure_can_be_drawn(inside, trials, names):
    for figure in every_figure(trials, names, inside):
        assert isinstance(figure, Figure)
        with plots.style():
            figure.draw_without_rendering()


def test_names_of_any_kind_are_written(tmp_path):
    trials, names = hostile_trials(5), HOSTILE
    for draw in (plots.slices, plots.parallel_coordinates):
        svg = plots.themed_svg(
            plots.save(draw(trials, "val_data_loss", names), tmp_path / "x"), "f"
        )
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
        with pytest.raises(UserError, match="Expected a metric"):
            draw(trials, names[1], names)


def test_the_readmes_picture_of_speeds_compares_with_the_last(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "scripts")
    figure = importlib.import_module("readme_pictures").speed(
        {"digits": {"keras-tuner": 20.0, "population": 0.5}}
    )
    assert [bar.get_width() for bar in figure.axes[0].patches] == [20, 0.5]
    assert [text.get_text() for text in figure.axes[0].texts] == [
        " 20 s   40 times as long",
        " 0.5 s",
    ]


# Style


def test_drawing_leaves_matplotlib_as_it_was(tmp_path):
    before = dict(matplotlib.rcParams)
    plots.save(plots.slices(search_of(5), "val_data_loss", ["dropout"]), tmp_path / "x")
    assert dict(matplotlib.rcParams) == before


def test_pyplot_is_never_imported():
    code = "import sys, kerasreg.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_same_data_gives_the_same_files(tmp_path):
    for name in ("a", "b"):
        figure = plots.response_surface(search_of(20), "val_data_loss", [("dropout", "l2")])
        plots.save(figure, tmp_path / name)
    for kind in ("png", "svg"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_svg_in_a_page_follows_its_theme_and_keeps_to_itself(tmp_path):
    figure = plots.response_surface(search_of(20), "val_data_loss", [("dropout", "l2")])
    svg = plots.themed_svg(plots.save(figure, tmp_path / "x"), "mine")
    assert "<style" not in svg
    assert "<metadata" not in svg
    assert "<?xml" not in svg
    assert _style.INK not in svg
    assert "var(--ink)" in svg
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(name.startswith("mine-") for name in ids)
    uses = re.findall(r"(?:url\(#|<use [^>]*xlink:href=\"#)([^)\"]*)", svg)
    assert set(uses) <= set(ids)
    links = re.findall(r"<a [^>]*>", svg)
    assert len(links) == 20
    assert all('tabindex="-1"' in link for link in links)
    assert "<a " not in (tmp_path / "x.svg").read_text()


def test_labels_are_short_lines_that_the_font_can_draw():
    assert plots.label("n" * 200, 10) == "n" * 9 + "…"
    assert plots.label("a\n b") == "a b"
    assert plots.label("🙂") == "□"
    assert plots.label("") == "(no name)"
    figure = Figure()
    with plots.style():
        figure.text(0, 0, plots.label("$\\frac"))
        figure.savefig(io.BytesIO())
