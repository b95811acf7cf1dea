"""The rows that a network is diagnosed on, as it takes them; never test rows."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasreg.data import (
    FRACTIONS,
    Dataset,
    check_array,
    fold_rows,
    load,
    read_labels,
    split_rows,
    subset_rows,
)
from kerasreg.diagnosis.network import loss_name
from kerasreg.errors import UserError
from kerasreg.files.keras_model import ensure_compiled, output_activation
from kerasreg.networks import divided, reading_of

#: Folds of the cross-validation, fewer where a class has fewer rows.
FOLDS = 5
#: Numbers that the inputs may hold together; of larger rows fewer are used, from `FEWEST` on.
MOST_VALUES = 40_000_000
FEWEST = 200
_SCALING = ("Rescaling", "Normalization", "BatchNormalization")


@dataclass(frozen=True)
class Rows:
    """Training and validation rows.

    Attributes:
        name: Of the data.
        x: Nested arrays (rows, ...), as the model takes them.
        y: Targets as its loss takes them.
        labels: Class ids (rows,); for regression the targets.
        class_names: Name of each class id; None for regression.
        numbers: Which row of the user's data each is, counted from 0.
        validation: Which of them are validation rows, bool (rows,).
        folds: Pairs of training and validation rows, as indices; used ones only.
        used: Indices of the rows that copies are trained on.
        threshold: From what on a single output means the second of two classes.
    """

    name: str
    x: Any
    y: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...] | None
    numbers: np.ndarray
    validation: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]
    used: np.ndarray
    threshold: float

    @property
    def classification(self) -> bool:
        """Whether rows have classes."""
        return self.class_names is not None

    @property
    def unit(self) -> str:
        """What errors are shares of."""
        return "of rows wrong" if self.classification else "of the target's variance left"

    @property
    def guess_error(self) -> float:
        """Error of always giving the most frequent class, or the mean, for the used rows."""
        if not self.classification:
            return 1.0
        return float(1 - np.bincount(self.labels[self.used]).max() / len(self.used))

    def errors(self, outputs: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Of each row 1 for a wrong class and 0 for the right one, or its squared error by the
        variance of the target.

        Args:
            outputs: Of a network, (..., rows, outputs); NaN stays NaN.
            rows: Indices of the rows, (rows,).
        """
        labels = self.labels[rows]
        if not self.classification:
            return (outputs[..., 0] - labels) ** 2 / np.var(self.labels[self.used])
        several = outputs.shape[-1] > 1
        given = outputs.argmax(axis=-1) if several else outputs[..., 0] > self.threshold
        return np.where(np.isnan(outputs).any(axis=-1), np.nan, given != labels)

    def inputs(self, rows: np.ndarray) -> Any:
        """The inputs of some rows."""
        return keras.tree.map_structure(lambda array: array[rows], self.x)


def rows_of(data: Any, model: keras.Model, limit: int, scaling: str | None, seed: int) -> Rows:
    """Bring data into the shape that a model takes; compile the model if it is not.

    Args:
        data, scaling: As in `diagnose`.
        limit: Most rows to train on.
        seed: Of the split, the folds and the choice of rows.

    Raises:
        UserError: Data that cannot be read, or that does not fit the model's inputs or output.
    """
    shape = getattr(model, "output_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 2:
        raise UserError(
            f"model {model.name!r}: expected a Sequential or functional model with one output of "
            f"shape (rows, outputs), got {shape}."
        )
    if isinstance(data, tuple):
        source = _of_arrays(data, seed)
    else:
        source = _of_dataset(data, model, scaling, seed)
    ensure_compiled(model, "classification" if source.class_names else "regression")
    x, y, names = _fitted(source.x, model, source.name), source.y, source.class_names
    values = sum(math.prod(leaf.shape[1:]) for leaf in keras.tree.flatten(x))
    used = subset_rows(y, min(limit, len(y), max(FEWEST, MOST_VALUES // values)), seed, names)
    fewest = np.bincount(y[used]).min() if names else len(used)
    folds = source.folds(int(np.clip(fewest, 2, FOLDS)), seed)
    if names and all(name.isdigit() for name in names):
        # Labels that are whole numbers are indices of the outputs, also where one is missing.
        ids = np.array([int(name) for name in names])
        if ids.max() < max(shape[-1], 2):
            y, names = ids[y].astype(np.int32), tuple(map(str, range(ids.max() + 1)))
    return Rows(
        name=source.name,
        x=x,
        y=_targets(y, names, model, source.name),
        labels=y,
        class_names=names,
        numbers=source.numbers,
        validation=source.validation,
        folds=[tuple(np.intersect1d(part, used) for part in fold) for fold in folds],
        used=used,
        threshold=0.5 if output_activation(model) == "sigmoid" else 0.0,
    )


@dataclass(frozen=True)
class _Source:
    """Training and validation rows before they are fitted to a model, as in `Rows`.

    Attributes:
        folds: `folds(k, seed)` divides the rows.
    """

    name: str
    x: Any
    y: np.ndarray
    class_names: tuple[str, ...] | None
    numbers: np.ndarray
    validation: np.ndarray
    folds: Callable[[int, int], list[tuple[np.ndarray, np.ndarray]]]


def _of_dataset(data: Any, model: keras.Model, scaling: str | None, seed: int) -> _Source:
    """A data set's rows, as they came or as it scales them."""
    if scaling not in (None, "none", "auto"):
        raise UserError(f"scaling: expected none or auto, got {scaling!r}.")
    if isinstance(data, str | Path):
        if Path(data).suffix == ".npz":
            scaling = scaling or "none"
        data = load(data, split_seed=seed, **reading_of(model, data))
    if not isinstance(data, Dataset):
        raise UserError(
            "data: expected a name, a file, a kerasreg.Dataset, (x, y) or ((x, y), (x_val, "
            f"y_val)), got a {type(data).__name__}."
        )
    y, raw = data.refit.y, scaling == "none" or (scaling is None and _scales_itself(model))
    raw = raw and isinstance(data.raw, np.ndarray)
    if raw and data.class_names is None:
        y = y * np.float32(data.target_scale) + np.float32(data.target_offset)
    numbers = np.concatenate([data.rows["train"], data.rows["validation"]])
    validation = np.arange(len(y)) >= len(data.rows["train"])
    x = data.raw if raw else data.refit.x
    return _Source(data.name, x, y, data.class_names, numbers, validation, data.fold_rows)


def _of_arrays(data: tuple, seed: int) -> _Source:
    """Rows given in Python: a test part is split off and left alone unless both parts are given."""
    if len(data) != 2:
        raise UserError(f"data: expected (x, y) or ((x, y), (x_val, y_val)), got {len(data)} parts")
    x, y = data
    both = isinstance(x, tuple) and isinstance(y, tuple) and len(x) == len(y) == 2
    if both:
        count = len(x[1])
        y = np.concatenate([np.asarray(part[1]) for part in data])
        x = keras.tree.map_structure(lambda *parts: np.concatenate(parts), x[0], data[1][0])
    x = keras.tree.map_structure(np.asarray, x)
    labels = read_labels(np.asarray(y), task=None, name="y")
    for leaf in keras.tree.flatten(x):
        if len(check_array(leaf)) != len(labels.y):
            raise UserError(
                f"x: expected {len(labels.y)} rows, a row for each target, got shape {leaf.shape}."
            )
    numbers = np.arange(len(labels.y))
    if both:
        validation = numbers >= count
    else:
        parts = split_rows(labels.y, FRACTIONS, seed, labels.class_names)
        numbers = np.concatenate(parts[:2])
        validation = np.arange(len(numbers)) >= len(parts[0])
        x = keras.tree.map_structure(lambda leaf: leaf[numbers], x)
    y = labels.y[numbers]
    y = y.astype(np.int32 if labels.class_names else np.float32)

    def folds(k: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        return fold_rows(y, k, seed, labels.class_names)

    return _Source("arrays", x, y, labels.class_names, numbers, validation, folds)


def _scales_itself(model: keras.Model) -> bool:
    """Whether the first layer of a model scales its inputs."""
    first = next((layer for layer in model.layers if type(layer).__name__ != "InputLayer"), None)
    if isinstance(first, keras.Model):
        return _scales_itself(first)
    return type(first).__name__ in _SCALING


def _fitted(x: Any, model: keras.Model, name: str) -> Any:
    """Rows in the shape of a model's inputs; one array is reshaped if its numbers are as many.

    Raises:
        UserError: They do not fit: both shapes are named.
    """
    inputs = getattr(model, "inputs", None)
    if not inputs:
        return x
    wanted = [tuple(tensor.shape[1:]) for tensor in inputs]
    leaves = keras.tree.flatten(x)
    if len(leaves) == 1 < len(wanted):
        leaves = keras.tree.flatten(x := divided(model, leaves[0]))
    single = len(leaves) == len(wanted) == 1 and None not in wanted[0]
    if single and math.prod(leaves[0].shape[1:]) == math.prod(wanted[0]):
        return keras.tree.map_structure(lambda leaf: leaf.reshape(-1, *wanted[0]), x)
    fits = len(leaves) == len(wanted) and all(
        len(leaf.shape[1:]) == len(shape)
        and all(b in (None, a) for a, b in zip(leaf.shape[1:], shape, strict=True))
        for leaf, shape in zip(leaves, wanted, strict=True)
    )
    if not fits:
        got = " and ".join(str(leaf.shape[1:]) for leaf in leaves)
        expected = " and ".join(str(shape).replace("None", "any") for shape in wanted)
        raise UserError(
            f"model {model.name!r} takes rows of shape {expected}, but those of {name} have "
            f"{got}; prepare them as for training and save them with numpy.savez(FILE, x=x, y=y)."
        )
    return x


def _targets(
    y: np.ndarray, names: tuple[str, ...] | None, model: keras.Model, name: str
) -> np.ndarray:
    """Targets as a model's loss takes them: class ids, or one column a class.

    Raises:
        UserError: Its outputs do not fit the classes.
    """
    outputs = model.output_shape[-1]
    classes = 1 if names is None else len(names)
    if outputs != classes if names is None else outputs < classes - (classes == 2):
        what = f"{classes} classes" if names else "one quantity"
        raise UserError(
            f"model {model.name!r} has outputs of shape (rows, {outputs}), but the target of "
            f"{name} is {what}; give the last layer {classes} units"
            + (", or say --task regression." if outputs == 1 else ".")
        )
    if names is None or outputs == 1:
        return y.astype(np.float32)
    if "sparse" in loss_name(model):
        return y
    return np.eye(outputs, dtype=np.float32)[y]
