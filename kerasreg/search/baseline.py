"""The baseline: the winner's shape without any regulariser, at the best of 8 learning rates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kerasreg.errors import UserError
from kerasreg.files import read_json, write_json
from kerasreg.search.context import SearchContext
from kerasreg.search.request import Request
from kerasreg.search.space import Choice, Range
from kerasreg.stacks import StackConfig
from kerasreg.study import checked_record

LEARNING_RATES = 8

Record = dict[str, Any]


def baseline_shape(request: Request, best: Record | None) -> StackConfig:
    """The stack of the baseline; its learning rate is chosen by `train_baseline`.

    Widths, optimiser and the like are the best trial's, so that regularisation gets no credit for
    what another shape brought; without a best trial they are the base's.
    """
    config = request.config(best["hyperparameters"]) if best else request.base
    return config.unregularized().replace(learning_rate=request.base.learning_rate)


def baseline_rates(request: Request) -> list[float]:
    """Learning rates that the baseline may choose from, as wide as the search's.

    Eight, evenly spaced in the logarithm, over the space's range; the choices of a space that
    lists them; the one rate of a search that does not vary it.
    """
    varied = request.space.get("learning_rate")
    if isinstance(varied, Range):
        return [float(rate) for rate in np.geomspace(varied.low, varied.high, LEARNING_RATES)]
    if isinstance(varied, Choice):
        return [float(rate) for rate in varied.values]
    return [request.base.learning_rate]


def train_baseline(context: SearchContext, shape: StackConfig) -> list[Record]:
    """Train the unregularised stack at each learning rate, with the study's seeds and folds.

    Finished candidates are kept in the study's checkpoints, so an interruption repeats only one;
    those of another shape, which won before the study was extended, are trained anew.

    Returns:
        One trial record a learning rate.

    Raises:
        UserError: The file of finished candidates was edited or damaged.
    """
    request = context.request
    rates = baseline_rates(request)
    path = context.study.checkpoints / "baseline.json"
    records = _read_candidates(path, shape)[: len(rates)]
    counter = context.counter("baseline", len(rates))
    for record in records:
        counter.setting(record, new=False)
    remaining = rates[len(records) :]

    def on_setting(index: int, members: list) -> None:
        name, values = f"baseline-{len(records)}", {"learning_rate": remaining[index]}
        record = context.record(name, values, members)
        records.append(record)
        write_json(path, {"config": shape.to_dict(), "candidates": records})
        counter.setting(record)

    if remaining:
        context.engine.train(
            context.task(tuple(shape.replace(learning_rate=rate) for rate in remaining)),
            context.dataset,
            lambda scores: counter.epochs(len(scores)),
            on_setting,
            context.study.checkpoints,
        )
    return records


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
