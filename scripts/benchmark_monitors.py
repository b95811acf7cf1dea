"""What do the monitors cost?

Question: how much longer is an epoch of `model.fit` when all four monitors record in every epoch
and write to TensorBoard? The aim is at most 25 %.

Setting: digits (1,079 training rows, validation after every epoch, batch 32), a 128-128 stack with
dropout and L2, so that there are masks to leave alone and penalties to compute; a probe of 256
rows; training metrics over all training rows.

Method: models without monitors, with each one and with all of them take turns, round after round,
in one process, so that whatever else the machine does falls on all sides alike. An epoch is timed
from the end of the one before, everything between included. The first epoch of each model traces
its graphs and is reported apart. The cost in a round is the median epoch of that round against the
median epoch of the unwatched model in the same round; the table gives the median over rounds.
Beside wall time stands the processor time of all threads, which hardly feels what else runs: where
the two disagree, the machine was not quiet and the wall times are not worth much.

Run: python scripts/benchmark_monitors.py [--rounds 15] [--epochs 8]
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from kerasreg.data import load
from kerasreg.monitors import ActivationMonitor, GradientMonitor, PenaltyMonitor, TrainEvaluation
from kerasreg.stacks import StackConfig, build_stack

PROBE_ROWS = 256
AIM = 0.25


class EpochClock(keras.callbacks.Callback):
    """Wall and processor seconds from the end of one epoch to the end of the next."""

    def on_train_begin(self, logs=None):
        self.ends = [(time.perf_counter(), time.process_time())]

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append((time.perf_counter(), time.process_time()))

    @property
    def seconds(self) -> np.ndarray:
        """Shape (epochs, 2): wall, processor."""
        return np.diff(self.ends, axis=0)


def monitors_of(data, log_dir: Path) -> dict[str, list[keras.callbacks.Callback]]:
    """Name -> callbacks, every set with a separate folder and new objects."""
    x, y = data.train.x, data.train.y
    probe = slice(0, PROBE_ROWS)
    makers = {
        "PenaltyMonitor": lambda run: PenaltyMonitor(run),
        "TrainEvaluation": lambda run: TrainEvaluation(x, y, log_dir=run),
        "ActivationMonitor": lambda run: ActivationMonitor(data.validation.x[probe], run),
        "GradientMonitor": lambda run: GradientMonitor((x[probe], y[probe]), run),
    }
    sets = {"none": []}
    sets |= {name: [make(log_dir / name)] for name, make in makers.items()}
    sets["all four"] = [make(log_dir / "all") for make in makers.values()]
    return sets


def measure(rounds: int, epochs: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Return, by name, the first epoch's wall seconds and each round's median epoch.

    The medians have shape (rounds, 2): wall, processor.
    """
    data = load("digits")
    config = StackConfig(units=(128, 128), dropout=0.2, l2=1e-4)
    first: dict[str, float] = {}
    medians: dict[str, list[np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as log_dir:
        sides = {
            name: (build_stack(config, data.input_shape, data.outputs, data.task), callbacks)
            for name, callbacks in monitors_of(data, Path(log_dir)).items()
        }
        clock = EpochClock()
        for turn in range(rounds + 1):
            for name, (model, callbacks) in sides.items():
                model.fit(
                    data.train.x,
                    data.train.y,
                    validation_data=(data.validation.x, data.validation.y),
                    batch_size=32,
                    epochs=epochs + 1,
                    verbose=0,
                    callbacks=[*callbacks, clock],
                )
                # Each `fit` sets up its data in its first epoch; that is not counted here.
                if turn == 0:
                    first[name] = float(clock.seconds[0, 0])
                else:
                    medians.setdefault(name, []).append(np.median(clock.seconds[1:], axis=0))
    return first, {name: np.array(values) for name, values in medians.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="turns of every side")
    parser.add_argument("--epochs", type=int, default=8, help="timed epochs a turn")
    arguments = parser.parse_args()
    first, medians = measure(arguments.rounds, arguments.epochs)

    table = Table(title="An epoch of digits with validation, median over rounds", box=SIMPLE)
    for column in ("monitors", "wall ms", "more %", "quartiles", "CPU ms", "more %", "trace s"):
        table.add_column(column, justify="left" if column == "monitors" else "right", no_wrap=True)
    plain = medians["none"]
    extra = {name: np.median(seconds / plain - 1, axis=0) for name, seconds in medians.items()}
    for name, seconds in medians.items():
        low, high = np.percentile(seconds[:, 0] / plain[:, 0] - 1, [25, 75])
        wall, processor = np.median(seconds, axis=0)
        table.add_row(
            name,
            f"{1e3 * wall:.1f}",
            f"{100 * extra[name][0]:+.1f}",
            f"{100 * low:+.0f}…{100 * high:+.0f}",
            f"{1e3 * processor:.1f}",
            f"{100 * extra[name][1]:+.1f}",
            f"{first[name] - wall:.2f}",
        )
    console = Console()
    console.print(table)
    wall, processor = extra["all four"]
    # A busy machine can make wall time look free; the worse of the two decides.
    verdict = "reached" if max(wall, processor) <= AIM else "missed"
    console.print(
        f"All four cost {100 * wall:.1f} % of an epoch's time ({100 * processor:.1f} % of its "
        f"processor time): the aim of {100 * AIM:.0f} % is {verdict}."
    )


if __name__ == "__main__":
    main()
