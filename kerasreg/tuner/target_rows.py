"""Targets as a population takes them, and what they say of a `StackConfig`'s outputs."""

import keras
import numpy as np

from kerasreg.tuner.rows_in_memory import CannotTrainTogether

#: A population's losses of values, not classes.
ERRORS = ("mse", "mae", "huber")
_ONE_HOT = ("categorical_crossentropy", "CategoricalCrossentropy")


def takes_one_hot(model: keras.Model) -> bool:
    """Whether the model's loss takes one-hot targets."""
    compiled = model.get_compile_config()["loss"]
    return (compiled["class_name"] if isinstance(compiled, dict) else compiled) in _ONE_HOT


def check_targets(y: np.ndarray, outputs: int, loss: str, model: keras.Model | None) -> np.ndarray:
    """Targets as a population takes them: one value or class index a row.

    Args:
        y: (rows,), (rows, 1) or one-hot (rows, outputs).
        outputs, loss: Of the blueprint.
        model: The compiled model, or None for a `StackConfig`, which takes either form.

    Raises:
        CannotTrainTogether: Keras would read them otherwise.
    """
    wide = y.ndim == 2 and y.shape[1] > 1
    if model is not None and loss == "softmax" and takes_one_hot(model) != wide:
        name = getattr(model.loss, "name", model.loss)
        raise CannotTrainTogether(f"targets of shape {y.shape} for the loss {name!r}")
    if not wide:
        y = y.reshape(-1)
        if model is not None:
            _check_values(y, outputs, loss)
        return y
    if loss != "softmax" or y.shape[1] != outputs:
        raise CannotTrainTogether(f"targets of shape {y.shape} for {outputs} outputs")
    if not (np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()):
        raise CannotTrainTogether("targets that are not one-hot")
    return y.argmax(axis=1)


def _check_values(y: np.ndarray, outputs: int, loss: str) -> None:
    if not np.isfinite(y).all():
        raise CannotTrainTogether("targets that are not finite")
    classes = max(outputs, 2)
    if loss not in ERRORS and not np.isin(y, np.arange(classes)).all():
        raise CannotTrainTogether(f"targets other than the class indices 0 to {classes - 1}")


def stack_geometry(
    x: np.ndarray, targets: list[np.ndarray], outputs: int | None, task: str | None
) -> tuple[tuple[int, ...], int, str]:
    """What a `StackConfig` is built between: input shape, outputs and task.

    Args:
        x: (rows, ...) inputs.
        targets: Arrays of targets. Whole numbers are class indices, others are values; there are
            as many classes as the largest index plus one, or as one-hot columns.
        outputs, task: As the user gave them; None to derive them from the targets.
    """
    wide = targets[0].ndim == 2 and targets[0].shape[1] > 1
    y = np.concatenate([np.ravel(part) for part in targets])
    task = task or ("classification" if wide or y.dtype.kind in "iub" else "regression")
    if outputs is None and task == "regression":
        outputs = 1
    elif outputs is None:
        # The population refuses labels that are no class indices, and names their rows.
        classes = targets[0].shape[1] if wide else int(np.nan_to_num(y, posinf=0).max()) + 1
        outputs = 1 if classes <= 2 and not wide else classes
    return x.shape[1:], outputs, task
