"""The hyperparameter keras-tuner lacks: zero, or a value of a range.

"No dropout" and "dropout 0.05 to 0.7", or "no penalty" and "1e-7 to 1e-1 on a log scale", are one
question, and a log range cannot contain zero. Two hyperparameters (on/off, and how much) would
leave a strength that means nothing whenever it is off.
"""

from collections.abc import Mapping
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine.hyperparameters import Float

from kerasreg.search.space.ranges import Choice, Range, flat_value
from kerasreg.stacks import StackConfig

ZERO_PROBABILITY = 0.25


class ZeroOrRange(Float):
    """Zero with a stated probability, else a value of [min_value, max_value].

    A keras-tuner `Float` with one more value. In the unit interval from which keras-tuner draws,
    [0, zero_probability) is zero and the rest is the range, linear or logarithmic.

    Args:
        name: Unique name within its `HyperParameters`.
        min_value: Lower bound of the range, > 0.
        max_value: Upper bound of the range.
        step: Distance (`"linear"`) or factor (`"log"`) between neighbours; `None`: any value.
        sampling: `"linear"` or `"log"`.
        default: Value of a trial that was asked for defaults.
        zero_probability: Chance of zero under `random_sample`, in (0, 1).
        conditions: keras-tuner's conditions of being active.

    Raises:
        ValueError: The range is empty or contains zero, or the probability is not in (0, 1).
    """

    def __init__(
        self,
        name: str,
        min_value: float,
        max_value: float,
        step: float | None = None,
        sampling: str = "linear",
        default: float | None = 0.0,
        zero_probability: float = ZERO_PROBABILITY,
        conditions: list | None = None,
    ) -> None:
        if not min_value > 0:
            raise ValueError(f"{name}: expected min_value > 0 beside the zero, got {min_value}.")
        if not 0 < zero_probability < 1:
            raise ValueError(
                f"{name}: expected zero_probability in (0, 1), got {zero_probability}."
            )
        super().__init__(
            name, min_value, max_value, step, sampling, default=default, conditions=conditions
        )
        self.zero_probability = float(zero_probability)

    def prob_to_value(self, prob: float) -> float:
        """The value at cumulative probability `prob` in [0, 1)."""
        if prob < self.zero_probability:
            return 0.0
        value = super().prob_to_value((prob - self.zero_probability) / (1 - self.zero_probability))
        # The last bit of a power may step over the bound.
        return min(max(value, self.min_value), self.max_value)

    def value_to_prob(self, value: float) -> float:
        """The inverse of `prob_to_value`; zero is the middle of its interval."""
        if value == 0:
            return self.zero_probability / 2
        prob = super().value_to_prob(value)
        return self.zero_probability + (1 - self.zero_probability) * prob

    @property
    def values(self) -> tuple[float, ...]:
        """What a grid tries: zero, then every step, or ten evenly spaced values without a step."""
        if self.step is not None:
            return (0.0, *super().values)
        # super().values would ask prob_to_value, which knows of zero.
        return (0.0, *(self._sample_numerical_value(i * 0.1 + 0.05) for i in range(10)))

    def __repr__(self) -> str:
        return (
            f"ZeroOrRange(name: '{self.name}', min_value: {self.min_value}, "
            f"max_value: {self.max_value}, step: {self.step}, sampling: '{self.sampling}', "
            f"default: {self.default}, zero_probability: {self.zero_probability})"
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "zero_probability": self.zero_probability}

    def to_proto(self):
        # keras-tuner's messages know only its own types: a Float would silently lose the zero.
        raise NotImplementedError(
            f"{self.name}: zero-or-range hyperparameters do not travel through keras-tuner's "
            "chief and worker processes; train populations in one process instead."
        )


# keras-tuner saves a hyperparameter under its bare class name, so the name needs no package prefix.
keras.saving.get_custom_objects()["ZeroOrRange"] = ZeroOrRange


def zero_or_range(
    hp: keras_tuner.HyperParameters,
    name: str,
    min_value: float,
    max_value: float,
    step: float | None = None,
    sampling: str = "linear",
    default: float = 0.0,
    zero_probability: float = ZERO_PROBABILITY,
) -> float:
    """Declare a `ZeroOrRange` inside a hypermodel, as `hp.Float` does for a `Float`.

    Returns:
        The trial's value, or the default while keras-tuner is exploring the space.
    """
    return hp._retrieve(
        ZeroOrRange(
            hp._get_name(name),
            min_value,
            max_value,
            step,
            sampling,
            default,
            zero_probability,
            conditions=list(hp._conditions),
        )
    )


def declare(varied: Mapping[str, Range | Choice], base: StackConfig) -> keras_tuner.HyperParameters:
    """Declare each range and choice as one hyperparameter, in order, defaults from `base`.

    A base value outside of its range gives way to the range's lower end, outside of its choices
    to the first choice.
    """
    hp = keras_tuner.HyperParameters()
    for name, what in varied.items():
        value = getattr(base, name)
        default = flat_value(what, value) if value in what else None
        if isinstance(what, Choice):
            if isinstance(what.flat[0], bool):
                hp.Boolean(name, default=what.flat[0] if default is None else default)
            else:
                hp.Choice(name, list(what.flat), default=default)
            continue
        sampling = "log" if what.log else "linear"
        if what.zero:
            default = what.low if default is None else default
            zero_or_range(hp, name, what.low, what.high, what.step, sampling, default=default)
        else:
            hp.Float(name, what.low, what.high, what.step, sampling, default=default)
    return hp
