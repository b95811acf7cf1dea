"""What the layers of an untrained network give out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.lesson._panels import Panel
from kerasreg.plots import SERIES, Axes

if TYPE_CHECKING:
    import keras


def layer_outputs(network: "keras.Model", x: np.ndarray, seed: int) -> list[np.ndarray]:
    """Outputs of every hidden layer before training, first to last, (rows, units) each.

    Args:
        network: A stack, as in `Lesson.train`; its own weights are not used.
        x: (rows, features).
    """
    import keras

    from kerasreg.lesson.networks import config_of
    from kerasreg.stacks import build_stack

    config = config_of(network)
    model = build_stack(config, x.shape[1], network.output_shape[1], seed=seed)
    hidden = [model.get_layer(f"activation_{k}").output for k in range(1, len(config.units) + 1)]
    outputs = keras.Model(model.input, hidden)(np.asarray(x, np.float32))
    return [np.asarray(values) for values in outputs]


def ridges(
    outputs: Sequence[np.ndarray],
    limits: tuple[float, float],
    title: str,
    *,
    xlabel: str = "output",
    colour: str = SERIES[0],
    bins: int = 30,
) -> Panel:
    """A panel: a histogram a layer, the first on top, each as high as its fullest bin.

    Args:
        outputs: Of each layer, any shape.
        limits: Range of the bins; what lies outside is counted in the outermost ones.
    """

    def panel(axes: Axes) -> None:
        edges = np.linspace(*limits, bins + 1)
        for row, values in enumerate(outputs):
            counts, _ = np.histogram(np.clip(values, *limits), edges)
            base = len(outputs) - 1 - row
            axes.stairs(
                base + 0.85 * counts / max(counts.max(), 1),
                edges,
                baseline=base,
                fill=True,
                color=colour,
                alpha=0.75,
            )
        axes.set_yticks(range(len(outputs)), [f"layer {k}" for k in range(len(outputs), 0, -1)])
        axes.set_ylim(-0.05, len(outputs))
        axes.set_title(title)
        axes.set_xlabel(xlabel)
        axes.grid(axis="x", visible=False)

    return panel
