"""Reading many trials at once: the tidy table and the best one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kerasreg.errors import UserError
from kerasreg.study._records import OBJECTIVES

if TYPE_CHECKING:
    import pandas as pd

_FIRST = ("trial", "status", "score", "score_std", "chosen_epoch", "epochs")
_LAST = ("members", "seconds", "engine", "error")
_METRICS = tuple(
    twin + name
    for twin in ("", "val_")
    for name in ("loss", "data_loss", "penalty", "accuracy", "mae")
)
_OURS = frozenset((*_FIRST, *_LAST, *_METRICS))


def dataframe(trials: Iterable[dict[str, Any]]) -> "pd.DataFrame":
    """Return a row a trial: identity, score, hyperparameters, metrics, cost, as columns.

    A hyperparameter that is called like another column (`loss`, say) has `hyperparameter_` put
    before its name. A hyperparameter a trial does not have, and null, are missing values.
    """
    import pandas as pd

    rows = []
    parameters: dict[str, None] = {}  # ordered sets
    metrics: dict[str, None] = {}
    for record in trials:
        row = {key: record[key] for key in _FIRST}
        for name, value in record["hyperparameters"].items():
            column = name
            while column in _OURS or column in record["metrics"]:
                column = f"hyperparameter_{column}"
            parameters[column] = None
            row[column] = value
        metrics.update(dict.fromkeys(record["metrics"]))
        row.update(record["metrics"])
        row.update(members=len(record["members"]), seconds=record["seconds"])
        row.update(engine=record["engine"], error=record.get("error"))
        rows.append(row)
    columns = [*_FIRST, *parameters, *metrics, *_LAST]
    table = pd.DataFrame(rows, columns=columns)
    numbers = {name: "float64" for name in ("score", "score_std", "seconds", *metrics)}
    counts = {name: "Int64" for name in ("chosen_epoch", "epochs", "members")}
    return table.astype({**numbers, **counts})


def best(trials: Iterable[dict[str, Any]], objective: str) -> dict[str, Any] | None:
    """Return the completed trial with the best `objective` at its chosen epoch, or None.

    Equals are decided by order: the trial that was recorded first.

    Raises:
        UserError: An objective kerasreg does not know, or that no completed trial measured.
    """
    if objective not in OBJECTIVES:
        raise UserError(f"Expected an objective of {', '.join(OBJECTIVES)}, got {objective!r}.")
    sign = OBJECTIVES[objective]
    winner, value = None, None
    for record in trials:
        if record["status"] != "completed" or record["score"] is None:
            continue
        if record["metrics"].get(objective) is None:
            raise UserError(
                f"Expected {objective} among the metrics of trial {record['trial']!r}, got "
                f"{', '.join(record['metrics'])}; choose one that was measured."
            )
        if value is None or sign * record["metrics"][objective] < value:
            winner, value = record, sign * record["metrics"][objective]
    return winner
