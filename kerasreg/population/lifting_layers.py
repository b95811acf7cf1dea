"""Lifting, the layers: one Keras layer as what a blueprint says of it, and its values."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from functools import cache
from numbers import Real
from typing import TYPE_CHECKING, Any, NoReturn

from kerasreg.errors import UserError
from kerasreg.stacks import LayerSpec

if TYPE_CHECKING:
    import keras

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


def refuse(layer: keras.layers.Layer, reason: str) -> NoReturn:
    """Raise the `UserError` that names a layer and why it cannot be lifted."""
    raise UserError(f"layer {layer.name!r} ({type(layer).__name__}): {reason}.")


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
        kind = type(layer).__name__
        # A class of the same name, or derived, may compute something else.
        if not type(layer).__module__.startswith("keras.src.layers."):
            refuse(layer, "its class is not one of Keras' own layers")
        read = getattr(self, f"_read_{kind}", None)
        if read is None:
            refuse(layer, "a population has no such layer")
        self._check(layer)
        read(layer)
        self._last = layer

    def close(self) -> None:
        """Check that the chain ends as a stack does."""
        if not self._dense:
            raise UserError("model: expected at least one Dense layer, got none.")
        last = next(s for s in reversed(self.specs) if s.kind != "activation")
        if last.kind != "dense":
            refuse(self._last, "the model must end with a Dense layer and its activation")

    @property
    def last_activation(self) -> str:
        """Name of the activation at the very end; `"linear"` without one."""
        return self.specs[-1].activation if self.specs[-1].kind == "activation" else "linear"

    def take_off_last_activation(self) -> None:
        """Drop the softmax or sigmoid at the end: what stays gives logits."""
        self.specs.pop()

    def refuse_last(self, reason: str) -> NoReturn:
        """Refuse the model's last layer."""
        refuse(self._last, reason)

    def _check(self, layer: keras.layers.Layer) -> None:
        """What holds for every kind of layer."""
        policy = layer.dtype_policy
        if policy.compute_dtype != policy.variable_dtype or policy.compute_dtype not in DTYPES:
            refuse(layer, f"expected float32, got the dtype policy {policy.name!r}")
        if self.dtype not in ("", policy.compute_dtype):
            refuse(layer, f"expected {self.dtype} like the layers before, got {policy.name!r}")
        self.dtype = policy.compute_dtype
        if layer.weights and not layer.trainable:
            refuse(layer, "it is frozen (trainable=False)")
        if getattr(layer, "activity_regularizer", None) is not None:
            refuse(layer, "it has an activity_regularizer")
        for part in ("bias", "gamma", "beta"):
            if getattr(layer, f"{part}_regularizer", None) is not None:
                refuse(layer, f"it has a {part}_regularizer")
        for part in ("kernel", "bias", "gamma", "beta"):
            if getattr(layer, f"{part}_constraint", None) is not None:
                refuse(layer, f"it has a {part}_constraint")

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

    def _flat(self, layer: keras.layers.Layer) -> None:
        if self._axes != 1:
            refuse(layer, f"expected (rows, features), got {self._axes} axes; put Flatten first")

    def _read_InputLayer(self, layer: keras.layers.Layer) -> None:
        shape = layer.batch_shape[1:]
        if not shape or any(size is None for size in shape):
            refuse(layer, f"expected a shape without unknown sizes, got {shape}")
        if layer.sparse or getattr(layer, "ragged", False):
            refuse(layer, "sparse and ragged inputs are not supported")
        self.features = self.width = math.prod(shape)
        self._axes = len(shape)

    def _read_Flatten(self, layer: keras.layers.Layer) -> None:
        if layer.data_format == "channels_first" and self._axes > 1:
            refuse(layer, "expected data_format 'channels_last'")
        self._axes = 1

    def _read_Rescaling(self, layer: keras.layers.Layer) -> None:
        if not (isinstance(layer.scale, Real) and isinstance(layer.offset, Real)):
            refuse(layer, "expected numbers as scale and offset")
        self._append("rescaling", rescaling=(float(layer.scale), float(layer.offset)))

    def _read_Dense(self, layer: keras.layers.Layer) -> None:
        self._flat(layer)
        if layer.quantization_mode is not None or layer.lora_enabled:
            refuse(layer, "quantised and LoRA layers are not supported")
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
        if type(regularizer) not in (regularizers.L1, regularizers.L2, regularizers.L1L2):
            name = type(regularizer).__name__
            refuse(layer, f"expected L1, L2 or L1L2 as kernel_regularizer, got {name}")
        l1, l2 = getattr(regularizer, "l1", 0.0), getattr(regularizer, "l2", 0.0)
        return float(l1), float(l2)

    def _activation(self, layer: keras.layers.Layer, function: Callable) -> None:
        name = activation_name(function)
        if name == "linear":
            return
        if name not in (*ELEMENTWISE, *PROBABILITIES):
            refuse(layer, f"expected a built-in elementwise activation, got {_called(function)}")
        self._append("activation", activation=name)

    def _read_Activation(self, layer: keras.layers.Layer) -> None:
        self._activation(layer, layer.activation)

    def _read_ReLU(self, layer: keras.layers.Layer) -> None:
        if layer.threshold or (layer.max_value is not None and layer.negative_slope):
            refuse(layer, "expected threshold 0, and max_value or negative_slope but not both")
        if layer.max_value not in (None, 6):
            refuse(layer, f"expected max_value None or 6, got {layer.max_value}")
        slope = float(layer.negative_slope)
        name = "relu6" if layer.max_value else f"leaky_relu:{slope!r}" if slope else "relu"
        self._append("activation", activation=name)

    def _read_LeakyReLU(self, layer: keras.layers.Layer) -> None:
        self._append("activation", activation=f"leaky_relu:{float(layer.negative_slope)!r}")

    def _read_ELU(self, layer: keras.layers.Layer) -> None:
        if layer.alpha != 1:
            refuse(layer, f"expected alpha 1, got {layer.alpha}")
        self._append("activation", activation="elu")

    def _read_Dropout(self, layer: keras.layers.Layer) -> None:
        if layer.noise_shape is not None:
            refuse(layer, f"expected noise_shape None, got {layer.noise_shape}")
        # A second dropout behind the same Dense needs other draws.
        index = self._dense if self._dense not in self._sites else 1000 + len(self.specs)
        self._sites.add(index)
        position = self._append("dropout", index=index)
        self.values[position, "rate"] = float(layer.rate)

    def _normalization(
        self, layer: keras.layers.Layer, kind: str, axis: int | list[int], groups: int = 0
    ) -> None:
        self._flat(layer)
        if axis not in (-1, 1, [-1], [1]):
            refuse(layer, f"expected the last axis, got axis {axis}")
        position = self._append(kind, layer, center=layer.center, scale=layer.scale, groups=groups)
        self.values[position, "epsilon"] = float(layer.epsilon)
        self.values[position, "momentum"] = float(getattr(layer, "momentum", 0.0))

    def _read_BatchNormalization(self, layer: keras.layers.Layer) -> None:
        if getattr(layer, "renorm", False) or layer.synchronized:
            refuse(layer, "renorm and synchronized are not supported")
        self._normalization(layer, "batch", layer.axis)

    def _read_LayerNormalization(self, layer: keras.layers.Layer) -> None:
        if layer.rms_scaling:
            refuse(layer, "rms_scaling is not supported")
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
    import keras
    import tensorflow as tf

    found = {getattr(tf.nn, name): name for name in _SAME_IN_TENSORFLOW}
    found |= {getattr(keras.ops, name): name for name in _SAME_IN_OPS}
    names = (*ELEMENTWISE, *PROBABILITIES, "log_softmax")
    return found | {keras.activations.get(name): name for name in names}


def _called(function: Any) -> str:
    name = repr(getattr(function, "__name__", type(function).__name__))
    module = getattr(function, "__module__", None) or type(function).__module__
    return name if module.startswith("keras.") else f"{name} of {module}"
