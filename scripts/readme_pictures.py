"""Draw the README's pictures from a study and a benchmark that were run before.

make search && python scripts/benchmark_search.py && make pictures
"""

import argparse
import json
from pathlib import Path

from benchmark_search import seconds_of, speed

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


if __name__ == "__main__":
    main()
