"""What `diagnose` measures, against closed forms, and what its checks make of it."""

import re
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasreg.diagnosis import inside, predictions
from kerasreg.diagnosis.checks import output
from kerasreg.diagnosis.checks.data import check_classes, check_inputs, check_target
from kerasreg.diagnosis.checks.fit import check_gap
from kerasreg.diagnosis.checks.labels import check_calibration
from kerasreg.diagnosis.checks.normalization import check_statistics
from kerasreg.diagnosis.checks.output import check_output
from kerasreg.diagnosis.checks.training import check_gradients, check_penalty, check_rate
from kerasreg.diagnosis.copies import Copies
from kerasreg.diagnosis.effect import Effect, effect_of
from kerasreg.diagnosis.network import Structure, structure_of
from kerasreg.diagnosis.row_facts import Inputs, Target

GENERATOR = np.random.default_rng(0)
ROWS = 400


def wrong(share):
    """Errors of `ROWS` rows."""
    return (np.arange(ROWS) < round(share * ROWS)).astype(float)


COPIES = Copies(
    models=None,
    epochs=10,
    batch_size=32,
    broken=False,
    seen=np.array([wrong(0.0), wrong(0.0), wrong(0.01)]),
    unseen=np.array([wrong(0.06), wrong(0.05), wrong(0.04)]),
    rates=np.array([1e-4, 1e-3, 1e-2]),
    rate_errors=np.array([0.3, 0.01, 0.0]),
    own_rate=1e-3,
    data_loss=0.1,
    penalty=0.2,
    outputs=np.zeros((ROWS, 3)),
)


LESSONS = {
    lesson
    for path in Path(output.__file__).parent.glob("*.py")
    for lesson in re.findall(r'lesson="(\w+)"', path.read_text())
}


@pytest.mark.parametrize("lesson", sorted(LESSONS))
def test_every_lesson_that_is_named_is_there(lesson):
    root = Path(__file__).parent.parent
    assert (root / "scripts" / f"{lesson}.py").is_file()
    assert f"(scripts/{lesson}.py)" in (root / "LESSONS.md").read_text()


def name_of(finding):
    return finding and finding.name


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ((0.06, 0.05, 0.04), None),
        ((0.21, 0.21, 0.20), "overfitting"),
        ((0.60, 0.40, 0.20), "too few rows"),
    ],
)
def test_a_gap_is_judged_by_how_the_error_falls_with_rows(curve, expected):
    copies = replace(COPIES, unseen=np.array([wrong(share) for share in curve]))
    assert name_of(check_gap(copies, "of rows wrong")) == expected


@pytest.mark.parametrize(
    ("own", "errors", "broken", "expected"),
    [
        (1e-3, (0.3, 0.01, 0.0), False, None),
        (1e-4, (0.6, 0.3, 0.0), False, "learning rate too small"),
        (1e-2, (0.0, 0.01, np.nan), True, "learning rate too large"),
        # No rate learns anything: that says nothing about rates.
        (1e-3, (0.7, 0.7, 0.7), False, None),
    ],
)
def test_a_rate_is_judged_by_what_others_learn(own, errors, broken, expected):
    seen = np.full((3, ROWS), 0.01) if expected is None else np.full((3, ROWS), 0.6)
    copies = replace(COPIES, own_rate=own, rate_errors=np.array(errors), broken=broken, seen=seen)
    assert name_of(check_rate(copies, 0.7, "of rows wrong")) == expected


@pytest.mark.parametrize(
    ("gradients", "expected"),
    [
        ({"a": (0.5, 8.0), "b": (0.7, 5.0)}, None),
        ({"a": (500.0, 8.0), "b": (0.7, 5.0)}, "exploding gradients"),
        ({"a": (np.nan, 8.0)}, "exploding gradients"),
        ({"a": (1e-5, 8.0), "b": (1e-2, 5.0), "c": (0.5, 5.0)}, "vanishing gradients"),
    ],
)
def test_gradients_are_judged_by_their_norms(gradients, expected):
    assert name_of(check_gradients(gradients)) == expected


@pytest.mark.parametrize(
    ("activation", "loss", "from_logits", "expected"),
    [
        ("softmax", "sparse_categorical_crossentropy", False, None),
        ("linear", "categorical_crossentropy", True, None),
        ("linear", "mean_squared_error", False, None),
        ("sigmoid", "binary_crossentropy", True, "softmax before a loss on logits"),
        ("linear", "binary_crossentropy", False, "logits before a loss on probabilities"),
    ],
)
def test_output_and_loss_have_to_mean_the_same(activation, loss, from_logits, expected):
    structure = Structure(activation, 3, loss, from_logits, "Adam", {})
    assert name_of(check_output(structure)) == expected


@pytest.mark.parametrize(
    ("high", "size", "unevenness", "expected"),
    [
        (1, 1, 1, False),
        (9, 5, 20, False),
        (255, 120, 1, True),
        (0.004, 0.002, 1, True),
        (9, 1, 500, True),
    ],
)
def test_inputs_are_judged_by_size_and_evenness(high, size, unevenness, expected):
    found = check_inputs(Inputs("dense", 0.0, high, size, unevenness))
    assert (found is not None) == expected


def test_targets_are_judged_by_their_size():
    assert check_target(Target(-2.0, 3.0, 1.0)) is None
    assert check_target(Target(100.0, 300.0, 200.0)) is not None
    assert check_target(None) is None


@pytest.mark.parametrize(
    ("underfits", "penalty", "expected"),
    [(True, 0.2, True), (False, 0.2, False), (True, 0.05, False)],
)
def test_a_large_penalty_matters_where_the_network_underfits(underfits, penalty, expected):
    assert bool(check_penalty(replace(COPIES, penalty=penalty), underfits)) == expected


def test_initial_statistics_that_are_left_are_named():
    normalization = inside.Normalization("norm", 0.5, 0.99)
    found = check_statistics([normalization], Effect(0.3, 0.2, 0.4), 50)
    assert "leaves 61% of the initial statistics after 50 steps" in found.text
    assert check_statistics([normalization], Effect(0.01, -0.01, 0.03), 50) is None


def rows_predicted(confidence, right, classes=2):
    """Rows whose answer has a probability, some of them right."""
    labels = GENERATOR.integers(classes, size=len(right))
    answers = np.where(right, labels, (labels + 1) % classes)
    given = np.full((len(right), classes), (1 - confidence) / (classes - 1))
    given[np.arange(len(right)), answers] = confidence
    return predictions.Predicted(labels, given, np.arange(len(right)))


@pytest.mark.parametrize(("share", "expected"), [(0.9, None), (0.7, "not calibrated")])
def test_the_calibration_error_is_the_distance_of_probability_and_accuracy(share, expected):
    found = predictions.calibration_of(rows_predicted(0.9, wrong(share) > 0), 0)
    assert found.error == pytest.approx(abs(0.9 - share), abs=1e-9)
    assert name_of(check_calibration(found)) == expected


def test_rare_classes_that_are_missed_are_named():
    labels = np.repeat([0, 1], [360, 40])
    given = np.tile([0.8, 0.2], (ROWS, 1))
    given[360:370] = [0.2, 0.8]
    predicted = predictions.Predicted(labels, given, np.arange(ROWS))
    found = check_classes(predictions.classes_of(predicted, ("healthy", "ill")))
    assert "ill (40 rows, recall 25%" in found.text
    assert "--balance" in found.command
    given[360:] = [0.2, 0.8]
    assert check_classes(predictions.classes_of(predicted, ("healthy", "ill"))) is None


def test_the_surest_wrong_labels_come_first():
    predicted = rows_predicted(0.9, wrong(0.9) > 0)
    predicted.probabilities[7] = np.eye(2)[1 - predicted.labels[7]]
    found = predictions.disagreement_of(predicted)
    assert found.rows[0] == 7
    assert found.error == pytest.approx(1 - predicted.right.mean())


def test_an_interval_of_a_mean_ignores_what_is_unknown():
    values = np.array([1.0, 2.0, np.nan, 3.0])
    found = effect_of(values)
    # 2 ± t(0.975, 2) / sqrt(3), with t = 4.3027.
    np.testing.assert_allclose([found.mean, found.high - 2], [2, 4.302653 / 3**0.5], rtol=1e-6)


def test_dropout_of_one_half_doubles_the_variance_in_training():
    inputs = keras.Input((8,))
    dropped = keras.layers.Dropout(0.5, seed=0, name="drop")(inputs)
    hidden = keras.layers.BatchNormalization(name="norm")(dropped)
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile("sgd", "mse")
    assert structure_of(model).after_dropout == {"norm": "drop"}
    (found,) = inside.normalizations_of(model, GENERATOR.normal(size=(4000, 8)).astype("float32"))
    # Inverted dropout makes the variance of centred inputs 1 / (1 - 0.5) of what it was.
    assert found.variance_ratio == pytest.approx(0.5, rel=0.05)


def test_units_are_counted_by_their_activation():
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(4, activation="relu", name="rectified"),
            keras.layers.Dense(3, activation="tanh", name="bounded"),
            keras.layers.Dense(1),
        ]
    )
    kernel = np.eye(2, 4, dtype=np.float32)
    model.get_layer("rectified").set_weights([kernel, np.array([0, 0, -1, 1], np.float32)])
    model.get_layer("bounded").set_weights([np.zeros((4, 3)), np.array([0.0, 9.0, -9.0])])
    found = inside.units_of(model, np.ones((5, 2), np.float32))
    assert found.dead == {"rectified": 0.25}
    assert found.saturated == {"bounded": pytest.approx(2 / 3)}


def test_what_enters_a_layer_is_seen_and_nothing_changes():
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="inside")])
    inputs = keras.Input((2,))
    outputs = keras.layers.BatchNormalization()(inner(keras.layers.Rescaling(0.5)(inputs)))
    model = keras.Model(inputs, outputs)
    before = model.get_weights()
    x = np.ones((3, 2), np.float32)
    found = inside.entering(model, x, lambda layer: layer.name == "inside")
    np.testing.assert_array_equal(found["inside"], 0.5 * x)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
