"""Data loss and metric of a Keras model, from its logits."""

import math

import keras
import numpy as np
from scipy.special import expit, softmax

_ROWS = 8192  # rows a forward pass: bounds the memory of evaluating a large set


def predict_outputs(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """The model's outputs in inference mode as float64, (rows, outputs)."""
    parts = [
        keras.ops.convert_to_numpy(model(x[start : start + _ROWS], training=False))
        for start in range(0, len(x), _ROWS)
    ]
    return np.concatenate(parts).astype(np.float64)


def predictions_of_logits(logits: np.ndarray, task: str) -> np.ndarray:
    """Probabilities, of the second of two classes for one output; targets as they are. float64."""
    logits = np.asarray(logits, np.float64)
    if task == "regression":
        return logits
    if logits.shape[1] == 1:
        return expit(logits)
    return softmax(logits, axis=1)


def logits_of_predictions(predictions: np.ndarray, task: str) -> np.ndarray:
    """The inverse of `predictions_of_logits`, up to what a softmax takes off again."""
    if task == "regression":
        return predictions
    least = np.finfo(np.float64).tiny
    logits = np.log(np.maximum(predictions, least))
    if predictions.shape[1] == 1:
        logits = logits - np.log(np.maximum(1 - predictions, least))
    return logits


def measure(
    logits: np.ndarray,
    y: np.ndarray,
    task: str,
    loss: str = "mse",
    weights: np.ndarray | None = None,
) -> dict[str, float]:
    """Data loss (no penalty, no smoothing) and accuracy or mae of logits (rows, outputs).

    Rows weigh by `weights`, if there are any, in the data loss.

    Regression is measured in the units of `y`. A logit that is not finite gives NaN, never a score.
    """
    if not np.isfinite(logits).all():
        return {"data_loss": math.nan, "mae" if task == "regression" else "accuracy": math.nan}
    if task == "regression":
        error = np.abs(logits[:, 0] - y)
        losses = {
            "mse": error**2,
            "mae": error,
            "huber": np.where(error <= 1, error**2 / 2, error - 0.5),
        }[loss]
        return {"data_loss": float(losses.mean()), "mae": float(error.mean())}
    if logits.shape[1] == 1:
        z = logits[:, 0]
        losses, right = np.logaddexp(0, z) - y * z, (z > 0) == y
    else:
        losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(y)), y]
        right = logits.argmax(axis=1) == y
    if weights is not None:
        losses = losses * weights
    return {"data_loss": float(losses.mean()), "accuracy": float(right.mean())}
