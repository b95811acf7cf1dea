"""Pieces of Markdown."""

import re
from collections.abc import Sequence


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; stars and pipes in its cells are the caller's."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("|" + "|".join(_cell(cell) for cell in line) + "|" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def plain(text: str) -> str:
    """Text whose stars and angle brackets are no markup."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(p if p[:1] == "`" else re.sub(r"([*<])", r"\\\1", p) for p in pieces)
