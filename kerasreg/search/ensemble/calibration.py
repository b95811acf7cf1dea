"""How far predicted probabilities can be believed, and one temperature that mends them.

A temperature T divides logits: above 1 it makes probabilities more cautious, below 1 bolder (Guo et
al. 2017, "On calibration of modern neural networks"). Decisions stay what they are.
"""

from collections.abc import Sequence

import numpy as np

from kerasreg.search.metrics import measure

#: Standard deviation of the prior of log(T), which few rows hardly move: where no row is mistaken,
#: the likelihood alone would make every probability 1.
PRIOR = 0.3
LARGEST = 2.0
BINS = 10


def temperature(logits: np.ndarray, y: np.ndarray, parts: Sequence[np.ndarray]) -> float:
    """The most probable temperature; 1 where rows that did not choose it would not confirm it.

    Args:
        logits: Out-of-fold, shape (rows, outputs).
        y: Class ids (rows,).
        parts: Positions of the rows of each fold: the loss with a temperature chosen on the other
            folds has to be smaller than without any.
    """
    plain = measure(logits, y, "classification")["data_loss"]
    confirmed = 0.0
    for part in parts:
        rest = np.setdiff1d(np.arange(len(y)), part)
        chosen = _best(logits[rest], y[rest])
        loss = measure(logits[part] / chosen, y[part], "classification")["data_loss"]
        confirmed += len(part) * loss
    return _best(logits, y) if confirmed < len(y) * plain else 1.0


def _best(logits: np.ndarray, y: np.ndarray) -> float:
    from scipy.optimize import minimize_scalar

    def loss(t: float) -> float:
        likelihood = measure(logits / np.exp(t), y, "classification")["data_loss"]
        return len(y) * likelihood + (t / PRIOR) ** 2 / 2

    bounds = (-np.log(LARGEST), np.log(LARGEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def reliability(probabilities: np.ndarray, y: np.ndarray) -> dict[str, list[float]]:
    """Predicted probabilities beside how often they came true, in bins of equally many rows.

    Args:
        probabilities: Of the second of two classes (rows, 1), or of each class (rows, classes):
            then the most probable class is looked at.
        y: Class ids (rows,).

    Returns:
        `predicted` and `observed`: a mean a bin, at most `BINS`.
    """
    from sklearn.calibration import calibration_curve

    if probabilities.shape[1] == 1:
        predicted, true = probabilities[:, 0], y
    else:
        predicted, true = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    observed, means = calibration_curve(true, predicted, n_bins=BINS, strategy="quantile")
    return {"predicted": means.tolist(), "observed": observed.tolist()}
