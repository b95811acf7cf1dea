"""The rows a population trains on and is judged by, folds included, as one block of memory."""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasreg.errors import UserError
from kerasreg.population.blueprint import Blueprint


@dataclass(frozen=True)
class Rows:
    """All rows, and which of them each fold trains and validates on.

    Attributes:
        x: (rows, features).
        y: (rows,) classes (int32) or values.
        weights: (rows,); ones where no row weighs differently.
        weighted: Whether any weight differs from 1.
        train, validation: By fold, indices of rows of `x`, int32.
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    weighted: bool
    train: tuple[np.ndarray, ...]
    validation: tuple[np.ndarray, ...]

    def arrays(self) -> list[np.ndarray]:
        """Everything that training's numbers depend on."""
        return [self.x, self.y, self.weights, *self.train, *self.validation]


def gather_rows(blueprint: Blueprint, dtype: str, folds: Sequence[tuple[tuple, tuple]]) -> Rows:
    """Check and concatenate the folds' arrays.

    Args:
        folds: By fold, `((x, y, weights), (x, y, weights))` of training and validation rows;
            weights may be None or missing. Arrays that several folds share are stored once.

    Raises:
        UserError: Shapes, lengths, labels or values that a stack cannot train on.
    """
    blocks: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    known: dict[tuple[int, ...], np.ndarray] = {}
    total = 0

    def place(part: tuple, name: str) -> np.ndarray:
        nonlocal total
        part = (*part, None)[:3]
        key = tuple(map(id, part))
        if key not in known:
            block = _checked(blueprint, dtype, part, name)
            blocks.append(block)
            known[key] = np.arange(total, total + len(block[0]), dtype=np.int32)
            total += len(block[0])
        return known[key]

    train = tuple(place(fold[0], "training") for fold in folds)
    validation = tuple(place(fold[1], "validation") for fold in folds)
    x, y, weights = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return Rows(x, y, weights, bool((weights != 1).any()), train, validation)


def check_class_weight(factors: Any) -> None:
    """Refuse a `class_weight` that is no dictionary, before anything trains."""
    if factors is not None and not isinstance(factors, Mapping):
        raise UserError(
            "class_weight: expected a dictionary of weights by class, got "
            f"{reprlib.repr(factors)}; weights in the order of the classes are "
            "dict(enumerate(weights)), and scikit-learn's compute_class_weight('balanced', ...) "
            "gives balanced ones."
        )


def class_weights(y: np.ndarray, factors: Mapping[int, float]) -> np.ndarray:
    """Weights (rows,) of rows by their class, as Keras reads `class_weight`.

    Args:
        y: (rows,) or (rows, 1) classes from 0, or one-hot (rows, classes).
        factors: By class; classes that are missing weigh 1.

    Raises:
        UserError: The factors are no dictionary.
    """
    check_class_weight(factors)
    y = np.asarray(y)
    labels = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else np.round(y.reshape(-1))
    weights = np.ones(len(labels))
    for label, factor in factors.items():
        weights[labels == label] = factor
    return weights


def count_rows(x: Any) -> int:
    """Rows of inputs, which are an array or, of several inputs, arrays in a list or dictionary."""
    first = next(iter(x.values())) if isinstance(x, Mapping) else x
    if isinstance(first, list | tuple) and first and hasattr(first[0], "shape"):
        first = first[0]
    return len(first)


def single_fold(
    x: np.ndarray | None,
    y: np.ndarray | None,
    validation_data: tuple | None,
    sample_weight: np.ndarray | None,
    class_weight: Mapping[int, float] | None,
) -> tuple[tuple, tuple]:
    """The arguments of Keras' `fit` as one fold of `gather_rows`.

    Raises:
        UserError: Rows or validation rows are missing.
    """
    if x is None or y is None or validation_data is None:
        raise UserError("fit: expected x, y and validation_data, or folds.")
    weights = None if class_weight is None else class_weights(y, class_weight)
    if sample_weight is not None:
        given = np.asarray(sample_weight)
        weights = given if weights is None else weights * given
    return (x, y, weights), validation_data


def _checked(blueprint: Blueprint, dtype: str, part: tuple, name: str):
    x, y = np.asarray(part[0]), np.asarray(part[1])
    if x.ndim < 2 or x[0:1].size != min(len(x), 1) * blueprint.features or not len(x):
        raise UserError(
            f"{name} inputs: expected (rows, {blueprint.features}) with at least one row, "
            f"got shape {x.shape}."
        )
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    elif y.ndim == 2 and blueprint.loss == "softmax" and y.shape[1] == blueprint.outputs:
        if not (np.isin(y, (0, 1)).all() and (y.sum(1) == 1).all()):
            raise UserError(
                f"{name} targets: expected one class a row, as a number or one-hot; "
                "mixed targets need label_smoothing instead."
            )
        y = y.argmax(1)
    if y.shape != (len(x),):
        raise UserError(
            f"{name} targets: expected one a row, shape ({len(x)},), got shape {y.shape}."
        )
    x = x.reshape(len(x), -1).astype(dtype, copy=False)
    weights = np.ones(len(x), dtype) if part[2] is None else np.asarray(part[2], dtype)
    if weights.shape != (len(x),):
        raise UserError(f"{name} weights: expected shape ({len(x)},), got {weights.shape}.")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise UserError(f"{name} weights: expected finite numbers of at least 0.")
    return x, _targets(blueprint, dtype, y, name), weights


def _targets(blueprint: Blueprint, dtype: str, y: np.ndarray, name: str) -> np.ndarray:
    if not np.isfinite(y.astype(np.float64)).all():
        raise UserError(f"{name} targets: expected finite numbers, got NaN or infinity.")
    if blueprint.metric == "mae":
        return y.astype(dtype)
    classes = max(blueprint.outputs, 2)
    bad = (y < 0) | (y >= classes) | (y != np.floor(y))
    if bad.any():
        raise UserError(
            f"{name} targets: expected class numbers 0 to {classes - 1}, "
            f"got {y[bad][0]} in row {int(np.flatnonzero(bad)[0])}."
        )
    return y.astype(np.int32 if blueprint.loss == "softmax" else dtype)
