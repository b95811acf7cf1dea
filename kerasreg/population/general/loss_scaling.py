"""Keras' `LossScaleOptimizer`, which float16 needs, as a function of a member's arrays."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf


class LossScaling:
    """A scale that is halved at gradients that are not finite, and doubled after enough that are.

    Args:
        optimizer: The model's; its inner optimiser takes the steps.

    Attributes:
        variables: The scale, and how many finite steps there were since it changed.
    """

    def __init__(self, optimizer: keras.optimizers.LossScaleOptimizer):
        self._growth_steps = optimizer.dynamic_growth_steps
        self.variables = [
            keras.Variable(optimizer.initial_scale, trainable=False, dtype="float32"),
            keras.Variable(0, trainable=False, dtype="int32"),
        ]

    def apply(
        self,
        step: Callable[..., tuple[list[tf.Tensor], list[tf.Tensor]]],
        gradients: Sequence[tf.Tensor | None],
        weights: Sequence[tf.Tensor],
        slots: Sequence[tf.Tensor],
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """One member's weights and slots after a step, which is left out unless it is finite.

        Args:
            step: The inner optimiser's, of its own slots.
            gradients: Of the scaled loss.
            weights: The member's.
            slots: The inner optimiser's, then the scale and the count.
        """
        *own, scale, count = slots
        given = [g for g in gradients if g is not None]
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in given])
        divided = [g if g is None else g / tf.cast(scale, g.dtype) for g in gradients]
        stepped = step(divided, weights, own)
        weights, own = (
            [tf.where(finite, new, old) for new, old in zip(*pair, strict=True)]
            for pair in zip(stepped, (weights, own), strict=True)
        )
        grows = finite & (count == self._growth_steps - 1)
        scale *= tf.where(finite, tf.where(grows, 2.0, 1.0), 0.5)
        count = tf.where(finite & ~grows, count + 1, 0)
        return weights, [*own, scale, count]
