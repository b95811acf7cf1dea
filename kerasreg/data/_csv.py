"""CSV files: text of bounded size, its separator and quotes found, every row of one length."""

import codecs
import csv
import io
import re
from pathlib import Path

import pandas as pd

from kerasreg.data._files import open_regular
from kerasreg.errors import UserError

# Bounds that keep reading below 2 GB of memory: bytes of the file, and cells (a parsed number
# takes 8 bytes, a character of the file at most 4).
MOST_BYTES = 256 * 2**20
MOST_CELLS = 50_000_000
# Each column becomes an input of the exported model; Keras needs minutes for thousands of them.
MOST_COLUMNS = 2_000
SEPARATORS = (",", ";", "\t", "|")
# Besides pandas' own list (empty, NA, NaN, null, None, ...): the mark of many public data sets.
MISSING_MARK = "?"
_HEAD_BYTES = 1 << 18


def read_csv(path: Path, *, header: bool) -> pd.DataFrame:
    """Read a CSV; separator (comma, semicolon, tab, bar) and quotes are found from its head.

    Args:
        path: The file, UTF-8.
        header: Whether the first row names the columns; else they are named "0", "1", ...

    Returns:
        The table, columns named by text, duplicates told apart as pandas does ("a", "a.1").

    Raises:
        UserError: Missing, empty, binary, ragged or too large file, or one without rows.
    """
    with open_regular(path, MOST_BYTES) as file:
        content = file.read(MOST_BYTES)
    if not content.strip(b"\xef\xbb\xbf \t\r\n"):
        raise UserError(f"{path} is empty; expected a CSV file with rows")
    _check_text(content, path)
    separator, quote = _sniff(content[:_HEAD_BYTES])
    columns = _check_rows(content, path, separator, quote, header)
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            sep=separator,
            quotechar=quote,
            header=0 if header else None,
            index_col=False,
            encoding="utf-8-sig",
            skipinitialspace=True,
            na_values=[MISSING_MARK],
            low_memory=False,
            decimal=_decimal(content[:_HEAD_BYTES], separator),
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not a CSV table ({reason}); check quotes and rows") from None
    if len(frame) == 0 or frame.shape[1] != columns:
        raise UserError(f"{path}: no rows below the header, or rows of other lengths")
    frame.columns = [str(name) for name in frame.columns]
    return frame


def _check_text(content: bytes, path: Path) -> None:
    position = content.find(b"\0")
    if position >= 0:
        raise UserError(
            f"{path} is binary (a zero byte at {position:,}); expected CSV text in UTF-8"
        )
    # In pieces: decoded whole, one emoji would make every character of a large file 4 bytes.
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), 1 << 20):
            decoder.decode(content[start : start + (1 << 20)])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise UserError(f"{path} is binary or not UTF-8 text; save it as UTF-8 CSV") from None


def _sniff(head: bytes) -> tuple[str, str]:
    """Return (separator, quote): the pair under which pandas finds the most columns in the head.

    A separator that leaves rows of different lengths is out. Where none makes columns, the one
    most frequent in the first row is it, so that the row that breaks the table can be named.
    """
    lines = head.decode("utf-8-sig", errors="ignore").splitlines(keepends=True)
    if len(lines) > 1 and len(head) == _HEAD_BYTES:
        lines.pop()  # cut in the middle
    text = "".join(lines[:200])
    quote = '"'
    if '"' not in text and re.search(r"(?m)(?:^|[,;\t|])\s?'[^'\n]*'\s?(?:$|[,;\t|])", text):
        quote = "'"
    found = {}
    for separator in SEPARATORS:
        try:
            part = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                quotechar=quote,
                header=None,
                dtype=str,
                skipinitialspace=True,
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError):
            continue
        if part.shape[1] > 1:
            found[separator] = part.shape[1]
    if not found:
        found = {separator: lines[0].count(separator) for separator in SEPARATORS}
    return max(found, key=found.get), quote


def _decimal(head: bytes, separator: str) -> str:
    """A decimal comma, where the separator leaves it free and fields look like 3,14."""
    if separator == ",":
        return "."
    text = head.decode("utf-8-sig", errors="ignore")
    mark = re.escape(separator)
    commas = re.findall(rf"(?m)(?:^|{mark})\s*[+-]?\d+,\d+\s*(?={mark}|$)", text)
    points = re.findall(rf"(?m)(?:^|{mark})\s*[+-]?\d+\.\d+\s*(?={mark}|$)", text)
    return "," if len(commas) > len(points) else "."


def _check_rows(content: bytes, path: Path, separator: str, quote: str, header: bool) -> int:
    """Return the number of columns if every row has it; pandas would pad short rows silently."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=separator, quotechar=quote, skipinitialspace=True)
    columns = rows = 0
    try:
        for fields in reader:
            if not fields:
                continue
            if rows == 0:
                columns = len(fields)
                if columns > MOST_COLUMNS:
                    raise UserError(
                        f"{path} has {columns:,} columns, more than the {MOST_COLUMNS:,} that are "
                        "read from a table; save the numbers as .npz"
                    )
            elif len(fields) != columns:
                raise UserError(
                    f"{path}: line {reader.line_num} has {len(fields)} fields, the first row has "
                    f"{columns}; make every row as long"
                )
            rows += 1
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: {error}; check the quotes") from None
    if rows <= header:
        raise UserError(f"{path} has a header but no rows; for a file without one use --no-header")
    if rows * columns > MOST_CELLS:
        raise UserError(
            f"{path} has {rows * columns:,} cells, more than the {MOST_CELLS:,} that are read; "
            "keep a subset of the rows"
        )
    return columns
