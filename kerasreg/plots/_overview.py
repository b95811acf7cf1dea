"""A finished search in one picture: where the good region is, what it changed, what it gained."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kerasreg.evidence import proportion
from kerasreg.plots._curves import draw_pair, explain_lines, limit
from kerasreg.plots._records import Trial
from kerasreg.plots._response import colour_bar, surface
from kerasreg.plots._style import INK, SIDES, new_figure, percent, styled


@styled
def overview(trials: Sequence[Trial], result: Mapping[str, object]) -> Figure:
    """Draw a search of a classification in three panels.

    Args:
        trials: Trial records, at least one with a score.
        result: A study's result with baseline and best.

    Returns:
        Every trial over dropout and L2; the learning curves of baseline and best; their
        accuracies on the test rows with Wilson's 95 % interval.
    """
    objective = result["objective"]
    figure = new_figure(11, 3.6)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.25, 1.25, 1))
    points = surface(left, trials, objective, ("dropout", "l2"))
    left.set_title(f"{len(trials)} trials, one program")
    colour_bar(figure, points, left, objective, pad=0.02, aspect=28)
    for who, colour in SIDES.items():
        draw_pair(middle, result[who], "data_loss", colour)
    limit(middle, [result[who] for who in SIDES], "data_loss")
    middle.set(xlabel="epoch", ylabel="data loss", title="Baseline (orange) and best (blue)")
    explain_lines(figure)
    _tests(right, result)
    return figure


def _tests(axes: Axes, result: Mapping[str, object]) -> None:
    rows = result["rows"]["test"]
    models = SIDES | ({"ensemble": INK} if "ensemble" in result else {})
    for place, (who, colour) in enumerate(models.items()):
        accuracy = result[who]["test"]["accuracy"]
        interval = proportion(round(accuracy * rows), rows)
        axes.plot(
            [interval.low, interval.high], [place, place], color=colour, linewidth=5, alpha=0.35
        )
        axes.plot(accuracy, place, "o", color=colour, markersize=8)
        axes.annotate(
            f"{100 * accuracy:.1f} %",
            (accuracy, place),
            (0, 10),
            textcoords="offset points",
            ha="center",
            weight="bold",
            color=INK,
        )
    axes.set_yticks(range(len(models)), list(models))
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(percent)
    axes.grid(False, axis="y")
    axes.set(xlabel="accuracy, 95 % interval", title=f"{rows} test rows, read once")
