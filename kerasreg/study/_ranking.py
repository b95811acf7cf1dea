"""Which trials have a score, and which is the best."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from kerasreg.errors import UserError
from kerasreg.objectives import OBJECTIVES, sign
from kerasreg.statuses import SCORED

Record = TypeVar("Record", bound=Mapping[str, Any])


def is_scored(record: Mapping[str, Any]) -> bool:
    """Whether a trial has a score: completed and stopped ones; never diverged or failed ones."""
    return record["status"] in SCORED and record["score"] is not None


def best_trial(trials: Iterable[Record], objective: str) -> Record | None:
    """Return the completed trial with the best `objective` at its chosen epoch, or None.

    Equals are decided by order: the trial that was recorded first.

    Args:
        trials: Trial records; read once and not kept, so they may come from a file.
        objective: One of `OBJECTIVES`; it need not be the one that the trials were trained for.

    Raises:
        UserError: An objective that kerasreg does not know, or that a completed trial did not
            measure.
    """
    if objective not in OBJECTIVES:
        raise UserError(
            f"Expected an objective of {', '.join(OBJECTIVES)}, got {repr(objective)[:80]}."
        )
    best, best_value = None, 0.0
    for record in trials:
        if record["status"] != "completed" or record["score"] is None:
            continue
        value = record["metrics"].get(objective)
        if value is None:
            raise UserError(
                f"Expected {objective} among the metrics of trial {record['trial']!r}, got "
                f"{str(list(record['metrics']))[:80]}; choose one that was measured."
            )
        if best is None or sign(objective) * value > sign(objective) * best_value:
            best, best_value = record, value
    return best
