"""Does regularisation help a small CNN that has few images, by a search over the network itself?

The notes' question, for convolution. From MNIST a split draws N images to learn from and up to
2,000 others to test with; a quarter of the N validates. `kerasreg.search_regularization(model=...)`
searches over a CNN of plain Keras that overfits; beside it stands the search's baseline, the CNN as
it is, at the best of its own learning rate and eight others. Both are refitted on all N images, and
the test images are read once a split. Fewer images train more epochs, so that updates are as many.

Rules, written before the numbers: regularisation helps if the mean difference of test accuracy,
paired by split, is at least 0.5 points, or the test data loss falls by a tenth, each with a 95 %
interval on that side of no difference.

A split that is in the JSON of `--out` is not trained again.

    python scripts/benchmark_own_network.py --data mnist.npz --out runs/own_network.json
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import kerasreg
from kerasreg.command import quiet_import
from kerasreg.evidence import Rule, seeds_needed
from kerasreg.terminal import LiveProgress, describe_setting, is_live

with quiet_import():
    import keras

# Measure of the test images -> what is claimed of it.
RULES = {
    "accuracy": Rule("regularisation raises test accuracy", "greater", 0.005, unit="pp"),
    "data_loss": Rule("regularisation lowers test data loss", "less", 1.1, scale="ratio"),
}
TEST_IMAGES = 2000
FULL_SIZE = 1000  # of the images that `--epochs` is meant for


def network(shape: tuple[int, ...], classes: int) -> keras.Model:
    """Two convolutions and a dense layer, without any regularisation."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def images(path: str) -> tuple[np.ndarray, np.ndarray]:
    """All images of an .npz file, (rows, height, width, channels), and their classes."""
    with np.load(path) as arrays:
        x, y = (np.concatenate([arrays[f"{n}_train"], arrays[f"{n}_test"]]) for n in "xy")
    return (x if x.ndim == 4 else x[..., None]), y


def one_split(x: np.ndarray, y: np.ndarray, size: int, split: int, asked) -> dict:
    """Search on `size` images and test on others, all drawn by the split's seed."""
    rows = np.random.default_rng(split).permutation(len(x))
    learn, test = rows[:size], rows[size : size + TEST_IMAGES]
    data = kerasreg.from_arrays(
        x[learn], y[learn], x_test=x[test], y_test=y[test], split_seed=split
    )
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, LiveProgress(is_live(), quiet=True) as progress:
        study = kerasreg.search_regularization(
            data,
            model=network(x.shape[1:], data.outputs),
            trials=asked.trials,
            epochs=round(asked.epochs * FULL_SIZE / size),
            folds=asked.folds,
            ensemble=False,
            seed=split,
            out=Path(folder) / "study",
            progress=progress,
        )
        sides = {name: study.result[name] for name in ("best", "baseline")}
    tests = {name: {m: side["test"][m] for m in RULES} for name, side in sides.items()}
    setting = sides["best"]["hyperparameters"]
    return {**tests, "setting": setting, "seconds": time.perf_counter() - started}


def summary(results: dict[str, dict[str, dict]]) -> Table:
    """A row a size and measure: both means, the paired difference or ratio, the verdict."""
    table = Table("images", "of the test", "as it is", "regularised", "paired", "verdict")
    for size, splits in results.items():
        for measure, rule in RULES.items():
            best, baseline = (
                [one[side][measure] for one in splits.values()] for side in ("best", "baseline")
            )
            compared = rule.compare(best, baseline)
            enough = len(splits) >= seeds_needed()
            verdict = rule.decide(compared).verdict if enough else "too few splits"
            means = f"{np.mean(baseline):.4f}", f"{np.mean(best):.4f}"
            table.add_row(size, measure, *means, compared.text(), verdict)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="an .npz with x_train, y_train, x_test, ...")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--train-sizes", type=int, nargs="+", default=[300, 1000], metavar="N")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=20, help=f"of {FULL_SIZE:,} images")
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--out", default="runs/own_network.json")
    asked = parser.parse_args()
    x, y = images(asked.data)
    path = Path(asked.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    results = json.loads(path.read_text("utf-8")) if path.exists() else {}
    console = Console(highlight=False)
    for split in range(asked.splits):
        for size in asked.train_sizes:
            done = results.setdefault(str(size), {})
            if str(split) not in done:
                done[str(split)] = one_split(x, y, size, split, asked)
                path.write_text(json.dumps(results, indent=1), "utf-8")
            one = done[str(split)]
            said = ", ".join(f"{m} {one['baseline'][m]:.4f} -> {one['best'][m]:.4f}" for m in RULES)
            setting = describe_setting({n: v for n, v in one["setting"].items() if v})
            where = f"split {split}, {size} images, {one['seconds']:.0f} s"
            console.print(f"{where}: {said}; {setting}")
    if asked.splits > 1:
        console.print(summary(results))
    console.print(f"Results: {path}")


if __name__ == "__main__":
    main()
