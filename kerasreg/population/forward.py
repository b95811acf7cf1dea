"""The stack's mathematics with a member axis: forward pass, losses, penalty.

Shapes, everywhere in the room: activations (members, rows, units), kernels (members, in, out),
vectors (members, 1, units), hyperparameters that differ between members (members, 1, 1). Inputs and
dropout uniforms may have a first axis of 1: then all members share them.
"""

from typing import Any

import tensorflow as tf

from kerasreg.population.blueprint import Blueprint
from kerasreg.population.normalization import (
    affine_normalize,
    batch_statistics,
    group_normalize,
    layer_normalize,
)
from kerasreg.population.widths import within

Parameters = dict[tuple[int, str], tf.Tensor]
Values = dict[tuple[int, str], tf.Tensor]


def forward(
    blueprint: Blueprint,
    parameters: Parameters,
    values: Values,
    x: tf.Tensor,
    uniforms: dict[int, tf.Tensor] | None = None,
) -> tuple[tf.Tensor, Parameters]:
    """Logits (or predictions) and, in training, the new moving statistics.

    Args:
        parameters: By (layer, name).
        values: By (layer, name): `rate`, `epsilon`, `momentum`, `1 - momentum` and `width`.
        x: (1 or members, rows, features).
        uniforms: By dropout layer, draws in [0, 1) of shape (1 or members, rows, units): training
            mode. A unit is kept where its draw is at least the rate. None: inference mode.

    Returns:
        Logits (members, rows, outputs), and new moving statistics by (layer, name).
    """
    statistics: Parameters = {}
    training = uniforms is not None
    for layer, spec in enumerate(blueprint.layers):

        def weight(name: str, layer: int = layer) -> Any:
            return parameters.get((layer, name))

        match spec.kind:
            case "dense":
                x = tf.matmul(x, weight("kernel"))
                if spec.use_bias:
                    x = x + weight("bias")
            case "scale":
                x = x * weight("kernel")
            case "activation":
                x = activate(spec.activation, x)
                if (layer, "width") in values:
                    x = x * within(x, values[layer, "width"])
            case "dropout":
                if training and layer in uniforms:
                    x = drop(x, uniforms[layer], values[layer, "rate"])
            case "batch":
                mean, variance = weight("moving_mean"), weight("moving_variance")
                if training:
                    old, new = values[layer, "momentum"], values[layer, "1 - momentum"]
                    moving_mean, moving_variance = mean, variance
                    mean, variance = batch_statistics(x)
                    statistics[layer, "moving_mean"] = moving_mean * old + mean * new
                    statistics[layer, "moving_variance"] = moving_variance * old + variance * new
                epsilon = values[layer, "epsilon"]
                x = affine_normalize(x, mean, variance, weight("gamma"), weight("beta"), epsilon)
            case "layer":
                width, epsilon = values.get((layer, "width")), values[layer, "epsilon"]
                x = layer_normalize(x, weight("gamma"), weight("beta"), epsilon, width)
            case "group":
                x = group_normalize(
                    x, weight("gamma"), weight("beta"), values[layer, "epsilon"], spec.groups
                )
            case "rescaling":
                factor, offset = spec.rescaling
                x = x * tf.cast(factor, x.dtype) + tf.cast(offset, x.dtype)
    return x, statistics


def drop(x: tf.Tensor, uniform: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
    """Inverted dropout with given draws: x / (1 - rate) where draw >= rate, else 0."""
    return x * (tf.cast(uniform >= rate, x.dtype) / (1 - rate))


def activate(name: str, x: tf.Tensor) -> tf.Tensor:
    """Keras' activation of that name; `leaky_relu:0.3` is a leaky ReLU of that slope."""
    if name == "relu":
        return tf.nn.relu(x)
    if name.startswith("leaky_relu:"):
        return tf.nn.leaky_relu(x, float(name.partition(":")[2]))
    import keras

    return keras.activations.get(name)(x)


def row_losses(
    loss: str, targets: tf.Tensor, logits: tf.Tensor, smoothing: tf.Tensor | None = None
) -> tf.Tensor:
    """Loss of each row, shape (members, rows), without penalty.

    Args:
        loss: As in `Blueprint.loss`.
        targets: (1 or members, rows): classes, 0 and 1, or values.
        logits: (members, rows, outputs).
        smoothing: Label smoothing (members, 1, 1), for training.

    Returns:
        Cross-entropies as float64: their exponentials, in float32, differ in the last bit between
        vector lanes and the rest, so that a member's result would depend on its position.
    """
    if loss in ("softmax", "binary"):
        logits = tf.cast(logits, tf.float64)
        smoothing = None if smoothing is None else tf.cast(smoothing, tf.float64)
    if loss == "softmax":
        shape = tf.shape(logits)
        labels = tf.broadcast_to(targets, shape[:2])
        result = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        if smoothing is not None:
            # Cross-entropy is linear in the target: mix the label's with the uniform target's.
            uniform = tf.reduce_logsumexp(logits, -1) - tf.reduce_mean(logits, -1)
            s = smoothing[:, :, 0]
            result = (1 - s) * result + s * uniform
        return result
    targets = tf.cast(targets, logits.dtype)
    prediction = logits[:, :, 0]
    if loss == "binary":
        if smoothing is not None:
            s = smoothing[:, :, 0]
            targets = targets * (1 - s) + 0.5 * s
        targets = tf.broadcast_to(targets, tf.shape(prediction))
        return tf.nn.sigmoid_cross_entropy_with_logits(targets, prediction)
    error = prediction - targets
    if loss == "mse":
        return tf.square(error)
    if loss == "mae":
        return tf.abs(error)
    size = tf.abs(error)
    return tf.where(size <= 1, 0.5 * tf.square(error), size - 0.5)


def row_metrics(loss: str, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """1 where the class is right, or the absolute error: shape (members, rows)."""
    if loss == "softmax":
        right = tf.argmax(logits, -1, targets.dtype) == targets
        return tf.cast(right, logits.dtype)
    prediction = logits[:, :, 0]
    if loss == "binary":
        return tf.cast((prediction > 0) == (targets > 0), logits.dtype)
    return tf.abs(prediction - tf.cast(targets, logits.dtype))


def penalty(blueprint: Blueprint, parameters: Parameters, values: Values) -> tf.Tensor | None:
    """Sum over kernels of l1 * sum|w| + l2 * sum w^2, shape (members,); None without any."""
    total = None
    for layer in range(len(blueprint.layers)):
        for name, size in (("l1", tf.abs), ("l2", tf.square)):
            if (layer, name) in values:
                strength = values[layer, name][:, 0, 0]
                term = strength * tf.reduce_sum(size(parameters[layer, "kernel"]), [1, 2])
                total = term if total is None else total + term
    return total
