"""What a compiled model calls its loss and metrics, and which of a population's curves they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from kerasreg.search.in_memory import CannotTrainTogether

# By the population's loss, which metric of Keras is which of its curves.
_ACCURACY = dict.fromkeys(("accuracy", "acc"), "accuracy")
_ERROR = dict.fromkeys(("mae", "MAE", "mean_absolute_error", "MeanAbsoluteError"), "mae")
_SQUARE = dict.fromkeys(("mse", "MSE", "mean_squared_error", "MeanSquaredError"), "data_loss")
_KNOWN: dict[str, dict[str, str]] = {
    "softmax": _ACCURACY
    | dict.fromkeys(
        (
            "sparse_categorical_accuracy",
            "SparseCategoricalAccuracy",
            "categorical_accuracy",
            "CategoricalAccuracy",
        ),
        "accuracy",
    ),
    "binary": _ACCURACY | dict.fromkeys(("binary_accuracy", "BinaryAccuracy"), "accuracy"),
    "mse": _ERROR | _SQUARE,
    "mae": _ERROR,
    "huber": _ERROR,
}
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
    config = model.get_compile_config()
    if config.get("weighted_metrics"):
        raise CannotTrainTogether("weighted_metrics")
    names = stack_curve_names("")
    compiled_loss = config["loss"]
    logits = isinstance(compiled_loss, dict) and compiled_loss["config"].get("from_logits", False)
    # Keras sees through a last sigmoid in spite of from_logits=True.
    last = getattr(model.layers[-1], "activation", None)
    logits = logits and last is not keras.activations.sigmoid
    for name, kind, threshold in _metrics(config.get("metrics")):
        curve = "data_loss" if kind == "DataLoss" else _KNOWN[loss].get(kind)
        if curve is None or (curve == "data_loss" and weighted):
            raise CannotTrainTogether(f"the metric {name!r}")
        if loss == "binary" and threshold != (0.0 if logits else 0.5):
            where = "logits" if logits else "probabilities"
            raise CannotTrainTogether(f"the metric {name!r} with threshold {threshold} on {where}")
        names[name] = curve
    return names


def stack_curve_names(metric: str) -> dict[str, str]:
    """`curve_names` of a `StackConfig`, whose metric is `"accuracy"` or `"mae"`."""
    return {name: name for name in ("loss", "data_loss", "penalty", metric) if name}


def _metrics(compiled: Any) -> Iterator[tuple[str, str, float]]:
    """Name in the logs, kind, and threshold of every metric in a compile config."""
    parts = compiled.values() if isinstance(compiled, Mapping) else [compiled]
    for part in parts:
        for metric in part if isinstance(part, list) else [part]:
            if isinstance(metric, list):
                yield from _metrics(metric)
            elif isinstance(metric, str):
                yield metric, metric, 0.5
            elif metric is not None:
                settings = metric["config"]
                if isinstance(settings, str):  # A function.
                    yield settings, settings, 0.5
                else:
                    kind = metric["class_name"]
                    yield settings.get("name", kind), kind, settings.get("threshold", 0.5)


def population_objective(
    name: str, direction: str | None, names: Mapping[str, str], what: str = "the objective"
) -> str:
    """The population's name of a keras-tuner objective or of what `EarlyStopping` monitors.

    Args:
        name: In the user's logs.
        direction: `"min"`, `"max"`, or None for what goes with the curve.
        names: As `curve_names` gives them.
        what: For the message.

    Raises:
        CannotTrainTogether: It is nothing that a population goes by.
    """
    curve = names.get(name.removeprefix("val_"))
    natural = "max" if curve == "accuracy" else "min"
    if (
        not name.startswith("val_")
        or curve in (None, "penalty")
        or direction not in (None, natural)
    ):
        raise CannotTrainTogether(f"{what} {name!r}" + (f" ({direction})" if direction else ""))
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
    if model is not None and loss == "softmax":
        compiled = model.get_compile_config()["loss"]
        expected = (compiled["class_name"] if isinstance(compiled, dict) else compiled) in _ONE_HOT
        if expected != wide:
            raise CannotTrainTogether(f"targets of shape {y.shape} for the loss {compiled!r}")
    if not wide:
        return y.reshape(-1)
    if loss != "softmax" or y.shape[1] != outputs:
        raise CannotTrainTogether(f"targets of shape {y.shape} for {outputs} outputs")
    if not (np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()):
        raise CannotTrainTogether("targets that are not one-hot")
    return y.argmax(axis=1)


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
