"""What a compiled model calls its loss and metrics, and which of a population's curves they are."""

from typing import Any

import keras

from kerasreg.errors import UserError
from kerasreg.losses import DataLoss
from kerasreg.population.lifting_layers import PROBABILITIES, activation_name
from kerasreg.population.lifting_training import loss_kind
from kerasreg.tuner.rows_in_memory import CannotTrainTogether
from kerasreg.tuner.target_rows import ERRORS, takes_one_hot

# By the population's loss, which metric of Keras is which of its curves.
_ACCURACY = dict.fromkeys(("accuracy", "acc"), "accuracy")
_ERROR = dict.fromkeys(("mae", "MAE", "mean_absolute_error", "MeanAbsoluteError"), "mae")
_SQUARE = dict.fromkeys(("mse", "MSE", "mean_squared_error", "MeanSquaredError"), "data_loss")
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
