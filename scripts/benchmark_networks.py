"""How much faster is a search over networks of any kind than keras-tuner's, on this machine?

Both sides run the same random search with the same build function, data, epochs and validation;
every number is a fresh process from the call of `search` to its end: building, tracing and
compilation are counted on both sides, imports are not. keras-tuner trains `--peer-trials` trials,
scaled to the full number. Medians of `--repeats`.

    python scripts/benchmark_networks.py --data mnist --out runs/benchmark_networks
    python scripts/benchmark_networks.py --steps      # what a member's step costs, fused or not
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

# name: (title, trials, epochs, times as fast as keras-tuner that are asked for)
CASES = {
    "digits_convolution": ("digits, two Conv2D + BN + dropout", 32, 10, 12),
    "lenet": ("LeNet, 2,000 MNIST images", 16, 5, 3),
    "embedding": ("Embedding + Conv1D", 32, 5, 10),
    "lstm": ("LSTM(32), 28 steps", 16, 5, 4),
    "tutorial": ("the tutorial's MLP, units 32 to 512", 32, 10, 8),
    "layers": ("digits, 1 to 3 Dense layers, units, activation", 60, 5, 5),
    "widths_convolution": ("digits, filters, kernel size and units vary", 16, 3, 2),
    "widths_lstm": ("LSTM of 16 to 48 units, 20 steps", 16, 4, 3),
}


def digits() -> tuple[np.ndarray, np.ndarray]:
    """8×8 images in [0, 1], and their classes."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images[..., None] / 16).astype("float32"), data.target


def mnist(data: str) -> tuple[np.ndarray, np.ndarray]:
    """2,500 images in [0, 1], and their classes."""
    if data == "mnist":
        import keras

        x, y = keras.datasets.mnist.load_data()[0]
    else:
        with np.load(data) as arrays:
            x, y = arrays["x_train"], arrays["y_train"]
    return (x[:2500, ..., None] / 255).astype("float32"), y[:2500]


def sequences() -> tuple[np.ndarray, np.ndarray]:
    """1,280 made-up sequences, 28 steps of 28 numbers; the class follows from the largest mean."""
    x = np.random.default_rng(0).normal(size=(1280, 28, 28)).astype("float32")
    return x, x.mean(axis=1).argmax(axis=1) * 10 // 28


def words() -> tuple[np.ndarray, np.ndarray]:
    """1,280 made-up texts of 40 words of 1,000; the class is whether rare words prevail."""
    x = np.random.default_rng(0).integers(0, 1000, size=(1280, 40))
    return x, (x.mean(axis=1) > 500).astype(int)


def prototypes() -> tuple[np.ndarray, np.ndarray]:
    """12,000 noisy copies of ten made-up images of 784 numbers, and whose copies they are."""
    draw = np.random.default_rng(0)
    y = draw.integers(0, 10, 12_000)
    x = draw.normal(size=(10, 784))[y] + 3 * draw.normal(size=(12_000, 784))
    return x.astype("float32"), y


def rows_of(case: str, data: str) -> tuple[tuple, tuple]:
    """Training rows and validation rows, a fifth."""
    if case in ("digits_convolution", "widths_convolution", "layers"):
        x, y = digits()
        x = x.reshape(-1, 64) if case == "layers" else x
    elif case == "tutorial":
        x, y = prototypes()
    elif case == "widths_lstm":
        x = sequences()[0][:600, :20, :1]
        y = x.mean(axis=(1, 2)) > 0
    elif case == "lenet":
        x, y = mnist(data)
    else:
        x, y = sequences() if case == "lstm" else words()
    cut = len(x) * 4 // 5
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def build_functions() -> dict[str, Callable]:
    """What a user of keras-tuner would write, by case."""
    import keras
    from keras import layers

    def compiled(model: keras.Model, hp, rate: float | None = None) -> keras.Model:
        rate = rate or hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
        adam = keras.optimizers.Adam(rate)
        model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def digits_convolution(hp):
        dropout = hp.Float("dropout", 0.0, 0.5)
        model = keras.Sequential([keras.Input((8, 8, 1))])
        for filters in (16, 32):
            model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
            model.add(layers.BatchNormalization())
            model.add(layers.ReLU())
            model.add(layers.MaxPooling2D())
            model.add(layers.Dropout(dropout))
        model.add(layers.Flatten())
        model.add(layers.Dense(10, activation="softmax"))
        return compiled(model, hp)

    def lenet(hp):
        model = keras.Sequential([keras.Input((28, 28, 1))])
        for filters in (16, 32):
            model.add(layers.Conv2D(filters, 5, activation="relu"))
            model.add(layers.MaxPooling2D())
        model.add(layers.Flatten())
        model.add(layers.Dense(64, activation="relu"))
        model.add(layers.Dropout(hp.Float("dropout", 0.0, 0.6)))
        model.add(layers.Dense(10, activation="softmax"))
        return compiled(model, hp)

    def embedding(hp):
        model = keras.Sequential([keras.Input((40,), dtype="int32")])
        model.add(layers.Embedding(1000, 32))
        model.add(layers.Conv1D(32, 3, activation="relu"))
        model.add(layers.GlobalMaxPooling1D())
        model.add(layers.Dropout(hp.Float("dropout", 0.0, 0.6)))
        model.add(layers.Dense(2, activation="softmax"))
        return compiled(model, hp)

    def recurrent(hp, shape: tuple[int, int], units: int, classes: int):
        model = keras.Sequential([keras.Input(shape), layers.LSTM(units)])
        model.add(layers.Dropout(hp.Float("dropout", 0.0, 0.6)))
        model.add(layers.Dense(classes, activation="softmax"))
        return compiled(model, hp)

    def lstm(hp):
        return recurrent(hp, (28, 28), 32, 10)

    def widths_lstm(hp):
        return recurrent(hp, (20, 1), hp.Int("units", 16, 48, step=8), 2)

    def tutorial(hp):
        model = keras.Sequential([keras.Input((784,))])
        model.add(layers.Dense(hp.Int("units", 32, 512, step=32), activation="relu"))
        model.add(layers.Dense(10, activation="softmax"))
        return compiled(model, hp, hp.Choice("learning_rate", [1e-2, 1e-3, 1e-4]))

    def several_layers(hp):
        model = keras.Sequential([keras.Input((64,))])
        activation = hp.Choice("activation", ["relu", "tanh"])
        for i in range(hp.Int("num_layers", 1, 3)):
            model.add(layers.Dense(hp.Int(f"units_{i}", 32, 256, step=32), activation=activation))
        model.add(layers.Dense(10, activation="softmax"))
        return compiled(model, hp)

    def widths_convolution(hp):
        model = keras.Sequential([keras.Input((8, 8, 1))])
        size = hp.Choice("kernel_size", [3, 5])
        for i in range(2):
            filters = hp.Int(f"filters_{i}", 32, 128, step=32)
            model.add(layers.Conv2D(filters, size, padding="same", activation="relu"))
            model.add(layers.MaxPooling2D())
        model.add(layers.Flatten())
        model.add(layers.Dense(hp.Int("units", 64, 256, step=64), activation="relu"))
        model.add(layers.Dropout(hp.Float("dropout", 0.0, 0.5)))
        model.add(layers.Dense(10, activation="softmax"))
        return compiled(model, hp)

    # In the order of CASES.
    made = (digits_convolution, lenet, embedding, lstm, tutorial, several_layers)
    return dict(zip(CASES, (*made, widths_convolution, widths_lstm), strict=True))


def search(side: str, case: str, data: str, trials: int, epochs: int) -> dict:
    """One search in this process: its seconds and its best validation accuracy."""
    import keras_tuner

    import kerasreg

    train, validation = rows_of(case, data)
    tuner_class = {"kerasreg": kerasreg.RandomSearch, "keras-tuner": keras_tuner.RandomSearch}[side]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        tuner = tuner_class(
            build_functions()[case], "val_accuracy", max_trials=trials, seed=1, directory=folder
        )
        tuner.search(*train, validation_data=validation, epochs=epochs, batch_size=32, verbose=0)
        seconds = time.perf_counter() - started
        best = tuner.oracle.get_best_trials(1)[0].score
    return {"seconds": seconds, "best": float(best)}


def step_costs(case: str, data: str, members: int = 8, steps: int = 8) -> dict[bool, float]:
    """Milliseconds of the processor a member's step, plain and compiled by XLA; medians of 5."""
    import keras_tuner
    import tensorflow as tf

    from kerasreg.population import Population
    from kerasreg.population.general.chunk import GeneralChunk
    from kerasreg.population.general.program import Program

    (x, y), validation = rows_of(case, data)
    build = build_functions()[case]
    models = [build(keras_tuner.HyperParameters()) for _ in range(members)]
    population = Population.from_models(models, general=True)
    rows = population.path.gather([((x, y), validation)])
    order = tf.constant(np.arange(steps * 32).reshape(steps, 1, 32), tf.int32)
    calls, seconds = {}, {False: [], True: []}
    for fused in seconds:
        program = Program(population.path._of_template(), rows, fused)
        chunk = GeneralChunk(program, population.members, rows, 32)
        given = (chunk._state, chunk._values, chunk._stream, chunk._leaves, order)
        calls[fused] = lambda program=program, given=given: program.train(*given)
        calls[fused]()
    for _ in range(5):
        for fused, call in calls.items():
            started = time.process_time()
            call().weights[0].numpy()
            seconds[fused].append(time.process_time() - started)
    return {f: statistics.median(taken) / members / steps * 1e3 for f, taken in seconds.items()}


def in_fresh_process(side: str, case: str, data: str, trials: int, epochs: int) -> dict:
    """`search` in a Python of its own."""
    arguments = [side, case, data, str(trials), str(epochs)]
    done = subprocess.run(
        [sys.executable, __file__, "--worker", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    if "the plain way" in done.stderr:
        raise SystemExit(f"{case}: trained the plain way: {done.stderr[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist", help="mnist, or an .npz with x_train, y_train")
    parser.add_argument("--out", default="runs/benchmark_networks")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-trials", type=int, default=4)
    parser.add_argument("--case", choices=CASES, action="append", help="only these")
    parser.add_argument("--quick", action="store_true", help="one case, two trials, one epoch")
    parser.add_argument("--steps", action="store_true", help="what a step costs, fused or not")
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        side, case, data, trials, epochs = asked.worker
        print(json.dumps(search(side, case, data, int(trials), int(epochs))))
        return
    cases = asked.case or list(CASES)
    if asked.steps:
        for case in cases:
            costs = step_costs(case, asked.data)
            print(f"{CASES[case][0]}: plain {costs[False]:.2f} ms, fused {costs[True]:.2f} ms")
        return
    if asked.quick:
        cases, asked.repeats, asked.peer_trials = ["digits_convolution"], 1, 1
    table = Table("network", "kerasreg", "keras-tuner", "ratio", "bar", "best of each")
    results = {}
    for case in cases:
        title, trials, epochs, bar = CASES[case]
        if asked.quick:
            trials, epochs = 2, 1
        ours, theirs = [], []
        # In turns, so that what else the machine does meets both.
        for _ in range(asked.repeats):
            ours.append(in_fresh_process("kerasreg", case, asked.data, trials, epochs))
            peer = ("keras-tuner", case, asked.data, asked.peer_trials, epochs)
            theirs.append(in_fresh_process(*peer))
        mine = statistics.median(run["seconds"] for run in ours)
        peer = statistics.median(run["seconds"] for run in theirs) * trials / asked.peer_trials
        results[case] = {"kerasreg": ours, "keras-tuner": theirs, "ratio": peer / mine}
        times = (f"{mine:.1f} s", f"{peer:.0f} s", f"{peer / mine:.1f}×", f"{bar}×")
        best = f"{ours[0]['best']:.3f} ({trials}), {theirs[0]['best']:.3f} ({asked.peer_trials})"
        table.add_row(f"{title}, {trials} trials × {epochs} epochs", *times, best)
    Console(width=120).print(table)
    folder = Path(asked.out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1))
    print(f"Results: {folder / 'results.json'}")


if __name__ == "__main__":
    main()
