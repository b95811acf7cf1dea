"""Trained stacks of Dense layers without some of their units, in NumPy.

What dropout does at prediction, written out: a factor for each hidden unit, 0 where it is missing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax, softmax

if TYPE_CHECKING:
    import keras

    from kerasreg.data import Split

Weights = list[tuple[np.ndarray, np.ndarray]]


def dense_weights(model: "keras.Model") -> Weights:
    """Kernel (in, out) and bias (out,) of every Dense layer, the output's last."""
    import keras

    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    return [(layer.kernel.numpy(), layer.bias.numpy()) for layer in layers]


def hidden_units(
    weights: Weights, x: np.ndarray, factors: Sequence[ArrayLike] = ()
) -> list[np.ndarray]:
    """Outputs of the hidden layers of a ReLU network, whose units are multiplied by factors.

    Args:
        x: (rows, features).
        factors: One for each hidden layer, that broadcasts to (rows, units): a number, (units,)
            for units that all rows lack, or (rows, units). None at all leaves the units alone.

    Returns:
        (rows, units) for each hidden layer.
    """
    outputs = []
    for index, (kernel, bias) in enumerate(weights[:-1]):
        x = np.maximum(x @ kernel + bias, 0)
        if len(factors):
            x = x * factors[index]
        outputs.append(x)
    return outputs


def thinned_logits(
    weights: Weights, x: np.ndarray, factors: Sequence[ArrayLike] = ()
) -> np.ndarray:
    """Logits (rows, outputs) of a ReLU network whose units are multiplied as in `hidden_units`."""
    kernel, bias = weights[-1]
    return [x, *hidden_units(weights, x, factors)][-1] @ kernel + bias


def keep_masks(
    generator: np.random.Generator, weights: Weights, keep: float, rows: int | None = None
) -> list[np.ndarray]:
    """Inverted dropout's factors: 1 / keep with probability `keep`, else 0.

    Args:
        rows: Masks of its own for each row, (rows, units); None for one mask for all, (units,).
    """
    sizes = [len(bias) for _, bias in weights[:-1]]
    shapes = [(units,) if rows is None else (rows, units) for units in sizes]
    return [(generator.random(s, "float32") < keep) / np.float32(keep) for s in shapes]


def accuracy(logits: np.ndarray, split: "Split") -> float:
    """Share of rows whose largest output, of (rows, outputs), is their class."""
    return float((logits.argmax(axis=-1) == split.y).mean())


def data_loss(logits: np.ndarray, split: "Split") -> float:
    """Mean cross-entropy, nats."""
    return float(-log_softmax(logits, axis=-1)[np.arange(len(split.y)), split.y].mean())


def softmax_penalty(hidden: np.ndarray, last: Weights, rate: float) -> float:
    """Rise of the mean cross-entropy by inverted dropout before the output layer, to second order.

    Half the sum of the softmax's Hessian diag(p) - pp' times the covariance of the logits, which a
    unit h with kernel row w adds rate / (1 - rate) h² ww' to. Source: Wager, Wang and Liang (2013).

    Args:
        hidden: Units that the output layer sees, (rows, units).
        last: The output layer's kernel and bias, in a list.
        rate: Fraction dropped.
    """
    kernel, _ = last[0]
    p = softmax(thinned_logits(last, hidden), axis=-1)
    by_unit = p @ (kernel**2).T - (p @ kernel.T) ** 2
    return float(0.5 * rate / (1 - rate) * (hidden**2 * by_unit).sum(axis=1).mean())
