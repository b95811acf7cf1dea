"""What stands above a CSV's rows: comments, Excel's `sep=`, titles, and a header that is data."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kerasreg.data.cells.numbers import is_number, number_of, plain
from kerasreg.data.cells.reading import is_text, missing

_COMMENT = re.compile(r"\s*(?:#|//|%)")
_SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)
# "# source: a, b" and "# measured by the office of statistics, in May".
_PROSE = re.compile(r"\W*(?:\w+: |(?:\w+ ){4})")
_MOST_LINES = 100


@dataclass(frozen=True)
class Above:
    """Lines above the table.

    Attributes:
        size: Their bytes in UTF-8.
        lines: How many they are.
        separator: What a line `sep=;` says; None without one.
        notes: Sentences on what was skipped.
    """

    size: int
    lines: int
    separator: str | None
    notes: tuple[str, ...]


def lines_above(head: str, separators: Sequence[str], header: bool) -> Above:
    """Find what stands above the table: lines, and the mark of a header that is a comment."""
    lines = head.splitlines(keepends=True)[:_MOST_LINES]
    separator, count = None, 0
    for line in lines:
        text = line.strip("\ufeff\r\n \t") or line.strip("\ufeff\r\n")
        stated = _SEPARATOR.fullmatch(line.strip('\ufeff\r\n "')) if not separator else None
        if stated and stated[1] in separators:
            separator = stated[1]
        elif text and not _is_comment(text, separators):
            break
        count += 1
    notes, mark = (), ""
    candidates = [separator] if separator else separators
    if header and 0 < count < len(lines) and _names(lines[count - 1 : count + 2], candidates):
        count -= 1
        mark = _COMMENT.match(lines[count])[0]
        notes = (f"the header is a comment; {mark.strip()!r} is cut off its first name",)
    elif not separator:
        count += _titles(lines[count:], separators, header)
    skipped = [line.strip('\ufeff\r\n \t"') for line in lines[:count]]
    shown = ", ".join(repr(line[:40]) for line in skipped if line)
    if shown:
        many = f"{count} lines" if count > 1 else "1 line"
        verb = "are" if count > 1 else "is"
        notes = (f"{many} above the header {verb} skipped ({shown[:150]})", *notes)
    return Above(len("".join([*lines[:count], mark]).encode()), count, separator, notes)


def _is_comment(line: str, separators: Sequence[str]) -> bool:
    """Whether a line is no row: a row may begin with a spreadsheet's `#DIV/0!`."""
    marks = (missing(plain(line.split(separator)[0].strip('"'))) for separator in separators)
    return _COMMENT.match(line) is not None and not any(marks)


def _names(lines: Sequence[str], separators: Sequence[str]) -> bool:
    """Whether a comment is the header, as in "# a,b", of the rows below it.

    It is not where it reads as prose ("# source: a, b"), or where the row below is a header.
    """
    if _PROSE.match(lines[0]):
        return False
    for separator in separators:
        rows = [line.split(separator) for line in lines]
        if len(rows[0]) == len(rows[1]) > 1:
            return is_header(*rows[:2]) and not is_header(*rows[1:], some=True)
    return False


def is_header(names: Sequence[str], cells: Sequence[str] = (), some: bool = False) -> bool:
    """Whether a row is names above a row that has numbers.

    Args:
        names, cells: The row, and the row below it.
        some: Whether one name above a number is enough; else none of them may be a number.
    """
    if len(names) != len(cells):
        return False
    above, below = (
        [missing(plain(cell)) or is_number(cell) for cell in row] for row in (names, cells)
    )
    if some:
        return any(not name and cell for name, cell in zip(above, below, strict=True))
    return any(below) and not any(above)


def _titles(lines: Sequence[str], separators: Sequence[str], header: bool) -> int:
    """How many lines of one cell stand above rows that all have one length of two or more.

    None where some separator makes rows of one length of all the lines. Above a header, a line is
    of one cell too where a spreadsheet padded it: "Report,,".
    """
    best = (0, 0, 0)
    for separator in separators:
        reader = csv.reader(lines, delimiter=separator)
        try:
            # Cells may have line breaks; the last row may be cut.
            rows = [(row, reader.line_num) for row in reader][:-1]
        except csv.Error:
            return 0
        lengths = [len(row) for row, _ in rows]
        for index, (row, _) in enumerate(rows):
            filled = sum(bool(plain(cell)) for cell in row)
            if not header or filled > 1 or len(row) == 2:
                break
            lengths[index] = filled
        if len(lengths) < 4:
            continue
        width = lengths[-1]
        start = lengths.index(width)
        if width > 1 and not start and len({length for length in lengths if length}) == 1:
            return 0
        table = [length for length in lengths[start:] if length]
        if width > 1 and len(table) > 2 and set(table) == {width} and max(lengths[:start]) <= 1:
            # The most columns; of as many, those that leave more lines to the table.
            best = max(best, (width, -start, rows[start - 1][1]))
    return best[2]


def data_like_header(first: Sequence[str], frame: pd.DataFrame, decimal: str) -> str:
    """Say that the header looks like a row of data, if at least half of its cells do.

    A cell does when it is a number within the range of its column or, as text, one of its values;
    not when it is its own index, as in the names that pandas gives.
    """
    if all(is_text(frame[name]) for name in frame.columns):
        repeated = np.ones(len(frame), dtype=bool)
        for cell, name in zip(first, frame.columns, strict=True):
            repeated &= (frame[name].str.strip() == plain(cell)).to_numpy(bool)
        count = int(repeated.sum())
        if count:
            rows = f"{count} row{'s' * (count > 1)}"
            return f"the header is repeated in {rows} of the table, as in joined files; remove it"
    alike = 0
    for index, (cell, name) in enumerate(zip(first, frame.columns, strict=True)):
        column, text = frame[name], plain(cell)
        if text == str(index):
            continue
        if column.dtype.kind in "iuf":
            number = number_of(text, decimal)
            alike += number is not None and column.min() <= number <= column.max()
        elif text:
            alike += bool((column.astype("str").str.strip() == text).any())
    if alike * 2 < len(first) or not alike:
        return ""
    shown = ", ".join(plain(cell)[:20] for cell in first[:6]) + (", ..." if len(first) > 6 else "")
    return f"the first row ({shown}) looks like data, not like names; if it is, use --no-header"
