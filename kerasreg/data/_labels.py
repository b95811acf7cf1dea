"""From target values to what a stack trains on: the task, class ids, or numbers."""

import hashlib
from dataclasses import dataclass

import numpy as np

from kerasreg.errors import UserError, check_choice

# A target of whole numbers is read as classes up to this many different values.
MOST_INFERRED_CLASSES = 20
# More classes than this is a mistake (an identifier taken for a target), and one kernel too large.
MOST_CLASSES = 1000


@dataclass(frozen=True)
class Labels:
    """Target values of all rows.

    Attributes:
        task: `"classification"` or `"regression"`.
        y: Class ids, int32 in `0..C-1`, or float64 numbers; shape (rows,).
        class_names: Name of each class id; None for regression.
        reason: Why it is this task.
    """

    task: str
    y: np.ndarray
    class_names: tuple[str, ...] | None
    reason: str = "asked for"

    def add_to(self, fingerprint: "hashlib._Hash") -> None:
        """Let a digest depend on the targets."""
        fingerprint.update(self.y.data)
        fingerprint.update(repr((self.task, self.class_names)).encode())


def read_labels(values: np.ndarray, *, task: str | None, name: str) -> Labels:
    """Infer the task, unless given, and encode the target.

    Text and booleans are classes. Whole numbers are classes up to 20 different values; other
    numbers are quantities. Classes are ordered as numbers or, failing that, as text.

    Args:
        values: Target of all rows, one-dimensional.
        task: `"classification"`, `"regression"` or None to infer it.
        name: What the target is called in messages.

    Raises:
        UserError: NaN or infinite values, a constant target, fractional class labels, text as a
            quantity, objects that are neither text, numbers nor booleans, or over 1,000 classes.
    """
    if task is not None:
        check_choice("task", task, ("classification", "regression"))
    values = _plain(values, name)
    if values.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise UserError(
                f"{name}: row {bad[0]} is {values[bad[0]]}; every row needs a finite target"
            )
    classes, ids = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        raise UserError(
            f"{name} is constant: every row is {_name(classes[0])!r}; there is nothing to learn"
        )
    whole = values.dtype.kind in "biu" or (
        values.dtype.kind == "f" and bool(np.all(classes == np.floor(classes)))
    )
    reason = "asked for by --task"
    if task is None:
        text = values.dtype.kind in "Ub"
        few = whole and len(classes) <= MOST_INFERRED_CLASSES
        task = "classification" if text or few else "regression"
        kind = "texts" if text else "whole numbers" if whole else "numbers"
        reason = f"{len(classes):,} different {kind}"
    if task == "regression":
        if values.dtype.kind == "U":
            raise UserError(
                f"{name}: regression needs numbers, got text such as {_name(classes[0])!r}; "
                "use task classification"
            )
        return Labels(task, values.astype(np.float64), None, reason)
    if values.dtype.kind == "f" and not whole:
        fraction = classes[classes != np.floor(classes)][0]
        raise UserError(
            f"{name}: class labels must be whole numbers, text or booleans, got {fraction}; "
            "use task regression or give labels"
        )
    if len(classes) > MOST_CLASSES:
        raise UserError(
            f"{name} has {len(classes)} different values, more than {MOST_CLASSES} classes; "
            "is it an identifier, or a quantity for task regression?"
        )
    names = tuple(_name(label) for label in classes)
    return Labels(task, ids.reshape(-1).astype(np.int32), names, reason)


def one_axis(values, name: str) -> np.ndarray:
    """Targets, one a row, as an array of one axis; `read_labels` judges their values."""
    try:
        values = np.asarray(values)
    except ValueError:
        raise UserError(f"{name}: expected one value a row, got rows of other lengths") from None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        hint = f"; for one-hot rows use {name}.argmax(axis=1)" if values.ndim == 2 else ""
        raise UserError(f"{name}: expected one value a row, got shape {values.shape}{hint}")
    return values


def _plain(values: np.ndarray, name: str) -> np.ndarray:
    """Return a one-dimensional array of numbers, booleans or text, never of objects."""
    values = one_axis(values, name)
    if len(values) == 0:
        raise UserError(f"{name}: expected one value a row, got no rows")
    if values.dtype.kind == "O":
        if all(isinstance(value, str) for value in values):
            values = values.astype(str)
        elif all(isinstance(value, bool | np.bool_) for value in values):
            values = values.astype(bool)
        elif all(isinstance(value, str | bool | int | np.integer | np.bool_) for value in values):
            values = np.array([str(value) for value in values])
        else:
            odd = next(v for v in values if not isinstance(v, str | bool | int | np.integer))
            raise UserError(
                f"{name}: expected text, whole numbers or booleans, got a "
                f"{type(odd).__name__} in an object array"
            )
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{name}: labels in bytes must be UTF-8 text") from None
    if values.dtype.kind == "U":
        values = np.char.strip(values)
    if values.dtype.kind not in "biufU":
        raise UserError(f"{name}: expected text, numbers or booleans, got dtype {values.dtype}")
    return values


def _name(label) -> str:
    """Text of one class label; 3.0 is `"3"`, since it is a label and not a measurement."""
    if isinstance(label, np.floating) and label == np.floor(label):
        return str(int(label))
    return str(label)
