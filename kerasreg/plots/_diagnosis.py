"""What a network's copies show: errors over rows, over learning rates, and their calibration."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from kerasreg.plots._reliability import draw_reliability
from kerasreg.plots._style import BASELINE, BEST, MUTED, panels, percent, power, remark, styled


@styled
def diagnosis(
    shares: Sequence[float],
    seen: np.ndarray,
    unseen: np.ndarray,
    plain_error: float,
    rates: np.ndarray,
    rate_errors: np.ndarray,
    own_rate: float,
    guess_error: float,
    bins: np.ndarray | None,
    unit: str,
) -> Figure:
    """Draw errors over rows, over learning rates, and their calibration where there are classes.

    Args:
        shares: Of the training rows, (S,).
        seen, unseen: Errors on rows trained on and on others, (S,).
        plain_error: Of a plain network on rows not seen.
        rates, rate_errors: Learning rates and training errors there, (R,).
        own_rate: The network's own.
        guess_error: Of always guessing the same.
        bins: Probability, accuracy and rows by bin, (bins, 3), or None.
        unit: What an error is a share of.
    """
    figure, grid = panels(3 if bins is not None else 2, 3, 2.9)
    left, middle, *right = grid[0]
    left.set_title("Error over rows")
    for values, dashes, name in (
        (seen, "--", "rows trained on"),
        (unseen, "-", "rows not seen"),
    ):
        left.plot(shares, values, "o", color=BEST, linestyle=dashes, markersize=4, label=name)
    left.axhline(plain_error, color=BASELINE, linewidth=1, label="plain network, not seen")
    left.xaxis.set_major_formatter(percent)
    left.set(xlabel="share of the training rows", ylabel=f"error ({unit})", xticks=shares)
    middle.set_title("Training error over learning rates")
    if len(rates):
        middle.semilogx(rates, rate_errors, "o-", color=BEST, markersize=4)
        lowest, highest = np.round(np.log10(rates[[0, -1]])).astype(int)
        exponents = np.arange(lowest, highest + 1, 2)
        middle.set_xticks(10.0**exponents, [power(exponent) for exponent in exponents])
        middle.xaxis.set_minor_locator(NullLocator())
        middle.axvline(own_rate, color=BASELINE, linewidth=1, label=f"own, {own_rate:.3g}")
    else:
        remark(middle, "no rate to vary")
    middle.axhline(guess_error, color=MUTED, linestyle=":", label="always the same guess")
    middle.set_xlabel("learning rate (log)")
    for axes in (left, middle):
        axes.yaxis.set_major_formatter(percent)
        axes.set_ylim(
            bottom=0, top=min(1.15 * axes.get_ylim()[1], 1.6 * max(guess_error, unseen.max()))
        )
        axes.legend(loc="best", handlelength=3)
    if bins is not None:
        right[0].set_title("Calibration on rows not seen")
        draw_reliability(right[0], bins[:, 0], bins[:, 1])
        right[0].set_aspect("auto")
    return figure
