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
_IDENTITY = frozenset((*_FIRST, *_LAST))
_OURS = _IDENTITY | frozenset(_METRICS)


def _column_names(parameters: Iterable[str], taken: set[str]) -> dict[str, str]:
    """Return hyperparameter -> column, none of them in `taken` and none twice."""
    names = {name: name for name in parameters if name not in taken}
    for name in parameters:
        if name in taken:
            column = f"hyperparameter_{name}"
            while column in taken or column in names.values():
                column = f"hyperparameter_{column}"
            names[name] = column
    return {name: names[name] for name in parameters}


def dataframe(trials: Iterable[dict[str, Any]]) -> "pd.DataFrame":
    """Return a row a trial: identity, score, hyperparameters, metrics, cost, as columns.

    A hyperparameter that is called like another column (`loss`, say) has `hyperparameter_` put
    before its name. A hyperparameter a trial does not have, and null, are missing values.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    parameters: dict[str, None] = {}  # ordered sets
    metrics: dict[str, None] = {}
    for record in trials:  # without curves: the table of a large study is small
        row = {key: record[key] for key in (*_FIRST, "hyperparameters", "metrics")}
        row.update(members=len(record["members"]), seconds=record["seconds"])
        row.update(engine=record["engine"], error=record.get("error"))
        rows.append(row)
        parameters.update(dict.fromkeys(record["hyperparameters"]))
        metrics.update(dict.fromkeys(name for name in record["metrics"] if name not in _IDENTITY))
    names = _column_names(parameters, {*_OURS, *metrics})
    for row in rows:
        measured = row.pop("metrics")
        row.update({name: measured[name] for name in metrics if name in measured})
        row.update({names[name]: value for name, value in row.pop("hyperparameters").items()})
    table = pd.DataFrame(rows, columns=[*_FIRST, *names.values(), *metrics, *_LAST])
    numbers = {name: "float64" for name in ("score", "score_std", "seconds", *metrics)}
    counts = {name: "Int64" for name in ("chosen_epoch", "epochs", "members")}
    return table.astype({**numbers, **counts})


def best(trials: Iterable[dict[str, Any]], objective: str) -> dict[str, Any] | None:
    """Return the completed trial with the best `objective` at its chosen epoch, or None.

    Equals are decided by order: the trial that was recorded first.

    Raises:
        UserError: An objective kerasreg does not know, or that no completed trial measured.
    """
    if not isinstance(objective, str) or objective not in OBJECTIVES:
        got = repr(objective)[:80]
        raise UserError(f"Expected an objective of {', '.join(OBJECTIVES)}, got {got}.")
    sign = OBJECTIVES[objective]
    winner, value = None, None
    for record in trials:
        if record["status"] != "completed" or record["score"] is None:
            continue
        if record["metrics"].get(objective) is None:
            raise UserError(
                f"Expected {objective} among the metrics of trial {record['trial']!r}, got "
                f"{str(list(record['metrics']))[:80]}; choose one that was measured."
            )
        if value is None or sign * record["metrics"][objective] < value:
            winner, value = record, sign * record["metrics"][objective]
    return winner
