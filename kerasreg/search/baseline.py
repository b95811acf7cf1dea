"""The fair baseline: the winner's shape without any regulariser, at the best of its own rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasreg.errors import UserError
from kerasreg.files import read_json, write_json
from kerasreg.search.space import Choice, Range
from kerasreg.stacks import StackConfig
from kerasreg.study import best_trial, checked_record, trial_record

if TYPE_CHECKING:
    from kerasreg.search.answer import Work
    from kerasreg.search.request import Request

LEARNING_RATES = 8

Record = dict[str, Any]


def baseline_shape(request: Request, best: Record | None) -> StackConfig:
    """What the baseline is, but for its learning rate.

    Widths, optimiser and the like are the best trial's, so that regularisation gets no credit for
    what another shape brought; of a study without a best trial, the base's.
    """
    config = (
        request.config(best["hyperparameters"]) if best else StackConfig.from_dict(request.base)
    )
    return config.unregularized().replace(learning_rate=request.base["learning_rate"])


def baseline_rates(request: Request) -> list[float]:
    """Learning rates that the baseline may choose from, as wide as the search's.

    Eight, evenly spaced in the logarithm, over the space's range; the choices of a space that
    lists them; the one rate of a search that does not vary it.
    """
    space = request.parsed_space
    varied = space["learning_rate"] if "learning_rate" in list(space) else None
    if isinstance(varied, Range):
        return [float(rate) for rate in np.geomspace(varied.low, varied.high, LEARNING_RATES)]
    if isinstance(varied, Choice):
        return [float(rate) for rate in varied.values]
    return [float(request.base["learning_rate"])]


def train_baseline(work: Work, shape: StackConfig) -> list[Record]:
    """Train the unregularised stack at each learning rate, with the study's seeds and folds.

    Finished candidates are kept in the study's checkpoints, so an interruption repeats only one;
    those of another shape, which won before the study was extended, are trained anew.
    """
    rates = baseline_rates(work.request)
    path = work.study.checkpoints / "baseline.json"
    records = _read_candidates(path, shape)[: len(rates)]
    counter = work.counter("baseline", len(rates))
    for record in records:
        counter.setting(record, new=False)
    rest = rates[len(records) :]

    def finished(index: int, members: list) -> None:
        record = trial_record(
            f"baseline-{len(records)}",
            {"learning_rate": rest[index]},
            members,
            work.request.objective,
            work.request.epoch_rule,
            work.engine.name,
        )
        records.append(record)
        write_json(path, {"config": shape.to_dict(), "candidates": records})
        counter.setting(record)

    settings = tuple(shape.replace(learning_rate=rate) for rate in rest)
    if settings:
        work.engine.train(
            work.task(settings),
            work.dataset,
            lambda scores: counter.epochs(len(scores)),
            finished,
            work.study.checkpoints,
        )
    return records


def best_candidate(records: list[Record], objective: str) -> Record | None:
    """The candidate with the best score, as the trial `baseline`; None if none has a score."""
    best = best_trial(records, objective)
    return best and {**best, "trial": "baseline"}


def _read_candidates(path: Path, shape: StackConfig) -> list[Record]:
    """The finished candidates of this shape.

    Raises:
        UserError: The file is not what kerasreg writes.
    """
    if not path.exists():
        return []
    stored = read_json(path)
    try:
        candidates = [checked_record(dict(record)) for record in stored["candidates"]]
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{path}: expected the baseline's candidates that kerasreg writes; it was edited or "
            "damaged. Delete it, and the baseline is trained again."
        ) from None
    return candidates if stored.get("config") == shape.to_dict() else []
