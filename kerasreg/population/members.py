"""Members: a setting and a seed, as values and initial arrays of a blueprint."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from kerasreg.networks import Config
from kerasreg.population.blueprint import Blueprint
from kerasreg.population.optimizers import SLOTS
from kerasreg.seeds import derive
from kerasreg.stacks import FEATURE_SCALE_RATE


@dataclass
class Member:
    """One setting with one seed.

    Attributes:
        config: Its `StackConfig`, or None if lifted from a model.
        seed: Batch order, masks and (for a config) initial kernels follow from it.
        fold: Index of its fold.
        group: Members of one group (a trial) stop together, by their mean objective.
        values: Hyperparameters by (layer, name), as `values.value_names` lists them.
        initial: Initial arrays in the blueprint's order; None to draw them.
        source: The compiled model that it is lifted from, or None.
        weights: The arrays that the last training kept; None for the initial ones.
    """

    config: Config | None
    seed: int
    fold: int = 0
    group: int = 0
    values: dict[tuple[int, str], float] = field(default_factory=dict)
    initial: list[np.ndarray] | None = None
    source: keras.Model | None = None
    weights: list[np.ndarray] | None = None


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
                spec = self._blueprint.layers[parameter.layer]
                if member.initial is not None:
                    array[row] = member.initial[index].reshape(parameter.shape)
                elif spec.kind == "scale":
                    array[row] = 1 / FEATURE_SCALE_RATE
                elif parameter.name == "kernel":
                    layer = spec.index
                    stddev = member.config.kernel_stddev(*parameter.shape, layer)
                    normal = self._normal(member.seed, layer, parameter.shape)
                    np.multiply(normal, normal.dtype.type(stddev), out=array[row])
            arrays.append(array)
        return arrays

    def _normal(self, seed: int, layer: int, shape: tuple[int, int]) -> np.ndarray:
        if (seed, layer) not in self._normals:
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
