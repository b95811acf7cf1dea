"""A user's model file: what is opened, what is refused in one line, and how it is compiled."""

import keras
import numpy as np
import pytest

from kerasreg.errors import UserError
from kerasreg.files.keras_model import ensure_compiled, open_model, output_activation

MODULE = """
import keras


class Twice(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs
"""


def network(*last, outputs=3):
    layers = [keras.Input((4,)), keras.layers.Dense(outputs), *last]
    return keras.Sequential(layers)


def test_a_saved_model_comes_back_compiled(tmp_path):
    model = network(keras.layers.Softmax())
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.save(tmp_path / "network.keras")
    loaded = open_model(tmp_path / "network.keras")
    x = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert isinstance(ensure_compiled(loaded, "classification").optimizer, keras.optimizers.SGD)


def test_a_class_of_the_users_comes_from_a_module_in_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "twicing.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import twicing

    network(twicing.Twice()).save("network.keras")
    with pytest.raises(UserError, match=r"--custom MODULE:NAME"):
        open_model("network.keras")
    assert isinstance(open_model("network.keras", ["twicing:Twice"]).layers[-1], twicing.Twice)


def lambda_file(path):
    network(keras.layers.Lambda(lambda x: x)).save(path)


def layer_file(path):
    keras.saving.save_model(network(), path)
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("name", "write", "custom", "message"),
    [
        ("none.keras", None, (), "found none"),
        ("text.keras", lambda path: path.write_text("no model"), (), "expected a file that"),
        ("network.h5", lambda path: path.write_bytes(b"\x89HDF"), (), "expected a file that"),
        ("code.keras", lambda_file, (), "Lambda layer as a class"),
        ("cut.keras", layer_file, (), "expected a file that"),
        ("good.keras", lambda path: network().save(path), ("twicing",), "expected MODULE:NAME"),
        ("good.keras", lambda path: network().save(path), ("no_such:A",), "cannot import"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(tmp_path, name, write, custom, message):
    if write:
        write(tmp_path / name)
    with pytest.raises(UserError, match=message) as refused:
        open_model(tmp_path / name, custom)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("last", "outputs", "task", "loss", "logits"),
    [
        ("softmax", 3, "classification", "SparseCategoricalCrossentropy", False),
        ("linear", 3, "classification", "SparseCategoricalCrossentropy", True),
        ("sigmoid", 1, "classification", "BinaryCrossentropy", False),
        ("linear", 1, "classification", "BinaryCrossentropy", True),
        ("linear", 1, "regression", "MeanSquaredError", None),
    ],
)
def test_the_output_says_how_to_compile(last, outputs, task, loss, logits):
    model = network(keras.layers.Activation(last), outputs=outputs)
    assert output_activation(model) == last
    compiled = ensure_compiled(model, task)._compile_loss._user_loss
    assert type(compiled).__name__ == loss
    assert getattr(compiled, "_fn_kwargs", {}).get("from_logits") == logits


def test_a_nested_model_gives_its_activation():
    inner = network(keras.layers.Dense(2, activation="softmax"))
    inputs = keras.Input((4,))
    assert output_activation(keras.Model(inputs, inner(inputs))) == "softmax"


def test_an_output_that_does_not_say_is_refused():
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(2)(inputs)
    with pytest.raises(UserError, match=r"call model.compile\(optimizer, loss\)"):
        ensure_compiled(keras.Model(inputs, [hidden, hidden]), "classification")
