"""`build_stack`: a config as an ordinary compiled Keras model, of Keras' own layers."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

from kerasreg.errors import UserError
from kerasreg.objectives import TASKS
from kerasreg.seeds import derive
from kerasreg.stacks._checks import check_choice, check_sequence
from kerasreg.stacks._config import StackConfig
from kerasreg.stacks._plan import LayerSpec, layer_plan

if TYPE_CHECKING:
    import keras


def build_stack(
    config: StackConfig,
    input_shape: int | tuple[int, ...],
    outputs: int,
    task: str = "classification",
    seed: int = 0,
) -> keras.Model:
    """Build and compile the stack as an ordinary functional `keras.Model`.

    Shape: (rows, *input_shape) -> (rows, outputs). An input of several axes is flattened first.
    Classification gives logits: softmax cross-entropy for `outputs >= 2` with integer labels,
    binary cross-entropy for `outputs == 1` with labels 0 and 1.

    The compiled metrics are `data_loss` (no penalty, no label smoothing; row weights count in it as
    in the loss) and `accuracy` or `mae`.
    Initial kernels and dropout masks come from `seed` alone, each layer with another draw.

    Raises:
        UserError: `input_shape`, `outputs` or `task` cannot be built.
    """
    import keras

    shape = check_geometry(input_shape, outputs, task)
    inputs = keras.Input(shape, name="inputs")
    x = keras.layers.Flatten(name="flatten")(inputs) if len(shape) > 1 else inputs
    for spec in layer_plan(config, outputs):
        layer = _keras_layer(spec, config, x.shape[-1], seed)
        if layer is not None:
            x = layer(x)
    model = keras.Model(inputs, x, name="stack")
    compile_stack(model, config, outputs, task)
    return model


def compile_stack(model: keras.Model, config: StackConfig, outputs: int, task: str) -> None:
    """Compile `model` with the config's optimiser, loss and metrics."""
    loss, data_loss, metric = _loss_and_metrics(config, outputs, task)
    model.compile(
        optimizer=build_optimizer(config),
        loss=loss,
        metrics=[metric],
        weighted_metrics=[data_loss],
    )


def check_geometry(input_shape: int | tuple[int, ...], outputs: int, task: str) -> tuple[int, ...]:
    """Validate what a stack is built between; return `input_shape` as a tuple."""
    check_choice("task", task, TASKS)
    shape = check_sequence(
        "input_shape", (input_shape,) if isinstance(input_shape, Real) else input_shape, int
    )
    if not shape or min(shape) < 1:
        raise UserError(f"input_shape: expected positive sizes, got {input_shape!r}.")
    if not isinstance(outputs, int) or isinstance(outputs, bool) or outputs < 1:
        raise UserError(f"outputs: expected a positive whole number, got {outputs!r}.")
    return shape


def build_optimizer(config: StackConfig) -> keras.optimizers.Optimizer:
    """The config's Keras optimiser; decay leaves biases and normalisation parameters alone."""
    from keras import optimizers

    rate = config.learning_rate
    decay = config.weight_decay or None
    match config.optimizer:
        case "sgd":
            optimizer = optimizers.SGD(rate, weight_decay=decay)
        case "momentum" | "nesterov":
            optimizer = optimizers.SGD(
                rate,
                momentum=config.momentum,
                nesterov=config.optimizer == "nesterov",
                weight_decay=decay,
            )
        case "adagrad":
            optimizer = optimizers.Adagrad(
                rate, initial_accumulator_value=config.initial_accumulator, weight_decay=decay
            )
        case "rmsprop":
            optimizer = optimizers.RMSprop(rate, rho=config.rho, weight_decay=decay)
        case "adam":
            optimizer = optimizers.Adam(rate, weight_decay=decay)
        case "adamw":
            optimizer = optimizers.AdamW(rate, weight_decay=config.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _keras_layer(
    spec: LayerSpec, config: StackConfig, fan_in: int, seed: int
) -> keras.layers.Layer | None:
    """The Keras layer of `spec`, or None for a dropout of rate 0."""
    from keras import initializers, layers, regularizers

    match spec.kind:
        case "dense":
            l1, l2 = config.kernel_l1[spec.index - 1], config.kernel_l2[spec.index - 1]
            return layers.Dense(
                spec.units,
                use_bias=spec.use_bias,
                kernel_initializer=initializers.RandomNormal(
                    stddev=config.kernel_stddev(fan_in, spec.units),
                    seed=derive(seed, "kernel", spec.index),
                ),
                kernel_regularizer=regularizers.L1L2(l1, l2) if l1 or l2 else None,
                name=spec.name,
            )
        case "batch":
            return layers.BatchNormalization(
                momentum=config.norm_momentum, epsilon=config.norm_epsilon, name=spec.name
            )
        case "layer":
            return layers.LayerNormalization(epsilon=config.norm_epsilon, name=spec.name)
        case "group":
            return layers.GroupNormalization(
                spec.groups, epsilon=config.norm_epsilon, name=spec.name
            )
        case "activation":
            return layers.Activation(spec.activation, name=spec.name)
        case "dropout":
            rate = config.dropout_rates[spec.index - 1] if spec.index else config.input_dropout
            if not rate:
                return None
            return layers.Dropout(rate, seed=derive(seed, "dropout", spec.index), name=spec.name)


def _loss_and_metrics(
    config: StackConfig, outputs: int, task: str
) -> tuple[keras.losses.Loss, keras.metrics.Metric, keras.metrics.Metric]:
    from keras import losses, metrics

    from kerasreg.losses import DataLoss, SmoothedCrossentropy

    if task == "regression":
        loss = {
            "mse": losses.MeanSquaredError,
            "mae": losses.MeanAbsoluteError,
            "huber": losses.Huber,
        }[config.loss]()
        return loss, DataLoss(loss), metrics.MeanAbsoluteError(name="mae")
    smoothing = config.label_smoothing
    if outputs == 1:
        plain = losses.BinaryCrossentropy(from_logits=True)
        loss = losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
        return loss, DataLoss(plain), metrics.BinaryAccuracy(threshold=0.0, name="accuracy")
    plain = losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = SmoothedCrossentropy(smoothing) if smoothing else plain
    return loss, DataLoss(plain), metrics.SparseCategoricalAccuracy(name="accuracy")
