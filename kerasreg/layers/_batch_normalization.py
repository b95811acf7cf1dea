"""Batch normalisation at inference: folded into a Dense layer, or with fresh statistics."""

import functools
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasreg.errors import UserError
from kerasreg.layers._copy import as_graph, copy_model

BatchNormalization = keras.layers.BatchNormalization


def fold_batch_normalization(model: keras.Model) -> keras.Model:
    """Return the same function at inference with each Dense -> BatchNormalization as one Dense.

    At inference batch normalisation is affine, s * z + t with s = gamma / sqrt(variance + epsilon)
    and t = beta - s * mean, so that W x + b followed by it is (W s) x + (s * b + t). Source: Ioffe
    and Szegedy (2015), Batch Normalization, Algorithm 2, steps 10 and 11.

    A pair is folded if the Dense layer has no activation and feeds nothing else; any other batch
    normalisation stays as it is. Folded layers carry no regulariser.

    Args:
        model: A built Sequential or functional model, left as it is.

    Returns:
        A functional Keras model, not compiled, meant for inference: training it is training
        another network.

    Raises:
        UserError: The model cannot be copied, or has no pair to fold.
    """
    graph = as_graph(model)
    pairs = _foldable_pairs(graph)
    if not pairs:
        raise UserError(
            "model: expected a Dense layer without activation that feeds a BatchNormalization and "
            f"nothing else, got {model.name!r} without such a pair."
        )
    folded = {norm.name for norm in pairs.values()}

    def clone(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if layer.name in pairs:
            config |= {"use_bias": True, "kernel_regularizer": None, "bias_regularizer": None}
        return type(layer).from_config(config)

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        return args[0] if layer.name in folded else layer(*args, **kwargs)

    result = keras.models.clone_model(graph, clone_function=clone, call_function=call)
    for layer in result.layers:
        if isinstance(layer, keras.layers.InputLayer):  # renamed in the copy, without weights
            continue
        source = graph.get_layer(layer.name)
        if layer.name in pairs:
            layer.set_weights(_folded_weights(source, pairs[layer.name]))
        else:
            layer.set_weights(source.get_weights())
    return result


def _foldable_pairs(graph: keras.Model) -> dict[str, keras.Layer]:
    """Batch normalisations by the name of the Dense layer they can be folded into."""
    pairs = {}
    for layer in graph.layers:
        if not isinstance(layer, keras.layers.Dense) or len(layer._inbound_nodes) != 1:
            continue
        if layer.activation is not keras.activations.linear:
            continue
        consumers = (node.operation for node in layer._outbound_nodes)
        users = [operation for operation in consumers if operation in graph.operations]
        if len(users) != 1 or not isinstance(users[0], BatchNormalization):
            continue
        norm = users[0]
        last = norm.axis in (-1, len(layer.output.shape) - 1)
        if last and len(norm._inbound_nodes) == 1:
            pairs[layer.name] = norm
    return pairs


def _folded_weights(dense: keras.Layer, norm: keras.Layer) -> list[np.ndarray]:
    mean, variance, kernel = (
        ops.convert_to_numpy(variable).astype(np.float64)
        for variable in (norm.moving_mean, norm.moving_variance, dense.kernel)
    )
    bias = ops.convert_to_numpy(dense.bias).astype(np.float64) if dense.use_bias else 0.0
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale = scale * ops.convert_to_numpy(norm.gamma)
    shift = (bias - mean) * scale
    if norm.center:
        shift = shift + ops.convert_to_numpy(norm.beta)
    return [kernel * scale, shift]


def recalibrate_batch_normalization(
    model: keras.Model, x: np.ndarray, batch_size: int, unbiased: bool = True
) -> keras.Model:
    """Return the model with batch normalisation's statistics estimated anew over a data set.

    Training keeps a moving average of batch statistics that lags behind the weights: at Keras'
    default momentum of 0.99 it needs hundreds of steps. Here the weights stand still and the
    statistics are averages over batches of `x`, as the paper prescribes:

        mean = average of batch means,  variance = m / (m - 1) * average of batch variances

    with m the number of values in a batch. Each layer sees what the layers before it give when
    they use batch statistics; dropout and other noise are off. Source: Ioffe and Szegedy (2015),
    Batch Normalization, Algorithm 2, steps 8 to 10.

    Args:
        model: A built Sequential or functional model with batch normalisation, left as it is.
        x: Inputs, shape (rows, ...), normally the training rows in random order. Rows after the
            last full batch are left out.
        batch_size: Rows in a batch, at most len(x); normally that of training.
        unbiased: False leaves out the factor m / (m - 1), as Keras' moving average does.

    Returns:
        A copy of the model, compiled if the model is, with a fresh optimizer.

    Raises:
        UserError: The model cannot be copied, has no batch normalisation, or one with `renorm` or
            an input of unknown size; `batch_size` is out of range.
    """
    if not 1 <= batch_size <= len(x):
        raise UserError(
            f"batch_size: expected 1 to the count of rows, {len(x)}, got {batch_size!r}."
        )
    # Without momentum, Keras' own moving statistics are those of the last batch.
    changes = {"momentum": 0.0, "trainable": True}
    probe, probes = copy_model(
        as_graph(model), (BatchNormalization,), training=True, configure=lambda: changes
    )
    norms = [layer for layer in probes if isinstance(layer, BatchNormalization)]
    if not norms:
        raise UserError(
            f"model: expected one with batch normalisation, got {model.name!r} without any."
        )
    factors = [_variance_factor(norm, batch_size, unbiased) for norm in norms]

    def statistics(batch: tf.Tensor) -> list[tf.Tensor]:
        probe(batch, training=False)
        copies = [probes[norm] for norm in norms]
        return [tf.stack([copy.moving_mean.value, copy.moving_variance.value]) for copy in copies]

    # TensorFlow counts tracings by code and would warn of models in a row; a partial counts alone.
    traced = tf.function(functools.partial(statistics), autograph=False, reduce_retracing=True)
    x = tf.convert_to_tensor(x, dtype=probe.inputs[0].dtype)
    starts = range(0, len(x) - batch_size + 1, batch_size)
    batches = [traced(x[start : start + batch_size]) for start in starts]
    result, copies = copy_model(model)
    for norm, factor, *measured in zip(norms, factors, *batches, strict=True):
        mean, variance = np.mean(measured, axis=0, dtype=np.float64)
        copies[norm].moving_mean.assign(mean)
        copies[norm].moving_variance.assign(factor * variance)
    return result


def _variance_factor(norm: keras.Layer, batch_size: int, unbiased: bool) -> float:
    """m / (m - 1), with m the number of values that a batch gives to one mean."""
    if norm.renorm:
        raise UserError(
            f"layer {norm.name!r}: expected batch normalisation without renorm, whose statistics "
            "are of another kind, got renorm=True."
        )
    if not unbiased:
        return 1.0
    shape = list(norm.input.shape)
    del shape[norm.axis]
    if None in shape[1:]:
        raise UserError(
            f"layer {norm.name!r}: expected inputs of known size, to count the values behind a "
            f"variance, got {tuple(norm.input.shape)}; use unbiased=False."
        )
    values = batch_size * math.prod(shape[1:])
    if values < 2:
        raise UserError(
            f"batch_size: expected batches of at least 2 values, since one has no variance, got "
            f"{batch_size} at layer {norm.name!r}."
        )
    return values / (values - 1)
