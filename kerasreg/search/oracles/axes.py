"""Settings as points of the unit cube, and as the features a Gaussian process compares.

Every hyperparameter is one axis: a position in [0, 1) is a value, drawn as keras-tuner draws it,
and back. A hyperparameter with one value only (`Fixed`, a choice of one) is no axis.
"""

import math
from typing import Any

import numpy as np
from keras_tuner.engine.hyperparameters import Boolean, Choice, Fixed, Float, HyperParameter, Int

from kerasreg.search.space.parameters import ZeroOrRange


class Axis:
    """One hyperparameter over [0, 1).

    Args:
        hp: The hyperparameter.
        grid: Only the values that keras-tuner's grid tries: `hp.values`, ten of a continuous range.

    Attributes:
        table: Its values, if finitely many, in order of position; else `None`.
        edges: (len(table) + 1) positions between which each value of the table lies.
        count: How many values it has, `math.inf` without a table.
    """

    def __init__(self, hp: HyperParameter, grid: bool = False) -> None:
        self.hp = hp
        self.table = _table(hp)
        if grid and isinstance(hp, Int | Float) and hp.step is None:
            self.table = sorted(set(hp.values))
        self.count = math.inf if self.table is None else len(self.table)
        self.edges = None if self.table is None else _edges(hp, len(self.table))

    def value(self, position: float) -> Any:
        """The value at a position, within the bounds whatever the rounding."""
        if self.table is not None:
            return self.table[self._index(position)]
        value = self.hp.prob_to_value(float(position))
        if isinstance(self.hp, Float) and value != 0:
            return min(max(value, self.hp.min_value), self.hp.max_value)
        return value

    def position(self, value: Any) -> float:
        """The middle of the positions that give `value`."""
        if self.table is None:
            return self.hp.value_to_prob(value)
        if isinstance(value, str | bool) or value in self.table:
            index = self.table.index(value)
        else:
            index = int(np.argmin(np.abs(np.array(self.table, float) - value)))
        return float(self._middles()[index])

    def canonical(self, positions: np.ndarray) -> np.ndarray:
        """Each position moved to the one that stands for its value: one value, one position."""
        if self.table is not None:
            return self._middles()[self._index(positions)]
        if isinstance(self.hp, ZeroOrRange):
            zero = positions < self.hp.zero_probability
            return np.where(zero, self.hp.zero_probability / 2, positions)
        return positions

    def features(self, positions: np.ndarray) -> list[np.ndarray]:
        """The columns a surrogate sees, in [0, 1].

        A numeric value is its position, logarithmic where it is sampled so. Zero-or-range is the
        position within the range, for zero its lower end, and an indicator of zero. Unordered
        choices are one-hot; two of them share one column.
        """
        if isinstance(self.hp, ZeroOrRange):
            chance = self.hp.zero_probability
            zero = positions < chance
            inside = np.where(zero, 0.0, (positions - chance) / (1 - chance))
            return [inside, zero.astype(float)]
        if isinstance(self.hp, Choice) and not self.hp.ordered and self.count > 2:
            return list(np.eye(self.count)[self._index(positions)].T)
        if isinstance(self.hp, Choice | Boolean):
            return [self._index(positions) / (self.count - 1)]
        return [positions]

    def _index(self, positions):
        return np.searchsorted(self.edges[1:-1], positions, side="right")

    def _middles(self) -> np.ndarray:
        return (self.edges[1:] + self.edges[:-1]) / 2


class Axes:
    """All axes of an oracle's space.

    Args:
        space: keras-tuner hyperparameters, parents before what is conditional on them.
        grid: See `Axis`.

    Shape:
        Points are (settings, dimensions) in [0, 1); features (settings, width >= dimensions).
    """

    def __init__(self, space: list[HyperParameter], grid: bool = False) -> None:
        self._all = [Axis(hp, grid) for hp in space]
        self.axes = [axis for axis in self._all if axis.count > 1]
        self._conditional = any(hp.conditions for hp in space)

    @property
    def dimensions(self) -> int:
        """How many hyperparameters have more than one value."""
        return len(self.axes)

    @property
    def size(self) -> float:
        """How many settings; an upper bound where some hyperparameters are conditional."""
        return math.prod(axis.count for axis in self.axes)

    def values(self, point: np.ndarray) -> dict[str, Any]:
        """The setting at a point. Names whose conditions fail are left out, as keras-tuner does."""
        positions = iter(point)
        values: dict[str, Any] = {}
        for axis in self._all:
            position = next(positions) if axis.count > 1 else 0.0
            if all(condition.is_active(values) for condition in axis.hp.conditions):
                values[axis.hp.name] = axis.value(position)
        return values

    def point(self, values: dict[str, Any]) -> np.ndarray:
        """The point of a setting; what it lacks or has inactive stands at its default."""
        point = np.empty(self.dimensions)
        for k, axis in enumerate(self.axes):
            hp = axis.hp
            active = all(condition.is_active(values) for condition in hp.conditions)
            point[k] = axis.position(values.get(hp.name, hp.default) if active else hp.default)
        return point

    def nth(self, index: int) -> dict[str, Any]:
        """The setting at `index` of a finite space, the last hyperparameter turning fastest."""
        point = np.empty(self.dimensions)
        for k in reversed(range(self.dimensions)):
            index, digit = divmod(index, self.axes[k].count)
            point[k] = self.axes[k]._middles()[digit]
        return self.values(point)

    def canonical(self, points: np.ndarray) -> np.ndarray:
        """Each point moved to `point(values(it))`."""
        if self._conditional:
            return np.stack([self.point(self.values(row)) for row in points])
        columns = [axis.canonical(points[:, k]) for k, axis in enumerate(self.axes)]
        return np.stack(columns, axis=1)

    def features(self, points: np.ndarray) -> np.ndarray:
        """What the surrogate sees of canonical points."""
        columns = [c for k, axis in enumerate(self.axes) for c in axis.features(points[:, k])]
        return np.stack(columns, axis=1)


def _table(hp: HyperParameter) -> list | None:
    if isinstance(hp, Boolean):
        return [False, True]
    if isinstance(hp, Choice | Fixed):
        return list(hp.values)
    if isinstance(hp, Int | Float):
        if hp.min_value == hp.max_value and not isinstance(hp, ZeroOrRange):
            return [hp.min_value]
        if hp.step is not None:
            # The last bit of a multiple or a power may step over the bound.
            return [min(value, hp.max_value) for value in hp.values]
        if isinstance(hp, Int):
            return list(range(hp.min_value, hp.max_value + 1))
    return None


def _edges(hp: HyperParameter, n: int) -> np.ndarray:
    """Positions between the values of a table, so that each is as likely as in keras-tuner."""
    if isinstance(hp, ZeroOrRange):
        chance = hp.zero_probability
        return np.concatenate([[0.0], np.linspace(chance, 1, n)])
    if isinstance(hp, Int) and hp.step is None and n == hp.max_value - hp.min_value + 1 > 1:
        bounds = np.arange(hp.min_value, hp.max_value + 2)
        return np.log(bounds / bounds[0]) / math.log(bounds[-1] / bounds[0])
    return np.linspace(0, 1, n + 1)
