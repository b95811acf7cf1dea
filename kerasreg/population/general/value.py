"""A hyperparameter's value as a layer or an optimiser reads it while a member's step is traced."""

import keras
import tensorflow as tf


class Value(keras.Variable):
    """A scalar that stands where a layer, a regulariser or an optimiser keeps a Python number.

    The program of a structure is traced once, for all members. In place of the number it reads a
    `Value`, which is the current member's input of the program. Keras' code compares such numbers
    with 0 or 1 to leave work out. A trace cannot know, so the answer is that the value lies
    between: arithmetic with a member's 0 then gives what leaving it out gives.

    Args:
        key: The value's name in the structure.
        dtype: What it is read as.
    """

    def __init__(self, key: str, dtype: str):
        super().__init__(0.0, shape=(), dtype=dtype, trainable=False, autocast=False)
        self.key = key
        self._bound: tf.Tensor | None = None

    def bind(self, tensor: tf.Tensor) -> None:
        """Let the value be this float64 scalar in what is traced from now on."""
        self._bound = tensor

    @property
    def value(self) -> tf.Tensor:
        """The bound scalar in the value's type."""
        return tf.cast(self._bound, self._dtype)

    def get_shape(self) -> tf.TensorShape:
        """As of a tensor: TensorFlow's dropout asks for it."""
        return tf.TensorShape([])

    def __rsub__(self, other):
        # 1 - 0.999 before rounding: in float32 the complement would be off by 5e-5 of itself.
        if isinstance(other, int | float):
            return tf.cast(other - self._bound, self._dtype)
        return super().__rsub__(other)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other) -> bool:
        return self is other

    def __ne__(self, other) -> bool:
        return self is not other

    def __gt__(self, other):
        return True if isinstance(other, int | float) and other == 0 else super().__gt__(other)

    def __lt__(self, other):
        return True if isinstance(other, int | float) and other == 1 else super().__lt__(other)

    __hash__ = object.__hash__
