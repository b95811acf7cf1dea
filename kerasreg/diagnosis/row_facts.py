"""What is measured of the rows themselves: the size of inputs, rows that are there twice."""

from dataclasses import dataclass

import keras
import numpy as np

from kerasreg.diagnosis.inside import entering, layers_of
from kerasreg.diagnosis.rows import Rows

#: Layers whose inputs need no scale: they bring them to one, or read them as indices.
_INDIFFERENT = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Normalization,
    keras.layers.Embedding,
)


@dataclass(frozen=True)
class Inputs:
    """What enters the first layer with weights.

    Attributes:
        layer: Its name.
        low, high, size: Smallest and largest number, root mean square.
        unevenness: Largest standard deviation of a feature by the median of those that vary.
    """

    layer: str
    low: float
    high: float
    size: float
    unevenness: float


@dataclass(frozen=True)
class Target:
    """A quantity to predict: smallest and largest, root mean square."""

    low: float
    high: float
    size: float


@dataclass(frozen=True)
class Duplicates:
    """Validation rows that are equal to training rows.

    Attributes:
        rows: Which rows of the user's data they are.
        validation_rows: How many validation rows there are.
        telling: Whether rows hold enough for equal ones to be copies and no coincidence.
    """

    rows: tuple[int, ...]
    validation_rows: int
    telling: bool


def inputs_of(model: keras.Model, rows: Rows, probe: np.ndarray) -> Inputs | None:
    """Look at what enters the first layer with weights; None where it brings its own scale."""
    weighted = [layer for layer in layers_of(model) if layer.weights]
    found = entering(model, rows.inputs(probe), lambda layer: layer in weighted)
    name = next(iter(found), None)
    first = next((layer for layer in weighted if layer.name == name), None)
    if first is None or isinstance(first, _INDIFFERENT):
        return None
    values = found[name].astype(np.float64)
    spread = values.std(axis=tuple(range(values.ndim - 1)))
    varies = spread[spread > 0]
    return Inputs(
        name,
        float(values.min()),
        float(values.max()),
        float(np.sqrt(np.mean(values**2))),
        float(varies.max() / np.median(varies)) if len(varies) else 1.0,
    )


def target_of(rows: Rows) -> Target | None:
    """Look at the quantity to predict; None for classes."""
    if rows.classification:
        return None
    values = rows.labels.astype(np.float64)
    return Target(float(values.min()), float(values.max()), float(np.sqrt(np.mean(values**2))))


def duplicates_of(rows: Rows) -> Duplicates:
    """Find validation rows that are training rows, number for number."""
    leaves = [leaf.reshape(len(leaf), -1) for leaf in keras.tree.flatten(rows.x)]
    keys = np.array([hash(tuple(map(bytes, row))) for row in zip(*leaves, strict=True)])
    copies = rows.validation & np.isin(keys, keys[~rows.validation])
    # A number that is another in most rows, or very many numbers, do not meet by chance.
    columns = np.concatenate([leaf[:, :64] for leaf in leaves], axis=1)
    different = max(len(np.unique(column)) for column in columns.T)
    wide = sum(leaf.shape[1] for leaf in leaves) >= 64
    return Duplicates(
        tuple(rows.numbers[copies].tolist()),
        int(rows.validation.sum()),
        wide or different > len(rows.y) / 2,
    )
