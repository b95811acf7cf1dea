"""How the cells of one column are read: recorded, so that a later file is read the same."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

import numpy as np
import pandas as pd

from kerasreg.data.cells.dates import ISO, date_parts, parse_dates
from kerasreg.data.cells.numbers import number_of, plain

KINDS = ("number", "category", "date")
# Texts that mean a missing cell, in small letters. Words among them are values where frequent.
MISSING = frozenset(
    [
        *("", "-", "--", "---", "–", "—", ".", "..", "...", "?", "??", "*", "n/a", "n.a.", "n.a"),
        *("na", "nan", "-nan", "<na>", "#na", "#n/a", "#n/a n/a", "null", "none", "nil", "nd"),
        *("n/d", "k.a.", "k. a.", "missing", "not available", "not applicable", "no data"),
        *("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#getting_data", "\\n"),
        *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "nat", "undefined", "(null)", "[null]"),
    ]
)


@dataclass(frozen=True)
class Reading:
    """How the cells of a column are read.

    Attributes:
        name: The column.
        kind: `"number"`, `"category"` or `"date"`.
        decimal: Decimal sign of numbers written as text.
        values: Categories that mean missing elsewhere (`NA`) and are values here, in small letters.
        format: Of dates written as text, as pandas knows it.
        origin: ISO date from which days are counted.
        parts: Numbers that stand for a date: those that vary.
    """

    name: str
    kind: str
    decimal: str = "."
    values: tuple[str, ...] = ()
    format: str = ""
    origin: str = ""
    parts: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the defaults."""
        defaults = Reading(self.name, self.kind)
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
            if key in ("name", "kind") or value != getattr(defaults, key)
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Reading":
        """The reading that `to_dict` described, among other fields of a column's description."""
        known = {field.name for field in dataclass_fields(cls)} & fields.keys()
        values = {name: fields[name] for name in known}
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def names(self) -> tuple[str, ...]:
        """Columns that the column becomes."""
        if self.kind != "date":
            return (self.name,)
        return tuple(f"{self.name}: {part}" for part in self.parts)

    def clean(self, column: pd.Series) -> dict[str, pd.Series]:
        """Read raw cells, of a file or of a frame.

        Returns:
            A column each of `names`: float64 with NaN for missing, or text with None for missing.
        """
        if self.kind == "number":
            return {self.name: as_numbers(column, self.decimal)}
        if self.kind == "category":
            return {self.name: as_categories(column, self.values)}
        dates = as_dates(column, self.format)
        parts = date_parts(dates, pd.Timestamp(self.origin))
        return {f"{self.name}: {part}": parts[part] for part in self.parts}


def is_text(column: pd.Series) -> bool:
    """Whether a column holds text, or a mixture with text in it."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if isinstance(dtype, pd.StringDtype):
        return True
    return dtype.kind == "O" and any(isinstance(value, str) for value in column)


def different_texts(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return (for each cell the index of its text, the different texts, blanks cut)."""
    codes, uniques = column.astype(object).factorize(use_na_sentinel=True)
    texts = [plain(_text(value)) for value in uniques]
    return codes, texts


def as_numbers(column: pd.Series, decimal: str) -> pd.Series:
    """Cells as float64; what is no number is NaN."""
    if not is_text(column):
        values = column.astype(object) if column.dtype == object else column
        return pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), column.index)
    codes, texts = different_texts(column)
    numbers = [number_of(text, decimal) for text in texts]
    table = np.array([np.nan if n is None else n for n in numbers] + [np.nan])
    return pd.Series(table[codes], column.index)


def as_categories(column: pd.Series, values: tuple[str, ...]) -> pd.Series:
    """Cells as text with blanks cut; None where it means missing."""
    codes, texts = different_texts(column)
    kept = [None if missing(text) and text.lower() not in values else text for text in texts]
    table = np.array([*kept, None], dtype=object)
    return pd.Series(table[codes], column.index, dtype="str")


def as_dates(column: pd.Series, format: str) -> pd.Series:
    """Cells as timestamps; what is no date is NaT."""
    if column.dtype.kind == "M":
        return column.dt.tz_convert(None) if column.dt.tz is not None else column
    codes, texts = different_texts(column)
    # Timestamps have no format; as text they are ISO dates.
    dates = parse_dates(pd.Series([*texts, None], dtype="str"), format or ISO).astype(
        "datetime64[us]"
    )
    return pd.Series(dates.to_numpy()[codes], column.index)


def missing(text: str) -> bool:
    """Whether a text with its blanks cut means that a cell is missing."""
    return text.lower() in MISSING


def _text(value: Any) -> str:
    """A cell as a category: 3.0 is `"3"`, as in a file without the missing cells beside it."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
