"""How much faster is a population than training trial by trial, on this machine?

Every number is a fresh process (imports apart): set-up, tracing and compilation are counted on
both sides, and the median of `--repeats` runs is shown. keras-tuner and the loop over `model.fit`
train `--peer-trials` trials, scaled to the full number. First of all both sides get the same
initial weights and batch order, and must reach the same validation losses (in float64, where
rounding does not decide).

The network of chapter 6 is 784-[100]x6-10 with He and ReLU on 400 + 100 images. The population
does more than its peers: it also measures the training rows after every epoch.

    python scripts/benchmark_search.py --data mnist --out runs/benchmark_search
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CHAPTER_6 = {"units": (100,) * 6, "optimizer": "sgd"}
CASES = {
    # name: (train rows, validation rows, epochs, batch, trials, config, what varies)
    "chapter6": (400, 100, 50, 100, 100, CHAPTER_6, ("learning_rate", "l2")),
    "digits": (
        1437,
        360,
        20,
        32,
        64,
        {"units": (64,) * 3, "normalization": "batch"},
        ("learning_rate", "dropout", "l2"),
    ),
    "mnist300": (
        300,
        1000,
        50,
        100,
        64,
        {"units": (100,) * 6, "normalization": "batch"},
        ("learning_rate", "dropout", "l2"),
    ),
}
TITLES = {
    "chapter6": "chapter 6, 100 trials",
    "digits": "digits, 64 trials",
    "mnist300": "MNIST-300, 64 trials",
}
RANGES = {"learning_rate": (1e-4, 1e-2), "l2": (1e-8, 1e-4), "dropout": (0.0, 0.5)}
CHAPTER_6_RANGES = {"learning_rate": (1e-6, 1e-2), "l2": (5e-9, 5e-5)}
HALVING = ((4, 0.4), (10, 0.4), (20, 0.5))
BARS = [
    # measured, against, bar, goal; ratios of seconds a trial
    ("chapter6", "keras-tuner", "population", 30, 40),
    ("chapter6", "model.fit", "population", 25, None),
    ("digits", "keras-tuner", "population", 50, 70),
    ("mnist300", "keras-tuner", "population", 20, None),
]


def rows_of(case: str, data: str):
    """Training and validation rows of a case."""
    train, validation = CASES[case][:2]
    if case == "digits":
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        x = x / 16
    elif data.endswith(".npz"):
        with np.load(data) as file:
            x, y = file["x_train"] / 255, file["y_train"]
    else:
        import keras

        (x, y), _ = getattr(keras.datasets, data).load_data()
        x = x / 255
    x = x[: train + validation].reshape(train + validation, -1).astype(np.float32)
    y = y[: train + validation].astype(np.int32)
    return (x[:train], y[:train]), (x[train:], y[train:])


def settings(case: str, count: int):
    """The same random settings for everybody."""
    from kerasreg import StackConfig

    generator = np.random.default_rng(0)
    ranges = CHAPTER_6_RANGES if case == "chapter6" else RANGES
    fixed, names = CASES[case][5:]
    result = []
    for _ in range(count):
        values = {}
        for name in names:
            low, high = ranges[name]
            u = generator.uniform()
            values[name] = low + u * (high - low) if low == 0 else low * (high / low) ** u
        result.append(StackConfig(**fixed, **values))
    return result


def keras_model(config, features: int):
    """The stack as a keras-tuner user writes it."""
    import keras

    layers = keras.layers
    penalty = keras.regularizers.L2(config.l2)
    model = keras.Sequential([keras.Input((features,))])
    for units in config.units:
        model.add(layers.Dense(units, kernel_initializer="he_normal", kernel_regularizer=penalty))
        if config.normalization == "batch":
            model.add(layers.BatchNormalization())
        model.add(layers.Activation("relu"))
        if config.normalization == "batch":
            model.add(layers.Dropout(config.dropout))
    model.add(layers.Dense(10, kernel_regularizer=penalty))
    optimizer = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[config.optimizer]
    model.compile(
        optimizer(config.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def run_keras_tuner(case: str, data: str, trials: int) -> dict:
    """keras-tuner's RandomSearch."""
    import keras_tuner

    (x, y), validation = rows_of(case, data)
    ranges = CHAPTER_6_RANGES if case == "chapter6" else RANGES
    fixed, names = CASES[case][5:]

    def build(hp):
        from kerasreg import StackConfig

        values = {}
        for name in names:
            low, high = ranges[name]
            values[name] = hp.Float(name, low, high, sampling="linear" if low == 0 else "log")
        return keras_model(StackConfig(**fixed, **values), x.shape[1])

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.RandomSearch(
            build, "val_loss", max_trials=trials, directory=folder, seed=1
        )
        _, _, epochs, batch = CASES[case][:4]
        tuner.search(x, y, validation_data=validation, epochs=epochs, batch_size=batch, verbose=0)
    return {"seconds": time.perf_counter() - started}


def run_loop(case: str, data: str, trials: int) -> dict:
    """A plain loop over `model.fit`."""
    (x, y), validation = rows_of(case, data)
    _, _, epochs, batch = CASES[case][:4]
    started = time.perf_counter()
    for config in settings(case, trials):
        keras_model(config, x.shape[1]).fit(
            x, y, validation_data=validation, epochs=epochs, batch_size=batch, verbose=0
        )
    return {"seconds": time.perf_counter() - started}


def run_population(case: str, data: str, trials: int, halving=()) -> dict:
    """All trials as one population."""
    from kerasreg import Population

    (x, y), validation = rows_of(case, data)
    _, _, epochs, batch = CASES[case][:4]
    configs = settings(case, trials)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    population = Population(configs, x.shape[1], 10)
    results = population.fit(
        x,
        y,
        validation_data=validation,
        epochs=epochs,
        batch_size=batch,
        halving=halving,
        keep="none",
    )
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    best = min(np.nanmin(result.curves["val_data_loss"]) for result in results)
    return {
        "seconds": seconds,
        "best": float(best),
        "megabytes": peak / 1024,
        "megabytes_above_start": (peak - before) / 1024,
    }


def run_halving(case: str, data: str, trials: int) -> dict:
    """The same, with bad members stopped early."""
    return run_population(case, data, trials, HALVING)


def run_products(case: str, data: str, trials: int) -> dict:
    """Only the matrix products of the population: forward, backward and evaluation."""
    import tensorflow as tf

    train, validation, epochs, batch = CASES[case][:4]
    widths = [784 if case != "digits" else 64, *CASES[case][5]["units"], 10]
    shapes = list(itertools.pairwise(widths))
    kernels = [tf.random.normal([trials, a, b]) for a, b in shapes]

    @tf.function
    def forward(rows):
        total = 0.0
        for (width, _), kernel in zip(shapes, kernels, strict=True):
            shared = width == widths[0]
            x = tf.ones([1 if shared else trials, rows, width])
            total += tf.matmul(x, kernel)[0, 0, 0]
        return total

    @tf.function
    def backward(rows):
        total = 0.0
        for (width, out), kernel in zip(shapes, kernels, strict=True):
            shared = width == widths[0]
            gradient = tf.ones([trials, rows, out])
            x = tf.ones([1 if shared else trials, rows, width])
            total += tf.matmul(x, gradient, transpose_a=True)[0, 0, 0]
            if not shared:
                total += tf.matmul(gradient, kernel, transpose_b=True)[0, 0, 0]
        return total

    def seconds(function, rows) -> float:
        function(tf.constant(rows))
        times = []
        for _ in range(10):
            started = time.perf_counter()
            function(tf.constant(rows)).numpy()
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    steps = epochs * -(-train // batch)
    step = seconds(forward, batch) + seconds(backward, batch)
    evaluation = seconds(forward, train) + seconds(forward, validation)
    return {"seconds": steps * step + epochs * evaluation}


def run_equality(case: str, data: str, trials: int) -> dict:
    """Largest difference of validation losses after training, both sides alike, no dropout.

    In float64 differences are of the computation. In float32 rounding alone moves the losses of
    nets with batch normalization and Adam, so Keras is also compared with itself, given the rows
    of each batch in three other orders.
    """
    import keras

    single, reordered = _differences(case, data, trials)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    double, _ = _differences(case, data, trials, "float64")
    return {"seconds": 0.0, "float64": double, "float32": single, "reordered": reordered}


def _differences(case: str, data: str, trials: int, dtype: str = "float32") -> tuple[float, float]:
    """Population against Keras, and (in float32) Keras against itself with rows reordered."""
    from kerasreg import Population
    from kerasreg.population import batch_order

    (x, y), validation = rows_of(case, data)
    x, validation = x.astype(dtype), (validation[0].astype(dtype), validation[1])
    _, _, epochs, batch = CASES[case][:4]
    configs = [config.replace(dropout=0.0) for config in settings(case, trials)]
    population = Population(configs, x.shape[1], 10, seeds=3, dtype=dtype)
    starts = [population.member(place).get_weights() for place in range(trials)]
    results = population.fit(
        x, y, validation_data=validation, epochs=epochs, batch_size=batch, keep="none"
    )
    shuffled = np.random.default_rng(0)

    def keras_loss(place: int, reorder: bool = False) -> float:
        model = population.member(place)
        model.set_weights(starts[place])
        if dtype == "float64":
            _keep_numbers_exact(model)
        for epoch in range(epochs):
            order = batch_order(3, epoch, len(x))
            if reorder:
                steps = range(0, len(order), batch)
                order = np.hstack([shuffled.permutation(order[i : i + batch]) for i in steps])
            model.fit(x[order], y[order], batch_size=batch, shuffle=False, verbose=0)
        return model.evaluate(*validation, verbose=0, return_dict=True, batch_size=1000)[
            "data_loss"
        ]

    alone = [keras_loss(place) for place in range(trials)]
    losses = [result.curves["val_data_loss"][-1] for result in results]
    reordered = 0.0
    for _ in range(3 if dtype == "float32" else 0):
        again = [keras_loss(place, reorder=True) for place in range(trials)]
        reordered = max(reordered, _largest(again, alone))
    return _largest(losses, alone), reordered


def _largest(a: list[float], b: list[float]) -> float:
    return float(np.abs(np.subtract(a, b)).max())


def _keep_numbers_exact(model) -> None:
    """Keras rounds Python numbers to float32 on their way to float64; tensors it leaves alone."""
    import tensorflow as tf

    model.run_eagerly = True  # elsewhere a strength that is a tensor cannot be compared with 0
    for name in ("beta_1", "beta_2", "momentum"):
        value = getattr(model.optimizer, name, None)
        if value is not None:
            setattr(model.optimizer, name, tf.constant(value, tf.float64))
    for layer in model.layers:
        regularizer = getattr(layer, "kernel_regularizer", None)
        if regularizer is not None:
            regularizer.l1 = tf.constant(float(regularizer.l1), tf.float64)
            regularizer.l2 = tf.constant(float(regularizer.l2), tf.float64)


WORKERS = {
    "keras-tuner": run_keras_tuner,
    "model.fit": run_loop,
    "population": run_population,
    "halving": run_halving,
    "products": run_products,
    "equality": run_equality,
}


def measure(case: str, worker: str, data: str, trials: int, repeats: int) -> dict:
    """Median of fresh processes; seconds are of the trials really trained."""
    runs = []
    for _ in range(repeats):
        command = [sys.executable, __file__, "--worker", worker, "--case", case, "--data", data]
        command += ["--trials", str(trials)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{worker} on {case} failed:\n{done.stderr[-2000:]}")
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    result = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    result |= {"trials": trials, "runs": [run["seconds"] for run in runs]}
    print(f"  {case:9} {worker:12} {trials:4} trials {result['seconds']:8.2f} s", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist", help="mnist, or an .npz with x_train, y_train")
    parser.add_argument("--out", default="runs/benchmark_search")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-trials", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="digits only, once, two peer trials")
    parser.add_argument("--worker", choices=WORKERS, help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--trials", type=int, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.worker:
        # Imports are not compared: they are done before the clock starts.
        import keras
        import keras_tuner
        import tensorflow  # noqa: F401

        del keras, keras_tuner
        print(json.dumps(WORKERS[parsed.worker](parsed.case, parsed.data, parsed.trials)))
        return
    compare(parsed)


def compare(parsed: argparse.Namespace) -> None:
    """Run everything, print the table, draw the figure."""
    from rich.console import Console
    from rich.table import Table

    from kerasreg import plots

    repeats, peers = (1, 2) if parsed.quick else (parsed.repeats, parsed.peer_trials)
    cases = ["digits"] if parsed.quick else list(CASES)
    measured: dict[str, dict] = {}
    for case in cases:
        full = 8 if parsed.quick else CASES[case][4]
        runs = measured.setdefault(case, {})
        runs["equality"] = measure(case, "equality", parsed.data, 5 if not parsed.quick else 2, 1)
        runs["population"] = measure(case, "population", parsed.data, full, repeats)
        runs["keras-tuner"] = measure(case, "keras-tuner", parsed.data, peers, repeats)
        if case == "chapter6":
            runs["model.fit"] = measure(case, "model.fit", parsed.data, peers, repeats)
            runs["products"] = measure(case, "products", parsed.data, full, repeats)
            runs["halving"] = measure(case, "halving", parsed.data, full, repeats)
            for trials in (50, 200):
                runs[f"{trials} members"] = measure(
                    case, "population", parsed.data, trials, repeats
                )
    lines = verdicts(measured)
    table = Table("case", "measured", "bar", "goal", "", title="A population against its peers")
    for line in lines:
        table.add_row(*line)
    Console().print(table)
    out = Path(parsed.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(measured, indent=1))
    plots.save(speed(seconds_of(measured)), out / "figure")
    print(f"Results and figure: {out}")


def seconds_of(measured: dict[str, dict]) -> dict[str, dict[str, float]]:
    """Case -> who trains -> seconds of the whole search."""
    return {
        TITLES[case]: {
            name: _per_trial(runs[name]) * CASES[case][4]
            for name in ("keras-tuner", "model.fit", "population")
            if name in runs
        }
        for case, runs in measured.items()
    }


def speed(cases: dict[str, dict[str, float]]):
    """Seconds that searches take: case -> who trained -> seconds, the last to compare with."""
    from kerasreg import plots

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


def verdicts(measured: dict[str, dict]) -> list[tuple[str, ...]]:
    """One line a bar: measured, bar, goal, met or missed."""
    lines = []

    def is_met(value: float, limit: float, above: bool) -> bool:
        return value >= limit if above else value <= limit

    def line(case: str, what: str, value: float, bar: float | None, goal, above: bool = True):
        sign = "≥" if above else "≤"
        lines.append(
            (
                case,
                what.format(value),
                f"{sign} {bar:g}" if bar is not None else "",
                f"{sign} {goal:g}" if goal is not None else "",
                ", ".join(
                    name + ("met" if is_met(value, limit, above) else "MISSED")
                    for name, limit in (("", bar), ("goal ", goal))
                    if limit is not None
                ),
            )
        )

    for case, runs in measured.items():
        same = runs["equality"]
        what = (
            f"losses differ by {{:.0e}} in float64; in float32 by {same['float32']:.0e} "
            f"(Keras from itself with rows reordered: {same['reordered']:.0e})"
        )
        line(case, what, same["float64"], 1e-3, None, False)
    for case, peer, mine, bar, goal in BARS:
        runs = measured.get(case, {})
        if peer in runs:
            ratio = _per_trial(runs[peer]) / _per_trial(runs[mine])
            line(case, f"{{:.1f}} x faster than {peer}", ratio, bar, goal)
    runs = measured.get("chapter6", {})
    if runs:
        ratio = runs["population"]["seconds"] / runs["products"]["seconds"]
        line("chapter6", "{:.2f} x the bare matrix products", ratio, 2.5, 1.6, False)
        ratio = _per_trial(runs["200 members"]) / _per_trial(runs["50 members"])
        line(
            "chapter6", "{:.2f} x a trial's cost, 200 against 50 members", ratio, 1.15, None, False
        )
        peak = runs["200 members"]["megabytes"] / 1024
        each = runs["200 members"]["megabytes_above_start"] / 200
        line(
            "chapter6",
            f"{{:.2f}} GB with 200 members, {each:.1f} MB a member",
            peak,
            2.5,
            None,
            False,
        )
        ratio = _per_trial(runs["keras-tuner"]) * 100 / runs["halving"]["seconds"]
        loss = runs["halving"]["best"] / runs["population"]["best"]
        line("chapter6", f"{{:.0f}} x, stopping early (best loss x {loss:.3f})", ratio, None, 100)
    return lines


def _per_trial(result: dict) -> float:
    return result["seconds"] / result["trials"]


if __name__ == "__main__":
    main()
