"""Rows ready for a stack: splits and folds; and the test rows behind their counter."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Split:
    """Rows ready for a stack.

    Attributes:
        x: float32, shape (rows, *input_shape) of the dataset; read-only.
        y: int32 class ids or float32 standardised targets, shape (rows,); read-only.
        weights: What each row counts in the training loss, float32, shape (rows,); None for 1.
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None

    def __post_init__(self):
        # Splits are cached and shared: a caller that changed one would change all.
        self.x.setflags(write=False)
        self.y.setflags(write=False)

    def __len__(self) -> int:
        return len(self.y)

    def balanced(self) -> "Split":
        """The same rows with weights inverse to the frequency of their class, 1 in the mean."""
        counts = np.bincount(self.y)
        of_class = len(self.y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
        return replace(self, weights=of_class[self.y].astype(np.float32))


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation; features scaled and encoded by its training rows only.

    Attributes:
        train: The other folds' rows.
        validation: This fold's rows.
        target_offset: What was subtracted from a regression target (mean of `train`); its scale is
            the dataset's, so that errors of all folds have one unit.
        validation_rows: Where the rows of `validation` are in `Dataset.refit`, shape (rows,).
        name: Different for every fold of a dataset, e.g. `fold_2_of_5_seed_0`.
        preprocessing: As fitted on its training rows; see `Dataset.features_model`.
    """

    train: Split
    validation: Split
    target_offset: float
    validation_rows: np.ndarray
    name: str
    preprocessing: Any


class TestRows:
    """The only holder of the test rows; counts every time they are read."""

    __test__ = False  # not a pytest class

    def __init__(self, raw, y: np.ndarray):
        self._raw = raw
        self._y = y
        self.reads = 0

    def __len__(self) -> int:
        return len(self._y)

    def read(self):
        """Return (raw rows, target) and count it."""
        self.reads += 1
        return self._raw, self._y
