"""Which trial answers: the best one, or the most regularised of those that are as good."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasreg.objectives import sign
from kerasreg.search.request import Request
from kerasreg.stacks import WITHOUT
from kerasreg.study import best_trial

STRENGTHS = tuple(name for name, value in WITHOUT.items() if value == 0.0)

Record = dict[str, Any]


def chosen_trial(trials: Sequence[Record], request: Request) -> Record | None:
    """The trial that answers, None where none is completed.

    It is the best one by the request's objective, or with `choose="one-se"`, of the completed
    trials whose score is within one standard error of the best one's, the most regularised
    (Breiman et al. 1984 for the rule). The standard error is over the best trial's folds and
    seeds. How regularised a trial is, is its mean rank among the completed by the values in
    `STRENGTHS` that vary; of a list, one value a layer, the mean counts.
    """
    best = best_trial(trials, request.objective)
    if request.choose == "best" or best is None:
        return best
    from scipy.stats import rankdata

    completed = [record for record in trials if record["status"] == "completed"]
    scores = sign(request.objective) * np.array([r["score"] for r in completed], np.float64)
    error = (best["score_std"] or 0.0) / math.sqrt(len(best["members"]))
    configs = [request.config(record["hyperparameters"]) for record in completed]
    values = [[np.mean(getattr(one, name, 0.0)) for name in STRENGTHS] for one in configs]
    ranks = rankdata(values, axis=0).mean(axis=1)
    near = scores >= sign(request.objective) * best["score"] - error
    return completed[int(np.argmax(np.where(near, ranks, -np.inf)))]
