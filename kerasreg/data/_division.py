"""Rows that may not be divided at random: groups stay together, time runs one way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kerasreg.errors import UserError
from kerasreg.seeds import derive


@dataclass(frozen=True)
class Division:
    """A column that says which rows may be in which part.

    Attributes:
        kind: `"group"`: rows of one key are all in one part and one fold. `"time"`: rows of a
            part, or a fold's validation rows, are not before those that are learned from; equal
            keys are in one part.
        column: Its name.
        keys: Of the rows, whole numbers; of `"time"` in order of time. Shape (rows,).
    """

    kind: str
    column: str
    keys: np.ndarray

    @classmethod
    def by_group(cls, column: str, texts: pd.Series) -> "Division":
        """Rows with equal texts are a group; a row without one is a group of its own."""
        keys, _ = texts.factorize()
        alone = keys < 0
        keys[alone] = np.arange(len(keys), len(keys) + alone.sum())
        return cls("group", column, keys)

    @classmethod
    def by_time(cls, column: str, times: pd.Series) -> "Division":
        """Rows in the order of numbers or timestamps.

        Raises:
            UserError: A row has no time.
        """
        missing = times.index[times.isna()]
        if len(missing):
            raise UserError(
                f"--time {column}: expected a time in every row, but {len(missing):,} have none, "
                f"such as row {missing[0]}; fill it in or remove the row"
            )
        return cls("time", column, np.unique(times, return_inverse=True)[1])

    def __getitem__(self, rows: np.ndarray) -> "Division":
        """The division of the given rows only."""
        return replace(self, keys=self.keys[rows])

    def parts(
        self,
        y: np.ndarray,
        fractions: Sequence[float],
        seed: int,
        class_names: tuple[str, ...] | None,
    ) -> list[np.ndarray]:
        """As `split_rows`; a class may be missing in a part, but not in the first.

        Raises:
            UserError: Fewer different keys than parts, or a class that the first part lacks.
        """
        parts = self._cut(y, fractions, seed, class_names)
        if class_names is not None:
            lacking = np.setdiff1d(y, y[parts[0]])
            if len(lacking):
                where = "in too few groups" if self.kind == "group" else "later than training ends"
                raise UserError(
                    f"--{self.kind} {self.column}: class {class_names[lacking[0]]!r} is {where}, "
                    "so that it cannot be learned; bring more rows or drop the class"
                )
        return parts

    def folds(
        self, y: np.ndarray, k: int, seed: int, class_names: tuple[str, ...] | None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """As `fold_rows`; in time, fold i of `k` is judged by the block after those it learns from.

        The first of `k + 1` blocks in time is then never judged by (as scikit-learn's
        `TimeSeriesSplit` does it).

        Raises:
            UserError: Fewer different keys than folds or blocks.
        """
        count = k + (self.kind == "time")
        blocks = self._cut(y, [1 / count] * count, seed, class_names)
        if self.kind == "time":
            return [(np.sort(np.concatenate(blocks[: i + 1])), blocks[i + 1]) for i in range(k)]
        return [(np.setdiff1d(np.arange(len(y)), block), block) for block in blocks]

    def _cut(
        self,
        y: np.ndarray,
        fractions: Sequence[float],
        seed: int,
        class_names: tuple[str, ...] | None,
    ) -> list[np.ndarray]:
        keys, place = np.unique(self.keys, return_inverse=True)
        if len(keys) < len(fractions):
            what = "groups" if self.kind == "group" else "different times"
            raise UserError(
                f"--{self.kind} {self.column}: expected at least {len(fractions)} {what}, one a "
                f"part, got {len(keys)}"
            )
        classes = np.zeros(len(y), dtype=int) if class_names is None else y
        counts = np.zeros((len(keys), classes.max() + 1))
        np.add.at(counts, (place, classes), 1)
        if self.kind == "group":
            part_of = _balanced(counts, np.asarray(fractions), seed)
        else:
            part_of = _consecutive(counts.sum(axis=1), np.asarray(fractions))
        return [np.flatnonzero(part_of[place] == part) for part in range(len(fractions))]

    def describe(self) -> dict[str, Any]:
        """For `study.json`."""
        return {self.kind: self.column, "keys": len(np.unique(self.keys))}


def _balanced(counts: np.ndarray, fractions: np.ndarray, seed: int) -> np.ndarray:
    """The part of each group, so that every class comes near its fraction in every part.

    Groups of most uneven classes first, equals in random order, each to where it brings the counts
    nearest to their quotas (as scikit-learn's `StratifiedGroupKFold`, for any fractions). The last
    groups go to parts that would stay empty.

    Args:
        counts: Rows by group and class.
        fractions: Of the parts.
        seed: Seed of the draw.
    """
    generator = np.random.default_rng(derive(seed, "groups"))
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    order = generator.permutation(len(counts))
    order = order[np.argsort(-np.linalg.norm(shares[order], axis=1), kind="stable")]
    missing = np.repeat(fractions[:, None], counts.shape[1], axis=1)
    part_of = np.full(len(counts), -1)
    for done, group in enumerate(order):
        empty = np.flatnonzero(np.bincount(part_of[order[:done]], minlength=len(fractions)) == 0)
        open_parts = empty if len(empty) >= len(order) - done else np.arange(len(fractions))
        # How much the squared distance to the quotas grows, relative to them.
        grown = shares[group] * (shares[group] - 2 * missing[open_parts])
        part_of[group] = open_parts[np.argmin(grown.sum(axis=1) / fractions[open_parts])]
        missing[part_of[group]] -= shares[group]
    return part_of


def _consecutive(counts: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """The part of each time, in order: cut where the fractions are met best, no part empty."""
    ends = np.cumsum(counts) / counts.sum()
    part_of = np.zeros(len(counts), dtype=int)
    first = 0
    for part, wanted in enumerate(np.cumsum(fractions)[:-1], start=1):
        last = len(counts) - (len(fractions) - part)  # leaves a time to each part that follows
        first += 1 + int(np.argmin(np.abs(ends[first:last] - wanted)))
        part_of[first:] = part
    return part_of
