"""How far would a search on Ray scale? Recorded trials replayed by made-up workers.

Parts go to the workers in order; a round begins when the one before is through. Every part costs
the driver the start of a task and the recording of its trials, one after the other. Some workers
are slow, some parts are lost half-way and begin again. Durations are drawn from the trials of a
study; what a trial costs the driver is measured by recording them once more.

    python scripts/simulate_scaling.py STUDY --trial-seconds 30
"""

from __future__ import annotations

import argparse
import heapq
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

# Trials of 5 folds in a part, see `kerasreg.search.engines.ray_cluster.parts`.
PART_TRIALS = 4


@dataclass(frozen=True)
class Costs:
    """Seconds and shares that the model goes by.

    Attributes:
        task: To start a task and fetch its result, seconds of the driver.
        record: To record a trial, seconds of the driver.
        slow, slow_factor: Share of the workers that are slow, and how much longer they take.
        lost: Share of the parts whose worker is lost.
    """

    task: float
    record: float
    slow: float
    slow_factor: float
    lost: float


def simulate(
    durations: np.ndarray, workers: int, round_trials: int, costs: Costs, seed: int
) -> tuple[float, float]:
    """Train trials of these durations in rounds.

    Returns:
        Seconds until the last one is recorded, and the share of them that the driver worked.
    """
    draw = np.random.default_rng(seed)
    factor = np.where(draw.uniform(size=workers) < costs.slow, costs.slow_factor, 1.0)
    now = driver = worked = 0.0
    for first in range(0, len(durations), round_trials):
        own = durations[first : first + round_trials]
        parts = [own[k : k + PART_TRIALS] for k in range(0, len(own), PART_TRIALS)]
        free = [(now, worker) for worker in range(workers)]
        training: list[tuple[float, int, int]] = []
        waiting = iter(parts)
        for _ in range(min(workers, len(parts))):
            start, worker = heapq.heappop(free)
            driver = max(driver, start) + costs.task
            worked += costs.task
            _begin(training, next(waiting), worker, driver, factor, costs, draw)
        while training:
            finished, worker, trials = heapq.heappop(training)
            # As the engine does: the next part begins, then what is through is recorded.
            driver = max(driver, finished)
            if (part := next(waiting, None)) is not None:
                driver += costs.task
                worked += costs.task
                _begin(training, part, worker, driver, factor, costs, draw)
            driver += trials * costs.record
            worked += trials * costs.record
        now = driver
    return now, worked / now


def _begin(training, part, worker, start, factor, costs, draw) -> None:
    seconds = part.sum() * factor[worker]
    if draw.uniform() < costs.lost:
        seconds *= 1 + draw.uniform()
    heapq.heappush(training, (start + seconds, worker, len(part)))


def recording_seconds(folder: Path) -> float:
    """What it costs here to record a trial of a study: a line that is on the disk, event files."""
    from kerasreg.search import tensorboard
    from kerasreg.study import Study

    study = Study.open(folder)
    records = study.trials()
    with tempfile.TemporaryDirectory() as made:
        copy = Study.create(Path(made) / "study", study.request)
        with copy.lock():
            started = time.monotonic()
            for record in records:
                copy.append(record)
                tensorboard.write_trial(copy.tensorboard, record)
            return (time.monotonic() - started) / len(records)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, metavar="STUDY", help="whose trials are replayed")
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--trial-seconds", type=float, help="scale the durations to this mean")
    parser.add_argument("--task-seconds", type=float, default=0.01, help="of the driver, a part")
    parser.add_argument("--slow", type=float, default=0.05, help="share of workers that are slow")
    parser.add_argument("--slow-factor", type=float, default=3.0)
    parser.add_argument("--lost", type=float, default=0.01, help="share of parts that are lost")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    from kerasreg.study import Study

    seconds = np.array([record["seconds"] for record in Study.open(given.study).trials()])
    if given.trial_seconds:
        seconds *= given.trial_seconds / seconds.mean()
    durations = np.random.default_rng(given.seed).choice(seconds, given.trials)
    costs = Costs(
        given.task_seconds,
        recording_seconds(given.study),
        given.slow,
        given.slow_factor,
        given.lost,
    )
    console = Console()
    console.print(
        f"{given.trials:,} trials of {durations.mean():.3g} s; the driver needs "
        f"{1000 * costs.task:.3g} ms a part and {1000 * costs.record:.3g} ms a trial"
    )
    table = Table("workers", "trials a round", "hours", "of a perfect cluster", "driver at work")
    for workers in (16, 256, 4096):
        for round_trials in (64, 4096, given.trials):
            wall, busy = simulate(durations, workers, round_trials, costs, given.seed)
            perfect = durations.sum() / workers / wall
            table.add_row(
                f"{workers:,}", f"{round_trials:,}", f"{wall / 3600:.3g}", f"{perfect:.0%}",
                f"{busy:.0%}",
            )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    main()
