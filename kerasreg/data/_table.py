"""A table as arrays: numeric columns as float32 with NaN, text columns as codes of their values."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kerasreg.data._arrays import as_float32
from kerasreg.errors import UserError


@dataclass(frozen=True)
class Table:
    """The raw columns a model predicts from.

    Attributes:
        columns: Names of all columns, in the file's order.
        numeric_names: Columns of numbers and booleans.
        numeric: float32, shape (rows, numeric columns); NaN is missing.
        text_names: Columns of text.
        codes: int32, shape (rows, text columns): which of `values` the row has.
        values: For each text column, its different values; `""` is missing.
    """

    columns: tuple[str, ...]
    numeric_names: tuple[str, ...]
    numeric: np.ndarray
    text_names: tuple[str, ...]
    codes: np.ndarray
    values: tuple[pd.Index, ...]

    def __len__(self) -> int:
        return len(self.numeric)

    def __getitem__(self, rows: np.ndarray) -> "Table":
        """The same columns with the given rows only."""
        return Table(
            self.columns,
            self.numeric_names,
            self.numeric[rows],
            self.text_names,
            self.codes[rows],
            self.values,
        )

    def fingerprint(self) -> str:
        """SHA-256 (hex) of names and cells."""
        digest = hashlib.sha256(repr((self.columns, self.numeric_names)).encode())
        for array in (self.numeric, self.codes):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        for values in self.values:
            for start in range(0, len(values), 10_000):
                digest.update(repr(list(values[start : start + 10_000])).encode())
        return digest.hexdigest()


def read_table(frame: pd.DataFrame) -> tuple[Table, tuple[str, ...]]:
    """Turn a frame of feature columns into a `Table` and notes about it.

    Raises:
        UserError: No columns, infinite values, values beyond float32, other types, nothing but
            missing values.
    """
    if frame.shape[1] == 0:
        raise UserError(
            "the table has no column besides the target; expected features, in a CSV between "
            "commas, semicolons, tabs or bars"
        )
    numbers: dict[str, np.ndarray] = {}
    codes: dict[str, np.ndarray] = {}
    values: dict[str, pd.Index] = {}
    notes = []
    for name in frame.columns:
        column = _kind(frame[name], name)
        if isinstance(column, np.ndarray):
            numbers[name] = _numeric(column, frame.index, name, notes)
        else:
            codes[name], values[name] = _coded(column, name)
    if all(np.isnan(column).all() for column in numbers.values()) and all(
        len(found) == 1 and found[0] == "" for found in values.values()
    ):
        raise UserError("every value of every feature column is missing")
    rows = len(frame)
    table = Table(
        columns=tuple(frame.columns),
        numeric_names=tuple(numbers),
        numeric=_stack(list(numbers.values()), rows, np.float32),
        text_names=tuple(codes),
        codes=_stack(list(codes.values()), rows, np.int32),
        values=tuple(values.values()),
    )
    return table, tuple(notes)


def _kind(column: pd.Series, name: str) -> np.ndarray | pd.Series:
    """Return float64 numbers (NaN missing) or a column of text; other types were not readable."""
    dtype = column.dtype
    if dtype.kind in "biuf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    kinds = {str(dtype)}
    if isinstance(dtype, pd.StringDtype):
        kinds = set()
    elif dtype.kind == "O":
        kinds = {type(value).__name__ for value in column[column.notna()]} - {"str"}
    if kinds:
        raise UserError(
            f"column {name!r} holds {min(kinds)}; expected numbers, booleans or text: convert or "
            "drop it"
        )
    return column


def _numeric(column: np.ndarray, index: pd.Index, name: str, notes: list[str]) -> np.ndarray:
    bad = np.flatnonzero(np.isinf(column) | (np.abs(column) > np.finfo(np.float32).max))
    if len(bad):
        value = column[bad[0]]
        kind = "infinite" if np.isinf(value) else "beyond float32"
        raise UserError(
            f"column {name!r}: row {index[bad[0]]} is {value}, which is {kind}; leave it empty "
            "or drop it"
        )
    rounded = as_float32(column)
    present = column[~np.isnan(column)]
    if len(present):
        spread = present.max() - present.min()
        error = np.abs(present - rounded[~np.isnan(column)].astype(np.float64)).max()
        if error > 1e-4 * spread:
            notes.append(
                f"column {name!r} differs in digits that float32 cannot hold, which are lost; "
                "subtract a constant from it"
            )
    return rounded


def _coded(column: pd.Series, name: str) -> tuple[np.ndarray, pd.Index]:
    codes, values = column.fillna("").factorize()
    try:
        for value in values[:1000]:
            value.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"column {name!r} holds text that is not valid Unicode") from None
    return codes.astype(np.int32), values


def _stack(columns: list[np.ndarray], rows: int, dtype) -> np.ndarray:
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0), dtype=dtype)
