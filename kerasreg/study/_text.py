"""Text of files and users as one short line of a message."""

from pathlib import Path
from typing import Any

from kerasreg.errors import UserError


def printable(text: str) -> str:
    """Return at most 80 characters of `text` that a terminal shows and does not obey."""
    text = text if len(text) <= 80 else text[:77] + "..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def damaged(path: Path, expected: str, found: Any) -> UserError:
    """The error for a file of a study that does not hold what kerasreg writes."""
    return UserError(
        f"Expected {expected} in {path}, got {repr(found)[:60]}; restore the file from a copy."
    )
