"""Members trained alone: plain Keras, one eager loop, the batch order and masks of the contract."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from kerasreg.population import batch_order
from kerasreg.seeds import derive
from kerasreg.stacks import AUGMENTATIONS, StackConfig, build_stack, compile_stack, layer_plan

DROPOUTS = ("dropout", "spatial_dropout")


@contextlib.contextmanager
def keras_dtype(name: str):
    """Everything Keras makes inside has this dtype; what was set before comes back."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


class GivenMask(keras.layers.Layer):
    """Dropout whose uniforms are those that the randomness contract names for its site.

    Step k (from 0) of the site with index i of a member draws
    `stateless_uniform((units, rows), [derive(seed, purpose, i), k])`, (units, rows, 1, 1) of whole
    maps, and keeps what is at least `rate`. The purpose is "dropout" in a dense stack and "draws"
    in a stack with convolutions, which takes the general path.
    """

    def __init__(self, seed: int, purpose: str, index: int, rate: float, spatial: bool, name: str):
        super().__init__(name=name)
        self.rate, self.count, self.spatial = rate, 0, spatial
        self.draw_seed = derive(seed, purpose, index)

    def call(self, x, training=None):
        if not training:
            return x
        rows, *places, units = x.shape
        places = [1] * len(places) if self.spatial else places
        pair = [self.draw_seed, self.count]
        uniform = tf.random.stateless_uniform([units, rows, *places], pair)
        uniform = tf.transpose(uniform, [*range(1, len(x.shape)), 0])
        self.count += 1
        return x * tf.cast(uniform >= self.rate, x.dtype) / (1 - self.rate)


def solo_model(
    config: StackConfig, shape, outputs: int, task: str, seed: int, weights, steps=None
) -> keras.Model:
    """`build_stack`'s model with these initial weights and the contract's dropout masks."""
    model = build_stack(config, shape, outputs, task, seed, steps)
    kinds = (keras.layers.Dropout, keras.layers.SpatialDropout2D)
    purpose = "draws" if config.filters else "dropout"
    plan = layer_plan(config, outputs)
    drawing = [spec.name for spec in plan if spec.kind in (*AUGMENTATIONS, "flip", *DROPOUTS)]
    if any(isinstance(layer, kinds) for layer in model.layers):

        def swap(layer):
            if not isinstance(layer, kinds):
                return type(layer).from_config(layer.get_config())
            index, spatial = drawing.index(layer.name), type(layer) is not keras.layers.Dropout
            return GivenMask(seed, purpose, index, layer.rate, spatial, layer.name)

        model = keras.models.clone_model(model, clone_function=swap)
        compile_stack(model, config, outputs, task, steps)
    copy_weights(model, weights)
    for layer in model.layers:
        if layer.name.startswith("random_"):
            key = derive(seed, purpose, drawing.index(layer.name))
            layer.generator.state.assign([key, 0])
    if keras.config.floatx() == "float64":
        _keep_numbers_exact(model)
    return model


def _keep_numbers_exact(model: keras.Model) -> None:
    """Keras rounds a Python number to float32 on its way to float64; a tensor it leaves alone."""
    model.run_eagerly = True  # a tensor strength can be compared with 0 in eager mode only
    schedule = model.optimizer._learning_rate
    if isinstance(schedule, keras.optimizers.schedules.CosineDecay):
        schedule.initial_learning_rate = tf.constant(schedule.initial_learning_rate, tf.float64)
    names = ("beta_1", "beta_2", "momentum", "weight_decay", "initial_accumulator_value")
    for name in (*names, "global_clipnorm"):
        value = getattr(model.optimizer, name, None)
        if value is not None:
            setattr(model.optimizer, name, tf.constant(value, tf.float64))
    for layer in model.layers:
        regularizer = getattr(layer, "kernel_regularizer", None)
        if regularizer is not None:
            regularizer.l1 = tf.constant(float(regularizer.l1), tf.float64)
            regularizer.l2 = tf.constant(float(regularizer.l2), tf.float64)


def copy_weights(model: keras.Model, weights) -> None:
    """Assign a member's arrays, layer by layer in Keras' own order."""
    for variable, array in zip(model_variables(model), weights, strict=True):
        variable.assign(np.reshape(array, variable.shape))


def model_variables(model: keras.Model) -> list:
    """Weights by layer, in the order of a member's arrays (dropout's seeds are no weights)."""
    names = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
    return [
        variable
        for layer in model.layers
        for name in names
        if (variable := getattr(layer, name, None)) is not None
    ]


def model_weights(model: keras.Model) -> list[np.ndarray]:
    """Arrays of `model_variables`."""
    return [keras.ops.convert_to_numpy(v) for v in model_variables(model)]


def gradients(model: keras.Model, x, y, weight=None) -> list[np.ndarray]:
    """Gradients of Keras' full training loss by trainable variable, without an update."""
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True), sample_weight=weight)
    return tape.gradient(loss, model.trainable_variables)


def train_solo(
    model: keras.Model, x, y, seed: int, epochs: int, batch_size: int, weights=None
) -> keras.Model:
    """The plain loop: each epoch in the member's batch order, Keras' loss, Keras' optimiser."""
    for epoch in range(epochs):
        order = batch_order(seed, epoch, len(x))
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            weight = None if weights is None else weights[rows]
            steps = gradients(model, x[rows], y[rows], weight)
            model.optimizer.apply_gradients(zip(steps, model.trainable_variables, strict=True))
    return model
