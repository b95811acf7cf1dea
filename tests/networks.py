"""Small networks of many kinds, each with a place for noise and an L2 strength.

`NETWORKS[name](noise, l2)` gives inputs and outputs of a functional model; `noise(tensor)` puts the
random layer in, so that the same network can be built with Keras' Dropout and with a plain one.
"""

import keras
import numpy as np
from keras import layers

IMAGE = (6, 6, 2)
CLASSES = 3


def _l2(strength):
    return keras.regularizers.L2(strength)


def _classes(tensor):
    return layers.Dense(CLASSES)(tensor)


def conv2d(noise, l2):
    inputs = keras.Input(IMAGE)
    hidden = layers.Conv2D(3, 3, activation="relu", kernel_regularizer=_l2(l2))(inputs)
    return inputs, _classes(layers.Flatten()(noise(hidden, spatial=True)))


def conv1d(noise, l2):
    inputs = keras.Input((8, 2))
    convolution = layers.Conv1D(
        3, 3, activation="tanh", padding="causal", dilation_rate=2, kernel_regularizer=_l2(l2)
    )
    return inputs, _classes(layers.Flatten()(noise(convolution(inputs))))


def depthwise(noise, l2):
    inputs = keras.Input(IMAGE)
    hidden = layers.DepthwiseConv2D(3, activation="relu", depthwise_regularizer=_l2(l2))(inputs)
    return inputs, _classes(layers.Flatten()(noise(hidden)))


def separable(noise, l2):
    inputs = keras.Input(IMAGE)
    convolution = layers.SeparableConv2D(
        3, 3, activation="relu", depthwise_regularizer=_l2(l2), pointwise_regularizer=_l2(l2)
    )
    return inputs, _classes(layers.Flatten()(noise(convolution(inputs))))


def pooling(noise, l2):
    inputs = keras.Input(IMAGE)
    hidden = layers.MaxPooling2D()(inputs)
    hidden = noise(layers.Conv2D(3, 2, kernel_regularizer=_l2(l2))(hidden))
    return inputs, _classes(layers.GlobalAveragePooling2D()(hidden))


def batch_normalization(noise, l2):
    inputs = keras.Input(IMAGE)
    hidden = layers.Conv2D(3, 3, use_bias=False, kernel_regularizer=_l2(l2))(inputs)
    hidden = layers.BatchNormalization(momentum=0.75)(hidden)
    return inputs, _classes(layers.Flatten()(noise(layers.Activation("relu")(hidden))))


def group_normalization(noise, l2):
    inputs = keras.Input(IMAGE)
    hidden = layers.Conv2D(4, 3, kernel_regularizer=_l2(l2))(inputs)
    hidden = layers.LayerNormalization()(layers.GroupNormalization(2)(hidden))
    return inputs, _classes(layers.Flatten()(noise(hidden)))


def lstm(noise, l2):
    inputs = keras.Input((5, 3))
    recurrent = layers.LSTM(4, kernel_regularizer=_l2(l2), recurrent_regularizer=_l2(l2))
    return inputs, _classes(noise(recurrent(inputs)))


def gru(noise, l2):
    inputs = keras.Input((4, 3))
    hidden = noise(layers.Conv1D(3, 1)(inputs))
    recurrent = layers.GRU(2, kernel_regularizer=_l2(l2))
    return inputs, _classes(layers.Bidirectional(recurrent)(hidden))


def embedding(noise, l2):
    inputs = keras.Input((5,), dtype="int32")
    hidden = layers.Embedding(7, 3, embeddings_regularizer=_l2(l2), mask_zero=True)(inputs)
    return inputs, _classes(layers.GlobalAveragePooling1D()(noise(hidden)))


def attention(noise, l2):
    inputs = keras.Input((5, 4))
    hidden = layers.MultiHeadAttention(2, 2, kernel_regularizer=_l2(l2))(inputs, inputs)
    return inputs, _classes(layers.GlobalAveragePooling1D()(noise(hidden)))


def residual(noise, l2):
    inputs = keras.Input((6,))
    hidden = noise(layers.Dense(6, activation="relu", kernel_regularizer=_l2(l2))(inputs))
    return inputs, _classes(layers.Add()([hidden, inputs]))


def two_inputs(noise, l2):
    first, second = keras.Input((3,), name="first"), keras.Input((4,), name="second")
    shared = layers.Dense(4, activation="tanh", kernel_regularizer=_l2(l2))
    hidden = layers.Concatenate()([shared(layers.Dense(4)(first)), shared(second)])
    return {"first": first, "second": second}, _classes(noise(hidden))


def two_outputs(noise, l2):
    inputs = keras.Input((6,))
    hidden = noise(layers.Dense(5, activation="relu", kernel_regularizer=_l2(l2))(inputs))
    return inputs, [
        layers.Dense(CLASSES, name="kind")(hidden),
        layers.Dense(1, name="size")(hidden),
    ]


def frozen_base(noise, l2):
    base = keras.Sequential(
        [keras.Input(IMAGE), layers.Conv2D(3, 3), layers.BatchNormalization(), layers.ReLU()]
    )
    base.trainable = False
    inputs = keras.Input(IMAGE)
    hidden = noise(layers.Flatten()(base(inputs)))
    return inputs, layers.Dense(CLASSES, kernel_regularizer=_l2(l2))(hidden)


def augmentation(noise, l2):
    inputs = keras.Input(IMAGE)
    # Keras rounds a factor to float32 in any type, a population does not: 1/4 is the same in both.
    hidden = layers.RandomTranslation(0.25, 0.25)(layers.RandomFlip()(inputs))
    hidden = layers.Conv2D(3, 3, kernel_regularizer=_l2(l2))(hidden)
    return inputs, _classes(layers.Flatten()(noise(hidden)))


NETWORKS = {
    network.__name__: network
    for network in (
        *(conv2d, conv1d, depthwise, separable, pooling, batch_normalization),
        *(group_normalization, lstm, gru, embedding, attention, residual),
        *(two_inputs, two_outputs, frozen_base, augmentation),
    )
}
_SHAPES = {
    "conv1d": (8, 2),
    "lstm": (5, 3),
    "gru": (4, 3),
    "attention": (5, 4),
    "residual": (6,),
    "two_outputs": (6,),
}


def rows_of(name: str, count: int, seed: int = 0):
    """Inputs and targets that fit a network."""
    draw = np.random.default_rng(seed)
    dtype = keras.config.floatx()
    kinds = draw.integers(0, CLASSES, count).astype("int32")
    if name == "embedding":
        return draw.integers(0, 7, (count, 5)).astype("int32"), kinds
    if name == "two_inputs":
        shapes = {"first": (count, 3), "second": (count, 4)}
        return {k: draw.normal(size=shape).astype(dtype) for k, shape in shapes.items()}, kinds
    x = draw.normal(size=(count, *_SHAPES.get(name, IMAGE))).astype(dtype)
    if name == "two_outputs":
        return x, [kinds, draw.normal(size=(count, 1)).astype(dtype)]
    return x, kinds
