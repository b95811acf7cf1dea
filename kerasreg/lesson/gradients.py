"""Gradients of ordinary Keras models: at the start, inside a training step, and by differences."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from kerasreg.lesson._data import LessonData
from kerasreg.population import batch_order
from kerasreg.seeds import derive
from kerasreg.stacks import StackConfig, build_stack

#: Step of the central differences.
DIFFERENCE = 1e-5


def start(model: keras.Model, config: StackConfig, seed: int) -> None:
    """Give a model the weights that `build_stack(config, ..., seed=seed)` starts from.

    Building a model for every seed costs more than training a small one. The model's Dense layers
    are the config's, in order; its other layers may be anything with Keras' initial values.
    """
    for variable in model.weights:
        ones = variable.name in ("gamma", "moving_variance")
        variable.assign(np.full(variable.shape, float(ones), "float32"))
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    for index, layer in enumerate(dense, start=1):
        stddev = config.kernel_stddev(*layer.kernel.shape)
        normal = keras.initializers.RandomNormal(stddev=1.0, seed=derive(seed, "kernel", index))
        layer.kernel.assign(stddev * normal(layer.kernel.shape, dtype="float32"))


def gradient_function(model: keras.Model) -> Callable:
    """Compile (x, y) -> mean cross-entropy and its gradients, by `model.trainable_variables`.

    In training mode: with the statistics of these rows, where a layer has any.
    """
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, dtype=model.outputs[0].dtype
    )
    rows = model.inputs[0]
    signature = [tf.TensorSpec(rows.shape, rows.dtype), tf.TensorSpec((None,), "int32")]

    @tf.function(autograph=False, input_signature=signature)
    def gradients(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        return value, tape.gradient(value, [v.value for v in model.trainable_variables])

    return gradients.get_concrete_function()


def initial_gradient_norms(
    config: StackConfig, data: LessonData, seeds: Sequence[int], batch_size: int
) -> np.ndarray:
    """Norms of the kernels' gradients before the first update, (seeds, kernels), output's last.

    Each seed has the initial weights and the first batch that `Lesson.train` gives it.
    """
    model = build_stack(config, data.input_shape, data.outputs)
    gradients = gradient_function(model)
    kernels = [i for i, v in enumerate(model.trainable_variables) if v.name == "kernel"]
    norms = []
    for seed in seeds:
        start(model, config, seed)
        draw = data.draw(seed)
        rows = batch_order(seed, 0, len(draw))[:batch_size]
        _, slopes = gradients(tf.constant(draw.x[rows]), tf.constant(draw.y[rows]))
        norms.append([float(tf.norm(slopes[i])) for i in kernels])
    return np.array(norms)


def gradient_check(
    config: StackConfig, data: LessonData, rows: int, seed: int = 0, entries: int = 20
) -> tuple[float, float]:
    """Compare the gradients of a stack in float64 with central differences.

    Args:
        rows: Of the one batch, seen in training mode.
        seed: Of the weights, the rows and the entries to check.
        entries: Of each trainable variable to check.

    Returns:
        The largest deviation, relative to the largest gradient of all; and the largest gradient of
        a hidden kernel.
    """
    model = keras.models.clone_model(
        build_stack(config, data.input_shape, data.outputs),
        clone_function=lambda layer: type(layer).from_config(
            layer.get_config() | {"dtype": "float64"}
        ),
    )
    start(model, config, seed)
    gradients = gradient_function(model)
    draw = data.draw(seed)
    x, y = tf.constant(draw.x[:rows]), tf.constant(draw.y[:rows])  # cast inside
    slopes = [slope.numpy() for slope in gradients(x, y)[1]]
    generator = np.random.default_rng(derive(seed, "gradient check"))
    deviations = []
    for variable, slope in zip(model.trainable_variables, slopes, strict=True):
        values = variable.numpy()
        for index in generator.permutation(values.size)[:entries]:
            sides = []
            for step in (DIFFERENCE, -DIFFERENCE):
                moved = values.copy()
                moved.flat[index] += step
                variable.assign(moved)
                sides.append(float(gradients(x, y)[0]))
            variable.assign(values)
            numerical = (sides[0] - sides[1]) / (2 * DIFFERENCE)
            deviations.append(abs(numerical - slope.flat[index]))
    largest = max(np.abs(slope).max() for slope in slopes)
    kernels = [slope for slope in slopes if slope.ndim == 2]
    return float(max(deviations) / largest), float(max(np.abs(k).max() for k in kernels[:-1]))
