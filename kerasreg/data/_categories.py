"""Categories of a text column: which get a feature, and which of them a cell has."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kerasreg.data._table import Table

# A text column keeps this many of its most frequent categories; others count as none of them.
# 256 were measured: out-of-fold errors 1 % larger (200 zones of a town), 7 % (300 names of cars).
MOST_CATEGORIES = 64


@dataclass(frozen=True)
class Categories:
    """A text column's categories that have a feature.

    Attributes:
        kept: The categories, sorted; `""` stands for missing values.
        seen: For each, whether the rows the preprocessing was fitted on have it. What was not
            seen is 0, as a category unknown to all is.
    """

    kept: tuple[str, ...]
    seen: np.ndarray


def choose_categories(
    table: Table, index: int, rows: np.ndarray, name: str
) -> tuple[tuple[str, ...], list[str]]:
    """Choose the categories of a text column that get a feature; say what is left out."""
    values = table.values[index]
    counts = np.bincount(table.codes[rows, index], minlength=len(values))
    present = np.flatnonzero(counts)
    if len(present) == 1:
        return (), [f"column {name!r} is constant in the training rows and is ignored"]
    if len(present) <= MOST_CATEGORIES:
        return tuple(sorted(values[present])), []
    # The most frequent; ties by text. One that occurs once would only name its row.
    present = present[counts[present] > 1]
    order = sorted(present, key=lambda code: (-counts[code], values[code]))[:MOST_CATEGORIES]
    different = int(np.count_nonzero(counts))
    return tuple(sorted(values[code] for code in order)), [
        f"column {name!r} has {different:,} different texts in the training rows; "
        + (f"the {len(order)} most frequent are used" if order else "it is ignored")
    ]


def category_indices(values: pd.Index, found: Categories) -> np.ndarray:
    """For each value of a column the index of its category, or -1 for none that was seen."""
    indices = pd.Index(found.kept, dtype=object).get_indexer(values.astype(object))
    return np.where(found.seen[indices], indices, -1) if found.kept else indices
