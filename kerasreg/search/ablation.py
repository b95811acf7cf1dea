"""What each regulariser does for the winner: with it and without it, all else equal.

One factor at a time around the best setting, with its seeds and folds. A regulariser that the
winner has is taken away; one that it lacks is tried at a weak and a strong value.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasreg.objectives import lower_is_better, sign
from kerasreg.search.beside import train_beside
from kerasreg.search.context import SearchContext, Side

#: Regulariser -> what it is without, and what is tried where the winner lacks it.
PROBES: dict[str, tuple[Any, tuple]] = {
    "dropout": (0.0, (0.2, 0.5)),
    "input_dropout": (0.0, (0.1,)),
    "l1": (0.0, (1e-5, 1e-3)),
    "l2": (0.0, (1e-4, 1e-2)),
    "weight_decay": (0.0, (0.02, 0.5)),
    "normalization": ("none", ("batch",)),
    "label_smoothing": (0.0, (0.1,)),
    "spatial_dropout": (0.0, (0.2,)),
    "shift": (0.0, (0.1,)),
    "rotation": (0.0, (0.05,)),
    "zoom": (0.0, (0.1,)),
    "contrast": (0.0, (0.2,)),
    "erase": (0.0, (0.1,)),
}


def ablate(context: SearchContext, best: Side) -> list[dict[str, Any]]:
    """Train the settings around the winner that the space could have had; measure each factor.

    Returns:
        One effect a regulariser, see `effect`; none without folds, which the intervals rest on.
    """
    request, winner = context.request, best.config.to_dict()
    names = [name for name in PROBES if name in request.space]
    if not request.folds or not names:
        return []
    changes = []
    for name in names:
        without, probes = PROBES[name]
        active = winner[name] != without
        changes += [{name: without}] if active else [{name: value} for value in probes]
    records = train_beside(context, "ablation", best.config, changes)
    effects = []
    for name in names:
        own = [record for record in records if name in record["hyperparameters"]]
        own = [record for record in own if record["score"] is not None]
        if not own:
            continue
        changed = max(own, key=lambda record: sign(request.objective) * record["score"])
        value, without = changed["hyperparameters"][name], PROBES[name][0]
        pair = (best.record, changed) if value == without else (changed, best.record)
        shown = winner[name] if value == without else value
        found = effect(*pair, request.objective, request.folds)
        effects.append({"name": name, "value": shown, "chosen": value == without, **found})
    return effects


def effect(
    with_it: Mapping[str, Any], without: Mapping[str, Any], objective: str, folds: int
) -> dict[str, float]:
    """The gain of a regulariser with its 95 % interval over members.

    Args:
        with_it, without: Trial records with the same members.
        objective: What is compared, at each record's chosen epoch.
        folds: How many of them share most of their training rows.

    Returns:
        `gain`, `low` and `high`, above 0 where it helps: as a share of the loss without it, or the
        plain difference of what is to be large. The interval is the corrected resampled t
        interval: folds share training rows, which widens it (Nadeau and Bengio 2003).
    """
    a, b = (_by_member(record, objective) for record in (with_it, without))
    scale = float(np.mean(b)) if lower_is_better(objective) else 1.0
    gains = sign(objective) * (a - b) / (scale or 1.0)
    mean, count = float(np.mean(gains)), len(gains)
    from scipy import stats

    share = 1 / (folds - 1)  # validation rows for each training row
    error = math.sqrt((1 / count + share) * float(np.var(gains, ddof=1)))
    half = float(stats.t.ppf(0.975, count - 1)) * error
    return {"gain": mean, "low": mean - half, "high": mean + half}


def _by_member(record: Mapping[str, Any], objective: str) -> np.ndarray:
    curves: Sequence = [member["curves"][objective] for member in record["members"]]
    return np.array([curve[record["chosen_epoch"] - 1] for curve in curves], np.float64)
