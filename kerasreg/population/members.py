"""Members: a setting and a seed, as values and initial arrays of a blueprint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.population.blueprint import NORMALIZATION_KINDS, Blueprint
from kerasreg.population.program import OPTIONAL, value_names
from kerasreg.seeds import derive
from kerasreg.stacks import StackConfig

if TYPE_CHECKING:
    import keras

# Keras' defaults, which a StackConfig does not change.
ADAM = {"beta_1": 0.9, "beta_2": 0.999}
EPSILON = 1e-7


@dataclass
class Member:
    """One setting with one seed.

    Attributes:
        config: Its `StackConfig`, or None if lifted from a model.
        seed: Batch order, masks and (for a config) initial kernels follow from it.
        fold: Index of its fold.
        group: Members of one group (a trial) stop together, by their mean objective.
        values: Hyperparameters by (layer, name), as `program.value_names` lists them.
        initial: Initial arrays in the blueprint's order; None to draw them.
        source: The compiled model that it is lifted from, or None.
        weights: The arrays that the last training kept; None for the initial ones.
    """

    config: StackConfig | None
    seed: int
    fold: int = 0
    group: int = 0
    values: dict[tuple[int, str], float] = field(default_factory=dict)
    initial: list[np.ndarray] | None = None
    source: keras.Model | None = None
    weights: list[np.ndarray] | None = None


def values_of_config(config: StackConfig, blueprint: Blueprint) -> dict[tuple[int, str], float]:
    """A config's values by (layer, name); those of the optimiser and the loss have layer -1."""
    values: dict[tuple[int, str], float] = {}
    for layer, spec in enumerate(blueprint.layers):
        if spec.kind == "dense":
            values[layer, "l1"] = config.kernel_l1[spec.index - 1]
            values[layer, "l2"] = config.kernel_l2[spec.index - 1]
        elif spec.kind == "dropout":
            rate = config.dropout_rates[spec.index - 1] if spec.index else config.input_dropout
            values[layer, "rate"] = rate
        elif spec.kind in NORMALIZATION_KINDS:
            values[layer, "epsilon"] = config.norm_epsilon
            values[layer, "momentum"] = config.norm_momentum
    optimizer = {
        "learning_rate": config.learning_rate,
        "weight_decay": config.weight_decay,
        "label_smoothing": config.label_smoothing,
        "momentum": config.momentum,
        "rho": config.rho,
        "initial_accumulator": config.initial_accumulator,
        "epsilon": EPSILON,
        **ADAM,
    }
    return values | {(-1, name): value for name, value in optimizer.items()}


def stack_values(
    members: Sequence[Member], blueprint: Blueprint, dtype: str
) -> dict[tuple[int, str], np.ndarray]:
    """Arrays (members, 1, 1) by (layer, name); optional values that are 0 for all are left out."""
    arrays = {}
    for layer, name in value_names(blueprint):
        source = name.removeprefix("1 - ")
        values = np.array([m.values[layer, source] for m in members], np.float64)
        if source in OPTIONAL and not values.any():
            continue
        values = values if source == name else 1 - values
        arrays[layer, name] = values.astype(dtype).reshape(-1, 1, 1)
    return arrays


class InitialWeights:
    """Draws initial arrays; equal (seed, layer) draw the same normals once.

    The kernels equal those of `build_stack` with the same config and seed.
    """

    def __init__(self, blueprint: Blueprint, dtype: str):
        self._blueprint = blueprint
        self._dtype = dtype
        self._normals: dict[tuple[int, int], np.ndarray] = {}

    def stack(self, members: Sequence[Member]) -> list[np.ndarray]:
        """Arrays (members, *shape) in the blueprint's order."""
        arrays = []
        for index, parameter in enumerate(self._blueprint.parameters()):
            shape = (len(members), *parameter.shape)
            array = np.zeros(shape, self._dtype)
            if parameter.name in ("gamma", "moving_variance"):
                array[:] = 1
            for row, member in enumerate(members):
                if member.initial is not None:
                    array[row] = member.initial[index].reshape(parameter.shape)
                elif parameter.name == "kernel":
                    layer = self._blueprint.layers[parameter.layer].index
                    stddev = member.config.kernel_stddev(*parameter.shape)
                    normal = self._normal(member.seed, layer, parameter.shape)
                    np.multiply(normal, normal.dtype.type(stddev), out=array[row])
            arrays.append(array)
        return arrays

    def _normal(self, seed: int, layer: int, shape: tuple[int, int]) -> np.ndarray:
        if (seed, layer) not in self._normals:
            import keras

            initializer = keras.initializers.RandomNormal(
                stddev=1.0, seed=derive(seed, "kernel", layer)
            )
            normal = keras.ops.convert_to_numpy(initializer(shape, dtype="float32"))
            self._normals[seed, layer] = normal
        return self._normals[seed, layer]


def initial_slots(
    blueprint: Blueprint, arrays: Sequence[np.ndarray], members: Sequence[Member], dtype: str
) -> list[list[np.ndarray]]:
    """The optimiser's arrays before the first step."""
    from kerasreg.population.optimizers import SLOTS

    slots = []
    for parameter, array in zip(blueprint.parameters(), arrays, strict=True):
        if not parameter.trainable:
            continue
        group = [np.zeros_like(array) for _ in SLOTS[blueprint.optimizer]]
        if blueprint.optimizer == "adagrad":
            start = [m.values[-1, "initial_accumulator"] for m in members]
            group[0] += np.array(start, dtype).reshape(-1, 1, 1)
        slots.append(group)
    return slots
