"""What is measured of a training, which way it is better, and what may be an objective."""

from dataclasses import dataclass
from typing import Literal

from kerasreg.errors import UserError

Direction = Literal["min", "max"]
TASKS = ("classification", "regression")
#: Which epoch counts: the best of the mean objective curve, or the last.
EPOCH_RULES = ("best", "last")


@dataclass(frozen=True)
class Metric:
    """One number an epoch, on training rows and, with `val_` before its name, on validation rows.

    Attributes:
        name: Its name on training rows.
        direction: `"min"` where smaller is better, `"max"` where larger is.
        tasks: The tasks that have it.
        objective: Whether a study may choose by its `val_` twin.
        in_target_unit: Whether it has the unit of a regression target.
        of_predictions: Whether it is no mean over rows (see `kerasreg.scores`); it is measured
            where it is the objective, and on validation rows only.
    """

    name: str
    direction: Direction
    tasks: tuple[str, ...] = TASKS
    objective: bool = True
    in_target_unit: bool = False
    of_predictions: bool = False


#: Name -> metric, in the order in which tables show them.
METRICS = {
    metric.name: metric
    for metric in (
        Metric("loss", "min", objective=False),
        Metric("data_loss", "min"),
        Metric("penalty", "min", objective=False),
        Metric("accuracy", "max", ("classification",)),
        Metric("mae", "min", ("regression",), in_target_unit=True),
        Metric("balanced_accuracy", "max", ("classification",), of_predictions=True),
        Metric("auc", "max", ("classification",), of_predictions=True),
        Metric("f1", "max", ("classification",), of_predictions=True),
        Metric("rmse", "min", ("regression",), in_target_unit=True, of_predictions=True),
    )
}
#: Every objective of every task; the first is the default.
OBJECTIVES = tuple(f"val_{metric.name}" for metric in METRICS.values() if metric.objective)


def objectives_of(task: str) -> tuple[str, ...]:
    """The objectives of a task, `"classification"` or `"regression"`."""
    return tuple(name for name in OBJECTIVES if task in _metric(name).tasks)


def of_predictions(*names: str | None) -> tuple[str, ...]:
    """Those objectives among the names that are no means over rows, see `Metric`."""
    known = [name.removeprefix("val_") for name in dict.fromkeys(names) if name]
    return tuple(name for name in known if name in METRICS and METRICS[name].of_predictions)


def direction(name: str) -> Direction:
    """`"min"` where smaller is better, `"max"` where larger is.

    Args:
        name: A metric, with or without `val_`.

    Raises:
        UserError: There is no such metric.
    """
    return _metric(name).direction


def lower_is_better(name: str) -> bool:
    """Whether a smaller value is better, see `direction`."""
    return direction(name) == "min"


def sign(name: str) -> int:
    """1 where larger is better and -1 where smaller is, see `direction`.

    `sign(name) * value` is what training makes large.
    """
    return -1 if lower_is_better(name) else 1


def in_target_unit(name: str) -> bool:
    """Whether a metric, with or without `val_`, has the unit of a regression target.

    False for a name that is no metric: a study may hold other curves.
    """
    metric = METRICS.get(name.removeprefix("val_"))
    return metric is not None and metric.in_target_unit


def _metric(name: str) -> Metric:
    metric = METRICS.get(name.removeprefix("val_"))
    if metric is None:
        raise UserError(
            f"Expected a metric ({', '.join(METRICS)}, each with or without 'val_'), got {name!r}."
        )
    return metric
