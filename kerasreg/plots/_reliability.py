"""How often predicted probabilities came true."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kerasreg.plots._style import BEST, MUTED, new_figure, percent, styled


@styled
def reliability_diagram(predicted: Sequence[float], observed: Sequence[float]) -> Figure:
    """Draw how often predictions came true over their probability; on the diagonal is perfect.

    Args:
        predicted, observed: Means of bins, as shares.
    """
    # As wide as every figure of a page, which scales them alike; the square stands at its left.
    figure = new_figure(9, 3.6)
    axes = figure.subplots()
    draw_reliability(axes, predicted, observed)
    axes.set_anchor("W")
    return figure


def draw_reliability(axes: Axes, predicted: Sequence[float], observed: Sequence[float]) -> None:
    """Draw the same into axes."""
    axes.axline((0, 0), slope=1, color=MUTED, linestyle="--", linewidth=1)
    axes.plot(predicted, observed, "o-", color=BEST, clip_on=False)
    # As far down as there is something to see: of several classes the largest is rarely small.
    low = 0.9 * min(*predicted, *observed)
    axes.set(xlim=(low, 1), ylim=(low, 1), aspect="equal")
    axes.set(xlabel="predicted probability", ylabel="came true")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(percent)
