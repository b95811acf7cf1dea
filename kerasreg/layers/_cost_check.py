"""Does the cost fall when nothing is random? The check to make before dropout is turned on."""

from dataclasses import dataclass
from itertools import pairwise

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasreg.errors import UserError
from kerasreg.layers._copy import as_graph, copy_model
from kerasreg.layers._dropout import DROPOUT_LAYERS


@dataclass(frozen=True)
class CostCheck:
    """The cost over steps of full-batch gradient descent with dropout off.

    Attributes:
        costs: Cost (loss and penalties) before the first step and after each step.
        increases: Count of steps after which it was higher, beyond the rounding of float32, or
            not a number.
    """

    costs: tuple[float, ...]
    increases: int

    @property
    def decreases(self) -> bool:
        """True if the cost never rose."""
        return self.increases == 0


def check_cost_decreases(
    model: keras.Model, x: np.ndarray, y: np.ndarray, learning_rate: float = 0.01, steps: int = 50
) -> CostCheck:
    """Train a copy of the model by full-batch gradient descent with dropout off, and watch J.

    With dropout on, each step minimises the cost of another thinned network, and the cost may rise
    though nothing is wrong. With dropout off and a learning rate small enough it must not: if it
    does, the learning rate is too large, or the loss or the gradients are wrong. Batch
    normalisation uses the statistics of the whole data. The model itself stays as it is, so that
    it can be trained with dropout afterwards. Source: Ng's lecture on understanding dropout.

    Args:
        model: A compiled Sequential or functional model with one loss. Its optimizer is not used.
        x: Inputs, shape (rows, ...), taken as one batch.
        y: Targets, shape (rows, ...).
        learning_rate: Of plain gradient descent.
        steps: Count of steps.

    Raises:
        UserError: The model cannot be copied or is not compiled with one loss, or an argument is
            out of range.
    """
    if steps < 1 or not learning_rate > 0:
        raise UserError(
            "learning_rate, steps: expected a rate above 0 and at least 1 step, "
            f"got {learning_rate!r} and {steps!r}."
        )
    noise = (*DROPOUT_LAYERS, keras.layers.GaussianNoise)
    copy, _ = copy_model(as_graph(model), noise, training=False)
    loss = getattr(model, "loss", None)
    if loss is None or isinstance(loss, list | dict):
        raise UserError(
            f"model: expected one compiled with one loss, got {model.name!r} with loss={loss!r}."
        )
    loss_function = keras.losses.get(loss)
    x = tf.convert_to_tensor(x, dtype=copy.inputs[0].dtype)
    y = tf.convert_to_tensor(y)

    def cost() -> tf.Tensor:
        prediction = copy(x, training=True)
        return ops.mean(loss_function(y, prediction)) + sum(copy.losses)

    @tf.function(autograph=False)
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = cost()
        variables = copy.trainable_variables
        gradients = tape.gradient(value, [variable.value for variable in variables])
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(learning_rate * gradient)
        return value

    costs = [float(step()) for _ in range(steps)]
    costs.append(float(cost()))
    # Float32 rounds a mean over rows to about 1e-7 of its size.
    increases = sum(not after <= before + 1e-6 * abs(before) for before, after in pairwise(costs))
    return CostCheck(tuple(costs), increases)
