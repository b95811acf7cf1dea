"""CSV files: text of bounded size, its separator and quotes found, every row of one length."""

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from kerasreg.data._names import unique_names
from kerasreg.data.cells.numbers import certain_decimal, is_number, plain
from kerasreg.data.files.bounded import MOST_CELLS, MOST_COLUMNS, open_regular
from kerasreg.data.files.encoding import as_utf8
from kerasreg.data.files.header import data_like_header, is_header, lines_above
from kerasreg.errors import UserError

# Keeps reading below 2 GB of memory: a character of the file takes at most 4 bytes.
MOST_BYTES = 256 * 2**20
SEPARATORS = (",", ";", "\t", "|")
_HEAD_BYTES = 1 << 18


@dataclass(frozen=True)
class Written:
    """How the file was written that a table comes from.

    Attributes:
        decimal: Its decimal sign.
        first_row: The row that a user sees there as the table's first.
        dialect: Encoding, separator and decimal sign of a CSV, for the record.
        notes, warnings: Sentences on what was skipped or may be wrong.
    """

    decimal: str = "."
    first_row: int = 0
    dialect: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_csv(
    path: Path,
    *,
    header: bool,
    encoding: str | None = None,
    decimal: str | None = None,
    unclear: str | None = None,
) -> tuple[pd.DataFrame, Written]:
    """Read a CSV; separator (comma, semicolon, tab, bar) and quotes are found from its head.

    Args:
        header: Whether the first row names the columns; else they are named "0", "1", ...
        encoding: Of the text; None to recognise UTF-8, UTF-16 and cp1252.
        decimal: Decimal sign, "." or ","; None to find it.
        unclear: Decimal sign where the file does not show it; None for what cells look like.

    Returns:
        The table as pandas reads it: columns of numbers, truth values and text, names with blanks
        cut and duplicates told apart ("a", "a.1"); and how it was written.

    Raises:
        UserError: Missing, empty, binary, ragged or too large file, or one without rows.
    """
    if decimal not in (None, ".", ","):
        raise UserError(f"decimal: expected a point or a comma, got {decimal!r}")
    with open_regular(path, MOST_BYTES) as file:
        content = file.read(MOST_BYTES)
    if not content.strip(b"\xef\xbb\xbf \t\r\n"):
        raise UserError(f"{path} is empty; expected a CSV file with rows")
    content, found = as_utf8(content, path, encoding)
    notes = [] if found in ("utf-8", "utf-8-sig") else [f"the file is read as {found} text"]
    above = lines_above(content[:_HEAD_BYTES].decode("utf-8", errors="ignore"), SEPARATORS, header)
    content = content[above.size :]
    notes += above.notes
    if not content.strip():
        raise UserError(f"{path} has nothing but comments; expected a CSV file with rows")
    head = _head(content)
    separator, quote = _sniff(head, above.separator)
    columns, first = _check_rows(content, path, separator, quote, header)
    decimal, doubt = (decimal, "") if decimal else _decimal(head, separator, quote, unclear)
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            sep=separator,
            quotechar=quote,
            header=0 if header else None,
            index_col=False,
            encoding="utf-8",
            skipinitialspace=True,
            # A word such as NA may be a label; what means missing is decided column by column.
            keep_default_na=False,
            na_values=[""],
            low_memory=False,
            decimal=decimal,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not a CSV table ({reason}); check quotes and rows") from None
    if len(frame) == 0 or frame.shape[1] != columns:
        raise UserError(f"{path}: no rows below the header, or rows of other lengths")
    frame.columns = unique_names([plain(name) for name in first] if header else range(columns))
    if header:
        warnings = [data_like_header(first, frame, decimal), doubt]
    else:
        named = is_header(*frame.head(2).astype(object).fillna("").astype(str).to_numpy().tolist())
        shown = ", ".join(first[:6])
        said = f"the first row ({shown}) looks like names; if it is, leave out --no-header"
        warnings = [said if named else "", doubt]
    return frame, Written(
        decimal,
        above.lines + 1 + header,
        {"encoding": found, "separator": separator, "decimal": decimal},
        tuple(notes),
        tuple(warning for warning in warnings if warning),
    )


def _head(content: bytes) -> str:
    """Whole lines from the beginning of the file."""
    lines = content[:_HEAD_BYTES].decode("utf-8", errors="ignore").splitlines(keepends=True)
    if len(lines) > 1 and len(content) > _HEAD_BYTES:
        lines.pop()  # cut in the middle
    return "".join(lines[:1000])


def _sniff(text: str, separator: str | None) -> tuple[str, str]:
    """Return (separator, quote) of the head of a file.

    The separator leaves most rows as long as the first, of two columns or more; of several, it
    leaves more cells that are numbers, or more columns. Where none makes columns, the one most
    frequent in the first row is it, so that the row that breaks the table can be named.
    """
    lines = text.splitlines(keepends=True)[:200]
    text = "".join(lines)
    quote = '"'
    if '"' not in text and re.search(r"(?m)(?:^|[,;\t|])\s?'[^'\n]*'\s?(?:$|[,;\t|])", text):
        quote = "'"
    if separator:
        return separator, quote
    scores = {}
    for candidate in SEPARATORS:
        reader = csv.reader(lines, delimiter=candidate, quotechar=quote, skipinitialspace=True)
        try:
            rows = [row for row in reader if row]
        except csv.Error:
            rows = []
        width = len(rows[0]) if rows else 0
        if width > 1:
            even = sum(len(row) == width for row in rows)
            cells = [cell for row in rows[:20] for cell in row[:50]]
            numbers = sum(is_number(cell) for cell in cells) / len(cells)
            scores[candidate] = (even, numbers, width)
    if not scores:
        scores = {candidate: lines[0].count(candidate) for candidate in SEPARATORS}
    return max(scores, key=scores.get), quote


def _decimal(head: str, separator: str, quote: str, unclear: str | None) -> tuple[str, str]:
    """The sign that cells show beyond doubt; else what cells look like, with a warning of 1.234."""
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=separator, quotechar=quote)
    try:
        cells = [cell for row in reader for cell in row]
    except csv.Error:
        return ".", ""  # `_check_rows` has named the line if the file is bad
    certain = certain_decimal(cells) or unclear
    if certain or separator == ",":
        return certain or ".", ""
    commas, points = (
        sum(re.fullmatch(rf"\s*[+-]?\d+{sign}\d+\s*", cell) is not None for cell in cells)
        for sign in (",", r"\.")
    )
    decimal = "," if commas > points else "."
    either = re.compile(rf"[+-]?[1-9]\d{{0,2}}{re.escape(decimal)}\d{{3}}")
    doubt = next((plain(cell) for cell in cells if either.fullmatch(plain(cell))), "")
    return decimal, doubt and (
        f"{doubt!r} could be thousands or a decimal, and the file does not show which; read as a "
        f"decimal: if it is thousands, use --decimal {',' if decimal == '.' else '.'}"
    )


def _check_rows(
    content: bytes, path: Path, separator: str, quote: str, header: bool
) -> tuple[int, list[str]]:
    """Return the columns and the first row if every row has as many; pandas would pad short ones.

    Raises:
        UserError: A row of another length, no rows, too many cells.
    """
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    reader = csv.reader(text, delimiter=separator, quotechar=quote, skipinitialspace=True)
    rows, first = 0, []
    try:
        for fields in reader:
            if not fields:
                continue
            if rows == 0:
                first = fields
                if len(first) > MOST_COLUMNS:
                    raise UserError(
                        f"{path} has {len(first):,} columns, more than the {MOST_COLUMNS:,} that "
                        "are read from a table; save the numbers as .npz"
                    )
            elif len(fields) != len(first):
                raise UserError(
                    f"{path}: line {reader.line_num} has {len(fields)} fields, the first row has "
                    f"{len(first)}; make every row as long"
                )
            rows += 1
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: {error}; check the quotes") from None
    if rows <= header:
        raise UserError(f"{path} has a header but no rows; for a file without one use --no-header")
    if rows * len(first) > MOST_CELLS:
        raise UserError(
            f"{path} has {rows * len(first):,} cells, more than the {MOST_CELLS:,} that are read; "
            "keep a subset of the rows"
        )
    return len(first), first
