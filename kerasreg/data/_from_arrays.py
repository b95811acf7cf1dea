"""`from_arrays`: the door through which arrays come in."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from kerasreg.data._arrays import ArrayPreprocessing, check_array
from kerasreg.data._assemble import assemble
from kerasreg.data._dataset import Dataset
from kerasreg.data._labels import one_axis, read_labels
from kerasreg.data._splitting import FRACTIONS
from kerasreg.errors import UserError


def from_arrays(
    x,
    y,
    *,
    x_test=None,
    y_test=None,
    name: str = "arrays",
    task: str | None = None,
    train_size: int | None = None,
    split_seed: int = 0,
    fractions: tuple[float, float, float] = FRACTIONS,
    scaling: str = "auto",
    feature_names: tuple[str, ...] | None = None,
    class_names: tuple[str, ...] | None = None,
    target_name: str = "y",
    notes: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Dataset:
    """Make a Dataset of arrays.

    Args:
        x: Numbers, shape (rows, features) or (rows, height, width, ...).
        y: Labels (numbers, text or booleans) or quantities, shape (rows,) or (rows, 1).
        x_test, y_test: Test rows in the same layout; without them a test part is split off.
        name: What the data is called in reports.
        task, train_size, split_seed, fractions: As in `load`.
        scaling: `"standard"`: each feature by the mean and standard deviation of the training
            rows. `"unit"`: all values by 1/255 (uint8) or 1/largest training magnitude. `"none"`.
            `"auto"`: unit for uint8 and for more than two axes (images), else standard.
        feature_names: One a flattened feature.
        class_names: One a class, in the order of the sorted labels; else the labels themselves.
        target_name: What is predicted.
        notes, warnings: As in `Dataset`, of who read the arrays.

    Raises:
        UserError: NaN, infinite, object or text `x`; lengths or shapes that do not match; targets
            that are constant, fractional labels, or have too few rows of a class; bad options.
    """
    x, y = check_array(x, "x"), one_axis(y, "y")
    _check_lengths(x, y, "x", "y")
    if (x_test is None) != (y_test is None):
        raise UserError("x_test and y_test: give both or neither")
    if x_test is not None:
        x_test, y_test = check_array(x_test, "x_test"), one_axis(y_test, "y_test")
        _check_lengths(x_test, y_test, "x_test", "y_test")
        if x_test.shape[1:] != x.shape[1:]:
            raise UserError(
                f"x_test: expected rows of shape {x.shape[1:]} as in x, got {x_test.shape[1:]}"
            )
        if (y.dtype.kind in "US") != (y_test.dtype.kind in "US"):
            raise UserError(f"y_test: expected labels as in y, {y.dtype}, got {y_test.dtype}")
        y = np.concatenate([y, y_test])
    labels = read_labels(y, task=task, name="y")
    if class_names is not None and labels.class_names is not None:
        if len(class_names) != len(labels.class_names):
            raise UserError(
                f"class_names: expected {len(labels.class_names)} names, got {len(class_names)}"
            )
        labels = replace(labels, class_names=tuple(str(label) for label in class_names))
    fingerprint = hashlib.sha256()
    for array in (x, x_test):
        if array is not None:
            fingerprint.update(f"{array.dtype.str}{array.shape}".encode())
            fingerprint.update(np.ascontiguousarray(array).data)
    labels.add_to(fingerprint)
    return assemble(
        x,
        labels,
        partial(ArrayPreprocessing.fit, scaling=scaling, feature_names=feature_names),
        raw_test=x_test,
        name=name,
        target_name=target_name,
        fingerprint=fingerprint.hexdigest(),
        train_size=train_size,
        split_seed=split_seed,
        fractions=fractions,
        notes=notes,
        warnings=warnings,
    )


def joined_rows(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Rows that have the values of several arrays one after the other, shape (rows, values)."""
    return np.concatenate([np.reshape(array, (len(array), -1)) for array in arrays], axis=1)


def _check_lengths(x: np.ndarray, y: np.ndarray, x_name: str, y_name: str) -> None:
    if len(x) != len(y):
        raise UserError(
            f"{x_name} has {len(x)} rows and {y_name} has {len(y)}; expected one target a row"
        )
