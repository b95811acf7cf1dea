"""Lifting, the layers: one Keras layer as what a blueprint says of it, and its values."""

import math
from collections.abc import Callable, Hashable
from functools import cache
from numbers import Real
from typing import Any

import keras

from kerasreg.errors import UserError
from kerasreg.stacks import LayerSpec

#: Keras' elementwise activations, by the names of `keras.activations`.
ELEMENTWISE = (
    *("celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu"),
    *("hard_tanh", "leaky_relu", "linear", "log_sigmoid", "mish", "relu", "relu6", "selu"),
    *("sigmoid", "silu", "soft_shrink", "softplus", "softsign", "sparse_plus", "squareplus"),
    *("tanh", "tanh_shrink"),
)
#: Activations that a cross-entropy takes off again.
PROBABILITIES = ("softmax", "sigmoid")
DTYPES = ("float32", "float64")
# Functions of Keras' and TensorFlow's operations that compute the activation of the same name
# with their default arguments. `keras.ops.gelu` approximates and is none of them.
_SAME_IN_OPS = (
    *("elu", "leaky_relu", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign"),
    "tanh",
)
_SAME_IN_TENSORFLOW = (*_SAME_IN_OPS, "gelu")


def require(holds: bool, what: keras.layers.Layer | str) -> None:
    """Check what a stack needs of a model.

    Raises:
        UserError: It is not so; the message names `what`.
    """
    if not holds:
        named = what if isinstance(what, str) else f"layer {what.name!r} ({type(what).__name__})"
        raise UserError(f"models: expected stacks of plain Dense layers, got {named}.")


class Chain:
    """The specs and values of layers that follow one another.

    Names and indices of the specs come from positions, so that models whose layers are named
    differently still share a structure. Masks follow the indices: a dropout's is the count of
    dense layers before it, as in a `StackConfig`'s stack.
    """

    def __init__(self) -> None:
        self.specs: list[LayerSpec] = []
        self.values: dict[tuple[int, str], float] = {}
        self.sources: dict[int, keras.layers.Layer] = {}
        self.features = 0
        self.width = 0
        self.dtype = ""
        self._axes = 0
        self._dense = 0
        self._sites: set[int] = set()
        self._last: keras.layers.Layer | None = None

    def add(self, layer: keras.layers.Layer) -> None:
        """Append one Keras layer.

        Raises:
            UserError: The layer cannot be lifted.
        """
        # A class of the same name, or derived, may compute something else.
        require(type(layer).__module__.startswith("keras.src.layers."), layer)
        read = getattr(self, f"_read_{type(layer).__name__}", None)
        require(read is not None, layer)
        self._check(layer)
        read(layer)
        self._last = layer

    def close(self) -> None:
        """Check that the chain ends as a stack does: with a Dense layer and its activation."""
        kinds = [spec.kind for spec in self.specs if spec.kind != "activation"]
        self.require_last(kinds[-1:] == ["dense"])

    @property
    def last_activation(self) -> str:
        """Name of the activation at the very end; `"linear"` without one."""
        return self.specs[-1].activation if self.specs[-1].kind == "activation" else "linear"

    def require_last(self, holds: bool) -> None:
        """`require` of the model's last layer."""
        require(holds, self._last or "a model without layers")

    def _check(self, layer: keras.layers.Layer) -> None:
        """What holds for every kind of layer: one dtype, no part frozen, penalties on kernels."""
        policy = layer.dtype_policy
        require(policy.compute_dtype == policy.variable_dtype, layer)
        require(policy.compute_dtype in ((self.dtype,) if self.dtype else DTYPES), layer)
        self.dtype = policy.compute_dtype
        require(layer.trainable or not layer.weights, layer)
        penalties = [f"{part}_regularizer" for part in ("activity", "bias", "gamma", "beta")]
        constraints = [f"{part}_constraint" for part in ("kernel", "bias", "gamma", "beta")]
        for name in (*penalties, *constraints):
            require(getattr(layer, name, None) is None, layer)

    def _append(
        self,
        kind: str,
        layer: keras.layers.Layer | None = None,
        index: int | None = None,
        **fields: Any,
    ) -> int:
        position = len(self.specs)
        index = self._dense if index is None else index
        self.specs.append(LayerSpec(kind, f"{kind}_{position}", index, **fields))
        if layer is not None:
            self.sources[position] = layer
        return position

    def _read_InputLayer(self, layer: keras.layers.Layer) -> None:
        shape = layer.batch_shape[1:]
        require(bool(shape) and None not in shape, layer)
        require(not (layer.sparse or getattr(layer, "ragged", False)), layer)
        self.features = self.width = math.prod(shape)
        self._axes = len(shape)

    def _read_Flatten(self, layer: keras.layers.Layer) -> None:
        require(layer.data_format == "channels_last" or self._axes == 1, layer)
        self._axes = 1

    def _read_Rescaling(self, layer: keras.layers.Layer) -> None:
        require(isinstance(layer.scale, Real) and isinstance(layer.offset, Real), layer)
        self._append("rescaling", rescaling=(float(layer.scale), float(layer.offset)))

    def _read_Dense(self, layer: keras.layers.Layer) -> None:
        require(self._axes == 1, layer)
        require(layer.quantization_mode is None and not layer.lora_enabled, layer)
        self._dense += 1
        position = self._append("dense", layer, units=layer.units, use_bias=layer.use_bias)
        self.width = layer.units
        l1, l2 = self._strengths(layer)
        self.values[position, "l1"], self.values[position, "l2"] = l1, l2
        self._activation(layer, layer.activation)

    def _strengths(self, layer: keras.layers.Layer) -> tuple[float, float]:
        from keras import regularizers

        # The variable's, not the layer's: what is set on a built layer has no effect in Keras.
        regularizer = layer.kernel.regularizer
        if regularizer is None:
            return 0.0, 0.0
        kinds = (regularizers.L1, regularizers.L2, regularizers.L1L2)
        require(type(regularizer) in kinds, layer)
        l1, l2 = getattr(regularizer, "l1", 0.0), getattr(regularizer, "l2", 0.0)
        return float(l1), float(l2)

    def _activation(self, layer: keras.layers.Layer, function: Callable) -> None:
        name = activation_name(function)
        require(name in (*ELEMENTWISE, *PROBABILITIES), layer)
        if name != "linear":
            self._append("activation", activation=name)

    def _read_Activation(self, layer: keras.layers.Layer) -> None:
        self._activation(layer, layer.activation)

    def _read_ReLU(self, layer: keras.layers.Layer) -> None:
        require(not layer.threshold and layer.max_value in (None, 6), layer)
        require(layer.max_value is None or not layer.negative_slope, layer)
        slope = float(layer.negative_slope)
        name = "relu6" if layer.max_value else f"leaky_relu:{slope!r}" if slope else "relu"
        self._append("activation", activation=name)

    def _read_LeakyReLU(self, layer: keras.layers.Layer) -> None:
        self._append("activation", activation=f"leaky_relu:{float(layer.negative_slope)!r}")

    def _read_ELU(self, layer: keras.layers.Layer) -> None:
        require(layer.alpha == 1, layer)
        self._append("activation", activation="elu")

    def _read_Dropout(self, layer: keras.layers.Layer) -> None:
        require(layer.noise_shape is None, layer)
        # A second dropout behind the same Dense needs other draws.
        index = self._dense if self._dense not in self._sites else 1000 + len(self.specs)
        self._sites.add(index)
        position = self._append("dropout", index=index)
        self.values[position, "rate"] = float(layer.rate)

    def _normalization(
        self, layer: keras.layers.Layer, kind: str, axis: int | list[int], groups: int = 0
    ) -> None:
        require(self._axes == 1 and axis in (-1, 1, [-1], [1]), layer)
        position = self._append(kind, layer, center=layer.center, scale=layer.scale, groups=groups)
        self.values[position, "epsilon"] = float(layer.epsilon)
        self.values[position, "momentum"] = float(getattr(layer, "momentum", 0.0))

    def _read_BatchNormalization(self, layer: keras.layers.Layer) -> None:
        require(not (getattr(layer, "renorm", False) or layer.synchronized), layer)
        self._normalization(layer, "batch", layer.axis)

    def _read_LayerNormalization(self, layer: keras.layers.Layer) -> None:
        require(not layer.rms_scaling, layer)
        self._normalization(layer, "layer", layer.axis)

    def _read_GroupNormalization(self, layer: keras.layers.Layer) -> None:
        self._normalization(layer, "group", layer.axis, layer.groups)


def activation_name(function: Any) -> str | None:
    """Name in `keras.activations` of what a function computes; None for any other function.

    The function object decides, because a user may name a function as Keras does: `def gelu(x)`.
    """
    return _activation_names().get(function) if isinstance(function, Hashable) else None


@cache
def _activation_names() -> dict[Callable, str]:
    import tensorflow as tf

    found = {getattr(tf.nn, name): name for name in _SAME_IN_TENSORFLOW}
    found |= {getattr(keras.ops, name): name for name in _SAME_IN_OPS}
    names = (*ELEMENTWISE, *PROBABILITIES, "log_softmax")
    return found | {keras.activations.get(name): name for name in names}
