"""`from_frame`: the door through which tables come in, from files and from Python."""

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from kerasreg.data._assemble import assemble
from kerasreg.data._columns import TablePreprocessing
from kerasreg.data._dataset import Dataset
from kerasreg.data._division import Division
from kerasreg.data._interpret import interpret
from kerasreg.data._labels import read_labels
from kerasreg.data._leaks import possible_leaks
from kerasreg.data._names import unique_names
from kerasreg.data._splitting import FRACTIONS
from kerasreg.data._table import read_table
from kerasreg.data._target import column_named
from kerasreg.data.cells.infer import WORD_SHARE, is_word
from kerasreg.data.cells.numbers import plain
from kerasreg.data.files.csv_file import Written
from kerasreg.errors import UserError


def from_frame(
    frame: pd.DataFrame,
    target: str | int | None,
    *,
    drop: Sequence[str | int] = (),
    keep: Sequence[str | int] = (),
    kinds: Mapping[str, str] | None = None,
    group: str | int | None = None,
    time: str | int | None = None,
    name: str = "table",
    task: str | None = None,
    train_size: int | None = None,
    split_seed: int = 0,
    fractions: tuple[float, float, float] = FRACTIONS,
    written: Written | None = None,
) -> Dataset:
    """Make a Dataset of a pandas table.

    A text column most of whose cells are numbers (1,234.50, $5, 7.5 %) or dates is read so; blanks
    around names and texts are cut. Row numbers and identifiers are left out. `Dataset.notes` says
    what was done.

    Numbers and booleans: missing values become the training median, with a feature that says so,
    and columns are standardised. Dates: year, month, weekday, hour and days since the first, as
    numbers. Text: one feature a category, missing being one of them. Rows without a target are left
    out.

    Args:
        frame: The table; columns of numbers, booleans, text, categories or timestamps.
        target: Column to predict: its name or its index (negative from the end).
        drop: Columns to leave out, by name or index.
        keep: Columns to use although they look like row numbers or identifiers.
        kinds: Column -> `"number"`, `"category"` or `"date"`, where it is not what it looks like.
        group: Column by which rows belong together (a person, a machine): rows of a group are in
            one part and one fold. It is no feature.
        time: Column of numbers or dates in whose order the rows are split: the earliest train, the
            latest test. Of a date, month, weekday and hour stay features.
        name: What the data is called in reports.
        task, train_size, split_seed, fractions: As in `load`.
        written: How the file was written that the table comes from.

    Raises:
        UserError: As `load`.
    """
    written = written or Written()
    frame = frame.set_axis(unique_names([plain(str(name)) for name in frame.columns]), axis=1)
    # Messages name a row as the user sees it, also after rows without a target are left out.
    frame.index = pd.RangeIndex(written.first_row, written.first_row + len(frame))
    names = list(frame.columns)
    column = column_named(names, target)
    if group is not None and time is not None:
        raise UserError("--group and --time: expected one of them, got both")
    group = group if group is None else column_named(names, group, "group")
    time = time if time is None else column_named(names, time, "time")
    if column in (group, time):
        raise UserError(f"--group, --time: expected another column than the target {column!r}")
    found = interpret(
        frame,
        column,
        drop=drop,
        keep=keep,
        kinds=kinds,
        group=group,
        time=time,
        decimal=written.decimal,
        first_row=written.first_row,
    )
    present = found.target.notna().to_numpy()
    if not present.any():
        raise UserError(f"target {column!r} is missing in every row")
    values, features = found.target[present], found.frame[present]
    notes, warnings = [*written.notes], [*written.warnings]
    if not present.all():
        said, words = _without_target(frame[column], present)
        hint = f"--as {shlex.quote(column + '=category')} makes words a class"
        if words and values.nunique() < 2:
            raise UserError(f"target {column!r}: {said}, and the others are all alike; {hint}")
        often = np.mean(~present) >= WORD_SHARE
        if words and often and not any(one.startswith(f"{column}: ") for one in found.warnings):
            warnings.append(f"{said}; {hint}")
        else:
            notes.append(said)
    labels = read_labels(_target_values(values), task=task, name=f"target {column!r}")
    table, remarks = read_table(features)
    division = None
    if found.group is not None:
        division = Division.by_group(group, found.group[present])
    elif found.time is not None:
        division = Division.by_time(time, found.time[present])
    fingerprint = hashlib.sha256(f"{table.fingerprint()}{column!r}".encode())
    labels.add_to(fingerprint)
    return assemble(
        table,
        labels,
        TablePreprocessing.fit,
        source_rows=np.flatnonzero(present),
        division=division,
        name=name,
        target_name=column,
        fingerprint=fingerprint.hexdigest(),
        train_size=train_size,
        split_seed=split_seed,
        fractions=fractions,
        notes=(*notes, *found.notes, *remarks),
        warnings=(*warnings, *found.warnings),
        inspect=partial(possible_leaks, parts=found.parts),
        table={"file": written.dialect, "columns": list(found.columns)},
    )


def _without_target(column: pd.Series, present: np.ndarray) -> tuple[str, bool]:
    """Say how many rows have no target and what stands there instead; whether these are words."""
    texts = column[~present].dropna().astype(str).map(plain)
    texts = texts[texts != ""].unique()
    shown = ", ".join(repr(text[:20]) for text in texts[:5])
    rows = int((~present).sum())
    many = f"{rows:,} row{'s' * (rows != 1)} without a target"
    said = f"{many}{f' ({shown})' if shown else ''} {'are' if rows != 1 else 'is'} left out"
    return said, any(is_word(text) for text in texts)


def _target_values(values: pd.Series) -> np.ndarray:
    """A table's target as NumPy knows it: numbers, booleans, or objects for `read_labels`."""
    dtype = values.dtype
    if isinstance(dtype, pd.StringDtype | pd.CategoricalDtype) or dtype.kind == "O":
        return np.array(list(values), dtype=object)
    if pd.api.types.is_bool_dtype(dtype):
        return values.to_numpy(dtype=bool)
    if pd.api.types.is_integer_dtype(dtype):
        return values.to_numpy()
    if pd.api.types.is_float_dtype(dtype):
        return values.to_numpy(dtype=np.float64)
    return values.to_numpy()
