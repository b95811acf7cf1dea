"""Which column is meant: by its name or its index, never by one where the other is meant."""

import difflib
from collections.abc import Sequence

from kerasreg.data._names import some
from kerasreg.errors import UserError


def column_named(names: Sequence[str], column: str | int | None, option: str = "target") -> str:
    """Return the name of a column.

    Args:
        names: All columns.
        column: A name, or an index (a number or its text), negative from the end.
        option: What asked for it.

    Raises:
        UserError: It is not given, not there (with the nearest names), or a text that is the name
            of one column and the index of another.
    """
    if column is None:
        raise UserError(
            f"target: name the column to predict (--target); there are {_quoted(names)}"
        )
    text = str(column).strip()
    by_name = text if text in names and not isinstance(column, int) else None
    try:
        index = int(column)
    except ValueError:
        index = None
    inside = index is not None and -len(names) <= index < len(names)
    if by_name is not None and (not inside or names[index] == by_name):
        return by_name
    if by_name is not None:
        place = names.index(by_name)
        raise UserError(
            f"{option}: {text!r} is the name of column {place} and the index of column "
            f"{names[index]!r}; say {place - len(names)} for the first, "
            f"{index - len(names) if index >= 0 else index + len(names)} for the second (if the "
            "first row is data and no header, use --no-header)"
        )
    if index is None:
        near = difflib.get_close_matches(text, names, n=3, cutoff=0.4)
        hint = f"nearest are {_quoted(near)}" if near else f"there are {_quoted(names)}"
        raise UserError(f"{option}: no column {text!r}; {hint}")
    if not inside:
        raise UserError(
            f"{option}: no column {index}; there are {len(names)}, counted from 0 or from -1 back"
        )
    return names[index]


def _quoted(names: Sequence) -> str:
    return some([repr(str(name))[:60] for name in names], 10)
