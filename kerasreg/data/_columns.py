"""Preprocessing of tables: imputation, scaling, one column a category; also as Keras layers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kerasreg.data._arrays import slices, standardising
from kerasreg.data._categories import Categories, category_indices, choose_categories
from kerasreg.data._encodings import ENCODINGS, RAW, Binned, Scaled, fit_encoder
from kerasreg.data._table import Table
from kerasreg.errors import UserError

# Rows times features, as in arrays: more would not fit 2 GB as float32 with its copies.
MOST_VALUES = 200_000_000


@dataclass(frozen=True)
class TablePreprocessing:
    """Numbers: median for missing, then encoded. Text: one column a category.

    Features are, in this order: those of the numeric columns' encoding; one a numeric column
    that has missing values in the training rows (1 where missing); one a category of a text column.

    Attributes:
        columns, numeric_names, text_names: As in `Table`.
        medians: float64, one a numeric column.
        encoding: One of `ENCODINGS`.
        encoder: What it does to numeric columns, fitted; a gain is 0 for a constant column.
        flagged: Indices of numeric columns with a feature for missing values.
        flag_gain: 1.0, or 0.0 where the rows fitted on have no missing value.
        categories: One a text column.
        other_names: One a feature that is no numeric column's.
        remarks: Sentences about columns that carry nothing or are cut short.
    """

    columns: tuple[str, ...]
    numeric_names: tuple[str, ...]
    text_names: tuple[str, ...]
    medians: np.ndarray
    encoding: str
    encoder: Scaled | Binned
    flagged: np.ndarray
    flag_gain: np.ndarray
    categories: tuple[Categories, ...]
    other_names: tuple[str, ...]
    remarks: tuple[str, ...]

    @classmethod
    def fit(cls, table: Table, rows: np.ndarray) -> "TablePreprocessing":
        """Fit on the given rows; the others are not looked at.

        Raises:
            UserError: When no column carries anything in these rows, or features are too many.
        """
        medians, encoder = _fitted("standard", table.numeric, rows)
        missing = np.isnan(table.numeric[rows])
        flagged = np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0)).astype(np.int32)
        remarks = [
            f"column {name!r} is constant or missing in all training rows and is ignored"
            for name, factor in zip(table.numeric_names, encoder.gain, strict=True)
            if factor == 0
        ]
        categories = []
        for index, name in enumerate(table.text_names):
            kept, remark = choose_categories(table, index, rows, name)
            categories.append(Categories(kept, np.ones(len(kept), dtype=bool)))
            remarks.extend(remark)
        if not np.any(encoder.gain) and len(flagged) == 0 and not any(c.kept for c in categories):
            raise UserError(
                "no feature column varies in the training rows; nothing to learn from (large "
                "numbers that differ little are equal as float32: subtract a constant)"
            )
        names = [
            *(f"{table.numeric_names[index]} is missing" for index in flagged),
            *(
                f"{name}={category}" if category else f"{name} is missing"
                for name, found in zip(table.text_names, categories, strict=True)
                for category in found.kept
            ),
        ]
        result = cls(
            columns=table.columns,
            numeric_names=table.numeric_names,
            text_names=table.text_names,
            medians=medians,
            encoding="standard",
            encoder=encoder,
            flagged=flagged,
            flag_gain=np.ones(len(flagged), dtype=np.float32),
            categories=tuple(categories),
            other_names=tuple(names),
            remarks=tuple(remarks),
        )
        return result._checked(len(table))

    @property
    def encodings(self) -> tuple[str, ...]:
        """The encodings that make a difference."""
        return ENCODINGS if self.numeric_names else ENCODINGS[:1]

    def encoded(self, encoding: str, table: Table, rows: np.ndarray) -> "TablePreprocessing":
        """The same columns, their numbers in another encoding, fitted on the given rows.

        Raises:
            UserError: When features are too many.
        """
        _, encoder = _fitted(encoding, table.numeric, rows)
        return replace(self, encoding=encoding, encoder=encoder)._checked(len(table))

    def _checked(self, rows: int) -> "TablePreprocessing":
        features = len(self.feature_names)
        if rows * features > MOST_VALUES:
            raise UserError(
                f"{rows:,} rows of {features:,} features are more than {MOST_VALUES:,} values; "
                "keep a subset of the rows or drop columns"
            )
        return self

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name a feature."""
        return (*self.encoder.names(self.numeric_names), *self.other_names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row of features."""
        return (len(self.feature_names),)

    def refit(self, table: Table, rows: np.ndarray) -> "TablePreprocessing":
        """The same features with the statistics of other rows (a fold's)."""
        bins = getattr(self.encoder, "bins", None)
        medians, encoder = _fitted(self.encoding, table.numeric, rows, bins)
        missing = np.isnan(table.numeric[rows])
        categories = []
        for index, found in enumerate(self.categories):
            values = table.values[index]
            present = {values[code] for code in np.unique(table.codes[rows, index])}
            seen = np.array([category in present for category in found.kept], dtype=bool)
            categories.append(replace(found, seen=seen))
        return replace(
            self,
            medians=medians,
            encoder=encoder,
            flag_gain=missing[:, self.flagged].any(axis=0).astype(np.float32),
            categories=tuple(categories),
        )

    def transform(self, table: Table, rows: np.ndarray) -> np.ndarray:
        """Return float32 features of the rows, shape (rows, features).

        Raises:
            UserError: When a scaled value is beyond float32.
        """
        result = np.empty((len(rows), len(self.feature_names)), dtype=np.float32)
        width = len(self.numeric_names) * self.encoder.widest + len(self.other_names)
        indices = [
            category_indices(table.values[column], found)
            for column, found in enumerate(self.categories)
        ]
        for some in slices(len(rows), width):
            part = rows[some]
            categories = [found[table.codes[part, i]] for i, found in enumerate(indices)]
            made = np.asarray(self.features(table.numeric[part], categories))
            if not np.isfinite(made).all():
                row, column = np.argwhere(~np.isfinite(made))[0]
                raise UserError(
                    f"column {self.numeric_names[column]!r} is "
                    f"{table.numeric[part[row], column]} in one row, too far from the training "
                    "rows for float32; leave it empty or rescale the column"
                )
            result[some] = made
        return result

    def features(self, numeric: Any, categories: Sequence[Any]) -> Any:
        """Features of raw columns: of arrays now, or of symbolic tensors as part of a model.

        One computation for training and for the exported model, so that they cannot differ.

        Args:
            numeric: Numeric columns, shape (rows, numeric columns); NaN is missing.
            categories: For each text column the index of the row's category, -1 for none of
                them; shape (rows,).

        Returns:
            A float32 tensor, shape (rows, features).
        """
        from keras import ops

        blocks = []
        if self.numeric_names:
            # float64 inside: a column of mean 1e6 and deviation 1 keeps its digits.
            wide = ops.cast(numeric, "float64")
            missing = ops.isnan(wide)
            filled = ops.where(missing, self.medians, wide)
            blocks.append(ops.cast(self.encoder.apply(ops, filled), "float32"))
            if len(self.flagged):
                flags = ops.cast(ops.take(missing, self.flagged, axis=1), "float32")
                blocks.append(flags * self.flag_gain)
        for found, index in zip(self.categories, categories, strict=True):
            if found.kept:
                blocks.append(ops.one_hot(index, len(found.kept), dtype="float32"))
        return blocks[0] if len(blocks) == 1 else ops.concatenate(blocks, axis=1)

    def raw_inputs(self) -> dict[str, Any]:
        """Return Keras inputs by column name."""
        from kerasreg.data._table_graph import table_inputs

        return table_inputs(self.columns, self.text_names)

    def features_model(self, name: str) -> Any:
        """Return a Keras model from a dict of columns to features, of Keras' layers alone."""
        from kerasreg.data._table_graph import table_model

        found = zip(self.text_names, self.categories, strict=True)
        kept = {name: categories.kept for name, categories in found}
        return table_model(self.columns, kept, self.features, name)

    def describe(self) -> dict:
        """What was done to the raw columns, for `study.json`."""
        return {
            "kind": "table",
            "columns": list(self.columns),
            "numeric": list(self.numeric_names),
            "encoding": self.encoding,
            "encodings": list(self.encodings),
            "text": {
                name: list(found.kept)
                for name, found in zip(self.text_names, self.categories, strict=True)
            },
        }


def _fitted(
    encoding: str, numeric: np.ndarray, rows: np.ndarray, bins: np.ndarray | None = None
) -> tuple[np.ndarray, Scaled | Binned]:
    """Medians by scikit-learn, and the encoder of the numeric rows; `bins` as in `fit_encoder`."""
    from sklearn.impute import SimpleImputer

    medians = np.zeros(numeric.shape[1])

    def filled(part: slice) -> np.ndarray:
        imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        cells = imputer.fit_transform(numeric[rows, part].astype(np.float64))
        medians[part] = np.nan_to_num(imputer.statistics_, nan=0.0)
        return cells

    def cells(column: int) -> np.ndarray:
        values = numeric[rows, column]
        return values[~np.isnan(values)].astype(np.float64)

    offset, gain = standardising(filled, len(rows), numeric.shape[1])
    if encoding in ("standard", RAW):
        return medians, Scaled(offset, gain)
    return medians, fit_encoder(encoding, cells, gain, bins)
