"""One style for every figure.

Colours are Okabe and Ito's, which people with any common colour blindness can tell apart (M. Okabe
and K. Ito, "Color Universal Design", 2008), and lines also differ in dash. Nothing here touches
matplotlib's global state: figures are made and saved inside `style()`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

P = ParamSpec("P")
R = TypeVar("R")

INK, MUTED, GRID, PAPER, BAND = "#1b1f24", "#5b6370", "#d8dde4", "#ffffff", "#eef1f5"
BASELINE, BEST = "#d55e00", "#0072b2"
SIDES = {"baseline": BASELINE, "best": BEST}  # what a study compares, in this order
SERIES = (BEST, BASELINE, "#009e73", "#cc79a7", "#b07d00", "#56b4e9", "#6b7280", "#8c564b")
DASHES = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 1)))
COLORMAP = "viridis"  # perceptually even, colour-blind-safe; bright is good

_STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.color": INK,
    "text.parse_math": False,  # a name with a dollar sign is a name
    "text.usetex": False,
    "axes.edgecolor": MUTED,
    "axes.facecolor": PAPER,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.8,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.minor.size": 0.0,
    "ytick.minor.size": 0.0,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "figure.facecolor": PAPER,
    "figure.titlesize": 11.0,
    "figure.titleweight": "bold",
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "kerasreg",  # same data, same file
    "path.simplify": True,
}


@contextmanager
def style() -> Iterator[None]:
    """The figures' style, in force inside the `with` block only."""
    with matplotlib.rc_context(_STYLE):
        yield


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Run a drawing function inside `style()`."""

    @wraps(draw)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with style():
            return draw(*args, **kwargs)

    return run


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of `width` by `height` inches with its own canvas (never pyplot's)."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(
    count: int, columns: int, height: float, width: float = 9, **shared: bool
) -> tuple[Figure, np.ndarray]:
    """Return a figure of `count` panels and its axes, shape (rows, columns).

    Args:
        count: How many panels, from 1; the places left over in the last row stay empty.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(width, height * rows + 0.3)
    grid = figure.subplots(rows, columns, squeeze=False, **shared)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    return figure, grid


@lru_cache(maxsize=1)
def _font():
    return font_manager.get_font(font_manager.findfont("DejaVu Sans"))


def label(name: object, length: int = 28) -> str:
    """Return `name` as one short line that the figures' font can draw.

    Names come from data, so they may be long, empty, of many lines or of any script. What the font
    lacks becomes a white square; the page beside the figure shows the name in full.
    """
    text = " ".join(str(name).split()) or "(no name)"
    if len(text) > length:
        text = text[: length - 1] + "…"
    known = _font().get_char_index
    return "".join(char if known(ord(char)) else "□" for char in text)


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(exponent: int) -> str:
    """Return ten to `exponent` as plain text: `10⁻³`."""
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def count_epochs(axes: Axes) -> None:
    """Label the horizontal axis as epochs, with ticks at whole ones only."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def percent(value: float, position: object = None) -> str:
    """A tick label for a fraction: `97.5%`."""
    return f"{100 * value:.3g}%"


def remark(axes: Axes, text: str) -> None:
    """Write `text` in the middle of axes and leave their ticks, which others may share."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=MUTED)
