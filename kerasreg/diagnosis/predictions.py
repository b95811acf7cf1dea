"""What predictions for rows not trained on say: classes, calibration, labels that disagree."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, softmax

from kerasreg.diagnosis.rows import Rows
from kerasreg.evidence import Proportion, proportion
from kerasreg.seeds import derive

#: Bins of the calibration error, as in Guo et al. 2017.
BINS = 15
#: Simulated sets of labels for the calibration error by chance, and the quantile taken of them.
DRAWS, QUANTILE = 200, 0.99
#: Share of the rows, those of the largest probabilities, that count as sure.
SURE = 0.25
#: Most rows that are listed.
LISTED = 50


@dataclass(frozen=True)
class Classes:
    """How each class is predicted.

    Attributes:
        names, counts: Of the classes, among the used rows.
        recalls: Share of each class' rows that are found; None for a class without rows.
        accuracy: Of all rows.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    recalls: tuple[Proportion | None, ...]
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error of the answers' probabilities (Guo et al. 2017).

    Attributes:
        error: Mean distance of probability and accuracy over 15 equal bins, weighted by rows.
        by_chance: What labels drawn by these very probabilities exceed in 1 of 100 cases.
        confidence, accuracy: Mean probability of the answers, and how many are right.
        bins: Probability, accuracy and count of rows of each bin that has rows, (bins, 3).
    """

    error: float
    by_chance: float
    confidence: float
    accuracy: float
    bins: np.ndarray


@dataclass(frozen=True)
class Disagreement:
    """Labels that are not what is predicted.

    Attributes:
        error: Share of all rows.
        sure: Share of the surest quarter.
        rows: Which rows of the user's data disagree most surely, most suspicious first.
    """

    error: float
    sure: Proportion
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Predicted:
    """Rows with probabilities of a copy that did not train on them.

    Attributes:
        labels: Class ids, (rows,).
        probabilities: (rows, classes).
        numbers: Which rows of the user's data they are.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    numbers: np.ndarray

    @property
    def sureness(self) -> np.ndarray:
        """Probability of the answer."""
        return self.probabilities.max(axis=1)

    @property
    def right(self) -> np.ndarray:
        """Whether the answer is the label."""
        return self.probabilities.argmax(axis=1) == self.labels


def predicted(rows: Rows, outputs: np.ndarray, activation: str) -> Predicted:
    """The used rows that have outputs, which may be logits or one column."""
    known = np.isfinite(outputs).all(axis=1)
    given, used = outputs[known].astype(np.float64), rows.used[known]
    if given.shape[1] == 1:
        second = given if activation == "sigmoid" else expit(given)
        given = np.hstack([1 - second, second])
    elif activation == "sigmoid":
        given = given / given.sum(axis=1, keepdims=True)
    elif activation != "softmax":
        given = softmax(given, axis=1)
    return Predicted(rows.labels[used], given, rows.numbers[used])


def classes_of(predicted: Predicted, names: tuple[str, ...]) -> Classes:
    """Recall of every class."""
    counts = np.bincount(predicted.labels, minlength=len(names))
    found = np.bincount(predicted.labels[predicted.right], minlength=len(names))
    recalls = (proportion(a, b) if b else None for a, b in zip(found, counts, strict=True))
    return Classes(names, counts, tuple(recalls), float(predicted.right.mean()))


def calibration_of(predicted: Predicted, seed: int) -> Calibration:
    """Compare the probabilities of the answers with how often they are right."""
    sureness, right = predicted.sureness, predicted.right
    places = np.minimum((sureness * BINS).astype(int), BINS - 1)
    generator = np.random.default_rng(derive(seed, "calibration"))
    chance = [
        _calibration_error(places, sureness, generator.random(len(right)) < sureness)
        for _ in range(DRAWS)
    ]
    counts = np.bincount(places, minlength=BINS)
    sums = [np.bincount(places, weights=values, minlength=BINS) for values in (sureness, right)]
    used = counts > 0
    return Calibration(
        _calibration_error(places, sureness, right),
        float(np.quantile(chance, QUANTILE)),
        float(sureness.mean()),
        float(right.mean()),
        np.column_stack([*(total[used] / counts[used] for total in sums), counts[used]]),
    )


def _calibration_error(places: np.ndarray, sureness: np.ndarray, right: np.ndarray) -> float:
    gaps = np.bincount(places, weights=sureness - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(places))


def disagreement_of(predicted: Predicted) -> Disagreement:
    """Find labels that disagree with predictions, and how sure these are."""
    wrong = ~predicted.right
    surest = np.argsort(-predicted.sureness, kind="stable")[: max(1, round(SURE * len(wrong)))]
    of_label = predicted.probabilities[np.arange(len(wrong)), predicted.labels]
    suspicious = [row for row in np.argsort(of_label, kind="stable") if wrong[row]][:LISTED]
    return Disagreement(
        float(wrong.mean()),
        proportion(int(wrong[surest].sum()), len(surest)),
        tuple(predicted.numbers[suspicious].tolist()),
    )
