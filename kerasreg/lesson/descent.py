"""Keras' optimisers on functions small enough to draw."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from kerasreg.lesson._panels import Panel
from kerasreg.plots import Axes

if TYPE_CHECKING:
    import keras


def descend(
    optimizer: "keras.optimizers.Optimizer",
    gradient: Callable[[np.ndarray], ArrayLike],
    start: Sequence[float],
    steps: int,
) -> np.ndarray:
    """The points an optimiser visits.

    Args:
        gradient: Point (coordinates,) -> gradient (coordinates,).

    Returns:
        (steps + 1, coordinates), float64 copies of Keras' float32 values.
    """
    from keras import Variable, ops

    variable = Variable(start)
    points = [variable.numpy().astype(float)]
    for _ in range(steps):
        slope = ops.convert_to_tensor(gradient(points[-1]), "float32")
        optimizer.apply([slope], [variable])
        points.append(variable.numpy().astype(float))
    return np.array(points)


def way(path: np.ndarray) -> float:
    """Length of a path of shape (points, coordinates)."""
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def crossings(path: np.ndarray, axis: int) -> int:
    """How often a coordinate of a path changes its sign."""
    return int((np.diff(np.sign(path[:, axis])) != 0).sum())


def path_panel(
    path: np.ndarray,
    function: Callable[[np.ndarray], np.ndarray],
    title: str,
    colour: str,
    *,
    x: tuple[float, float],
    y: tuple[float, float],
    levels: Sequence[float],
) -> Panel:
    """A panel: a path in the plane over the contours of the function it goes down.

    Args:
        path: (points, 2).
        function: Points (..., 2) -> heights (...).
    """

    def panel(axes: Axes) -> None:
        grid = np.stack(np.meshgrid(np.linspace(*x, 100), np.linspace(*y, 100)), axis=-1)
        axes.contour(
            grid[..., 0], grid[..., 1], function(grid), levels, colors="#b9c1cc", linewidths=0.7
        )
        axes.plot(*path.T, "-", color=colour, linewidth=1.1)
        axes.plot(*path.T, "o", color=colour, markersize=3)
        axes.plot(*path[0], "o", color=colour, markersize=7, markerfacecolor="white")
        axes.plot(0, 0, "+", color="black", markersize=9)
        axes.set(title=title, xlabel="x", ylabel="y", xlim=x, ylim=y)
        axes.grid(False)

    return panel
