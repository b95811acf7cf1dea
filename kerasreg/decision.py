"""When a class is decided for: the rules for balanced accuracy and for F1."""

from collections.abc import Sequence

import numpy as np

from kerasreg.scores import of_labels
from kerasreg.seeds import derive

BAGS = 100
_POWERS = np.linspace(0, 1.5, 31)


def f1_rule(y: np.ndarray, probabilities: np.ndarray, seed: int) -> float | list[float]:
    """The rule that raises F1 on these rows; bags of rows keep it from fitting luck.

    Args:
        y: Class ids, shape (rows,).
        probabilities: Of the second of two classes, shape (rows, 1), or of each, (rows, classes).
        seed: Of the bags.

    Returns:
        Of two classes the smallest probability of the second that makes a row the second, the
        median over bags. Of several a weight for each class, which its probability is multiplied
        by before the largest is taken: its frequency to the power of -a, a chosen over bags (0
        changes nothing, 1 makes classes alike).
    """
    draw = np.random.default_rng(derive(seed, "decision"))
    bags = draw.multinomial(len(y), np.full(len(y), 1 / len(y)), BAGS).astype(np.float64)
    if probabilities.shape[1] == 1:
        return _threshold(y, probabilities[:, 0], bags)
    frequency = np.bincount(y, minlength=probabilities.shape[1]) / len(y)
    weights = np.maximum(frequency, 1 / len(y)) ** -_POWERS[:, None]
    chosen = (weights[:, None] * probabilities).argmax(axis=2)
    classes = np.arange(probabilities.shape[1])
    scores = np.mean([of_labels("f1", y, chosen, classes, bag) for bag in bags], axis=0)
    best = weights[np.argmax(scores)]
    return (best / best.max()).tolist()


def rule_of_frequencies(objective: str, rows: np.ndarray) -> float | list[float] | None:
    """The rule for balanced accuracy of true probabilities.

    Out of fold it was better than a threshold chosen on rows, which adds their luck.

    Args:
        objective: As of a search; None is returned for others than balanced accuracy.
        rows: Rows of each class in training, or their weights, shape (classes,).
    """
    if objective.removeprefix("val_") != "balanced_accuracy":
        return None
    if len(rows) == 2:
        return float(rows[1] / rows.sum())
    return (rows.min() / np.maximum(rows, 1)).tolist()


def decide(probabilities: np.ndarray, rule: float | Sequence[float] | None) -> np.ndarray:
    """The class of each row, shape (rows,).

    Args:
        probabilities: Of each class, shape (rows, classes).
        rule: As `decision_rule` gives it; None for the most probable class.
    """
    if rule is None:
        return probabilities.argmax(axis=1)
    if isinstance(rule, Sequence):
        return (probabilities * np.asarray(rule)).argmax(axis=1)
    return (probabilities[:, 1] >= rule).astype(int)


def decided(logits: np.ndarray, rule: float | Sequence[float] | None) -> np.ndarray:
    """Logits (rows, outputs) whose sign or largest is the class that the rule decides for."""
    if rule is None:
        return logits
    if isinstance(rule, Sequence):
        return logits + np.log(rule)
    return logits - np.log(rule / (1 - rule))


def _threshold(y: np.ndarray, p: np.ndarray, bags: np.ndarray) -> float:
    """The median over bags of the best cut between two probabilities."""
    order = np.argsort(-p)
    p, second = p[order], y[order] == 1
    cuts = np.flatnonzero(np.append(p[:-1] > p[1:], True))  # the last row of each probability
    right = np.cumsum(bags[:, order] * second, axis=1)
    wrong = np.cumsum(bags[:, order] * ~second, axis=1)
    scores = 2 * right / np.maximum(right + wrong + right[:, -1:], 1)
    best = cuts[np.argmax(scores[:, cuts], axis=1)]
    following = np.append(p[1:], 0.0)
    return float(np.median((p[best] + following[best]) / 2))
