"""Arms x seeds, trained as populations: one for each structure among the arms."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.data import Split
from kerasreg.errors import UserError
from kerasreg.lesson._data import LessonData
from kerasreg.lesson._progress import Progress
from kerasreg.lesson._runs import Arm, Runs, arm_of_results

if TYPE_CHECKING:
    import keras

    from kerasreg.networks import Config

#: Name -> network.
Networks = Mapping[str, "keras.Model | Config"]
#: Rows that activation histograms are taken of.
PROBE_ROWS = 256


def configs_of(networks: Networks, data: LessonData) -> "dict[str, Config]":
    """`read_networks`, once it is sure that they are for these rows.

    Raises:
        UserError: As `read_networks`; or the network is for rows or classes of another number.
    """
    import keras

    from kerasreg.lesson.networks import read_networks  # late: it imports TensorFlow

    shapes = (None, *data.input_shape), (None, data.classes)
    for name, network in networks.items():
        if isinstance(network, keras.Model):
            got = network.input_shape, network.output_shape
            if got != shapes:
                raise UserError(
                    f"network {name!r}: expected shapes {shapes[0]} -> {shapes[1]}, got "
                    f"{got[0]} -> {got[1]}. Build it from data.input_shape and data.classes."
                )
    return read_networks(networks)


def train_arms(
    arms: "Mapping[str, Config]",
    data: LessonData,
    folds: Sequence[tuple[Split, Split]],
    seeds: Sequence[int],
    *,
    epochs: int,
    batch_size: int,
    every: int,
    progress: Progress,
    events: Path | None = None,
    histograms: Sequence[str] = (),
    dtype: str = "float32",
) -> Runs:
    """Train every arm with every seed; see `Lesson.train`.

    Args:
        folds: For each seed its training rows, and the rows that count as its test rows.
        progress: Told after every measurement.
        events: Folder for event files, one run folder an arm; None writes none.

    Raises:
        UserError: No arms.
    """
    from kerasreg.monitors import ActivationMonitor
    from kerasreg.population import Population

    if not arms:
        raise UserError("arms: expected at least one, got none.")
    measured = np.array([e for e in range(1, epochs + 1) if e % every == 0 or e == epochs])
    rows = len(folds[0][0])
    probe = folds[0][1].x[:PROBE_ROWS]
    steps = math.ceil(rows / batch_size)
    trained: dict[str, Arm] = {}
    places: dict[str, tuple[Population, int]] = {}
    structures: dict[tuple, list[str]] = {}
    for name, config in arms.items():
        structures.setdefault(config.structure(), []).append(name)
    total = len(arms) * len(seeds)
    done = 0
    for names in structures.values():
        population = Population(
            [arms[name] for name in names for _ in seeds],
            data.input_shape,
            data.outputs,
            seeds=list(seeds) * len(names),
            folds=list(range(len(seeds))) * len(names),
            dtype=dtype,
        )
        first = {name: index * len(seeds) for index, name in enumerate(names)}
        results = population.fit(
            folds=[((train.x, train.y), (test.x, test.y)) for train, test in folds],
            epochs=epochs,
            batch_size=min(batch_size, rows),
            every=every,
            watch={
                first[name]: [ActivationMonitor(probe, log_dir=run_folder(events, name))]
                for name in names
                if name in histograms and events is not None
            },
            on_epoch=partial(progress.epoch, done, len(population), total),
        )
        done += len(population)
        for name in names:
            members = results[first[name] : first[name] + len(seeds)]
            trained[name] = arm_of_results(arms[name], members, measured, steps, data.classes)
            places[name] = population, first[name]
    runs = Runs({name: trained[name] for name in arms}, tuple(seeds), places)
    if events is not None:
        for name, arm in runs.arms.items():
            curves = {
                "accuracy/train": arm.train_accuracy,
                "accuracy/test": arm.test_accuracy,
                "accuracy/gap": arm.gap,
                "data_loss/train": arm.train_data_loss,
                "data_loss/test": arm.test_data_loss,
                "penalty": arm.penalty,
            }
            write_scalars(run_folder(events, name), arm.epochs, curves)
    return runs


def run_folder(events: Path, name: str) -> Path:
    """The folder of an arm's event files: its name with what folders dislike replaced."""
    return events / (re.sub(r"[^\w.=+-]+", "_", name).strip("_.") or "arm")


def write_scalars(
    folder: Path, steps: Sequence[int] | np.ndarray, tags: Mapping[str, np.ndarray]
) -> None:
    """Write arrays (seeds, measurements), averaged over seeds, as TensorBoard scalars."""
    from kerasreg.monitors import EventWriter

    means = {tag: values.mean(axis=0) for tag, values in tags.items()}
    with EventWriter(folder) as writer:
        for index, step in enumerate(steps):
            writer.scalars(int(step), {tag: float(v[index]) for tag, v in means.items()})


def best_candidate(finals: Mapping[str, Arm], worst: bool) -> tuple[str, dict[str, float]]:
    """The candidate with the best accuracy at the end, and the accuracy of each.

    Args:
        finals: Name -> runs that were measured on the tuning rows.
        worst: Whether the worst seed counts instead of the mean over seeds.
    """
    over_seeds = np.min if worst else np.mean
    accuracy = {n: float(over_seeds(arm.final("test_accuracy"))) for n, arm in finals.items()}
    loss = {n: float(arm.final("test_data_loss").mean()) for n, arm in finals.items()}
    # Accuracy decides; the data loss breaks ties, which few rows make common.
    return max((accuracy[name], -loss[name], name) for name in finals)[2], accuracy
