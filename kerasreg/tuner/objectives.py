"""What `model.fit` logs, which of a population's curves that is, and keras-tuner's objective."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import keras_tuner

from kerasreg.errors import UserError
from kerasreg.losses import DataLoss
from kerasreg.objectives import direction
from kerasreg.population.lifting_layers import PROBABILITIES, activation_name
from kerasreg.population.lifting_training import loss_kind
from kerasreg.tuner.rows_in_memory import ERRORS, CannotTrainTogether, takes_one_hot

# By the population's loss, which metric of Keras is which of its curves.
_ACCURACY = dict.fromkeys(("accuracy", "acc"), "accuracy")
_ERROR = dict.fromkeys(("mae", "MAE", "mean_absolute_error", "MeanAbsoluteError"), "mae")
_SQUARE = dict.fromkeys(("mse", "MSE", "mean_squared_error", "MeanSquaredError"), "data_loss")
_PLAIN = ("fit", "train_step", "test_step", "compute_metrics", "get_metrics_result")
_KNOWN: dict[str, dict[str, str]] = {
    "one-hot": _ACCURACY
    | dict.fromkeys(("categorical_accuracy", "CategoricalAccuracy"), "accuracy"),
    "classes": _ACCURACY
    | dict.fromkeys(("sparse_categorical_accuracy", "SparseCategoricalAccuracy"), "accuracy"),
    "binary": _ACCURACY | dict.fromkeys(("binary_accuracy", "BinaryAccuracy"), "accuracy"),
    "mse": _ERROR | _SQUARE,
    "mae": _ERROR,
    "huber": _ERROR,
}


def curve_names(model: keras.Model, loss: str, weighted: bool) -> dict[str, str]:
    """Names in the logs of `model.fit` -> names of a population's curves, both without `val_`.

    Weights of rows (`weighted`) count in Keras' loss and not in its metrics.

    Raises:
        CannotTrainTogether: A metric that a population does not measure.
    """
    compiled, names = model._compile_metrics, stack_curve_names("")
    if compiled is None:
        return names
    known = _KNOWN[loss if loss != "softmax" else "one-hot" if takes_one_hot(model) else "classes"]
    # Keras sees through a last softmax or sigmoid in spite of from_logits=True.
    last = activation_name(getattr(model.layers[-1], "activation", None))
    logits = last not in PROBABILITIES
    seen = set()
    for metric in keras.tree.flatten(compiled._user_metrics or []):
        name, kind = name_and_kind(metric)
        curve = known.get(kind)
        if type(metric) is DataLoss and _is_loss_of(metric, loss, logits):
            curve = "data_loss"
        if curve is None or (curve == "data_loss" and weighted):
            raise CannotTrainTogether(f"the metric {name!r}")
        threshold = getattr(metric, "threshold", 0.5)
        if loss == "binary" and curve == "accuracy" and threshold != (0.0 if logits else 0.5):
            where = "logits" if logits else "probabilities"
            raise CannotTrainTogether(f"the metric {name!r} with threshold {threshold} on {where}")
        if name in seen or names.get(name, curve) != curve:
            raise CannotTrainTogether(f"the metric {name!r}, a name that is used twice")
        seen.add(name)
        names[name] = curve
    for metric in keras.tree.flatten(compiled._user_weighted_metrics or []):
        # Weighted as the loss is, it is a population's data loss with or without weights.
        is_data_loss = type(metric) is DataLoss and _is_loss_of(metric, loss, logits)
        if (
            not is_data_loss
            or metric.name in seen
            or names.get(metric.name, "data_loss") != "data_loss"
        ):
            raise CannotTrainTogether("weighted_metrics")
        names[metric.name] = "data_loss"
    return names


def stack_curve_names(metric: str) -> dict[str, str]:
    """`curve_names` of a `StackConfig`, whose metric is `"accuracy"` or `"mae"`."""
    return {name: name for name in ("loss", "data_loss", "penalty", metric) if name}


def name_and_kind(metric: Any) -> tuple[str, str | None]:
    """Name in the logs, and the name of Keras' metric: None for a metric defined elsewhere.

    A loss object has no metric's name: as a metric, Keras averages it over batches, not rows.
    """
    if metric is None:
        return "None", None
    if isinstance(metric, str):
        return metric, None if metric in keras.saving.get_custom_objects() else metric
    if isinstance(metric, keras.metrics.Metric | keras.losses.Loss):
        kind = type(metric).__name__
        return metric.name, kind if getattr(keras.metrics, kind, None) is type(metric) else None
    kind = getattr(metric, "__name__", type(metric).__name__)
    functions = (getattr(module, kind, None) for module in (keras.metrics, keras.losses))
    return kind, kind if any(function is metric for function in functions) else None


def _is_loss_of(metric: DataLoss, loss: str, logits: bool) -> bool:
    """Whether a `DataLoss` is the blueprint's loss, computed on the model's outputs."""
    try:
        kind, from_logits, smoothing = loss_kind(metric.loss, "none")
    except UserError:
        return False
    return kind == loss and not smoothing and (from_logits or not logits or loss in ERRORS)


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
