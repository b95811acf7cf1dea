"""The different texts of one column: how often each stands there, and what to say of them."""

import shlex
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kerasreg.data._names import some
from kerasreg.data.cells.reading import missing


@dataclass(frozen=True)
class Cells:
    """Different texts of a column, for each cell the index of its text, and their counts."""

    name: str
    codes: np.ndarray
    texts: list[str]
    counts: np.ndarray
    first_row: int

    @cached_property
    def present(self) -> int:
        """How many cells are not missing."""
        return int(self.counts[[not missing(text) for text in self.texts]].sum())

    def share(self, good: list[bool]) -> float:
        """Which share of the cells that are not missing is good."""
        fits = [fit and not missing(text) for fit, text in zip(good, self.texts, strict=True)]
        return float(self.counts[fits].sum()) / max(1, self.present)

    def marks(self) -> Counter:
        """Marks for missing -> how many cells have it; empty cells are not counted."""
        found: Counter = Counter()
        for text, count in zip(self.texts, self.counts, strict=True):
            if text and missing(text):
                found[text] += int(count)
        return found

    def odd(self, good: list[bool], what: str) -> tuple[str, ...]:
        """Name texts that are neither missing nor what the column holds, with their rows."""
        odd = {i for i, text in enumerate(self.texts) if not good[i] and not missing(text)}
        rows = np.flatnonzero(np.isin(self.codes, list(odd)))
        if not len(rows):
            return ()
        named = sorted(odd, key=lambda i: -self.counts[i])
        return (
            f"{self.name}: {some([repr(self.texts[i][:40]) for i in named])} "
            f"{'is' if len(named) == 1 else 'are'} no {what} and read as missing (row"
            f"{'s' * (len(rows) > 1)} {some([str(r + self.first_row) for r in rows])}); "
            f"--as {shlex.quote(self.name + '=category')} keeps the texts",
        )

    def alike(self) -> list[str]:
        """Texts that differ in capitals or blanks alone, in quotes, one pair each."""
        first: dict[str, str] = {}
        pairs = []
        for text in self.texts:
            other = first.setdefault(" ".join(text.casefold().split()), text)
            if other != text:
                pairs.append(f"{other[:40]!r} and {text[:40]!r}")
        return pairs

    def said_marks(self) -> str:
        marks = self.marks()
        if not marks:
            return ""
        named = some([repr(mark) for mark, _ in marks.most_common()])
        return missing_cells(sum(marks.values()), len(self.codes), named)


def missing_cells(count: int, rows: int, named: str) -> str:
    """How many cells are missing, and what stands in them."""
    return f"{count:,} of {rows:,} cells ({named}) {'is' if count == 1 else 'are'} missing"
