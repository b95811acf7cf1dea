"""Results to matplotlib figures in one style; never shown, never through pyplot.

Every drawing function takes plain records (lines of `trials.jsonl`, arrays) and returns a
`matplotlib.figure.Figure`; `save` writes it as PNG and SVG, `themed_svg` makes it part of a page.
"""

from matplotlib.figure import Figure

from kerasreg.plots._arms import arm_curves, effects, speed
from kerasreg.plots._curves import best_so_far, learning_curves
from kerasreg.plots._importance import (
    Importance,
    enough_for_importance,
    importance,
    importance_figure,
)
from kerasreg.plots._inside import (
    Activation,
    Inside,
    Weights,
    load_inside,
    save_inside,
)
from kerasreg.plots._inside_figures import activation_ridges, unit_health, weight_histograms
from kerasreg.plots._overview import overview
from kerasreg.plots._records import scored, varied
from kerasreg.plots._response import parallel_coordinates, response_surface, slices
from kerasreg.plots._style import (
    SERIES,
    label,
    new_figure,
    png_bytes,
    save,
    style,
    themed_svg,
)

__all__ = [
    "SERIES",
    "Activation",
    "Figure",
    "Importance",
    "Inside",
    "Weights",
    "activation_ridges",
    "arm_curves",
    "best_so_far",
    "effects",
    "enough_for_importance",
    "importance",
    "importance_figure",
    "label",
    "learning_curves",
    "load_inside",
    "new_figure",
    "overview",
    "parallel_coordinates",
    "png_bytes",
    "response_surface",
    "save",
    "save_inside",
    "scored",
    "slices",
    "speed",
    "style",
    "themed_svg",
    "unit_health",
    "varied",
    "weight_histograms",
]
