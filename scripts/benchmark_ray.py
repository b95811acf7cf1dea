"""What does a Ray cluster cost, and what does it bring? 1 and 2 workers of one core, and none.

Each way is a process of its own. It trains the same task twice; the second time is shown, so that
imports and tracing are left out everywhere. `overhead` is the share of the workers' time in which
they did not train: starting tasks, sending data and results, recording, waiting for the last one.
Chapter 6 (784-[100]x6-10, SGD) has rows drawn at random: what is measured is the arithmetic.

    python scripts/benchmark_ray.py --out runs/benchmark_ray.json
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

WAYS = {"2 cores, no Ray": 0, "1 worker": 1, "2 workers": 2}
CASES = ("chapter 6", "digits")


def task_of(case: str, trials: int):
    """The task and its data."""
    from kerasreg import StackConfig, from_arrays, load
    from kerasreg.population import TrainingPlan
    from kerasreg.search.engines import TrainingTask

    draw = np.random.default_rng(0)
    if case == "digits":
        data, epochs, batch = load("digits"), 20, 32
        base = StackConfig(units=(64,) * 3, normalization="batch")
    else:
        x = draw.uniform(size=(625, 784)).astype(np.float32)
        data, epochs, batch = from_arrays(x, np.arange(625) % 10, name=case), 50, 100
        base = StackConfig(units=(100,) * 6, optimizer="sgd")
    settings = tuple(
        base.replace(learning_rate=float(10**rate)) for rate in draw.uniform(-4, -2, trials)
    )
    return TrainingTask(settings, (0,), TrainingPlan(epochs, batch)), data


def measure(case: str, workers: int, trials: int) -> dict[str, float]:
    """Train in this process; seconds, and of them what a cluster used."""
    from kerasreg.search.engines import engine_named
    from kerasreg.search.engines.ray_cluster import RayCluster
    from kerasreg.search.engines.ray_engine import on_cluster

    task, data = task_of(case, trials)
    if not workers:
        return timed(engine_named("population"), task, data)
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray

    started = time.monotonic()
    ray.init(
        address="local",
        num_cpus=workers,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        logging_level=logging.ERROR,
    )
    with on_cluster(RayCluster()) as engine:
        ready = time.monotonic() - started
        return {"start": ready, **timed(engine, task, data)}


def timed(engine, task, data) -> dict[str, float]:
    engine.train(task, data)
    before, started = engine.usage or {}, time.monotonic()
    engine.train(task, data)
    found = {"seconds": time.monotonic() - started}
    if engine.usage:
        found["training"] = engine.usage["training_seconds"] - before["training_seconds"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark_ray.json"))
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        case, workers = given.measure
        print(json.dumps(measure(case, int(workers), given.trials)))
        return
    found: dict[str, dict] = {}
    console = Console()
    table = Table("case", "how", "seconds", "against 1 worker", "overhead", "start of Ray")
    for case in CASES:
        for way, workers in WAYS.items():
            console.print(f"{case}: {way} …")
            command = [sys.executable, __file__, "--trials", str(given.trials)]
            done = subprocess.run(
                [*command, "--measure", case, str(workers)],
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            found.setdefault(case, {})[way] = json.loads(done.stdout.splitlines()[-1])
        for way, workers in WAYS.items():
            own = found[case][way]
            times = found[case]["1 worker"]["seconds"] / own["seconds"]
            overhead = start = ""
            if workers:
                overhead = f"{1 - own['training'] / (workers * own['seconds']):.1%}"
                start = f"{own['start']:.1f}"
            table.add_row(case, way, f"{own['seconds']:.1f}", f"{times:.2f}×", overhead, start)
    console.print(table)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"load": os.getloadavg()[0], "cases": found}, indent=1))


if __name__ == "__main__":
    main()
