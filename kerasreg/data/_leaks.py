"""Columns that predict the target almost perfectly alone: too good to be known beforehand."""

import warnings

import numpy as np

from kerasreg.data._table import Table

# Balanced accuracy, or explained variance, of a tree of one column on rows it was not grown on.
ALMOST_PERFECT = 0.99
# Cells that are looked at, and the fewest rows that say anything.
_MOST_CELLS, _LEAST_ROWS, _FOLDS = 200_000, 30, 3


def possible_leaks(table: Table, y: np.ndarray, task: str) -> tuple[str, ...]:
    """Name the columns from which a decision tree predicts the target almost perfectly.

    Args:
        table: Training rows.
        y: Their targets.
        task: `"classification"` or `"regression"`.

    Returns:
        A sentence a column, at most five.
    """
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    columns = {name: table.numeric[:, i] for i, name in enumerate(table.numeric_names)}
    columns |= {name: table.codes[:, i] for i, name in enumerate(table.text_names)}
    classes = task == "classification"
    rows = np.random.default_rng(0).permutation(len(y))
    rows = rows[: max(300, _MOST_CELLS // max(1, len(columns)))]
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
            found.append(
                f"{name} alone predicts the target almost perfectly: a possible leak; is it known "
                f"before the target is? --drop {name} leaves it out"
            )
    return tuple(found[:5])
