"""The Dataset: preprocessed rows for stacks, test rows behind a counter, the way back to raw."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.data._labels import Labels
from kerasreg.data._splitting import fold_rows

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Split:
    """Rows ready for a stack.

    Attributes:
        x: float32, shape (rows, features); read-only.
        y: int32 class ids or float32 standardised targets, shape (rows,); read-only.
    """

    x: np.ndarray
    y: np.ndarray

    def __post_init__(self):
        # Splits are cached and shared: a caller that changed one would change all.
        self.x.setflags(write=False)
        self.y.setflags(write=False)

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation; features scaled by its training rows only.

    Attributes:
        train: The other folds' rows.
        validation: This fold's rows.
        target_offset: What was subtracted from a regression target (mean of `train`); its scale is
            the dataset's, so that errors of all folds have one unit.
    """

    train: Split
    validation: Split
    target_offset: float = 0.0


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


class Dataset:
    """Rows to train, validate and test on, for stacks: float32 (rows, features).

    Made by `load` and `from_arrays`. Preprocessing is fitted on the training rows alone.

    Attributes:
        name: Name or file name of the data.
        task: `"classification"` or `"regression"`.
        class_names: Name of each class id; None for regression.
        target_name: What is predicted.
        target_scale: Standard deviation of the training target in the target's unit, 1.0 for
            classification. A mean absolute error times this is in that unit.
        target_offset: Mean of the training target, 0.0 for classification.
        fingerprint: SHA-256 (hex) of the raw rows, targets and names that were loaded.
        notes: Sentences on what was done to the data that a user may not expect.
        warnings: Sentences on what may be wrong with the data.
        rows: `"train"`, `"validation"` and `"test"` -> which rows of the arrays or the table they
            are, counted from 0; of a test part that the data brings, which of its own.
        source: The arguments of `load` that made it, but for defaults; None for data given as
            arrays or as a table. A study records them, to load the data again.
    """

    def __init__(
        self,
        *,
        name: str,
        labels: Labels,
        raw,
        train_size: int,
        test: TestRows,
        rows: dict[str, np.ndarray],
        preprocessing,
        target_name: str,
        fingerprint: str,
        split: dict,
        notes: tuple[str, ...] = (),
        warnings: tuple[str, ...] = (),
        table: dict | None = None,
        class_counts: list[int] | None = None,
    ):
        # `raw` and `labels` hold the training rows, then the validation rows; never test rows.
        self.name = name
        self.task = labels.task
        self.class_names = labels.class_names
        self.target_name = target_name
        self.fingerprint = fingerprint
        self.target_offset, self.target_scale = 0.0, 1.0
        if self.task == "regression":
            self.target_offset = float(np.mean(labels.y[:train_size]))
            # A training part whose target is constant has no scale.
            self.target_scale = float(np.std(labels.y[:train_size])) or 1.0
        self._raw = raw
        self._y = labels.y
        self._train_size = train_size
        self._test = test
        self.rows = rows
        self._preprocessing = preprocessing
        self._split = split
        self.notes = (*notes, *preprocessing.notes())
        self.warnings = warnings
        self._task_reason = labels.reason
        self._table = table
        self._class_counts = class_counts
        self.source: dict | None = None

    @property
    def input_shape(self) -> tuple[int]:
        """Shape of one row as a stack sees it: `(features,)`."""
        return (len(self.feature_names),)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Name of each feature, e.g. `age`, `city=Paris`."""
        return self._preprocessing.feature_names

    @property
    def outputs(self) -> int:
        """Outputs of a stack: one a class, 1 for two classes or regression."""
        if self.class_names is None or len(self.class_names) == 2:
            return 1
        return len(self.class_names)

    @cached_property
    def refit(self) -> Split:
        """Training rows, then validation rows, for the last fit; scaled by the training rows."""
        rows = np.arange(len(self._y))
        x = self._preprocessing.transform(self._raw, rows)
        return Split(x, self._targets(self._y, self.target_offset))

    @cached_property
    def train(self) -> Split:
        """Rows to fit on; a view of `refit`."""
        return Split(self.refit.x[: self._train_size], self.refit.y[: self._train_size])

    @cached_property
    def validation(self) -> Split:
        """Rows to choose settings by; a view of `refit`."""
        return Split(self.refit.x[self._train_size :], self.refit.y[self._train_size :])

    @property
    def test_size(self) -> int:
        """How many rows the test part has."""
        return len(self._test)

    @property
    def test_reads(self) -> int:
        """How often the test rows were read."""
        return self._test.reads

    def read_test(self) -> Split:
        """Return the test rows and count the reading. Meant to happen once, at the end."""
        raw, y = self._test.read()
        x = self._preprocessing.transform(raw, np.arange(len(y)))
        return Split(x, self._targets(y, self.target_offset))

    def folds(self, k: int, seed: int) -> list[Fold]:
        """Divide training and validation rows into `k` folds, stratified by class.

        Each fold's scaling, imputation and known categories come from its training rows alone; the
        features are the dataset's, so that every fold fits the same stack. The target's scale
        stays the dataset's: it is the unit of the errors.

        Raises:
            UserError: When `k` is not at least 2 or a class has fewer than `k` rows.
        """
        y, folds = self._y, []
        for train, validation in fold_rows(y, k, seed, self.class_names):
            fitted = self._preprocessing.refit(self._raw, train)
            offset = float(np.mean(y[train])) if self.task == "regression" else 0.0
            parts = [
                Split(fitted.transform(self._raw, part), self._targets(y[part], offset))
                for part in (train, validation)
            ]
            folds.append(Fold(*parts, target_offset=offset))
        return folds

    @property
    def default_batch_size(self) -> int:
        """32 up to 2,000 training rows, 128 above."""
        return 32 if self._train_size <= 2000 else 128

    def describe(self) -> dict:
        """Everything about the data that a study records: plain JSON values."""
        return {
            "name": self.name,
            "task": self.task,
            "task_reason": self._task_reason,
            "target": self.target_name,
            "class_names": None if self.class_names is None else list(self.class_names),
            "class_counts": self._class_counts,
            "rows": {
                "train": self._train_size,
                "validation": len(self._y) - self._train_size,
                "test": self.test_size,
            },
            "features": len(self.feature_names),
            "target_offset": self.target_offset,
            "target_scale": self.target_scale,
            "split": dict(self._split),
            "preprocessing": self._preprocessing.describe(),
            "fingerprint": self.fingerprint,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "table": self._table,
        }

    def export(self, model: "keras.Model") -> "keras.Model":
        """Put the preprocessing in front of a trained stack and the target's unit behind it.

        The result is made of Keras' layers alone: it saves to `.keras` and loads and predicts in a
        Python without kerasreg. It takes raw rows: for arrays a tensor of the raw shape; for tables
        a dict of tensors, shape (rows,) or (rows, 1), with every column but the target by its
        name. NaN is a missing number, `""` a missing text, and a text never seen counts as none of
        the categories. (Keras' `predict` takes text as tensors or as NumPy arrays of objects. It
        warns at loading of columns with "/" in their name, which it cannot give to a layer; the
        keys are the columns' names all the same.)

        Args:
            model: A stack trained on this dataset, giving logits or standardised targets.

        Returns:
            An uncompiled `keras.Model` that gives class probabilities (rows, classes), the
            probability of the second class (rows, 1) for two classes, or predictions in the
            target's unit (rows, 1). Weights are copied: training `model` on does not change it.

        Raises:
            UserError: When the model was trained on other data.
        """
        from kerasreg.data._export import export_model

        return export_model(
            model,
            self._preprocessing.keras_graph(),
            features=len(self.feature_names),
            outputs=self.outputs,
            unit=(self.target_scale, self.target_offset) if self.task == "regression" else None,
        )

    def _targets(self, y: np.ndarray, offset: float) -> np.ndarray:
        if self.task == "classification":
            return y.astype(np.int32)
        return ((y - offset) / self.target_scale).astype(np.float32)
