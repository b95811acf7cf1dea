"""Results to matplotlib figures in one style; never shown, never through pyplot.

Every drawing function takes plain records (lines of `trials.jsonl`, arrays) and returns a
`matplotlib.figure.Figure`; `save` writes it as PNG and SVG, `themed_svg` makes it part of a page.
"""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kerasreg.plots._curves import best_so_far, learning_curves
from kerasreg.plots._diagnosis import diagnosis
from kerasreg.plots._files import png_bytes, save, themed_svg
from kerasreg.plots._importance import (
    Importance,
    enough_for_importance,
    importance,
    importance_figure,
)
from kerasreg.plots._inside import Activation, Inside, Weights, for_drawing, load_inside
from kerasreg.plots._inside_figures import activation_ridges, unit_health, weight_histograms
from kerasreg.plots._overview import overview
from kerasreg.plots._records import scored, varied
from kerasreg.plots._reliability import reliability_diagram
from kerasreg.plots._response import response_surface
from kerasreg.plots._slices import parallel_coordinates, slices
from kerasreg.plots._style import MUTED, SERIES, label, new_figure, style
