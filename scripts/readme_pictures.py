"""Draw the README's pictures from a study and a benchmark that were run before.

make search && python scripts/benchmark_search.py && make pictures
"""

import argparse
import io
import json
import sys
from pathlib import Path

from PIL import Image

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
    sys.path.insert(0, str(ROOT / "scripts"))
    from benchmark_search import seconds_of

    asked.out.mkdir(exist_ok=True)
    for name, figure in (
        ("search", plots.overview(study.trials(), study.result)),
        ("speed", plots.speed(seconds_of(measured))),
    ):
        picture = Image.open(io.BytesIO(plots.png_bytes(figure, 150))).convert("RGB")
        picture.quantize(256, dither=Image.Dither.NONE).save(
            asked.out / f"{name}.png", optimize=True
        )
        print(asked.out / f"{name}.png")


if __name__ == "__main__":
    main()
