"""Members of the folds, kept in the study: the weights of the best trials' epochs that count.

`DIR/members/TRIAL.npz` holds, by member `k` in the order of the record's `members`, the arrays
`weights/k/0`, `weights/k/1`, ... and `outputs/k`: what they give for their fold's validation rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasreg.data import Fold
from kerasreg.files import atomic_save_npz, load_npz
from kerasreg.networks import Config
from kerasreg.objectives import sign
from kerasreg.population import MemberResult
from kerasreg.search.context import SearchContext
from kerasreg.search.engines import repeated_folds
from kerasreg.search.metrics import predictions_of_logits
from kerasreg.study import is_scored

#: Trials whose members are kept; a file has 4 bytes a weight of each member.
KEPT = 16


@dataclass(frozen=True)
class FoldMember:
    """One trained member.

    Attributes:
        fold: Its fold of the data as its stack wants them encoded.
        weights: Its arrays in the order of its population's path.
    """

    fold: Fold
    weights: list[np.ndarray]


@dataclass(frozen=True)
class Candidate:
    """A trial that an ensemble may have.

    Attributes:
        record, config: The trial and its stack.
        members: One a seed and fold.
        rows: Which rows of `Dataset.refit` a fold has to validate on: all but for splits in time.
        predictions: Out-of-fold, (rows, outputs): probabilities, or standardised targets; means
            over seeds.
    """

    record: dict[str, Any]
    config: Config
    members: list[FoldMember]
    rows: np.ndarray
    predictions: np.ndarray


def save_members(context: SearchContext, trial: str, members: Sequence[MemberResult]) -> None:
    """Keep the members of a completed trial."""
    if any(member.outputs is None for member in members):
        return
    path = _path(context, trial)
    path.parent.mkdir(exist_ok=True)
    arrays = {}
    for k, member in enumerate(members):
        arrays |= {f"weights/{k}/{j}": array for j, array in enumerate(member.weights)}
        arrays[f"outputs/{k}"] = member.outputs
    atomic_save_npz(path, arrays)


def forget_members(context: SearchContext) -> list[dict[str, Any]]:
    """Delete the members of all but the best trials; the records of those, best first."""
    records = [
        r for r in context.study.trials() if is_scored(r) and _path(context, r["trial"]).exists()
    ]
    better = sign(context.request.objective)
    records.sort(key=lambda record: -better * record["score"])
    for record in records[KEPT:]:
        _path(context, record["trial"]).unlink()
    return records[:KEPT]


def candidates(context: SearchContext) -> list[Candidate]:
    """The best trials whose members are kept, best first."""
    request, found = context.request, []
    for record in forget_members(context):
        config = request.config(record["hyperparameters"])
        dataset = context.rows_for(config)
        folds = repeated_folds(dataset, request.folds, request.member_seeds)
        arrays = load_npz(_path(context, record["trial"]), most_bytes=None)
        total, counts = (
            np.zeros((len(dataset.refit), dataset.outputs)),
            np.zeros(len(dataset.refit)),
        )
        members = []
        for k, _ in enumerate(record["members"]):
            _, fold = folds[k]
            count = sum(name.startswith(f"weights/{k}/") for name in arrays)
            members.append(FoldMember(fold, [arrays[f"weights/{k}/{j}"] for j in range(count)]))
            own = predictions_of_logits(arrays[f"outputs/{k}"], dataset.task)
            if dataset.task == "regression":
                own = own + (fold.target_offset - dataset.target_offset) / dataset.target_scale
            total[fold.validation_rows] += own
            counts[fold.validation_rows] += 1
        rows = np.flatnonzero(counts)
        predictions = total[rows] / counts[rows, None]
        found.append(Candidate(record, config, members, rows, predictions))
    return found


def _path(context: SearchContext, trial: str) -> Path:
    return context.study.folder / "members" / f"{trial}.npz"
