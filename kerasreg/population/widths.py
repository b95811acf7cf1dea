"""Widths as values: stacks of different widths in the arrays of one.

A member that is narrower than its population's blueprint has zeros in what it lacks. They stay
zeros: such a unit's value is 0 wherever an activation maps 0 to 0, so that every gradient, penalty,
moving statistic and optimiser slot of it is exactly 0, and the member computes what the narrow
stack computes alone. Where an activation does not, and where statistics are taken over units, the
member's width is a value and masks what is beyond it.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.population.blueprint import Blueprint

#: Keras' activations that do not map 0 to 0.
NOT_ZERO_AT_ZERO = (
    *("exponential", "hard_sigmoid", "log_sigmoid", "sigmoid", "softplus", "sparse_plus"),
    "squareplus",
)


def hidden_widths(blueprint: Blueprint) -> tuple[int, ...]:
    """Units of the dense layers before the last one."""
    return tuple(spec.units for spec in blueprint.layers if spec.kind == "dense")[:-1]


def can_widen(blueprint: Blueprint) -> bool:
    """Whether members of other widths can be held: not where groups of units are normalised."""
    return all(spec.kind != "group" for spec in blueprint.layers)


def widened(blueprint: Blueprint, widths: Sequence[int]) -> Blueprint:
    """The blueprint with other hidden widths.

    Raises:
        UserError: Another count of widths, a smaller one, or groups of units are normalised.
    """
    own = hidden_widths(blueprint)
    if own == tuple(widths):
        return blueprint
    fit = len(own) == len(widths) and all(a <= b for a, b in zip(own, widths, strict=True))
    if not fit or not can_widen(blueprint):
        raise UserError(
            f"widths: expected a width of at least {own} for each hidden layer and no group "
            f"normalization, got {tuple(widths)}."
        )
    rest = iter([*widths, blueprint.outputs])
    layers = [
        replace(spec, units=next(rest)) if spec.kind == "dense" else spec
        for spec in blueprint.layers
    ]
    return replace(blueprint, layers=tuple(layers))


def masked_layers(blueprint: Blueprint) -> list[int]:
    """Layers whose units beyond a member's width have to be masked."""
    dense = [i for i, spec in enumerate(blueprint.layers) if spec.kind == "dense"]
    return [
        layer
        for layer, spec in enumerate(blueprint.layers)
        if dense[0] < layer < dense[-1]
        and (spec.kind == "layer" or spec.activation in NOT_ZERO_AT_ZERO)
    ]


def width_values(blueprint: Blueprint) -> dict[tuple[int, str], float]:
    """A narrow stack's own widths at the layers that need them."""
    widths = blueprint.widths()
    return {(layer, "width"): float(widths[layer]) for layer in masked_layers(blueprint)}


def padded_arrays(
    arrays: Sequence[np.ndarray], shapes: Sequence[tuple[int, int]]
) -> list[np.ndarray]:
    """Arrays with zeros behind them, up to these shapes."""
    return [
        np.pad(array, [(0, size - own) for size, own in zip(shape, array.shape, strict=True)])
        for array, shape in zip(arrays, shapes, strict=True)
    ]


def within(x: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """1 for units before a member's width (members, 1, 1), else 0: (members, 1, units)."""
    return tf.cast(tf.cast(tf.range(x.shape[-1]), width.dtype) < width, x.dtype)
