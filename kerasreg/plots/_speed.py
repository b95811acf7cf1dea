"""Seconds that searches take, side by side."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from kerasreg.plots._style import SERIES, label, new_figure, styled


@styled
def speed(cases: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw seconds a search takes, one group of bars a case.

    Args:
        cases: Case to who trained to seconds; the last one is compared with the others.
    """
    figure = new_figure(8, 0.6 + 0.42 * sum(len(seconds_of) for seconds_of in cases.values()))
    axes = figure.subplots()
    names = list(dict.fromkeys(name for seconds_of in cases.values() for name in seconds_of))
    ticks, labels, place = [], [], 0.0
    for case, seconds_of in cases.items():
        best = list(seconds_of.values())[-1]
        for name, seconds in seconds_of.items():
            colour = SERIES[names.index(name) % len(SERIES)]
            axes.barh(place, seconds, height=0.8, color=colour)
            ratio = f"   {seconds / best:.0f} times as long" if seconds > best else ""
            axes.text(seconds, place, f" {seconds:.3g} s{ratio}", va="center")
            ticks.append(place)
            labels.append(f"{label(case)}: {label(name)}")
            place += 1
        place += 0.6
    axes.set_yticks(ticks, labels)
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.set_xlim(0, 1.4 * max(max(seconds_of.values()) for seconds_of in cases.values()))
    axes.set_xlabel("seconds for the whole search")
    return figure
