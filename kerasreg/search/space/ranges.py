"""The two ways in which a field may vary: a range, or a choice of values."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

from kerasreg.errors import UserError


@dataclass(frozen=True)
class Range:
    """Values of [low, high], with `zero=True` also exactly 0.

    Attributes:
        low, high: The bounds, both included; `low > 0` where `log` or `zero`.
        log: Uniform in the logarithm instead of the value.
        zero: Zero is one more value, drawn with probability 1/4 (`parameters.ZERO_PROBABILITY`).
        step: Distance between neighbours (their ratio, > 1, where `log`); `None`: any value.

    Raises:
        UserError: The bounds are not finite, not increasing, or not positive where they must be.
    """

    low: float
    high: float
    log: bool = False
    zero: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if name == "step" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
                raise UserError(f"Range: expected a finite number for {name}, got {value!r}.")
            object.__setattr__(self, name, float(value))
        if not self.low < self.high:
            raise UserError(
                f"Range: expected low < high, got {self.low:g}:{self.high:g}. "
                "Swap them, or fix the value."
            )
        if (self.log or self.zero) and self.low <= 0:
            raise UserError(
                f"Range: expected low > 0 with {'log' if self.log else 'zero'}, got {self.low:g}. "
                "Zero itself is what `zero` adds."
            )
        if self.step is not None and self.step <= (1 if self.log else 0):
            least = "> 1 (a factor)" if self.log else "> 0"
            raise UserError(f"Range: expected step {least}, got {self.step:g}.")

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, Real):
            return False
        return (self.zero and value == 0) or self.low <= value <= self.high

    def __str__(self) -> str:
        text = f"{self.low:g}:{self.high:g}" + ":log" * self.log + ":zero" * self.zero
        return text if self.step is None else f"{text}:step={self.step:g}"


@dataclass(frozen=True, init=False)
class Choice:
    """One of the given values: numbers, words, truth values, or tuples (one value a layer).

    Raises:
        UserError: No value is given, or one is given twice.
    """

    values: tuple

    def __init__(self, *values: Any) -> None:
        values = tuple(tuple(v) if isinstance(v, list) else v for v in values)
        if not values:
            raise UserError("Choice: expected at least one value, got none.")
        labels = [label(value) for value in values]
        if len(set(labels)) < len(labels):
            raise UserError(f"Choice: expected different values, got {', '.join(labels)}.")
        object.__setattr__(self, "values", values)

    @property
    def flat(self) -> tuple:
        """The values as a flat record holds them: alike words or numbers, else their labels."""
        kinds = {type(value) for value in self.values}
        plain = kinds in ({str}, {int}, {float}) or (kinds == {bool} and len(self.values) == 2)
        return self.values if plain else tuple(label(value) for value in self.values)

    def __contains__(self, value: object) -> bool:
        return label(value) in [label(choice) for choice in self.values]

    def __str__(self) -> str:
        return ",".join(label(value) for value in self.values)


def label(value: Any) -> str:
    """One value as text, the way a list of choices spells it: `0.5`, `true`, `64x64`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "x".join(label(item) for item in value)
    return repr(float(value)) if isinstance(value, float) else str(value)


def flat_value(what: Range | Choice, value: Any) -> Any:
    """A field's value as a flat record holds it (see `Choice.flat`)."""
    if isinstance(what, Range):
        return value
    return dict(zip(map(label, what.values), what.flat, strict=True))[label(value)]
