"""How data is read for a network, and rows of arrays as a network of several inputs takes them."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasreg.data import is_folder
from kerasreg.regularization.graph import as_functional


def reading_of(model: keras.Model, source: str | Path) -> dict[str, Any]:
    """Arguments of `kerasreg.load` that follow from what a network takes.

    Several inputs are arrays of an `.npz` by their names; images of a folder are brought to the
    height, the width and the channels of an input that has them.
    """
    path, shape = Path(source), model.inputs[0].shape[1:]
    if len(model.inputs) > 1:
        return {"inputs": input_names(model)} if path.suffix.lower() == ".npz" else {}
    if is_folder(path) and None not in shape and (*shape[2:], 1)[0] in (1, 3):
        sizes = {2: [*shape, 1], 3: list(shape)}
        return {"image_size": sizes[len(shape)]} if len(shape) in sizes else {}
    return {}


def input_names(model: keras.Model) -> list[str]:
    """Names of a model's inputs, in order."""
    return [tensor._keras_history.operation.name for tensor in model.inputs]


def divided(model: keras.Model, rows: np.ndarray) -> Any:
    """Rows whose values are those of several inputs one after the other, as the model takes them.

    Rows of a model of one input, or of other sizes, stay as they are.
    """
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    sizes = [math.prod(size or 0 for size in shape) for shape in shapes]
    if len(shapes) == 1 or sum(sizes) != math.prod(rows.shape[1:]):
        return rows
    parts = np.split(rows.reshape(len(rows), -1), np.cumsum(sizes)[:-1], axis=1)
    pairs = zip(parts, shapes, strict=True)
    parts = [part.reshape(-1, *shape) for part, shape in pairs]
    return keras.tree.pack_sequence_as(as_functional(model).input, parts)
