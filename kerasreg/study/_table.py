"""The tidy table of many trials."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kerasreg.objectives import METRICS

if TYPE_CHECKING:
    import pandas as pd

_FIRST = ("trial", "status", "score", "score_std", "chosen_epoch", "epochs")
_LAST = ("members", "seconds", "engine", "error")
_METRICS = tuple(twin + name for twin in ("", "val_") for name in METRICS)
_IDENTITY = frozenset((*_FIRST, *_LAST))
_OURS = _IDENTITY | frozenset(_METRICS)


def _column_names(parameters: Iterable[str], reserved: set[str]) -> dict[str, str]:
    """Return hyperparameter -> column, none of them in `reserved` and none twice."""
    names = {name: name for name in parameters}
    for name in [name for name in names if name in reserved]:
        while names[name] in reserved or list(names.values()).count(names[name]) > 1:
            names[name] = f"hyperparameter_{names[name]}"
    return names


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
