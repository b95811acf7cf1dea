"""Rows for networks of any kind: several inputs and outputs, of any shape and type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasreg.errors import UserError


@dataclass(frozen=True)
class NestedRows:
    """All rows, and which of them each fold trains and validates on.

    Attributes:
        x, y: Nested arrays (rows, ...), as the model takes and gives them.
        weights: Nested arrays (rows,) or None.
        train, validation: By fold, indices of rows, int32.
    """

    x: Any
    y: Any
    weights: Any
    train: tuple[np.ndarray, ...]
    validation: tuple[np.ndarray, ...]

    @classmethod
    def of_indices(
        cls, x: Any, y: Any, folds: Sequence[tuple[np.ndarray, np.ndarray]]
    ) -> "NestedRows":
        """Rows that folds share: by fold, indices of its training and of its validation rows.

        An index may be there several times.

        Raises:
            UserError: As `gather_nested_rows`.
        """
        (x, y, _), _ = _checked((x, y, None), "all", False)
        train, validation = zip(*folds, strict=True)
        return cls(x, y, None, *(tuple(map(np.int32, part)) for part in (train, validation)))

    def __len__(self) -> int:
        return len(self.train)

    @property
    def weighted(self) -> bool:
        """Whether rows have weights."""
        return self.weights is not None

    def arrays(self) -> list[np.ndarray]:
        """Everything that training's numbers depend on."""
        return [*self.leaves(), *self.train, *self.validation]

    def leaves(self) -> list[np.ndarray]:
        """The arrays of x, y and weights in a row."""
        given = keras.tree.flatten((self.x, self.y, self.weights))
        return [leaf for leaf in given if leaf is not None]

    def pack(self, leaves: Sequence[Any]) -> tuple[Any, Any, Any]:
        """`(x, y, weights)` of what stands for each of `leaves()`."""
        rest = iter(leaves)
        return _map(lambda _: next(rest), (self.x, self.y, self.weights))


def gather_nested_rows(folds: Sequence[tuple[tuple, tuple]] | NestedRows) -> NestedRows:
    """Check and concatenate the folds' arrays; rows that are gathered stay as they are.

    Args:
        folds: By fold, `((x, y, weights), (x, y, weights))` of training and validation rows;
            weights may be None or left out. Arrays that several folds share are stored once.

    Raises:
        UserError: Arrays of different lengths, or none at all.
    """
    if isinstance(folds, NestedRows):
        return folds
    folds = [tuple((*part, None)[:3] for part in fold) for fold in folds]
    parts = [part for fold in folds for part in fold]
    weighted = any(part[2] is not None for part in parts)
    blocks: list[tuple] = []
    known: dict[tuple[int, ...], np.ndarray] = {}
    total = 0

    def place(part: tuple, name: str) -> np.ndarray:
        nonlocal total
        key = tuple(map(id, part))
        if key not in known:
            block, count = _checked(part, name, weighted)
            blocks.append(block)
            known[key] = np.arange(total, total + count, dtype=np.int32)
            total += count
        return known[key]

    train = tuple(place(fold[0], "training") for fold in folds)
    validation = tuple(place(fold[1], "validation") for fold in folds)
    x, y, weights = (
        blocks[0][i]
        if len(blocks) == 1
        else _map(lambda *arrays: np.concatenate(arrays), *(block[i] for block in blocks))
        for i in range(3)
    )
    return NestedRows(x, y, weights, train, validation)


def _checked(part: tuple, name: str, weighted: bool) -> tuple[tuple, int]:
    x, y = _map(_array, part[0]), _map(_array, part[1])
    counts = {len(array) for array in keras.tree.flatten((x, y)) if array is not None}
    if len(counts) != 1 or not min(counts):
        raise UserError(
            f"{name} rows: expected equally many inputs and targets, at least one, got "
            f"{sorted(counts)}."
        )
    count = counts.pop()
    weights = None
    if weighted:
        weights = np.ones(count) if part[2] is None else part[2]
        weights = _map(lambda array: np.asarray(array, keras.config.floatx()), weights)
        for array in keras.tree.flatten(weights):
            if array.shape != (count,) or not np.isfinite(array).all() or (array < 0).any():
                raise UserError(
                    f"{name} weights: expected {count} finite numbers of at least 0, got "
                    f"shape {array.shape}."
                )
    return (x, y, weights), count


def _array(given: Any) -> np.ndarray:
    """As Keras takes it: floats in Keras' own precision."""
    array = np.asarray(given)
    if array.dtype.kind in "OUS":
        raise UserError(
            f"rows: expected arrays of numbers, got {array.dtype}; encode them before training."
        )
    return array.astype(keras.config.floatx(), copy=False) if array.dtype.kind == "f" else array


def _map(function, *nested: Any) -> Any:
    return keras.tree.map_structure(
        lambda *leaves: None if leaves[0] is None else function(*leaves), *nested
    )
