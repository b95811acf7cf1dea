"""`StackConfig`: one stack and how it is trained, as plain validated values."""

import dataclasses
import difflib
import json
import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

from kerasreg.errors import UserError, check_choice, check_whole
from kerasreg.stacks._checks import (
    LARGEST,
    check_number,
    check_sequence,
    check_widths,
)
from kerasreg.stacks._choices import AUGMENTATIONS, CHOICES, INITIALIZERS, WITHOUT

# What convolutions add to the structure: the first as they are, of the others whether there is any.
# They train as Keras models do, which schedules and moments of 0 make another program.
_OF_CONVOLUTIONS = ("kernel_size", "pooling", "head", "flip", "schedule", "initial_accumulator")
_ANY = ("augmented", "global_clipnorm", "momentum", "rho")


@dataclass(frozen=True)
class StackConfig:
    """One stack and how it is trained, validated on construction.

    Attributes:
        filters: Filters of each convolution before the dense layers, for images; empty for none.
        kernel_size: Height and width of their kernels.
        pooling: `"max"`, `"average"` or `"none"`: what halves height and width after each.
        head: What makes features of the last maps: `"flatten"`, or `"gap"`, each map's mean.
        shift, rotation, zoom, contrast, erase, flip: How training images are changed at random,
            each by up to this much: moved by a share of height and width; turned by a share of a
            full turn; made larger or smaller, and differing more or less from their mean, by a
            share; a rectangle of a share of the area, black (Random Erasing, arXiv:1708.04896).
            Flipped: `"none"`, `"horizontal"` or `"vertical"`. Only with convolutions.
        units: Width of each hidden dense layer; empty for none.
        activation: One of `ACTIVATIONS`, after every hidden layer.
        normalization: `"none"`, `"batch"`, `"layer"` or `"group"`, on every hidden layer.
        groups: Count of groups of `"group"`; divides every width, with two units a group or more.
        norm_position: `"before"` or `"after"` the activation.
        norm_momentum: Momentum of batch normalisation's moving averages, in [0, 1).
        norm_epsilon: Added to the variance, > 0.
        dropout: Rate (fraction dropped) after each hidden dense layer, one for all or one per
            layer.
        spatial_dropout: Rate of whole maps after each convolution (arXiv:1411.4280), likewise.
        input_dropout: Rate on the inputs.
        l1, l2: Kernel penalty strengths (see the module's formulas), one for all or one per kernel:
            the hidden kernels in order, then the output kernel if `penalize_output`.
        penalize_output: Whether the output kernel is penalised too.
        initializer: `"he"` sqrt(2/n_in), `"xavier"` sqrt(1/n_in), `"glorot"` sqrt(2/(n_in+n_out)),
            or a standard deviation. All draw from an untruncated normal.
        initial_scale: Multiplies the standard deviation of the initial kernels.
        output_scale: Multiplies that of the output kernel once more.
        encoding: How numeric columns are encoded, see `kerasreg.data.Dataset.encoded`; whoever
            gives a stack its rows sees to it.
        feature_scale: Whether every input is multiplied by a trainable factor that starts at 1
            and learns `FEATURE_SCALE_RATE` times as fast (Holzmüller et al. 2024,
            arXiv:2407.04491). Of dense stacks.
        optimizer: One of `OPTIMIZERS`, with Keras' update rules.
        learning_rate: Step size, > 0.
        schedule: `"constant"`, or `"cosine"`: the rate falls to 0 over the planned training.
        global_clipnorm: Largest norm of a step's gradients together; 0 for any.
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

    filters: tuple[int, ...] = ()
    kernel_size: int = 3
    pooling: str = "max"
    head: str = "flatten"
    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    contrast: float = 0.0
    erase: float = 0.0
    flip: str = "none"
    units: tuple[int, ...] = (128, 128)
    activation: str = "relu"
    normalization: str = "none"
    groups: int = 8
    norm_position: str = "before"
    norm_momentum: float = 0.9
    norm_epsilon: float = 1e-3
    dropout: float | tuple[float, ...] = 0.0
    spatial_dropout: float | tuple[float, ...] = 0.0
    input_dropout: float = 0.0
    l1: float | tuple[float, ...] = 0.0
    l2: float | tuple[float, ...] = 0.0
    penalize_output: bool = True
    initializer: str | float = "he"
    initial_scale: float = 1.0
    output_scale: float = 1.0
    encoding: str = "standard"
    feature_scale: bool = False
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    global_clipnorm: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 0.0
    rho: float = 0.9
    initial_accumulator: float = 0.1
    label_smoothing: float = 0.0
    loss: str = "mse"

    def __post_init__(self) -> None:
        for name in ("filters", "units"):
            object.__setattr__(self, name, check_widths(name, getattr(self, name)))
        for name, choices in CHOICES.items():
            check_choice(name, getattr(self, name), choices)
        for name in ("penalize_output", "feature_scale"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name}: expected True or False, got {getattr(self, name)!r}.")
        for name in ("groups", "kernel_size"):
            whole = check_whole(name, getattr(self, name), 1, LARGEST - 1)
            object.__setattr__(self, name, whole)
        if self.feature_scale and self.filters:
            raise UserError(
                f"feature_scale: expected False with convolutions, got True with "
                f"filters={list(self.filters)}. A factor a pixel would differ by place."
            )
        if self.normalization == "group":
            self._check_groups()
        kernels = self.hidden + self.penalize_output
        self._check_each("dropout", len(self.units), "hidden layer", 0, 1)
        self._check_each("spatial_dropout", len(self.filters), "convolution", 0, 1)
        self._check_each("l1", kernels, "penalised kernel", 0, math.inf)
        self._check_each("l2", kernels, "penalised kernel", 0, math.inf)
        rates = ("input_dropout", "norm_momentum", "momentum", "rho", "label_smoothing")
        for name in (*rates, *AUGMENTATIONS):
            self._check(name, 0, 1)
        for name in ("weight_decay", "initial_accumulator", "global_clipnorm"):
            self._check(name, 0, math.inf)
        for name in ("norm_epsilon", "initial_scale", "output_scale", "learning_rate"):
            self._check(name, 0, math.inf, open_low=True)
        if isinstance(self.initializer, str):
            check_choice("initializer", self.initializer, INITIALIZERS, "or a standard deviation")
        else:
            self._check("initializer", 0, math.inf)

    def _check_groups(self) -> None:
        for width in (*self.filters, *self.units):
            if width % self.groups or width // self.groups < 2:
                raise UserError(
                    f"groups: expected a divisor of every width with at least two units a group, "
                    f"got groups={self.groups} for {width} units (one unit a group is always 0). "
                    f"Choose another groups or other units."
                )

    def _check(self, name: str, low: float, high: float, open_low: bool = False) -> None:
        value = check_number(name, getattr(self, name), low, high, open_low)
        object.__setattr__(self, name, value)

    def _check_each(self, name: str, length: int, per: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if isinstance(value, Real):
            self._check(name, low, high)
            return
        values = check_sequence(name, value, Real)
        if len(values) != length:
            raise UserError(
                f"{name}: expected one number, or {length} (one per {per}), "
                f"got {len(values)}: {list(values)}."
            )
        values = tuple(check_number(name, item, low, high, False) for item in values)
        object.__setattr__(self, name, values)

    @property
    def hidden(self) -> int:
        """How many hidden layers there are: convolutions, then dense ones."""
        return len(self.filters) + len(self.units)

    @property
    def augmented(self) -> bool:
        """Whether training images are changed by any strength."""
        return any(getattr(self, name) for name in AUGMENTATIONS)

    @property
    def dropout_rates(self) -> tuple[float, ...]:
        """Rate after each hidden layer, `hidden` values."""
        spatial = _per_layer(self.spatial_dropout, len(self.filters))
        return (*spatial, *_per_layer(self.dropout, len(self.units)))

    @property
    def kernel_l1(self) -> tuple[float, ...]:
        """L1 strength of each kernel, output last: `hidden + 1` values."""
        return self._per_kernel(self.l1)

    @property
    def kernel_l2(self) -> tuple[float, ...]:
        """L2 strength of each kernel, output last: `hidden + 1` values."""
        return self._per_kernel(self.l2)

    def _per_kernel(self, value: float | tuple[float, ...]) -> tuple[float, ...]:
        values = _per_layer(value, self.hidden + self.penalize_output)
        return values if self.penalize_output else (*values, 0.0)

    def structure(self) -> tuple:
        """What must be equal in a population; members may differ in everything else."""
        convolves = bool(self.filters)
        return (
            ("filters", self.filters),
            *((name, getattr(self, name) if convolves else None) for name in _OF_CONVOLUTIONS),
            *((name, bool(getattr(self, name)) if convolves else None) for name in _ANY),
            ("units", self.units),
            ("activation", self.activation),
            ("normalization", self.normalization),
            ("groups", self.groups if self.normalization == "group" else None),
            ("norm_position", self.norm_position if self.normalization != "none" else None),
            ("optimizer", "adam" if self.optimizer == "adamw" else self.optimizer),
            ("loss", self.loss),
            ("feature_scale", self.feature_scale),
            ("encoding", self.encoding),
        )

    def kernel_stddev(self, fan_in: int, fan_out: int, index: int = 1) -> float:
        """Standard deviation of initial kernel `index` (from 1).

        The fans are a dense kernel's shape; a convolution's are times its height and width.
        """
        scale = self.initial_scale * (self.output_scale if index > self.hidden else 1.0)
        variances = {"he": 2 / fan_in, "xavier": 1 / fan_in, "glorot": 2 / (fan_in + fan_out)}
        if isinstance(self.initializer, str):
            return scale * math.sqrt(variances[self.initializer])
        return scale * self.initializer

    def unregularized(self) -> "StackConfig":
        """The same shape and optimiser without any regulariser: the baseline of a search."""
        return self.replace(**WITHOUT)

    def replace(self, **changes: Any) -> "StackConfig":
        """A copy with some fields changed, validated again."""
        return StackConfig.from_dict({**self.to_dict(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: tuples become lists."""
        values = dataclasses.asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "StackConfig":
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


def _per_layer(value: float | tuple[float, ...], length: int) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,) * length
