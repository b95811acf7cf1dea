"""Normalisation with a member axis, by Keras' formulas.

Shape: (members, rows, units) -> the same; gamma and beta, where a layer has them, and moving
statistics (members, 1, units); epsilon (members, 1, 1).
Batch normalisation reduces over rows only, so members never meet.
"""

import tensorflow as tf

from kerasreg.population.widths import within


def batch_statistics(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and biased variance over rows, each (members, 1, units)."""
    mean = tf.reduce_mean(x, axis=1, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, tf.stop_gradient(mean)), 1, True)
    return mean, variance


def affine_normalize(
    x: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    gamma: tf.Tensor | None,
    beta: tf.Tensor | None,
    epsilon: tf.Tensor,
) -> tf.Tensor:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, as one multiply and one add."""
    scale = inverse_root(variance + epsilon)
    if gamma is not None:
        scale = scale * gamma
    shift = -mean * scale
    if beta is not None:
        shift = shift + beta
    return x * scale + shift


def layer_normalize(
    x: tf.Tensor,
    gamma: tf.Tensor | None,
    beta: tf.Tensor | None,
    epsilon: tf.Tensor,
    width: tf.Tensor | None = None,
) -> tf.Tensor:
    """Normalise each row over its units; over the first `width` (members, 1, 1) where it is given.

    Units beyond the width are 0 and stay so.
    """
    if width is None:
        mean = tf.reduce_mean(x, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), -1, True)
        return _scale_and_shift((x - mean) * inverse_root(variance + epsilon), gamma, beta)
    mask = within(x, width)
    mean = tf.reduce_sum(x, axis=-1, keepdims=True) / width
    variance = tf.reduce_sum(mask * tf.math.squared_difference(x, mean), -1, True) / width
    normal = mask * (x - mean) * inverse_root(variance + epsilon)
    return _scale_and_shift(normal, gamma, beta)


def group_normalize(
    x: tf.Tensor, gamma: tf.Tensor | None, beta: tf.Tensor | None, epsilon: tf.Tensor, groups: int
) -> tf.Tensor:
    """Normalise each row over each of `groups` groups of neighbouring units."""
    shape = tf.shape(x)
    units = x.shape[-1]
    grouped = tf.reshape(x, [shape[0], shape[1], groups, units // groups])
    mean = tf.reduce_mean(grouped, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(grouped, mean), -1, True)
    # (members, 1, 1) against (members, rows, groups, 1): without the new axis members would meet.
    normal = (grouped - mean) * tf.math.rsqrt(variance + epsilon[..., None])
    # Inputs that members share have a first axis of 1, their normalised form has one a member.
    return _scale_and_shift(tf.reshape(normal, [-1, shape[1], units]), gamma, beta)


def inverse_root(x: tf.Tensor) -> tf.Tensor:
    """1 / sqrt(x), rounded alike everywhere.

    `rsqrt` differs in its last bit between vector lanes and the rest, so that a member's result
    would depend on its position.
    """
    return 1 / tf.sqrt(x)


def _scale_and_shift(x: tf.Tensor, gamma: tf.Tensor | None, beta: tf.Tensor | None) -> tf.Tensor:
    if gamma is not None:
        x = x * gamma
    return x if beta is None else x + beta
