"""The stack: input -> [Dense -> norm -> activation -> dropout] x n -> Dense output.

This module is the only place that knows the order of the layers. `StackConfig` describes a stack,
`build_stack` makes it an ordinary compiled `keras.Model` of Keras' own layers.

Penalty convention, stated once. With kernel weights w and data loss D:

    l1, l2 (Keras, StackConfig)      loss = D + l1 * sum|w| + l2 * sum w^2,  gradient + 2 * l2 * w
    lambda (textbooks, the notes)    loss = D + 1/2 * lambda * sum w^2,      gradient + lambda * w
    weight_decay (decoupled)         w <- w - learning_rate * weight_decay * w, outside the gradient

so `l2 = lambda / 2`. Decoupled decay equals `l2 = weight_decay / 2` for plain SGD and for no other
optimiser (Loshchilov & Hutter 2019, arXiv:1711.05101).
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from kerasreg.errors import UserError
from kerasreg.seeds import derive

if TYPE_CHECKING:
    import keras

ACTIVATIONS = (
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "tanh",
    "sigmoid",
    "softplus",
    "linear",
)
NORMALIZATIONS = ("none", "batch", "layer", "group")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
INITIALIZERS = ("he", "xavier", "glorot")
LOSSES = ("mse", "mae", "huber")
TASKS = ("classification", "regression")


def l2_from_lambda(lam: float) -> float:
    """Keras' `l2` for the textbook penalty 1/2 * lambda * sum w^2: lambda / 2."""
    return lam / 2


def lambda_from_l2(l2: float) -> float:
    """The textbook lambda (penalty 1/2 * lambda * sum w^2) for Keras' `l2`: 2 * l2."""
    return 2 * l2


def l2_from_weight_decay(weight_decay: float) -> float:
    """The `l2` that trains plain SGD like decoupled `weight_decay`: weight_decay / 2.

    Only for plain SGD. With momentum or adaptive steps no `l2` does (arXiv:1711.05101).
    """
    return weight_decay / 2


@dataclass(frozen=True)
class StackConfig:
    """One stack and how it is trained, validated on construction.

    Attributes:
        units: Width of each hidden layer; empty for a linear model.
        activation: One of `ACTIVATIONS`, after every hidden layer.
        normalization: `"none"`, `"batch"`, `"layer"` or `"group"`, on every hidden layer.
        groups: Number of groups of `"group"`; divides every width, with two units a group or more.
        norm_position: `"before"` or `"after"` the activation.
        norm_momentum: Momentum of batch normalisation's moving averages, in [0, 1).
        norm_epsilon: Added to the variance, > 0.
        dropout: Rate (fraction dropped) after each hidden layer, one number or one per layer.
        input_dropout: Rate on the inputs.
        l1, l2: Kernel penalty strengths (see the module's formulas), one number or one per kernel:
            the hidden kernels in order, then the output kernel if `penalize_output`.
        penalize_output: Whether the output kernel is penalised too.
        initializer: `"he"` sqrt(2/n_in), `"xavier"` sqrt(1/n_in), `"glorot"` sqrt(2/(n_in+n_out)),
            or a standard deviation. All draw from an untruncated normal.
        initial_scale: Multiplies the standard deviation of the initial kernels.
        optimizer: One of `OPTIMIZERS`, with Keras' update rules.
        learning_rate: Step size, > 0.
        momentum: Of `"momentum"` and `"nesterov"`, in [0, 1).
        weight_decay: Decoupled decay of the kernels (biases and normalisation parameters are left
            alone), for any optimiser.
        rho: Decay of the running mean of squares in `"rmsprop"`, in [0, 1).
        initial_accumulator: Start value of `"adagrad"`.
        label_smoothing: In [0, 1), in training only: `data_loss` is the unsmoothed loss.
        loss: Of regression: `"mse"`, `"mae"` or `"huber"` (delta 1).

    Raises:
        UserError: A value is out of its range, naming the field, the range and the value.
    """

    units: tuple[int, ...] = (128, 128)
    activation: str = "relu"
    normalization: str = "none"
    groups: int = 8
    norm_position: str = "before"
    norm_momentum: float = 0.9
    norm_epsilon: float = 1e-3
    dropout: float | tuple[float, ...] = 0.0
    input_dropout: float = 0.0
    l1: float | tuple[float, ...] = 0.0
    l2: float | tuple[float, ...] = 0.0
    penalize_output: bool = True
    initializer: str | float = "he"
    initial_scale: float = 1.0
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    rho: float = 0.9
    initial_accumulator: float = 0.1
    label_smoothing: float = 0.0
    loss: str = "mse"

    def __post_init__(self) -> None:
        units = (self.units,) if isinstance(self.units, int) else self.units
        units = _sequence("units", units, int)
        for width in units:
            if width < 1:
                raise UserError(f"units: expected positive widths, got {width} in {list(units)}.")
        object.__setattr__(self, "units", units)
        _choice("activation", self.activation, ACTIVATIONS)
        _choice("normalization", self.normalization, NORMALIZATIONS)
        _choice("norm_position", self.norm_position, ("before", "after"))
        _choice("optimizer", self.optimizer, OPTIMIZERS)
        _choice("loss", self.loss, LOSSES)
        if not isinstance(self.penalize_output, bool):
            raise UserError(
                f"penalize_output: expected True or False, got {self.penalize_output!r}."
            )
        if self.normalization == "group":
            self._check_groups()
        kernels = len(units) + self.penalize_output
        self._numbers("dropout", len(units), "hidden layer", 0, 1)
        self._numbers("l1", kernels, "penalised kernel", 0, math.inf)
        self._numbers("l2", kernels, "penalised kernel", 0, math.inf)
        for name in ("input_dropout", "norm_momentum", "momentum", "rho", "label_smoothing"):
            self._number(name, 0, 1)
        for name in ("weight_decay", "initial_accumulator"):
            self._number(name, 0, math.inf)
        for name in ("norm_epsilon", "initial_scale", "learning_rate"):
            self._number(name, 0, math.inf, open_low=True)
        if isinstance(self.initializer, str):
            _choice("initializer", self.initializer, INITIALIZERS, "or a standard deviation")
        else:
            self._number("initializer", 0, math.inf)

    def _check_groups(self) -> None:
        if not isinstance(self.groups, int) or isinstance(self.groups, bool) or self.groups < 1:
            raise UserError(f"groups: expected a positive whole number, got {self.groups!r}.")
        for width in self.units:
            if width % self.groups or width // self.groups < 2:
                raise UserError(
                    f"groups: expected a divisor of every width with at least two units a group, "
                    f"got groups={self.groups} for {width} units (one unit a group is always 0). "
                    f"Choose another groups or other units."
                )

    def _number(self, name: str, low: float, high: float, open_low: bool = False) -> None:
        value = _check_number(name, getattr(self, name), low, high, open_low)
        object.__setattr__(self, name, value)

    def _numbers(self, name: str, length: int, per: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if isinstance(value, Real):
            self._number(name, low, high)
            return
        values = _sequence(name, value, Real)
        if len(values) != length:
            raise UserError(
                f"{name}: expected one number, or {length} (one per {per}), "
                f"got {len(values)}: {list(values)}."
            )
        values = tuple(_check_number(name, item, low, high, False) for item in values)
        object.__setattr__(self, name, values)

    @property
    def dropout_rates(self) -> tuple[float, ...]:
        """Rate after each hidden layer, `len(units)` numbers."""
        return _per_layer(self.dropout, len(self.units))

    @property
    def kernel_l1(self) -> tuple[float, ...]:
        """L1 strength of each kernel, output last: `len(units) + 1` numbers."""
        return self._per_kernel(self.l1)

    @property
    def kernel_l2(self) -> tuple[float, ...]:
        """L2 strength of each kernel, output last: `len(units) + 1` numbers."""
        return self._per_kernel(self.l2)

    def _per_kernel(self, value: float | tuple[float, ...]) -> tuple[float, ...]:
        values = _per_layer(value, len(self.units) + self.penalize_output)
        return values if self.penalize_output else (*values, 0.0)

    def structure(self) -> tuple:
        """What must be equal in a population; everything else is a number a member may own."""
        return (
            ("units", self.units),
            ("activation", self.activation),
            ("normalization", self.normalization),
            ("groups", self.groups if self.normalization == "group" else None),
            ("norm_position", self.norm_position if self.normalization != "none" else None),
            ("optimizer", "adam" if self.optimizer == "adamw" else self.optimizer),
            ("loss", self.loss),
        )

    def kernel_stddev(self, fan_in: int, fan_out: int) -> float:
        """Standard deviation of an initial kernel of shape (fan_in, fan_out)."""
        variances = {"he": 2 / fan_in, "xavier": 1 / fan_in, "glorot": 2 / (fan_in + fan_out)}
        if isinstance(self.initializer, str):
            return self.initial_scale * math.sqrt(variances[self.initializer])
        return self.initial_scale * self.initializer

    def unregularized(self) -> StackConfig:
        """The same shape and optimiser without any regulariser: the baseline of a search."""
        return self.replace(
            normalization="none",
            dropout=0.0,
            input_dropout=0.0,
            l1=0.0,
            l2=0.0,
            weight_decay=0.0,
            label_smoothing=0.0,
        )

    def replace(self, **changes: Any) -> StackConfig:
        """A copy with some fields changed, validated again."""
        return StackConfig.from_dict({**self.to_dict(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: tuples become lists."""
        values = dataclasses.asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> StackConfig:
        """The inverse of `to_dict`; missing fields take their defaults.

        Raises:
            UserError: A field is unknown (with the nearest name) or its value is out of range.
        """
        if not isinstance(values, dict):
            raise UserError(f"StackConfig: expected a mapping of fields, got {values!r}.")
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=3) or known
                raise UserError(
                    f"StackConfig: unknown field {name!r}; did you mean {' or '.join(near)}?"
                )
        return cls(**{n: tuple(v) if isinstance(v, list) else v for n, v in values.items()})

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> StackConfig:
        """The inverse of `to_json`.

        Raises:
            UserError: The text is not JSON, or not a valid config.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"StackConfig: expected JSON, got {text[:60]!r} ({error}).") from None
        return cls.from_dict(values)


@dataclass(frozen=True)
class LayerSpec:
    """One layer of a stack without its numbers: what a builder or a population needs to make it.

    Attributes:
        kind: `"dense"`, `"batch"`, `"layer"`, `"group"`, `"activation"`, `"dropout"` or
            `"rescaling"`.
        name: The Keras layer's name.
        index: Which hidden layer it belongs to, from 1; 0 for the input, n + 1 for the output.
        units: Width of a dense layer.
        use_bias: Whether a dense layer has a bias.
        activation: Name of an activation.
        groups: Number of groups of a group normalisation.
        center, scale: Whether a normalisation has beta and gamma.
        rescaling: Factor and offset of a rescaling.
    """

    kind: str
    name: str
    index: int = 0
    units: int = 0
    use_bias: bool = True
    activation: str = ""
    groups: int = 0
    center: bool = True
    scale: bool = True
    rescaling: tuple[float, float] = (1.0, 0.0)


def layer_plan(config: StackConfig, outputs: int) -> tuple[LayerSpec, ...]:
    """The layers of a stack in order, every dropout site included.

    No dense layer has a bias where a normalisation follows: it would be subtracted again.
    """
    plan = [LayerSpec("dropout", "input_dropout")]
    normalized = config.normalization != "none"
    before = normalized and config.norm_position == "before"
    for index, units in enumerate(config.units, 1):
        plan.append(LayerSpec("dense", f"dense_{index}", index, units, use_bias=not before))
        norm = LayerSpec(config.normalization, f"norm_{index}", index, groups=config.groups)
        if before:
            plan.append(norm)
        if config.activation != "linear":
            name = f"activation_{index}"
            plan.append(LayerSpec("activation", name, index, activation=config.activation))
        if normalized and not before:
            plan.append(norm)
        plan.append(LayerSpec("dropout", f"dropout_{index}", index))
    plan.append(LayerSpec("dense", "output", len(config.units) + 1, outputs))
    return tuple(plan)


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

    The compiled metrics are `data_loss` (no penalty, no label smoothing) and `accuracy` or `mae`.
    Initial kernels and dropout masks come from `seed` alone, each layer with its own draw.

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
    loss, metrics = _loss_and_metrics(config, outputs, task)
    model.compile(optimizer=build_optimizer(config), loss=loss, metrics=metrics)


def check_geometry(input_shape: int | tuple[int, ...], outputs: int, task: str) -> tuple[int, ...]:
    """Validate what a stack is built between; return `input_shape` as a tuple."""
    _choice("task", task, TASKS)
    shape = _sequence(
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


def _keras_layer(spec: LayerSpec, config: StackConfig, fan_in: int, seed: int):
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


def _loss_and_metrics(config: StackConfig, outputs: int, task: str):
    from keras import losses, metrics

    from kerasreg.losses import DataLoss, SmoothedCrossentropy

    if task == "regression":
        loss = {
            "mse": losses.MeanSquaredError,
            "mae": losses.MeanAbsoluteError,
            "huber": losses.Huber,
        }[config.loss]()
        return loss, [DataLoss(loss), metrics.MeanAbsoluteError(name="mae")]
    smoothing = config.label_smoothing
    if outputs == 1:
        plain = losses.BinaryCrossentropy(from_logits=True)
        loss = losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
        return loss, [DataLoss(plain), metrics.BinaryAccuracy(threshold=0.0, name="accuracy")]
    plain = losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = SmoothedCrossentropy(smoothing) if smoothing else plain
    return loss, [DataLoss(plain), metrics.SparseCategoricalAccuracy(name="accuracy")]


def _per_layer(value: float | tuple[float, ...], length: int) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,) * length


def _choice(name: str, value: Any, choices: tuple[str, ...], otherwise: str = "") -> None:
    if value not in choices:
        expected = ", ".join(choices) + (f" {otherwise}" if otherwise else "")
        raise UserError(f"{name}: expected one of {expected}, got {value!r}.")


def _sequence(name: str, value: Any, kind: type) -> tuple:
    items = tuple(value) if isinstance(value, tuple | list) else None
    if items is None or any(isinstance(i, bool) or not isinstance(i, kind) for i in items):
        word = "whole numbers" if kind is int else "numbers"
        raise UserError(f"{name}: expected a list of {word}, got {value!r}.")
    return items


def _check_number(name: str, value: Any, low: float, high: float, open_low: bool) -> float:
    bounds = f"{'(' if open_low else '['}{low:g}, {high:g})"
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise UserError(f"{name}: expected a finite number in {bounds}, got {value!r}.")
    if value < low or value >= high or (open_low and value == low):
        raise UserError(f"{name}: expected a number in {bounds}, got {value!r}.")
    return float(value)
