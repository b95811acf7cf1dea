"""From raw rows and labels to a Dataset: who trains, who validates, who stays locked away."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from kerasreg.data._dataset import Dataset
from kerasreg.data._division import Division
from kerasreg.data._labels import Labels
from kerasreg.data._rows import TestRows
from kerasreg.data._splitting import check_fractions, split_rows, subset_rows
from kerasreg.data._table import Table
from kerasreg.errors import UserError, check_whole

# What a study can record exactly, rounded to a value that can be said.
MOST_SEED = 10**18


def assemble(
    raw: np.ndarray | Table,
    labels: Labels,
    fit: Callable[[Any, np.ndarray], Any],
    *,
    raw_test: np.ndarray | None = None,
    source_rows: np.ndarray | None = None,
    division: Division | None = None,
    name: str,
    target_name: str,
    fingerprint: str,
    train_size: int | None,
    split_seed: int,
    fractions: tuple[float, float, float],
    notes: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    inspect: Callable[[Any, np.ndarray, str], tuple[str, ...]] | None = None,
    table: dict[str, Any] | None = None,
) -> Dataset:
    """Split the rows and fit the preprocessing on the training rows.

    What is not listed here is as in `Dataset` and `load`.

    Args:
        raw: Raw rows, an array or a `Table`.
        labels: Targets of `raw` and, after them, of `raw_test`.
        fit: `fit(raw, rows)` returns the preprocessing fitted on those rows.
        raw_test: Rows of the test part that the data comes with, or None to split one off.
        source_rows: Which row of its source each of `raw` is, where some were left out.
        division: How the rows may be divided; None for at random.
        inspect: `inspect(raw, y, task)` of the training rows returns more warnings.

    Raises:
        UserError: From splitting and fitting; when a class is in the test part only.
    """
    fractions = check_fractions(fractions)
    check_whole("split_seed", split_seed, -MOST_SEED, MOST_SEED)
    rows = len(raw)
    y = labels.y[:rows]
    if raw_test is None:
        divide = division.parts if division else split_rows
        train, validation, test = divide(y, fractions, split_seed, labels.class_names)
        tests = TestRows(raw[test], y[test])
    else:
        _check_seen(labels, rows)
        share = fractions[0] + fractions[1]
        parts = (fractions[0] / share, fractions[1] / share)
        train, validation = split_rows(y, parts, split_seed, labels.class_names)
        test = np.arange(len(raw_test))
        tests = TestRows(raw_test, labels.y[rows:])
    if train_size is not None:
        train = train[subset_rows(y[train], train_size, split_seed, labels.class_names)]
    parts_rows = {"train": train, "validation": validation, "test": test}
    if source_rows is not None:
        parts_rows = {part: source_rows[of] for part, of in parts_rows.items()}
    # Beside the guarded test rows, only rows that may be learned from are kept at all.
    kept = np.concatenate([train, validation])
    raw = raw[kept]
    if inspect is not None:
        found = inspect(raw[np.arange(len(train))], labels.y[train], labels.task)
        warnings = (*found, *warnings)  # a leak is the worst that can be said
    return Dataset(
        name=name,
        labels=replace(labels, y=y[kept]),
        raw=raw,
        train_size=len(train),
        test=tests,
        rows=parts_rows,
        division=division and division[kept],
        preprocessing=fit(raw, np.arange(len(train))),
        target_name=target_name,
        fingerprint=fingerprint,
        split={
            "seed": int(split_seed),
            "fractions": list(fractions),
            "train_size": None if train_size is None else int(train_size),
            "own_test_part": raw_test is not None,
            **(division.describe() if division else {}),
        },
        notes=notes,
        warnings=warnings,
        table=table,
        class_counts=None if labels.class_names is None else np.bincount(labels.y).tolist(),
    )


def _check_seen(labels: Labels, rows: int) -> None:
    if labels.class_names is None:
        return
    missing = set(np.unique(labels.y[rows:])) - set(np.unique(labels.y[:rows]))
    if missing:
        raise UserError(
            f"class {labels.class_names[min(missing)]!r} appears in the test part only; "
            "it cannot be learned"
        )
