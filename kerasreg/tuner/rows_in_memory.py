"""Rows of data in memory, from arrays or from a pipeline of batches, and their targets."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

#: Largest pipeline that is read into memory.
PIPELINE_BYTES = 2**30
#: A population's losses of values, not classes.
ERRORS = ("mse", "mae", "huber")
_ONE_HOT = ("categorical_crossentropy", "CategoricalCrossentropy")


class CannotTrainTogether(Exception):
    """Why something has to be trained the plain way; the message names it."""


@dataclass(frozen=True)
class Columns:
    """Inputs and targets (rows, ...), nested as the model takes them, and weights (rows,)."""

    x: Any
    y: Any
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(keras.tree.flatten(self.x)[0])

    def rows(self, which: slice) -> "Columns":
        """Some of the rows."""
        return Columns(
            *keras.tree.map_structure(
                lambda array: None if array is None else array[which],
                (self.x, self.y, self.weights),
            )
        )

    def check_plain(self, name: str) -> None:
        """Raise `CannotTrainTogether` unless this is one array of inputs and one of targets."""
        targets = "y" if name == "x" else f"targets in {name}"
        for what, value in ((name, self.x), (targets, self.y)):
            if not isinstance(value, np.ndarray):
                raise CannotTrainTogether(f"{what} of type {type(value).__name__}")
        if self.x.ndim < 2 or self.y.ndim > 2:
            raise CannotTrainTogether(f"{name} of shapes {self.x.shape} and {self.y.shape}")


def read_arrays(name: str, x: Any, y: Any, weights: Any = None) -> Columns:
    """Arrays, or lists and dicts of arrays, as NumPy arrays.

    Raises:
        CannotTrainTogether: They are not arrays of numbers with equally many rows.
    """
    targets = "y" if name == "x" else f"targets in {name}"
    for what, value in ((name, x), (targets, y)):
        if value is None:
            raise CannotTrainTogether(f"no {what}")
    x, y = _arrays(name, x), _arrays(targets, y)
    weights = None if weights is None else np.asarray(weights)
    arrays = [a for a in (*keras.tree.flatten((x, y)), weights) if a is not None]
    fitting = weights is None or weights.ndim == 1
    if not all(array.ndim for array in arrays) or len({*map(len, arrays)}) > 1 or not fitting:
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise CannotTrainTogether(f"{name} and {targets} of shapes {shapes}")
    return Columns(x, y, weights)


def _arrays(name: str, given: Any) -> Any:
    def one(value: Any) -> np.ndarray:
        if not hasattr(value, "__array__"):
            kind = type(given if isinstance(given, list | tuple | dict) else value)
            raise CannotTrainTogether(f"{name} of type {kind.__name__}")
        array = np.asarray(value)
        if array.dtype.kind not in "iubf":
            raise CannotTrainTogether(f"{name} of {array.dtype} values")
        return array

    if _is_numbers(given):
        try:
            return one(np.array(given))
        except ValueError:  # rows of different lengths
            raise CannotTrainTogether(f"{name} of type list") from None
    return keras.tree.map_structure(one, given)


def _is_numbers(given: Any) -> bool:
    """Whether it is a list of Python's numbers, or of such lists."""
    while isinstance(given, list | tuple) and given:
        given = given[0]
    return isinstance(given, int | float)


def is_pipeline(value: Any) -> bool:
    """Whether `fit` would read batches from it: a `tf.data.Dataset` or a `PyDataset`."""
    return isinstance(value, tf.data.Dataset | keras.utils.PyDataset)


def read_pipeline(
    name: str, pipeline: tf.data.Dataset | keras.utils.PyDataset
) -> tuple[Columns, int, bool]:
    """Rows of a batched pipeline, its batch size, and whether it gives them in one order.

    The pipeline is read twice: one that draws its rows anew each time, as augmentation does, has
    to be drawn anew each epoch.

    Raises:
        CannotTrainTogether: It is endless, too large, not batched, random, or not of (x, y).
    """
    if isinstance(pipeline, keras.utils.PyDataset):
        for hook in ("on_epoch_begin", "on_epoch_end"):
            if getattr(type(pipeline), hook) is not getattr(keras.utils.PyDataset, hook):
                raise CannotTrainTogether(f"{name}: a PyDataset with {hook}()")
        endless = pipeline.num_batches is None
    else:
        endless = int(pipeline.cardinality()) == -1
    if endless:
        raise CannotTrainTogether(f"{name}: an endless pipeline")
    batches = _batches(name, pipeline)
    columns = [np.concatenate(column) for column in zip(*batches, strict=True)]
    again = [np.concatenate(column) for column in zip(*_batches(name, pipeline), strict=True)]
    if _unordered(columns) != _unordered(again):
        raise CannotTrainTogether(f"{name}: a pipeline that gives other rows each time")
    in_order = all(map(np.array_equal, columns, again))
    return read_arrays(name, *columns), len(batches[0][0]), in_order


def _batches(
    name: str, pipeline: tf.data.Dataset | keras.utils.PyDataset
) -> list[tuple[np.ndarray, ...]]:
    batches = []
    size = 0
    if isinstance(pipeline, keras.utils.PyDataset):
        pipeline = map(pipeline.__getitem__, range(pipeline.num_batches))
    for batch in pipeline:
        parts = tuple(batch) if isinstance(batch, list | tuple) else (batch,)
        if not 2 <= len(parts) <= 3 or not all(hasattr(part, "__array__") for part in parts):
            raise CannotTrainTogether(f"{name}: a pipeline that is not of (x, y) tensors")
        arrays = tuple(map(np.asarray, parts))
        if arrays[0].ndim < 2 or any(a.shape[:1] != arrays[0].shape[:1] for a in arrays):
            raise CannotTrainTogether(f"{name}: a pipeline that is not batched")
        size += sum(array.nbytes for array in arrays)
        if size > PIPELINE_BYTES:
            raise CannotTrainTogether(f"{name}: a pipeline too large for memory")
        batches.append(arrays)
    if not batches:
        raise CannotTrainTogether(f"{name}: an empty pipeline")
    return batches


def _unordered(columns: list[np.ndarray]) -> list[int]:
    """The rows as a multiset: shuffling alone makes no difference."""
    rows = zip(*(np.ascontiguousarray(c).reshape(len(c), -1) for c in columns), strict=True)
    return sorted(hash(b"".join(part.tobytes() for part in row)) for row in rows)


def takes_one_hot(model: keras.Model) -> bool:
    """Whether the model's loss takes one-hot targets."""
    compiled = model.get_compile_config()["loss"]
    return (compiled["class_name"] if isinstance(compiled, dict) else compiled) in _ONE_HOT


def check_targets(y: np.ndarray, outputs: int, loss: str, model: keras.Model | None) -> np.ndarray:
    """Targets as a population takes them: one value or class index a row.

    Args:
        y: (rows,), (rows, 1) or one-hot (rows, outputs).
        outputs, loss: Of the blueprint.
        model: The compiled model, or None for a `StackConfig`, which takes either form.

    Raises:
        CannotTrainTogether: Keras would read them otherwise.
    """
    wide = y.ndim == 2 and y.shape[1] > 1
    if model is not None and loss == "softmax" and takes_one_hot(model) != wide:
        name = getattr(model.loss, "name", model.loss)
        raise CannotTrainTogether(f"targets of shape {y.shape} for the loss {name!r}")
    if not wide:
        y = y.reshape(-1)
        if model is not None:
            _check_values(y, outputs, loss)
        return y
    if loss != "softmax" or y.shape[1] != outputs:
        raise CannotTrainTogether(f"targets of shape {y.shape} for {outputs} outputs")
    if not (np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()):
        raise CannotTrainTogether("targets that are not one-hot")
    return y.argmax(axis=1)


def _check_values(y: np.ndarray, outputs: int, loss: str) -> None:
    if not np.isfinite(y).all():
        raise CannotTrainTogether("targets that are not finite")
    classes = max(outputs, 2)
    if loss not in ERRORS and not np.isin(y, np.arange(classes)).all():
        raise CannotTrainTogether(f"targets other than the class indices 0 to {classes - 1}")


def stack_geometry(
    x: np.ndarray, targets: list[np.ndarray], outputs: int | None, task: str | None
) -> tuple[tuple[int, ...], int, str]:
    """What a `StackConfig` is built between: input shape, outputs and task.

    Args:
        x: (rows, ...) inputs.
        targets: Arrays of targets. Whole numbers are class indices, others are values; there are
            as many classes as the largest index plus one, or as one-hot columns.
        outputs, task: As the user gave them; None to derive them from the targets.
    """
    wide = targets[0].ndim == 2 and targets[0].shape[1] > 1
    y = np.concatenate([np.ravel(part) for part in targets])
    task = task or ("classification" if wide or y.dtype.kind in "iub" else "regression")
    if outputs is None and task == "regression":
        outputs = 1
    elif outputs is None:
        # The population refuses labels that are no class indices, and names their rows.
        classes = targets[0].shape[1] if wide else int(np.nan_to_num(y, posinf=0).max()) + 1
        outputs = 1 if classes <= 2 and not wide else classes
    return x.shape[1:], outputs, task
