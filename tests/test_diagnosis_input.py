"""What `diagnose` is given: shapes, targets, parts and scaling; what does not fit, in one line."""

import keras
import numpy as np
import pytest

import kerasreg
from kerasreg.cli import main
from kerasreg.diagnosis.rows import rows_of
from kerasreg.errors import UserError

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, size=(60, 4, 3)).astype(np.uint8)
LABELS = np.arange(60) % 3


def network(shape=(12,), outputs=3, activation="softmax", loss="sparse_categorical_crossentropy"):
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(outputs, activation=activation),
        ]
    )
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize("shape", [(12,), (4, 3), (4, 3, 1), (3, 4)])
def test_rows_take_the_shape_of_the_network(shape):
    rows = rows_of((IMAGES, LABELS), network(shape), 60, None, 0)
    assert rows.x.shape[1:] == shape
    # A fifth is left alone as the test part.
    assert len(rows.y) == len(set(rows.numbers)) == 48
    np.testing.assert_array_equal(rows.x.reshape(48, 4, 3), IMAGES[rows.numbers])


def test_given_validation_rows_are_the_validation_rows():
    data = ((IMAGES[:40], LABELS[:40]), (IMAGES[40:], LABELS[40:]))
    rows = rows_of(data, network(), 60, None, 0)
    np.testing.assert_array_equal(rows.numbers[rows.validation], np.arange(40, 60))


def test_several_inputs_stay_nested():
    first, second = keras.Input((12,), name="a"), keras.Input((2,), name="b")
    joined = keras.layers.Concatenate()([first, second])
    model = keras.Model({"a": first, "b": second}, keras.layers.Dense(3, "softmax")(joined))
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = {"a": IMAGES.reshape(60, 12), "b": np.ones((60, 2))}
    rows = rows_of((x, LABELS), model, 60, None, 0)
    np.testing.assert_array_equal(rows.inputs(np.array([3]))["a"][0], x["a"][rows.numbers[3]])


@pytest.mark.parametrize(
    ("loss", "outputs", "labels", "shape"),
    [
        ("sparse_categorical_crossentropy", 3, LABELS, (48,)),
        ("categorical_crossentropy", 3, LABELS, (48, 3)),
        ("binary_crossentropy", 1, LABELS > 0, (48,)),
        # Labels 0, 1 and 4 are outputs 0, 1 and 4 of five.
        ("sparse_categorical_crossentropy", 5, LABELS**2, (48,)),
    ],
)
def test_targets_are_as_the_loss_takes_them(loss, outputs, labels, shape):
    rows = rows_of((IMAGES, labels), network(outputs=outputs, loss=loss), 60, None, 0)
    assert rows.y.shape == shape
    np.testing.assert_array_equal(rows.labels, labels[rows.numbers])


@pytest.mark.parametrize(("scaling", "largest"), [(None, 255), ("none", 255), ("auto", 1)])
def test_arrays_of_a_file_stay_as_they_are_unless_asked_for(tmp_path, scaling, largest):
    np.savez(tmp_path / "rows.npz", x=IMAGES, y=LABELS)
    rows = rows_of(tmp_path / "rows.npz", network(), 60, scaling, 0)
    assert rows.x.max() == pytest.approx(largest, rel=0.05)


def several_outputs():
    inputs = keras.Input((12,))
    hidden = keras.layers.Dense(3)(inputs)
    model = keras.Model(inputs, [hidden, hidden])
    model.compile("sgd", ["mse", "mse"])
    return model


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        (network((5,)), (IMAGES, LABELS), r"takes rows of shape \(5,\).*\(4, 3\)"),
        (network(outputs=2), (IMAGES, LABELS), r"outputs of shape \(rows, 2\).*3 classes"),
        (network(outputs=2, activation=None, loss="mse"), (IMAGES, LABELS / 7), "one quantity"),
        (several_outputs(), (IMAGES, LABELS), "with one output of shape"),
        (network(), (IMAGES[:50], LABELS), "a row for each target"),
        (network(), (np.full((60, 12), np.nan), LABELS), "row 0, feature 0 is nan"),
        (network(), (IMAGES, LABELS, LABELS), "got 3 parts"),
        (network(), [IMAGES], "got a list"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(model, data, message):
    with pytest.raises(UserError, match=message) as refused:
        kerasreg.diagnose(model, data)
    assert "\n" not in str(refused.value)


def test_the_command_writes_a_page(tmp_path, capsys):
    np.savez(tmp_path / "rows.npz", x=IMAGES, y=LABELS)
    network().save(tmp_path / "network.keras")
    out = tmp_path / "out"
    arguments = ["--model", str(tmp_path / "network.keras"), "--data", str(tmp_path / "rows.npz")]
    assert main(["diagnose", *arguments, "--epochs", "1", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert str(out / "diagnosis.html") in printed
    page = (out / "diagnosis.html").read_text()
    for text in (printed, page):
        assert "inputs not scaled" in text
    assert "<svg" in page


def test_the_command_refuses_in_one_line(tmp_path, capsys):
    (tmp_path / "text.keras").write_text("no model")
    arguments = ["diagnose", "--model", str(tmp_path / "text.keras"), "--out", str(tmp_path)]
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
