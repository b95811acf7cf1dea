"""`build_stack`: a config as an ordinary compiled Keras model, of Keras' own layers."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

from kerasreg.errors import UserError, check_choice
from kerasreg.objectives import TASKS
from kerasreg.seeds import derive
from kerasreg.stacks._augmentation import augmentation
from kerasreg.stacks._checks import check_sequence
from kerasreg.stacks._choices import AUGMENTATIONS, FEATURE_SCALE_RATE
from kerasreg.stacks._config import StackConfig
from kerasreg.stacks._plan import LayerSpec, layer_plan

if TYPE_CHECKING:
    import keras

_UNDECAYED = ["bias", "gamma", "beta"]


def build_stack(
    config: StackConfig,
    input_shape: int | tuple[int, ...],
    outputs: int,
    task: str = "classification",
    seed: int = 0,
    steps: int | None = None,
) -> keras.Model:
    """Build and compile the stack as an ordinary functional `keras.Model`.

    Shape: (rows, *input_shape) -> (rows, outputs). An input of several axes is flattened first;
    convolutions take (height, width) or (height, width, channels). Classification gives logits:
    softmax cross-entropy for `outputs >= 2` with integer labels, binary cross-entropy for
    `outputs == 1` with labels 0 and 1.

    The compiled metrics are `data_loss` (no penalty, no label smoothing; row weights count in it as
    in the loss) and `accuracy` or `mae`.
    Augmentations are layers that act in training only; exported models do without them.
    Initial kernels and dropout masks come from `seed` alone, each layer with another draw.
    `steps` is how many updates the training plans: a cosine schedule falls to 0 over them, and
    without them the learning rate stays what it is.

    Raises:
        UserError: `input_shape`, `outputs` or `task` cannot be built.
    """
    model = _network(config, input_shape, outputs, task, seed)
    compile_stack(model, config, outputs, task, steps)
    return model


def build_template(
    config: StackConfig,
    input_shape: int | tuple[int, ...],
    outputs: int,
    task: str = "classification",
    seed: int = 0,
) -> keras.Model:
    """The stack with all that others of its structure may have, whether or not it is 0 here.

    For populations, in whose programs these are values: dropout layers of every rate, and a loss
    that smooths labels by any amount. The weights are those of `build_stack`, in its order, and so
    is what is computed. The data loss is no metric of it.

    Raises:
        UserError: As `build_stack`.
    """
    model = _network(config, input_shape, outputs, task, seed, every=True)
    loss, _, metric = loss_and_metrics(
        config.loss, config.label_smoothing, outputs, task, smoothed=True
    )
    rule = "adam" if config.optimizer == "adamw" else config.optimizer
    # How long a schedule lasts is a value of the training.
    optimizer = build_optimizer(config.replace(optimizer=rule), steps=1)
    optimizer.exclude_from_weight_decay(var_names=_UNDECAYED)
    model.compile(optimizer, loss, metrics=[metric])
    return model


def _network(
    config: StackConfig,
    input_shape: int | tuple[int, ...],
    outputs: int,
    task: str,
    seed: int,
    every: bool = False,
) -> keras.Model:
    """The layers, connected; those of rate 0 only where `every` is true."""
    import keras

    shape = check_geometry(input_shape, outputs, task)
    inputs = x = keras.Input(shape, name="inputs")
    if config.filters and len(shape) == 2:
        x = keras.layers.Reshape((*shape, 1), name="channels")(x)
    elif config.filters and len(shape) != 3:
        raise UserError(
            f"filters: expected images, rows of shape (height, width) or (height, width, channels),"
            f" for filters={list(config.filters)}, got rows of shape {shape}. Use filters=()."
        )
    elif len(shape) > 1 and not config.filters:
        x = keras.layers.Flatten(name="flatten")(x)
    for spec in layer_plan(config, outputs):
        layer = _keras_layer(spec, config, x.shape[-1], seed, every)
        if layer is not None:
            x = layer(x)
    return keras.Model(inputs, x, name="stack")


def compile_stack(
    model: keras.Model, config: StackConfig, outputs: int, task: str, steps: int | None = None
) -> None:
    """Compile `model` with the config's optimiser, loss and metrics; see `build_stack`."""
    loss, data_loss, metric = loss_and_metrics(config.loss, config.label_smoothing, outputs, task)
    optimizer = build_optimizer(config, steps)
    scales = [model.get_layer("feature_scale").kernel] if config.feature_scale else []
    optimizer.exclude_from_weight_decay(var_list=scales, var_names=_UNDECAYED)
    model.compile(optimizer=optimizer, loss=loss, metrics=[metric], weighted_metrics=[data_loss])


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


def build_optimizer(config: StackConfig, steps: int | None = None) -> keras.optimizers.Optimizer:
    """The config's Keras optimiser; `steps` as in `build_stack`."""
    from keras import optimizers

    rate: float | optimizers.schedules.LearningRateSchedule = config.learning_rate
    if config.schedule == "cosine" and steps is not None:
        rate = optimizers.schedules.CosineDecay(rate, steps)
    decay = config.weight_decay or None
    clip = config.global_clipnorm or None
    match config.optimizer:
        case "sgd":
            return optimizers.SGD(rate, weight_decay=decay, global_clipnorm=clip)
        case "momentum" | "nesterov":
            return optimizers.SGD(
                rate,
                momentum=config.momentum,
                nesterov=config.optimizer == "nesterov",
                weight_decay=decay,
                global_clipnorm=clip,
            )
        case "adagrad":
            return optimizers.Adagrad(
                rate,
                initial_accumulator_value=config.initial_accumulator,
                weight_decay=decay,
                global_clipnorm=clip,
            )
        case "rmsprop":
            return optimizers.RMSprop(
                rate, rho=config.rho, weight_decay=decay, global_clipnorm=clip
            )
        case "adam":
            return optimizers.Adam(rate, weight_decay=decay, global_clipnorm=clip)
        case "adamw":
            return optimizers.AdamW(rate, weight_decay=config.weight_decay, global_clipnorm=clip)
    raise AssertionError(config.optimizer)


def _keras_layer(
    spec: LayerSpec, config: StackConfig, fan_in: int, seed: int, every: bool
) -> keras.layers.Layer | None:
    """The Keras layer of `spec`; None for a rate or strength of 0 unless `every` is true."""
    from keras import initializers, layers, regularizers

    match spec.kind:
        case "dense" | "conv":
            l1, l2 = config.kernel_l1[spec.index - 1], config.kernel_l2[spec.index - 1]
            area = config.kernel_size**2 if spec.kind == "conv" else 1
            common = {
                "use_bias": spec.use_bias,
                "kernel_initializer": initializers.RandomNormal(
                    stddev=config.kernel_stddev(area * fan_in, area * spec.units, spec.index),
                    seed=derive(seed, "kernel", spec.index),
                ),
                "kernel_regularizer": regularizers.L1L2(l1, l2) if l1 or l2 else None,
                "name": spec.name,
            }
            if spec.kind == "dense":
                return layers.Dense(spec.units, **common)
            return layers.Conv2D(spec.units, config.kernel_size, padding="same", **common)
        case kind if kind in AUGMENTATIONS or kind == "flip":
            return augmentation(kind, getattr(config, kind), seed, every)
        case "max":
            return layers.MaxPooling2D(2, padding="same", name=spec.name)
        case "average":
            return layers.AveragePooling2D(2, padding="same", name=spec.name)
        case "flatten":
            return layers.Flatten(name=spec.name)
        case "gap":
            return layers.GlobalAveragePooling2D(name=spec.name)
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
        case "rescaling":
            return layers.Rescaling(*spec.rescaling, name=spec.name)
        case "scale":
            start = initializers.Constant(1 / FEATURE_SCALE_RATE)
            return layers.EinsumDense(
                "bf,f->bf", output_shape=(fan_in,), kernel_initializer=start, name=spec.name
            )
        case "activation":
            return layers.Activation(spec.activation, name=spec.name)
        case "dropout" | "spatial_dropout":
            rate = config.dropout_rates[spec.index - 1] if spec.index else config.input_dropout
            if not (rate or every):
                return None
            kind = layers.Dropout if spec.kind == "dropout" else layers.SpatialDropout2D
            return kind(rate, seed=derive(seed, "dropout", spec.index), name=spec.name)


def loss_and_metrics(
    loss: str, label_smoothing: float, outputs: int, task: str, smoothed: bool = False
) -> tuple[keras.losses.Loss, keras.metrics.Metric, keras.metrics.Metric]:
    """The loss to train with, the data loss and the metric of a task; see `build_stack`.

    Args:
        loss: Of regression.
        label_smoothing: Of classification.
        outputs, task: As in `build_stack`.
        smoothed: Whether the loss can smooth labels even where `label_smoothing` is 0.
    """
    from keras import losses, metrics

    from kerasreg.losses import DataLoss, SmoothedCrossentropy

    if task == "regression":
        measure = {
            "mse": losses.MeanSquaredError,
            "mae": losses.MeanAbsoluteError,
            "huber": losses.Huber,
        }[loss]()
        return measure, DataLoss(measure), metrics.MeanAbsoluteError(name="mae")
    if outputs == 1:
        plain = losses.BinaryCrossentropy(from_logits=True)
        trained = losses.BinaryCrossentropy(from_logits=True, label_smoothing=label_smoothing)
        return trained, DataLoss(plain), metrics.BinaryAccuracy(threshold=0.0, name="accuracy")
    plain = losses.SparseCategoricalCrossentropy(from_logits=True)
    trained = SmoothedCrossentropy(label_smoothing) if label_smoothing or smoothed else plain
    return trained, DataLoss(plain), metrics.SparseCategoricalAccuracy(name="accuracy")
