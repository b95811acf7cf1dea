"""Scores of predictions that are no means over rows: balanced accuracy, AUC, F1, RMSE."""

import numpy as np


def score(
    name: str, targets: np.ndarray, outputs: np.ndarray, trained: np.ndarray | None = None
) -> np.ndarray:
    """The score of each member, as scikit-learn defines it but for `trained`.

    Args:
        name: `balanced_accuracy`: mean of the classes' recalls. `auc`: area under the ROC curve,
            of several classes the mean of each against the others. `f1`: of the second of two
            classes, of several the mean over them. `rmse`: root of the mean squared error.
        targets: Class ids or values, shape (rows,) or (members, rows).
        outputs: Logits or values, shape (members, rows, outputs); of two classes one output.
        trained: Rows, or their weight, of each class in training, shape (classes,) or (members,
            classes). Balanced accuracy is then that of probabilities divided by it: near the
            threshold that a search for it ends with, where rare classes are chosen at all.

    Returns:
        float64, shape (members,); NaN where an output is not finite. Classes without rows do not
        count; an AUC without two classes is 0.5.
    """
    outputs = np.asarray(outputs, np.float64)
    targets = np.broadcast_to(targets, outputs.shape[:2])
    finite = np.isfinite(outputs).all(axis=(1, 2))
    outputs = np.where(finite[:, None, None], outputs, 0.0)
    if name == "rmse":
        result = np.sqrt(np.mean((outputs[:, :, 0] - targets) ** 2, axis=1))
    elif name == "auc":
        result = _auc(targets, outputs)
    else:
        binary = outputs.shape[2] == 1
        if trained is not None and name == "balanced_accuracy":
            shift = np.log(np.maximum(np.atleast_2d(trained), 1e-9))[:, None]
            outputs = outputs - (shift[:, :, 1:] - shift[:, :, :1] if binary else shift)
        chosen = outputs[:, :, 0] > 0 if binary else outputs.argmax(axis=2)
        classes = np.arange(2 if binary else outputs.shape[2])
        result = of_labels(
            name, targets, chosen, classes[1:] if binary and name == "f1" else classes
        )
    return np.where(finite, result, np.nan)


def trained_classes(y: np.ndarray, outputs: int, weights: np.ndarray | None = None) -> np.ndarray:
    """`trained` of `score` for training rows `y`; `outputs` as there."""
    return np.bincount(y.astype(int), weights, minlength=max(2, outputs))


def of_labels(
    name: str,
    targets: np.ndarray,
    chosen: np.ndarray,
    classes: np.ndarray,
    weights: np.ndarray | float = 1.0,
) -> np.ndarray:
    """`balanced_accuracy` or `f1` of chosen labels (members, rows), see `score`.

    Args:
        classes: Those whose scores are averaged.
        weights: What each row counts, shape (rows,).
    """
    is_class, is_chosen = (labels == classes[:, None, None] for labels in (targets, chosen))
    right, of, found = (
        (weights * which).sum(axis=2) for which in (is_class & is_chosen, is_class, is_chosen)
    )
    return _mean_where(right, of) if name != "f1" else _mean_where(2 * right, of + found)


def _auc(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """By the rank sum of the rows of a class (Mann and Whitney 1947), ties counted half."""
    from scipy.special import softmax
    from scipy.stats import rankdata  # a second, which who asks for no AUC need not wait

    binary = outputs.shape[2] == 1
    scores = outputs if binary else softmax(outputs, axis=2)
    ranks = rankdata(np.moveaxis(scores, 2, 0), axis=2)
    of_class = targets == np.arange(1 if binary else 0, 2 if binary else len(ranks))[:, None, None]
    inside = of_class.sum(axis=2)
    pairs = inside * (targets.shape[1] - inside)
    won = np.where(of_class, ranks, 0).sum(axis=2) - inside * (inside + 1) / 2
    return np.where(pairs.any(axis=0), _mean_where(won, pairs), 0.5)


def _mean_where(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    """Mean of parts / wholes over the first axis, where there is a whole."""
    there = wholes > 0
    shares = np.where(there, parts / np.where(there, wholes, 1), 0.0)
    return shares.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
