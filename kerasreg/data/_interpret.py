"""A raw table as columns with a meaning: the target, features, and what is left out, with why."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kerasreg.data._target import column_named
from kerasreg.data.cells.dates import COME_AGAIN
from kerasreg.data.cells.infer import LEAST_ROWS, Inferred, infer
from kerasreg.data.cells.reading import KINDS, Reading, as_dates, as_numbers, is_text
from kerasreg.errors import UserError, check_choice


@dataclass(frozen=True)
class Interpreted:
    """The features and the target of a table, clean.

    Attributes:
        frame: Features: float64 and text columns.
        target: Numbers, truth values or text; NaN or None for missing.
        group: Text by which rows belong together, or None.
        time: Numbers or timestamps by which rows follow each other, or None.
        readings: How each raw column that is a feature is read.
        columns: One description a raw column: name, role, kind, why, missing, different.
        notes, warnings: Sentences, as in `Inferred`.
    """

    frame: pd.DataFrame
    target: pd.Series
    group: pd.Series | None
    time: pd.Series | None
    readings: tuple[Reading, ...]
    columns: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def parts(self) -> dict[str, str]:
        """Part of a date -> the column that it is part of."""
        dates = [reading for reading in self.readings if reading.kind == "date"]
        return {name: reading.name for reading in dates for name in reading.names()}


def interpret(
    frame: pd.DataFrame,
    target: str,
    *,
    drop: Sequence[str | int] = (),
    keep: Sequence[str | int] = (),
    kinds: Mapping[str, str] | None = None,
    group: str | None = None,
    time: str | None = None,
    decimal: str = ".",
    first_row: int = 0,
) -> Interpreted:
    """Find what the columns of a table mean.

    Of a date that rows follow each other by, only those parts are features that come again (month,
    weekday, hour).

    Args:
        target, group, time: Names of columns.
        drop, keep, kinds: As in `from_frame`.
        decimal, first_row: As in `Written`.

    Raises:
        UserError: A column that is not there, an unknown kind, no column left.
    """
    names = list(frame.columns)
    dropped = {column_named(names, one, "drop") for one in drop}
    kept = {column_named(names, one, "keep") for one in keep}
    said = {column_named(names, one, "as"): kind for one, kind in (kinds or {}).items()}
    for name, kind in said.items():
        check_choice(f"--as {name}", kind, KINDS)
    both = dropped & (kept | said.keys() | {target, group, time})
    if both:
        raise UserError(f"--drop {min(both)}: expected to leave it out or to use it, got both")
    found = {
        name: infer(frame[name], name, decimal, said.get(name), first_row)
        for name in names
        if name not in dropped
    }
    if found[target].reading and found[target].reading.kind == "date":
        plain_kind = "category" if is_text(frame[target]) else "number"
        found[target] = infer(frame[target], target, decimal, plain_kind, first_row)
    aside: dict[str, str] = {target: "target"}
    if group:
        found[group] = infer(frame[group], group, decimal, "category", first_row)
        aside[group] = "group"
    times = None
    if time:
        times, found[time] = _times(frame[time], found[time])
        if not found[time].reading.parts:
            aside[time] = "time"
    clean = {name: _clean(frame[name], one, names) for name, one in found.items()}
    features = [name for name in found if name not in aside]
    why = {
        name: _no_feature(frame[name], found[name], clean[name])
        for name in features
        if name not in kept and name not in said
    }
    left = {name: reason for name, reason in why.items() if reason}
    notes, warnings = [], []
    if all(_constant(clean[name]) for name in features if name not in left):
        # Nothing else to learn from: better a doubtful column than none.
        warnings += [
            f"{name} looks like {reason}; it is used, as the only one"
            for name, reason in left.items()
        ]
        left = {}
    left |= dict.fromkeys(dropped, "by --drop")
    columns = []
    for name in names:
        one = found.get(name)
        role = aside.get(name, "left out" if name in left else "feature")
        entry = {"name": name, "role": role}
        if name in left:
            entry["why"] = left[name]
            if name not in dropped:
                hint = "" if left[name] == "empty" else f"; --keep {shlex.quote(name)} uses it"
                notes.append(f"{name} is left out: {left[name]}{hint}")
        elif one:
            if name in why and not why[name] and _counts(frame[name], clean[name]):
                warnings.append(
                    f"{name} rises from row to row: if it counts the rows, "
                    f"--drop {shlex.quote(name)} leaves it out"
                )
            notes += one.notes
            warnings += one.warnings
        if one and one.reading:
            entry |= one.reading.to_dict()
            entry |= summary(clean[name], one.reading) if clean[name] else {}
        columns.append(entry)
    used = [name for name in names if name not in left and name not in aside]
    # A target that is no text stays what it is: whole numbers and truth values are classes.
    raw_target = not is_text(frame[target]) and target not in said
    return Interpreted(
        pd.DataFrame(
            {part: cells for name in used for part, cells in clean[name].items()}, index=frame.index
        ),
        frame[target] if raw_target else clean[target][target],
        clean[group][group] if group else None,
        times,
        tuple(found[name].reading for name in used if found[name].reading),
        tuple(columns),
        tuple(notes),
        tuple(warnings),
    )


def _times(column: pd.Series, one: Inferred) -> tuple[pd.Series, Inferred]:
    """Numbers or timestamps, and a reading without what never comes again."""
    reading = one.reading
    if reading is None or reading.kind == "category":
        raise UserError(
            f"--time {column.name}: expected numbers or dates, got text; is the format unusual?"
        )
    if reading.kind == "number":
        return as_numbers(column, reading.decimal), one
    parts = tuple(part for part in reading.parts if part in COME_AGAIN)
    # What was said of the column says its parts.
    said = (", ".join(reading.parts), ", ".join(parts) or "nothing but the order of the rows")
    notes = tuple(note.replace(*said) for note in one.notes)
    one = replace(one, reading=replace(reading, parts=parts), notes=notes)
    return as_dates(column, reading.format), one


def _clean(column: pd.Series, one: Inferred, names: list[str]) -> dict[str, pd.Series]:
    if one.reading is None:
        return {column.name: column}  # refused by name, where tables are made
    cells = one.reading.clean(column)
    taken = [name for name in cells if name != column.name and name in names]
    if taken:
        raise UserError(
            f"column {column.name!r} holds dates and would become {taken[0]!r}, which is there "
            f"already; rename one or use --drop"
        )
    return cells


def _constant(cells: dict[str, pd.Series]) -> bool:
    return all(values.nunique(dropna=False) < 2 for values in cells.values())


def _counts(column: pd.Series, cells: Mapping[str, pd.Series]) -> bool:
    """Whether whole numbers rise or fall from row to row, as row numbers with gaps do."""
    values = next(iter(cells.values()))
    finite = values.dtype.kind == "f" and np.isfinite(values).all()
    if len(values) < LEAST_ROWS or column.name not in cells or not finite:
        return False
    steps = np.diff(values)
    return bool((values % 1 == 0).all() and (np.all(steps > 0) or np.all(steps < 0)))


def _no_feature(column: pd.Series, one: Inferred, cells: dict[str, pd.Series]) -> str:
    """Why a column is no feature, or nothing."""
    if len(column) < LEAST_ROWS or one.reading is None or one.reading.kind == "date":
        return ""
    values = cells[column.name]
    present = values[values.notna()]
    if present.empty:
        return "empty"
    if one.reading.kind == "category":
        different = present.nunique() == len(present) > len(column) / 2
        return "an identifier (its texts are all different)" if different else ""
    numbers = present.to_numpy(dtype=np.float64)
    if len(numbers) < len(column) or column.dtype.kind == "b" or not np.isfinite(numbers).all():
        return ""
    steps = np.diff(np.sort(numbers))
    whole = numbers[0] == np.floor(numbers[0])
    if whole and np.all(steps == 1):
        return "a row number (whole numbers in steps of one)"
    unnamed = str(column.name).startswith("Unnamed: ")
    if unnamed and np.all(numbers == np.floor(numbers)) and np.all(steps > 0):
        return "a row number (different whole numbers without a name)"
    return ""


def summary(cells: Mapping[str, pd.Series], reading: Reading) -> dict[str, Any]:
    """Missing cells, different values and range or most frequent values of a clean column."""
    values = next(iter(cells.values())) if reading.kind != "date" else cells[reading.names()[-1]]
    present = values.dropna()
    result: dict[str, Any] = {
        "missing": int(values.isna().sum()),
        "different": int(present.nunique()),
    }
    if reading.kind == "category":
        result["frequent"] = {
            str(value)[:40]: int(count) for value, count in present.value_counts().head(3).items()
        }
    elif len(present) and np.isfinite(present).all():
        result["range"] = [float(present.min()), float(present.max())]
    return result
