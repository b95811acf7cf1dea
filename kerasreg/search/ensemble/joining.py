"""From the kept members of the folds to an ensemble: chosen, joined, written."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasreg.decision import f1_rule
from kerasreg.files import atomic_write
from kerasreg.search.context import SearchContext
from kerasreg.search.ensemble.calibration import reliability, temperature
from kerasreg.search.ensemble.members import Candidate, candidates
from kerasreg.search.ensemble.model import Branch, branches, export
from kerasreg.search.ensemble.selection import select
from kerasreg.search.metrics import logits_of_predictions, measure, predictions_of_logits

#: Rows whose prediction is timed.
TIMED_ROWS = 1000


@dataclass(frozen=True)
class Ensemble:
    """What was chosen.

    Attributes:
        chosen, weights: Trials and their weights in the mean, the largest first.
        branches: Their members as Keras models.
        scores: Out-of-fold, of the mean: `data_loss` and `accuracy`, or `mae` in the target's unit.
            They are a little too good, because the trials were chosen by them.
        rule: When a class is decided for, see `kerasreg.decision`; None for the most probable.
        temperature: Divides the logits of the mean, see `calibration`; 1 for regression.
        calibration: That and what `reliability` gives with it; None for regression.
    """

    chosen: list[Candidate]
    weights: list[float]
    branches: list[Branch]
    scores: dict[str, float]
    rule: float | list[float] | None
    temperature: float
    calibration: dict[str, Any] | None

    def save(self, context: SearchContext) -> dict[str, Any]:
        """Write `ensemble.keras`; what the result says of it."""
        path = context.study.folder / "ensemble.keras"
        atomic_write(
            path, context.exported(export(context.dataset, self.branches, self.temperature)).save
        )
        return {
            "trials": {
                candidate.record["trial"]: weight
                for candidate, weight in zip(self.chosen, self.weights, strict=True)
            },
            "members": sum(len(candidate.members) for candidate in self.chosen),
            "out_of_fold": self.scores,
            **({} if self.rule is None else {"threshold": self.rule}),
            **({} if self.calibration is None else {"calibration": self.calibration}),
            "bytes": path.stat().st_size,
            "seconds_a_thousand_rows": _seconds(self.branches),
        }


def join_members(
    context: SearchContext, rule: float | list[float] | None = None
) -> Ensemble | None:
    """Choose trials by their out-of-fold predictions; None where no members were kept.

    Args:
        rule: When a class is decided for; for F1 another is chosen on out-of-fold rows.
    """
    context.enter("joining the ensemble")
    found, dataset = candidates(context), context.dataset
    if not found:
        return None
    y = dataset.refit.y[found[0].rows]
    values = np.stack([_values(candidate.predictions, y, dataset.task) for candidate in found])
    loss = _loss(dataset.task, context.request.objective, y)
    weights = select(values, loss, context.request.seed)
    order = [k for k in np.argsort(-weights, kind="stable") if weights[k] > 0]
    chosen, shares = [found[k] for k in order], [float(weights[k]) for k in order]
    mean = sum(w * one.predictions for w, one in zip(shares, chosen, strict=True))
    logits, divisor, shown = logits_of_predictions(mean, dataset.task), 1.0, None
    if dataset.task == "classification":
        folds = dataset.folds(context.request.folds, context.request.seed)
        divisor = temperature(
            logits, y, [np.searchsorted(found[0].rows, fold.validation_rows) for fold in folds]
        )
        logits = logits / divisor
        mean = predictions_of_logits(logits, dataset.task)
        shown = {"temperature": divisor, **reliability(mean, y)}
    scores = measure(logits, y, dataset.task, chosen[0].config.loss)
    if "mae" in scores:
        scores["mae"] *= dataset.target_scale
    if context.request.objective == "val_f1":
        rule = f1_rule(y, mean, context.request.seed)
    joined = branches(dataset, chosen, shares)
    return Ensemble(chosen, shares, joined, scores, rule, divisor, shown)


def _values(predictions: np.ndarray, y: np.ndarray, task: str) -> np.ndarray:
    """What the mean is taken of, (rows,): the probability of the row's class, or the target."""
    if task == "regression":
        return predictions[:, 0]
    if predictions.shape[1] == 1:
        return np.where(y == 1, predictions[:, 0], 1 - predictions[:, 0])
    return predictions[np.arange(len(y)), y]


def _loss(task: str, objective: str, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Log loss of classes, whatever the objective; squared or absolute error of targets."""
    if task == "classification":
        return lambda values: -np.log(np.maximum(values, 1e-12)).mean(axis=-1)
    if objective == "val_mae":
        return lambda values: np.abs(values - y).mean(axis=-1)
    return lambda values: ((values - y) ** 2).mean(axis=-1)


def _seconds(found: list[Branch]) -> float:
    """Seconds that the networks (not the reading of columns) need for 1,000 rows."""
    rows = [
        np.resize(branch.fold.validation.x, (TIMED_ROWS, *branch.model.input_shape[1:]))
        for branch in found
    ]
    spent = []
    for _ in range(2):
        started = time.perf_counter()
        for branch, x in zip(found, rows, strict=True):
            branch.model(x)
        spent.append(time.perf_counter() - started)
    return min(spent)
