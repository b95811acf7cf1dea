"""What a compiled model calls its loss and metrics, and which of a population's curves they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kerasreg.errors import UserError
from kerasreg.losses import DataLoss
from kerasreg.objectives import direction
from kerasreg.population.lifting_layers import PROBABILITIES, activation_name
from kerasreg.population.lifting_training import loss_kind
from kerasreg.tuner.in_memory import CannotTrainTogether

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
_ERRORS = ("mse", "mae", "huber")
_ONE_HOT = ("categorical_crossentropy", "CategoricalCrossentropy")


def curve_names(model: keras.Model, loss: str, weighted: bool) -> dict[str, str]:
    """Names in the logs of `model.fit` -> names of a population's curves, both without `val_`.

    Args:
        model: A compiled model.
        loss: Of its blueprint.
        weighted: Whether rows have weights, which Keras applies to the loss and not to metrics.

    Raises:
        CannotTrainTogether: A metric that a population does not measure.
    """
    compiled = model._compile_metrics
    if compiled is None:
        return stack_curve_names("")
    names = stack_curve_names("")
    known = _KNOWN[loss if loss != "softmax" else "one-hot" if _one_hot(model) else "classes"]
    # Keras sees through a last softmax or sigmoid in spite of from_logits=True.
    last = activation_name(getattr(model.layers[-1], "activation", None))
    logits = last not in PROBABILITIES
    seen = set()
    for metric in keras.tree.flatten(compiled._user_metrics or []):
        name, kind = _name_and_kind(metric)
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
        own = type(metric) is DataLoss and _is_loss_of(metric, loss, logits)
        if not own or metric.name in seen or names.get(metric.name, "data_loss") != "data_loss":
            raise CannotTrainTogether("weighted_metrics")
        names[metric.name] = "data_loss"
    return names


def stack_curve_names(metric: str) -> dict[str, str]:
    """`curve_names` of a `StackConfig`, whose metric is `"accuracy"` or `"mae"`."""
    return {name: name for name in ("loss", "data_loss", "penalty", metric) if name}


def _name_and_kind(metric: Any) -> tuple[str, str | None]:
    """Name in the logs, and which of Keras' own metrics it is: None for a user's, so named or not.

    A loss object is none either: as a metric, it is a mean over batches and not over rows.
    """
    if metric is None:
        return "None", None
    if isinstance(metric, str):
        return metric, None if metric in keras.saving.get_custom_objects() else metric
    if isinstance(metric, keras.metrics.Metric | keras.losses.Loss):
        kind = type(metric).__name__
        return metric.name, kind if getattr(keras.metrics, kind, None) is type(metric) else None
    kind = getattr(metric, "__name__", type(metric).__name__)
    own = (getattr(room, kind, None) for room in (keras.metrics, keras.losses))
    return kind, kind if any(function is metric for function in own) else None


def _is_loss_of(metric: DataLoss, loss: str, logits: bool) -> bool:
    """Whether a `DataLoss` is the blueprint's loss, on what the model puts out."""
    try:
        kind, from_logits, smoothing = loss_kind(metric.loss, "none")
    except UserError:
        return False
    return kind == loss and not smoothing and (from_logits or not logits or loss in _ERRORS)


def _one_hot(model: keras.Model) -> bool:
    """Whether the model's loss takes one-hot targets."""
    compiled = model.get_compile_config()["loss"]
    return (compiled["class_name"] if isinstance(compiled, dict) else compiled) in _ONE_HOT


def population_objective(
    name: str, mode: str | None, names: Mapping[str, str], what: str = "the objective"
) -> str:
    """The population's name of a keras-tuner objective or of what `EarlyStopping` monitors.

    Args:
        name: In the user's logs.
        mode: `"min"`, `"max"`, or None for what goes with the curve.
        names: As `curve_names` gives them.
        what: For the message.

    Raises:
        CannotTrainTogether: It is nothing that a population goes by.
    """
    curve = names.get(name.removeprefix("val_"))
    if (
        not name.startswith("val_")
        or curve in (None, "penalty")
        or mode not in (None, direction(curve))
    ):
        raise CannotTrainTogether(f"{what} {name!r}" + (f" ({mode})" if mode else ""))
    return f"val_{curve}"


def user_curves(
    curves: Mapping[str, np.ndarray], names: Mapping[str, str]
) -> dict[str, list[float]]:
    """A member's curves under the names that `model.fit` would log, training first."""
    return {
        prefix + name: curves[prefix + curve].tolist()
        for prefix in ("", "val_")
        for name, curve in names.items()
    }


def check_targets(y: np.ndarray, outputs: int, loss: str, model: keras.Model | None) -> np.ndarray:
    """Targets as a population takes them: one number a row.

    Args:
        y: (rows,), (rows, 1) or one-hot (rows, outputs).
        outputs, loss: Of the blueprint.
        model: The compiled model, or None for a `StackConfig`, which takes either form.

    Raises:
        CannotTrainTogether: Keras would read them otherwise.
    """
    wide = y.ndim == 2 and y.shape[1] > 1
    if model is not None and loss == "softmax" and _one_hot(model) != wide:
        name = getattr(model.loss, "name", model.loss)
        raise CannotTrainTogether(f"targets of shape {y.shape} for the loss {name!r}")
    if not wide:
        y = y.reshape(-1)
        if model is not None:
            _check_numbers(y, outputs, loss)
        return y
    if loss != "softmax" or y.shape[1] != outputs:
        raise CannotTrainTogether(f"targets of shape {y.shape} for {outputs} outputs")
    if not (np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()):
        raise CannotTrainTogether("targets that are not one-hot")
    return y.argmax(axis=1)


def _check_numbers(y: np.ndarray, outputs: int, loss: str) -> None:
    if not np.isfinite(y).all():
        raise CannotTrainTogether("targets that are not finite")
    classes = max(outputs, 2)
    if loss not in _ERRORS and not np.isin(y, np.arange(classes)).all():
        raise CannotTrainTogether(f"targets other than the numbers 0 to {classes - 1} of classes")


def stack_geometry(
    x: np.ndarray, targets: list[np.ndarray], outputs: int | None, task: str | None
) -> tuple[tuple[int, ...], int, str]:
    """What a `StackConfig` is built between: input shape, outputs and task.

    Args:
        x: (rows, ...) inputs.
        targets: Arrays of targets. Whole numbers are classes, others are values; the number of
            classes is the largest plus one, or the number of one-hot columns.
        outputs, task: As the user gave them; None to see them in the targets.
    """
    wide = targets[0].ndim == 2 and targets[0].shape[1] > 1
    y = np.concatenate([np.ravel(part) for part in targets])
    task = task or ("classification" if wide or y.dtype.kind in "iub" else "regression")
    if outputs is None and task == "regression":
        outputs = 1
    elif outputs is None:
        # Labels that are no numbers of classes are refused by the population, with their rows.
        classes = targets[0].shape[1] if wide else int(np.nan_to_num(y, posinf=0).max()) + 1
        outputs = 1 if classes <= 2 and not wide else classes
    return x.shape[1:], outputs, task
