"""The Dataset: preprocessed rows for stacks, in several encodings, and the way back to raw."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasreg.data._description import describe
from kerasreg.data._division import Division
from kerasreg.data._encodings import ENCODINGS, RAW
from kerasreg.data._labels import Labels
from kerasreg.data._rows import Fold, Split, TestRows
from kerasreg.data._splitting import fold_rows
from kerasreg.errors import UserError, check_choice

if TYPE_CHECKING:
    import keras


class Dataset:
    """Rows to train, validate and test on, for stacks: float32 (rows, features), or images.

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
        raw: Training rows, then validation rows, as they came: an array or a table.
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
        division: Division | None,
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
        self.raw = raw
        self._y = labels.y
        self._train_size = train_size
        self._test = test
        self.rows = rows
        self._division = division
        self._preprocessing = preprocessing
        self._split = split
        self.notes = (*notes, *preprocessing.remarks)
        self.warnings = warnings
        self._task_reason = labels.reason
        self._table = table
        self._class_counts = class_counts
        self.source: dict | None = None
        self._encoded = {"standard": self}
        self._folds: dict[tuple[int, int], list[Fold]] = {}

    @property
    def encoding(self) -> str:
        """How numeric columns are encoded: one of `ENCODINGS`."""
        return self._preprocessing.encoding

    @property
    def encodings(self) -> tuple[str, ...]:
        """The encodings that these rows can have and that make a difference."""
        return self._preprocessing.encodings

    def encoded(self, encoding: str) -> "Dataset":
        """The same rows, split, labels, notes and test rows, with numeric columns encoded.

        Encoders are fitted on training rows alone. Made once a dataset and encoding.

        - `"standard"`: mean 0 and standard deviation 1.
        - `"smooth"`: median 0 and interquartile range 1.349, then squashed to stay within ±3.
        - `"quantile"`: quantiles become those of a normal distribution.
        - `"piecewise"`: up to 16 features a column, one a bin of its training quantiles, that rise
          where the number passes through the bin (piecewise-linear encoding, arXiv:2203.05556).
        - `"raw"`, for a network of the user's: arrays as they are, tables as in `"standard"`.

        Raises:
            UserError: For an unknown encoding, or one that does not suit images.
        """
        if encoding != RAW:
            check_choice("encoding", encoding, ENCODINGS)
        if encoding not in (*self.encodings, RAW) and len(self.encodings) > 1:
            raise UserError(
                f"encoding: {self.name} holds images (numbers of one scale), which can be "
                f"{' or '.join(self.encodings)}, got {encoding!r}"
            )
        if encoding not in self._encoded:
            other = copy(self)
            for made in ("refit", "train", "validation"):
                other.__dict__.pop(made, None)
            other._folds = {}
            rows = np.arange(self._train_size)
            other._preprocessing = self._preprocessing.encoded(encoding, self.raw, rows)
            self._encoded[encoding] = other
        return self._encoded[encoding]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row as a stack sees it: `(features,)`; of arrays of more axes theirs."""
        return self._preprocessing.shape

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
        x = self._preprocessing.transform(self.raw, np.arange(len(self._y)))
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
        return self.read_tests([self.encoding])[0]

    def read_tests(self, views: Sequence[str | Fold]) -> list[Split]:
        """The test rows, counted once, as encoded by the training rows or by those of a fold."""
        (raw, y), splits = self._test.read(), []
        for view in views:
            fitted = getattr(view, "preprocessing", None) or self.encoded(view)._preprocessing
            x = fitted.transform(raw, np.arange(len(y)))
            splits.append(Split(x, self._targets(y, self.target_offset)))
        return splits

    def folds(self, k: int, seed: int) -> list[Fold]:
        """Divide training and validation rows into `k` folds, stratified by class.

        Rows of a group stay in one fold. In time, a fold is judged by the rows that follow those it
        learns from, and the earliest rows by none.

        Each fold's scaling, imputation and known categories come from its training rows alone; the
        features are the dataset's, so that every fold fits the same stack. The target's scale
        stays the dataset's: it is the unit of the errors. Folds asked for again are the same ones.

        Raises:
            UserError: When `k` is not at least 2 or a class has fewer than `k` rows.
        """
        if (k, seed) in self._folds:
            return self._folds[k, seed]
        y, folds = self._y, []
        for index, (train, validation) in enumerate(self.fold_rows(k, seed), start=1):
            fitted = self._preprocessing.refit(self.raw, train)
            offset = float(np.mean(y[train])) if self.task == "regression" else 0.0
            sides = [
                Split(fitted.transform(self.raw, rows), self._targets(y[rows], offset))
                for rows in (train, validation)
            ]
            name = f"fold_{index}_of_{k}_seed_{seed}"
            folds.append(Fold(*sides, offset, validation, name, fitted))
        self._folds[k, seed] = folds
        return folds

    def fold_rows(self, k: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """By fold of `folds`, where its training and its validation rows are in `refit`."""
        return fold_rows(self._y, k, seed, self.class_names, self._division)

    @property
    def default_batch_size(self) -> int:
        """32 up to 2,000 training rows, 128 above."""
        return 32 if self._train_size <= 2000 else 128

    def describe(self) -> dict:
        """Everything about the data that a study records: plain JSON values."""
        return describe(self)

    def raw_inputs(self) -> Any:
        """Keras inputs of an exported model: one tensor of raw rows, or a dict by column name."""
        return self._preprocessing.raw_inputs()

    def features_model(self, fold: Fold | None = None) -> "keras.Model":
        """A Keras model from what `raw_inputs` gives to features, shape (rows, *input_shape).

        One model may hold several behind the same inputs: their names differ by encoding and
        fold. It is made of Keras' layers alone.

        Args:
            fold: One of `folds`, to preprocess as fitted on its training rows; None for the
                dataset's.
        """
        from kerasreg.data._table_graph import free_name

        name = f"features_{self.encoding}" + (f"_{fold.name}" if fold else "")
        fitted = fold.preprocessing if fold else self._preprocessing
        return fitted.features_model(free_name(name, self._preprocessing.columns))

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

        return export_model(self, model)

    def export_sum(
        self, parts: "Sequence[tuple[keras.Model, keras.Model]]", temperature: float = 1.0
    ) -> "keras.Model":
        """An ensemble: one uncompiled model of raw rows, the sum of what the parts give.

        A part is a `features_model`, of any encoding or fold, and a model of its features. A
        `temperature` other than 1 divides the logits of the sum, which are probabilities then.
        """
        from kerasreg.data._export import export_sum

        return export_sum(self.raw_inputs(), parts, temperature)

    def _targets(self, y: np.ndarray, offset: float) -> np.ndarray:
        if self.task == "classification":
            return y.astype(np.int32)
        return ((y - offset) / self.target_scale).astype(np.float32)
