"""Columns that predict the target almost perfectly alone: too good to be known beforehand."""

import shlex
import warnings
from collections.abc import Mapping

import numpy as np

from kerasreg.data._table import Table

# Balanced accuracy, or explained variance, of a tree of one column on rows it was not grown on.
ALMOST_PERFECT = 0.99
# Cells and rows that are looked at, and the fewest rows that say anything.
_MOST_CELLS, _MOST_ROWS, _LEAST_ROWS, _FOLDS = 30_000, 1_000, 30, 3


def possible_leaks(
    table: Table, y: np.ndarray, task: str, parts: Mapping[str, str]
) -> tuple[str, ...]:
    """Name the columns from which a decision tree predicts the target almost perfectly.

    Args:
        table, y: Training rows and their targets.
        parts: Column of the table -> column of the file that it is part of, where they differ.

    Returns:
        A sentence a column of the file, at most five. None where there is one column only.
    """
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    columns = {name: table.numeric[:, i] for i, name in enumerate(table.numeric_names)}
    columns |= {name: table.codes[:, i] for i, name in enumerate(table.text_names)}
    if len({parts.get(name, name) for name in columns}) < 2:
        return ()
    classes = task == "classification"
    rows = np.random.default_rng(0).permutation(len(y))
    rows = rows[: min(_MOST_ROWS, max(300, _MOST_CELLS // max(1, len(columns))))]
    if len(rows) < _LEAST_ROWS or (classes and np.bincount(y[rows]).min() < _FOLDS):
        return ()
    tree = (DecisionTreeClassifier if classes else DecisionTreeRegressor)(random_state=0)
    score = balanced_accuracy_score if classes else r2_score
    found = []
    for name, values in columns.items():
        part = values[rows][:, None].astype(np.float32)
        if part[0] == part[-1] and np.all(part == part[0]):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fold without a class
            predicted = cross_val_predict(tree, part, y[rows], cv=_FOLDS)
        if score(y[rows], predicted) >= ALMOST_PERFECT:
            found.append(parts.get(name, name))
    return tuple(
        f"{name} alone predicts the target almost perfectly: a possible leak; is it known before "
        f"the target is? --drop {shlex.quote(name)} leaves it out"
        for name in list(dict.fromkeys(found))[:5]
    )
