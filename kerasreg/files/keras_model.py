"""A Keras model of the user's: opened from its file, and compiled where it is not.

Nothing in the file is executed: Keras' `safe_mode` stays on, and classes of the user's come from
modules that the user names.
"""

import importlib
import sys
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from kerasreg.errors import UserError


def open_model(path: str | Path, custom: Sequence[str] = ()) -> keras.Model:
    """Load a `.keras` file.

    Args:
        path: The file.
        custom: `MODULE:NAME` of each class or function of the user's in it. Modules are imported
            as Python does, and from the working directory.

    Raises:
        UserError: No such file, no Keras model, a class or function that is not known, or code in
            the file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"--model: expected a .keras file, found none at {path}.")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise UserError(
            f"--model: expected a file that model.save('network.keras') wrote, got {path}."
        )
    objects = dict(_imported(name) for name in custom)
    try:
        with warnings.catch_warnings():
            # Of a network that was compiled and never trained.
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model = keras.saving.load_model(path, custom_objects=objects)
    except (ValueError, TypeError, KeyError, OSError, AttributeError, ImportError) as error:
        reason = " ".join(str(error).split())
        if "Lambda" in reason and "safe" in reason:
            hint = "write its Lambda layer as a class and name that: --custom MODULE:CLASS"
        elif "Could not locate" in reason or "Unknown" in reason:
            hint = "name the classes and functions that are yours: --custom MODULE:NAME"
        else:
            hint = "save it again with model.save('network.keras')"
        raise UserError(f"--model {path}: Keras cannot load it; {hint} ({reason[:160]}).") from None
    if not isinstance(model, keras.Model):
        raise UserError(f"--model {path}: expected a Keras model, got a {type(model).__name__}.")
    return model


def _imported(text: str) -> tuple[str, Any]:
    """The name and the object of `MODULE:NAME`."""
    module, _, name = text.partition(":")
    if not module or not name:
        raise UserError(f"--custom: expected MODULE:NAME, such as layers:Squash, got {text!r}.")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return name, getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"--custom {text}: cannot import it ({error}); run where {module}.py is, or install it."
        ) from None
    finally:
        sys.path.pop(0)


def ensure_compiled(model: keras.Model, task: str) -> keras.Model:
    """Compile a model that is not compiled with a loss, where its output says how; return it.

    Classification: cross-entropy of probabilities after softmax or sigmoid, else of logits, binary
    for one output. Regression: mean squared error. Adam with Keras' defaults.

    Args:
        model: It is compiled in place.
        task: `"classification"` or `"regression"`.

    Raises:
        UserError: Several outputs, or one that is no vector a row.
    """
    if getattr(model, "compiled", False) and getattr(model, "_compile_loss", None) is not None:
        return model
    shape = model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 2:
        raise UserError(
            f"model {model.name!r}: expected a compiled model, or one output of shape (rows, "
            f"outputs) to compile it by, got {shape}; call model.compile(optimizer, loss)."
        )
    if task == "regression":
        loss = keras.losses.MeanSquaredError()
    elif shape[-1] == 1:
        logits = output_activation(model) != "sigmoid"
        loss = keras.losses.BinaryCrossentropy(from_logits=logits)
    else:
        logits = output_activation(model) != "softmax"
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    model.compile(keras.optimizers.Adam(), loss)
    return model


def output_activation(model: keras.Model) -> str:
    """Name of the function that a model's output comes out of, `"linear"` for none.

    Of a model that is no graph of layers it is that of the last layer.
    """
    outputs = getattr(model, "outputs", None)
    layer = outputs[0]._keras_history.operation if outputs else model.layers[-1]
    if isinstance(layer, keras.Model):
        return output_activation(layer)
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    function = getattr(layer, "activation", None) or layer
    name = getattr(function, "__name__", type(function).__name__).lower()
    return name if name in ("softmax", "sigmoid") else "linear"
