"""The text of a file: UTF-8, UTF-16 or cp1252 are recognised, others are named by the user."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from kerasreg.errors import UserError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Bytes that cp1252 does not define, and control characters that no text file has.
_NOT_CP1252 = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f\x81\x8d\x8f\x90\x9d]")
_CHUNK = 1 << 20


def as_utf8(content: bytes, path: Path, encoding: str | None) -> tuple[bytes, str]:
    """Return the content in UTF-8 without a byte order mark, and the encoding that it had.

    Args:
        encoding: A name that Python knows; None to recognise UTF-8, UTF-16 or cp1252.

    Raises:
        UserError: It is binary, or not text in that encoding.
    """
    found = encoding or _recognise(content, path)
    try:
        if found == "utf-8":
            for _ in _decoded(content, found):
                pass
            return content, found
        text = b"".join(part.encode("utf-8") for part in _decoded(content, found))
    except LookupError:
        raise UserError(
            f"encoding: expected a name of a text encoding, such as utf-8, utf-16, cp1252 or "
            f"shift_jis, got {encoding!r}"
        ) from None
    except (UnicodeError, ValueError):
        raise UserError(
            f"{path} is not text in {found}; give its encoding with --encoding NAME, or save it as "
            "UTF-8"
        ) from None
    if b"\0" in text[:_CHUNK]:
        raise UserError(f"{path} is binary or not {found} text (a zero byte); save it as UTF-8 CSV")
    return text.removeprefix(codecs.BOM_UTF8), found


def _decoded(content: bytes, encoding: str) -> Iterator[str]:
    """The text in pieces: whole, one emoji would make every character of a large file 4 bytes."""
    if not isinstance("".encode(encoding), bytes):
        raise LookupError(encoding)
    decoder = codecs.getincrementaldecoder(encoding)()
    for start in range(0, len(content), _CHUNK):
        yield decoder.decode(content[start : start + _CHUNK])
    yield decoder.decode(b"", final=True)


def _recognise(content: bytes, path: Path) -> str:
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    zero = content.find(b"\0")
    if zero >= 0:
        # UTF-16 without a mark: of Latin letters every other byte is zero.
        head = content[: min(len(content), 2000) // 2 * 2]
        for name, zeros, others in (
            ("utf-16-le", head[1::2], head[0::2]),
            ("utf-16-be", head[0::2], head[1::2]),
        ):
            if zeros.count(0) > 0.7 * len(zeros) and others.count(0) == 0:
                return name
        raise UserError(
            f"{path} is binary (a zero byte at {zero:,}); expected CSV text, give its encoding "
            "with --encoding NAME"
        )
    try:
        for _ in _decoded(content, "utf-8"):
            pass
    except UnicodeDecodeError:
        if _NOT_CP1252.search(content):
            raise UserError(
                f"{path} is binary or not UTF-8 text; give its encoding with --encoding NAME, or "
                "save it as UTF-8 CSV"
            ) from None
        return "cp1252"
    return "utf-8"
