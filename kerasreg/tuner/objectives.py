"""keras-tuner's objective: as a curve of the population, and whether `model.fit` logs it."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import keras_tuner

from kerasreg.errors import UserError
from kerasreg.objectives import direction
from kerasreg.tuner.curve_names import name_and_kind
from kerasreg.tuner.rows_in_memory import CannotTrainTogether

_PLAIN = ("fit", "train_step", "test_step", "compute_metrics", "get_metrics_result")


def population_objective(name: str, mode: str, names: Mapping[str, str]) -> str:
    """The population's name of a keras-tuner objective, given `curve_names`.

    Raises:
        CannotTrainTogether: A population does not measure it, or not in that direction.
    """
    curve = names.get(name.removeprefix("val_"))
    if not name.startswith("val_") or curve in (None, "penalty") or mode != direction(curve):
        raise CannotTrainTogether(f"the objective {name!r} ({mode})")
    return f"val_{curve}"


def check_objective(
    objective: keras_tuner.Objective,
    model: keras.Model,
    given: Mapping[str, Any],
    more: Iterable[str] = (),
) -> None:
    """Refuse an objective that `model.fit` will not log, before it trains.

    Models whose names only training shows are left alone: several outputs, steps of the user's
    making, callbacks that may add to the logs.

    Args:
        objective, model: Of one name or several; compiled.
        given: Arguments of `fit` by name.
        more: Names that are there without `fit`, both without `val_`.

    Raises:
        UserError: It is not logged; the message has what is.
    """
    names = _logged(model, given)
    if names is not None:
        refuse_unlogged(objective, names, [*more, *(f"val_{name}" for name in more)])


def refuse_unlogged(
    objective: keras_tuner.Objective, names: Iterable[str], more: Iterable[str] = ()
) -> None:
    """Raise the `UserError` for an objective that is not among the names in the logs, or more."""
    names = sorted(names)
    for wanted in getattr(objective, "name_to_direction", {objective.name: ""}):
        if wanted in names or wanted in more:
            continue
        shown = "none" if wanted == "default_objective" else repr(wanted)
        rows = any(name.startswith("val_") for name in names)
        remedy = "" if rows else "; pass validation_data or validation_split for the val_ names"
        message = f"objective: expected one of {', '.join(names)}, got {shown}{remedy}."
        raise UserError(message) from None


def _logged(model: keras.Model, given: Mapping[str, Any]) -> set[str] | None:
    """Names in the logs of `fit`, or None where they cannot be told before it runs."""
    callbacks = given.get("callbacks") or []
    callbacks = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    if not all(type(callback).__module__.startswith("keras.src.") for callback in callbacks):
        return None
    if any(getattr(type(model), name) is not getattr(keras.Model, name) for name in _PLAIN):
        return None
    graph = isinstance(model, keras.Sequential) or hasattr(model, "operations")
    if not (graph and model.compiled) or len(getattr(model, "outputs", [None])) != 1:
        return None
    names = {metric.name for metric in model.metrics} - {"compile_metrics"} | {"loss"}
    compiled = model._compile_metrics
    if compiled is not None:
        given_metrics = (compiled._user_metrics, compiled._user_weighted_metrics)
        metrics = [metric for metric in keras.tree.flatten(given_metrics) if metric is not None]
        names |= {name_and_kind(metric)[0] for metric in metrics}
    if given.get("validation_data") is not None or given.get("validation_split"):
        names |= {f"val_{name}" for name in names}
    if any(hasattr(callback, "schedule") or hasattr(callback, "factor") for callback in callbacks):
        names.add("learning_rate")
    return names
