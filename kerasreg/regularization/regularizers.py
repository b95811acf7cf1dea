"""Which regularisers are asked for, and how strong, as one validated value."""

import math
from dataclasses import dataclass, fields
from numbers import Real

from kerasreg.errors import UserError, check_choice

NORMALIZATIONS = ("none", "batch", "layer")

_BELOW_ONE = ("dropout", "spatial_dropout", "input_dropout", "label_smoothing")


@dataclass(frozen=True)
class Regularizers:
    """Regularisers for a model; None leaves what the model has, 0 takes it away.

    Attributes:
        dropout: Rate (fraction dropped) after hidden activations that are no feature maps.
        spatial_dropout: Rate after convolution blocks: whole channels are dropped.
        input_dropout: Rate on the inputs.
        l1, l2: Kernel penalties, lambda * sum |w| and lambda * sum w^2.
        max_norm: Largest norm of the weights into a unit, > 0.
        weight_decay: Decoupled decay of the kernels, in the optimiser.
        label_smoothing: In [0, 1), in the loss.
        normalization: `"batch"` or `"layer"` for hidden layers that have none; `"none"` adds none.

    Raises:
        UserError: A value out of its range.
    """

    dropout: float | None = None
    spatial_dropout: float | None = None
    input_dropout: float | None = None
    l1: float | None = None
    l2: float | None = None
    max_norm: float | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    normalization: str | None = None

    def __post_init__(self) -> None:
        if self.normalization is not None:
            check_choice("normalization", self.normalization, NORMALIZATIONS)
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None and item.name != "normalization":
                object.__setattr__(self, item.name, _number(item.name, value))

    @property
    def names(self) -> list[str]:
        """Names of those that are asked for."""
        return [item.name for item in fields(self) if getattr(self, item.name) is not None]


def _number(name: str, value: object) -> float:
    high = 1.0 if name in _BELOW_ONE else math.inf
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 <= value < high or (name == "max_norm" and not value):
        bounds = "a number above 0" if name == "max_norm" else "a number of at least 0"
        bounds = "a number in [0, 1)" if high == 1 else bounds
        raise UserError(f"{name}: expected {bounds}, got {value!r}.")
    return float(value)
