"""Which trial answers: the best one, or the most regularised of those that are as good."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasreg.objectives import sign
from kerasreg.stacks import WITHOUT
from kerasreg.study import best_trial

CHOICES = ("best", "one-se")
STRENGTHS = tuple(name for name, value in WITHOUT.items() if value == 0.0)

Record = dict[str, Any]


def chosen_trial(trials: Sequence[Record], objective: str, choose: str) -> Record | None:
    """The trial that answers, None where none is completed.

    Args:
        trials: Records.
        objective: By which they are judged.
        choose: `"best"`, or `"one-se"`: of the completed trials whose score is within one standard
            error of the best one's, the most regularised (Breiman et al. 1984 for the rule). The
            standard error is over the best trial's folds and seeds. How regularised a trial is, is
            its mean rank among the completed by the values in `STRENGTHS` that vary.
    """
    best = best_trial(trials, objective)
    if choose == "best" or best is None:
        return best
    from scipy.stats import rankdata

    completed = [record for record in trials if record["status"] == "completed"]
    scores = sign(objective) * np.array([record["score"] for record in completed], np.float64)
    error = (best["score_std"] or 0.0) / math.sqrt(len(best["members"]))
    values = [[r["hyperparameters"].get(name, 0.0) for name in STRENGTHS] for r in completed]
    ranks = rankdata(np.array(values, np.float64), axis=0).mean(axis=1)
    near = scores >= sign(objective) * best["score"] - error
    return completed[int(np.argmax(np.where(near, ranks, -np.inf)))]
