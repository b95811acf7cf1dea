"""Draw the README's pictures from a study and a benchmark that were run before.

make search && python scripts/benchmark_search.py && make pictures
"""

import argparse
import json
from pathlib import Path

from benchmark_search import seconds_of

from kerasreg import plots
from kerasreg.study import Study

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, default=ROOT / "runs/digits")
    parser.add_argument("--benchmark", type=Path, default=ROOT / "runs/benchmark_search")
    parser.add_argument("--out", type=Path, default=ROOT / "pictures")
    asked = parser.parse_args()
    study = Study.open(asked.study)
    measured = json.loads((asked.benchmark / "results.json").read_text("utf-8"))
    asked.out.mkdir(exist_ok=True)
    for name, figure in (
        ("search", plots.overview(study.trials(), study.result)),
        ("speed", speed(seconds_of(measured))),
    ):
        (asked.out / f"{name}.png").write_bytes(plots.png_bytes(figure, 150))
        print(asked.out / f"{name}.png")


def speed(cases: dict[str, dict[str, float]]) -> plots.Figure:
    """Seconds that searches take: case -> who trained -> seconds, the last to compare with."""
    with plots.style():
        figure = plots.new_figure(8, 0.6 + 0.42 * sum(map(len, cases.values())))
        axes = figure.subplots()
        names = list(dict.fromkeys(name for times in cases.values() for name in times))
        ticks, place = {}, 0.0
        for case, times in cases.items():
            best = list(times.values())[-1]
            for name, seconds in times.items():
                colour = plots.SERIES[names.index(name) % len(plots.SERIES)]
                axes.barh(place, seconds, height=0.8, color=colour)
                ratio = f"   {seconds / best:.0f} times as long" if seconds > best else ""
                axes.text(seconds, place, f" {seconds:.3g} s{ratio}", va="center")
                ticks[place] = f"{plots.label(case)}: {plots.label(name)}"
                place += 1
            place += 0.6
        axes.set_yticks(list(ticks), list(ticks.values()))
        axes.invert_yaxis()
        axes.grid(False, axis="y")
        longest = max(max(times.values()) for times in cases.values())
        axes.set(xlim=(0, 1.4 * longest), xlabel="seconds for the whole search")
    return figure


if __name__ == "__main__":
    main()
