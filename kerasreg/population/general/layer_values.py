"""The values that Keras' layers hold, and the draws of those that are random.

Members of one structure may differ in every number listed here. Random layers draw with the
layer's own seed generator, a variable: a member's draws are a function of its seed, the layer and
how often the layer was called before. They are laid out (units, batch, ...), so that the draws of a
narrower layer are the beginning of a wider one's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from kerasreg.layers import kind_of

_LIMITS = ("height_lower", "height_upper", "width_lower", "width_upper")
_FACTOR = ("factor.0", "factor.1")
#: Names of the attributes that are values, by Keras' class of the layer; with a number behind a
#: dot, an item of one.
VALUES: dict[str, tuple[str, ...]] = {
    "Dropout": ("rate",),
    "SpatialDropout1D": ("rate",),
    "SpatialDropout2D": ("rate",),
    "SpatialDropout3D": ("rate",),
    "GaussianDropout": ("rate",),
    "AlphaDropout": ("rate",),
    "GaussianNoise": ("stddev",),
    "LeakyReLU": ("negative_slope",),
    "ELU": ("alpha",),
    "BatchNormalization": ("momentum", "epsilon"),
    "LayerNormalization": ("epsilon",),
    "GroupNormalization": ("epsilon",),
    "RMSNormalization": ("epsilon",),
    "LSTMCell": ("dropout", "recurrent_dropout"),
    "GRUCell": ("dropout", "recurrent_dropout"),
    "SimpleRNNCell": ("dropout", "recurrent_dropout"),
    "RandomTranslation": _LIMITS,
    "RandomZoom": _LIMITS,
    "RandomRotation": _FACTOR,
    "RandomContrast": _FACTOR,
    "RandomBrightness": _FACTOR,
    "RandomErasing": (*_FACTOR, "scale.0", "scale.1"),
}
#: Arguments of a layer whose numbers are values of other names; which are there is structure.
FACTORS: dict[str, tuple[str, ...]] = {
    "RandomTranslation": ("height_factor", "width_factor"),
    "RandomZoom": ("height_factor", "width_factor"),
    "RandomRotation": ("factor",),
    "RandomContrast": ("factor",),
    "RandomBrightness": ("factor",),
    "RandomErasing": ("factor", "scale"),
}
#: Arguments of a layer that are values of a layer inside it. Keras computes in another way where
#: such a rate is 0, so that zero or not is structure.
INNER_RATES: dict[str, tuple[str, ...]] = {
    "LSTM": ("dropout", "recurrent_dropout"),
    "GRU": ("dropout", "recurrent_dropout"),
    "SimpleRNN": ("dropout", "recurrent_dropout"),
    "LSTMCell": ("dropout", "recurrent_dropout"),
    "GRUCell": ("dropout", "recurrent_dropout"),
    "SimpleRNNCell": ("dropout", "recurrent_dropout"),
    "MultiHeadAttention": ("dropout",),
    "GroupedQueryAttention": ("dropout",),
}
#: Values that a program leaves out where they are 0 for every member.
OPTIONAL = ("rate", "stddev")


def is_noise(layer: Any) -> bool:
    """Whether a layer's draws are made here, with a generator whatever its rate."""
    return VALUES.get(kind_of(layer) or "", ("",))[0] in OPTIONAL


def generators_of(layer: Any) -> list[keras.random.SeedGenerator]:
    """The seed generators that a layer draws with in training."""
    if kind_of(layer) in INNER_RATES and not value_names(layer):
        return []
    return layer._seed_generators


def value_names(layer: keras.layers.Layer) -> tuple[str, ...]:
    """Attributes of a layer in which members may differ."""
    names = VALUES.get(kind_of(layer) or "", ())
    if kind_of(layer) in INNER_RATES:
        # A mask that is not drawn for a rate of 0 stays so.
        return tuple(name for name in names if getattr(layer, name))
    return tuple(name for name in names if hasattr(layer, name.partition(".")[0]))


def call_of(layer: keras.layers.Layer) -> Callable[..., tf.Tensor] | None:
    """A call that reads the layer's values as tensors, where Keras' own cannot."""
    kind = kind_of(layer)
    if kind in ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"):
        return _training_only(layer, _drop)
    if kind == "GaussianDropout":
        return _training_only(layer, _gaussian_dropout)
    if kind == "AlphaDropout":
        return _training_only(layer, _alpha_dropout)
    if kind == "GaussianNoise":
        return _training_only(layer, _gaussian_noise)
    if kind == "LeakyReLU":
        return lambda inputs: tf.where(inputs > 0, inputs, inputs * layer.negative_slope)
    return None


def _training_only(layer, noise: Callable) -> Callable[..., tf.Tensor]:
    def call(inputs, training=False):
        return noise(layer, inputs) if training else inputs

    return call


def _drop(layer, inputs):
    """Inverted dropout: x / (1 - rate) where the draw is at least the rate, else 0."""
    rate = layer.rate
    kept = _kept(layer, inputs)
    return inputs * (kept / tf.cast(1 - rate, inputs.dtype))


def _gaussian_dropout(layer, inputs):
    rate = layer.rate
    stddev = tf.cast(keras.ops.sqrt(rate / (1.0 - rate)), inputs.dtype)
    return inputs * (1 + stddev * _normal(layer, inputs))


def _gaussian_noise(layer, inputs):
    return inputs + tf.cast(layer.stddev, inputs.dtype) * _normal(layer, inputs)


def _alpha_dropout(layer, inputs):
    """Keras' formula; -alpha * scale is SELU's limit (Klambauer et al. 2017, arXiv:1706.02515)."""
    limit = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946
    rate = tf.cast(layer.rate, inputs.dtype)
    kept = _kept(layer, inputs)
    a = ((1 - rate) * (1 + rate * limit**2)) ** -0.5
    return a * (inputs * kept + limit * (1 - kept)) - a * limit * rate


def _noise_shape(layer, inputs) -> tf.Tensor:
    """One draw an entry of this shape; axes of length 1 share theirs."""
    sizes = _sizes(inputs)
    # A symbol, since Keras would ask the inputs themselves for their count of rows.
    symbol = keras.KerasTensor(inputs.shape)
    given = (
        layer._get_noise_shape(symbol) if hasattr(layer, "_get_noise_shape") else layer.noise_shape
    )
    if given is None:
        return sizes
    return tf.stack([sizes[axis] if size is None else size for axis, size in enumerate(given)])


def _kept(layer, inputs) -> tf.Tensor:
    """1 where a draw in [0, 1) is at least the rate, else 0."""
    with _outside():
        draws = _units_first(tf.random.stateless_uniform, layer, _noise_shape(layer, inputs))
    # Compared before they are transposed: a quarter of the bytes to move.
    return tf.cast(_units_last(draws >= tf.cast(layer.rate, tf.float32)), inputs.dtype)


def _normal(layer, inputs) -> tf.Tensor:
    with _outside():
        draws = _units_first(tf.random.stateless_normal, layer, _sizes(inputs))
    return tf.cast(_units_last(draws), inputs.dtype)


def _units_first(draw: Callable, layer, shape: tf.Tensor) -> tf.Tensor:
    """Draws (units, batch, ...) for a shape (batch, ..., units)."""
    seed = tf.cast(layer.seed_generator.next(), tf.int32)
    # Not tf.roll: it starts threads even for these few numbers, which takes longer than the draw.
    return draw(tf.concat([shape[-1:], shape[:-1]], 0), seed, dtype=tf.float32)


def _units_last(draws: tf.Tensor) -> tf.Tensor:
    return tf.transpose(draws, [*range(1, len(draws.shape)), 0])


# The graph around the function that XLA compiles, and the count of rows there.
_around: list[tuple[tf.Graph, tf.Tensor]] = []


@contextmanager
def drawing_outside(rows: tf.Tensor) -> Iterator[None]:
    """Make the draws of the function that is traced in the block in the graph around it.

    XLA's random numbers are slow on a CPU.

    Args:
        rows: Count of rows that every layer sees.
    """
    _around.append((tf.compat.v1.get_default_graph(), rows))
    try:
        yield
    finally:
        _around.pop()


def _outside():
    return _around[-1][0].as_default() if _around else nullcontext()


def _sizes(inputs) -> tf.Tensor:
    return tf.stack([_around[-1][1], *inputs.shape[1:]]) if _around else tf.shape(inputs)
