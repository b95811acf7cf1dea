"""What the cells of a column mean: numbers, categories or dates; and what is said about it."""

import shlex
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kerasreg.data._names import some
from kerasreg.data.cells.dates import ISO, are_compact, date_parts, find_format, parse_dates
from kerasreg.data.cells.numbers import match_number, writing_of
from kerasreg.data.cells.reading import Reading, as_dates, different_texts, is_text, missing
from kerasreg.data.cells.texts import Cells, missing_cells
from kerasreg.errors import UserError

# A text column is numbers (or dates) when at least this share of what is not missing is.
SHARE = 0.8
# Below SHARE it is said that a column is left as text from this share of numbers on.
SHARE_SAID = 0.2
# A word such as NA is a value, not a missing cell, from these shares and counts on.
WORD_SHARE, WORD_COUNT = 0.05, 5
# Fewer rows than this say nothing about identifiers.
LEAST_ROWS = 10
_SAMPLE = 5_000


@dataclass(frozen=True)
class Inferred:
    """A column's reading with what a user should know of it.

    Attributes:
        reading: None for a type that no network reads.
        notes: Sentences on how the cells are read.
        warnings: Sentences on what may be wrong.
    """

    reading: Reading | None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def infer(column: pd.Series, name: str, decimal: str, kind: str | None, first_row: int) -> Inferred:
    """Find how a column is to be read.

    Args:
        decimal: Decimal sign of the file, for what could be read both ways.
        kind: What the user says that it is; None to find out.
        first_row: Row number that the user sees at the first cell (2 below a header).
    """
    if column.dtype.kind == "M":
        return _timestamps(column, name, kind)
    if not _readable(column):
        return Inferred(None)
    compact = kind is None and are_compact(column)
    if not is_text(column) and not compact and kind != "date":
        return Inferred(Reading(name, kind or "number"))
    codes, texts = different_texts(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    cells = Cells(name, codes, texts, counts, first_row)
    found = None
    if kind in ("number", None) and cells.present and not compact:
        found = _numbers(cells, decimal, kind)
    if kind in ("date", None) and cells.present and not found:
        found = _dates(cells, decimal, kind)
    if found is None and kind not in ("category", None):
        raise UserError(
            f"--as {name}={kind}: expected at least one {kind} among the texts, got "
            f"{some([repr(text[:40]) for text in texts])}; leave it out or say category"
        )
    return found or _category(cells, decimal, kind)


def _numbers(cells: Cells, decimal: str, kind: str | None) -> Inferred | None:
    sample = slice(0, _SAMPLE)
    fits = {
        sign: [match_number(text, sign) is not None for text in cells.texts[sample]]
        for sign in ".,"
    }
    counts = cells.counts[sample]
    sums = {sign: int(counts[np.array(fits[sign], dtype=bool)].sum()) for sign in fits}
    other = "," if decimal == "." else "."
    chosen = other if sums[other] > sums[decimal] else decimal
    if kind is None and sums[chosen] < SHARE_SAID * counts.sum() / 2:
        return None
    good = [match_number(text, chosen) is not None for text in cells.texts]
    if not any(good) or (kind is None and cells.share(good) < SHARE):
        return None
    numbers = [text for text, fit in zip(cells.texts, good, strict=True) if fit]
    told = [*writing_of(numbers[:_SAMPLE], chosen)]
    said = f"numbers written with {', '.join(told)}" if told else ""
    notes = "; ".join(part for part in (said, cells.said_marks()) if part)
    doubt = ()
    for text in numbers[:_SAMPLE] if sums["."] == sums[","] else ():
        if match_number(text, ".")["mark"] != match_number(text, ",")["mark"]:
            doubt = (
                f"{cells.name}: {text!r} could be thousands or a decimal; read with the decimal "
                f"sign of the file, {chosen!r}",
            )
            break
    return Inferred(
        Reading(cells.name, "number", decimal=chosen),
        (f"{cells.name}: {notes}",) if notes else (),
        (*doubt, *cells.odd(good, "number")),
    )


def _dates(cells: Cells, decimal: str, kind: str | None) -> Inferred | None:
    texts = [text for text in cells.texts if not missing(text)]
    found = find_format(texts[:_SAMPLE], day_first=decimal == ",")
    if found is None:
        return None
    format, doubtful = found
    dates = parse_dates(pd.Series(cells.texts, dtype="str"), format)
    good = dates.notna().tolist()
    if not any(good) or (kind is None and cells.share(good) < SHARE):
        return None
    reading = _date_reading(cells.name, dates, format)
    what = "times" if reading.parts == ("hour",) else "dates"
    shown = "ISO dates" if format == ISO else f"{what} written as {format}"
    parts = "; ".join(part for part in (shown, cells.said_marks()) if part)
    doubt = ()
    if doubtful:
        order = "day first" if format.startswith("%d") else "month first"
        doubt = (f"{cells.name}: no date shows which of day and month is first; read {order}",)
    notes = (f"{cells.name}: {parts}, become {', '.join(reading.parts)}",)
    return Inferred(reading, notes, (*doubt, *cells.odd(good, "date")))


def _timestamps(column: pd.Series, name: str, kind: str | None) -> Inferred:
    if kind in ("number", "category"):
        return Inferred(Reading(name, kind))
    reading = _date_reading(name, as_dates(column, ""), "")
    return Inferred(reading, (f"{name}: dates, become {', '.join(reading.parts)}",))


def _date_reading(name: str, dates: pd.Series, format: str) -> Reading:
    origin = dates.min().normalize()
    parts = date_parts(dates, origin)
    if format.startswith(("%H", "%I")):
        parts = {"hour": parts["hour"]}
    varying = tuple(part for part, values in parts.items() if values.nunique() > 1)
    return Reading(
        name,
        "date",
        format=format,
        origin=origin.date().isoformat(),
        parts=varying or tuple(parts)[-1:],
    )


def _category(cells: Cells, decimal: str, kind: str | None) -> Inferred:
    rows = len(cells.codes)
    values = tuple(
        dict.fromkeys(
            text.lower()
            for text, count in cells.marks().items()
            if count >= max(WORD_COUNT, WORD_SHARE * rows) and is_word(text)
        )
    )
    # A column of nothing but NA has no values beside it.
    values = values if len(values) > 1 or cells.present else ()
    left = {mark: n for mark, n in cells.marks().items() if mark.lower() not in values}
    notes = []
    if values:
        named = some([repr(t) for t in cells.texts if t.lower() in values])
        notes.append(f"{cells.name}: frequent and so read as a value, not as missing: {named}")
    if left:
        named = some([repr(mark) for mark in left])
        notes.append(f"{cells.name}: {missing_cells(sum(left.values()), rows, named)}")
    warnings = []
    good = [match_number(text, decimal) is not None for text in cells.texts]
    share = cells.share(good)
    if kind is None and share >= SHARE_SAID and not all(good):
        warnings.append(
            f"{cells.name}: {share:.0%} of the texts are numbers, fewer than {SHARE:.0%}, so it "
            f"is read as categories; --as {shlex.quote(cells.name + '=number')} reads the others "
            "as missing"
        )
    alike = cells.alike()
    if alike:
        warnings.append(
            f"{cells.name}: {some(alike)} differ in capitals or blanks alone and are different "
            "categories; write them alike if they mean the same"
        )
    different = sum(not missing(text) for text in cells.texts)
    if kind is None and different > max(LEAST_ROWS, cells.present) / 2:
        warnings.append(
            f"{cells.name}: {different:,} different texts in {rows:,} rows are hardly categories; "
            f"--drop {shlex.quote(cells.name)} leaves it out"
        )
    return Inferred(Reading(cells.name, "category", values=values), tuple(notes), tuple(warnings))


def is_word(text: str) -> bool:
    """Whether a mark for missing may be a label: a word, or a sign as in + and -."""
    return text in ("-", "*") or (text[0] not in "#?." and any(c.isalpha() for c in text))


def _readable(column: pd.Series) -> bool:
    """Whether cells are numbers, truth values or text; what is not is refused with its name."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if dtype.kind == "O" and not isinstance(dtype, pd.StringDtype):
        plain_types = str | bool | np.bool_ | int | float | np.number
        return all(isinstance(value, plain_types) for value in column if value is not None)
    return isinstance(dtype, pd.StringDtype) or (
        pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)
    )
