"""Which searcher finds good settings in the fewest trials?

Three searchers play the same games from the same seeds: random search, keras-tuner's Gaussian
process, and kerasreg's. Each game is a function whose best value is known or a table of settings
that were trained once. Shown: the best value so far after each trial (without the noise the
searchers saw), the paired difference to keras-tuner's oracle with a 95 % interval over the
repetitions, and the seconds a proposal took.

    python scripts/benchmark_oracles.py --repetitions 20 --trials 64 --batch 16
    python scripts/benchmark_oracles.py --table runs/search/trials.jsonl

What you should see: both model-based searchers ahead of random search, and intervals of the
difference to keras-tuner at or below zero.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from scipy import stats

from kerasreg.search import BayesianOracle, Proposer, RandomOracle, Space
from kerasreg.search.oracles.axes import Axes

OBJECTIVE = keras_tuner.Objective("val_data_loss", "min")
# The space, the value of a setting, and the standard deviation of the noise a searcher sees.
Game = tuple[keras_tuner.HyperParameters, Callable[[dict[str, Any]], float], float]


def branin() -> Game:
    """Two smooth dimensions, minimum 0.398 (Dixon & Szegö 1978)."""
    hp = keras_tuner.HyperParameters()
    hp.Float("x", -5, 10)
    hp.Float("y", 0, 15)

    def value(v: dict[str, Any]) -> float:
        a = v["y"] - 5.1 / (4 * math.pi**2) * v["x"] ** 2 + 5 / math.pi * v["x"] - 6
        return a**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(v["x"]) + 10

    return hp, value, 0.0


def hartmann() -> Game:
    """Six smooth dimensions, minimum -3.322 (Dixon & Szegö 1978)."""
    hp = keras_tuner.HyperParameters()
    for k in range(6):
        hp.Float(f"x{k}", 0, 1)
    alpha = np.array([1.0, 1.2, 3.0, 3.2])
    a = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    p = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )

    def value(v: dict[str, Any]) -> float:
        x = np.array([v[f"x{k}"] for k in range(6)])
        return float(-alpha @ np.exp(-np.sum(a * (x - p) ** 2, axis=1)))

    return hp, value, 0.0


def regularisation() -> Game:
    """The default space with a loss made to look like one: noisy, steep at the edges, divergent.

    Best: learning rate 1e-3 (3e-3 with batch normalisation), some dropout or some l2 but not both,
    no l1. Learning rates above 1e-2 without batch normalisation diverge.
    """

    def value(v: dict[str, Any]) -> float:
        batch = v["normalization"] == "batch"
        off = math.log10(v["learning_rate"]) + (2.5 if batch else 3.0)
        if off > 1 and not batch:
            return math.inf
        strength = v["dropout"] / 0.4
        if v["l2"] > 0:
            strength += (math.log10(v["l2"]) + 7) / 4
        harm = 300 * v["l1"] + 2 * v["input_dropout"] + 10 * v["l2"]
        return 0.3 + 0.3 * off**2 + 0.2 * (strength - 1) ** 2 + harm - 0.03 * batch

    return Space.default().hyperparameters(), value, 0.02


def table(path: Path) -> Game:
    """Settings of a real search: a proposal gets the result of the nearest one."""
    records = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    space = _space_of(records)
    axes = Axes(space.space)
    points = np.array([axes.point(record["hyperparameters"]) for record in records])
    known = axes.features(axes.canonical(points))
    scores = [math.inf if record["score"] is None else record["score"] for record in records]

    def value(v: dict[str, Any]) -> float:
        feature = axes.features(axes.canonical(axes.point(v)[None]))
        return scores[int(np.argmin(np.sum((known - feature) ** 2, axis=1)))]

    return space, value, 0.0


def _space_of(records: list[dict[str, Any]]) -> keras_tuner.HyperParameters:
    """The default space's part that the records vary, ranges fitted to them."""
    from kerasreg.search import Choice, Range

    space = Space()
    for name in records[0]["hyperparameters"]:
        column = [record["hyperparameters"][name] for record in records]
        if isinstance(column[0], str):
            space[name] = Choice(*sorted(set(column)))
        else:
            positive = [value for value in column if value > 0]
            log = max(positive) / min(positive) > 50
            space[name] = Range(min(positive), max(positive), log=log, zero=0 in column)
    return space.hyperparameters()


def searcher(name: str, hp: keras_tuner.HyperParameters, seed: int) -> Proposer:
    if name == "keras-tuner":
        oracle = keras_tuner.oracles.BayesianOptimizationOracle(
            OBJECTIVE,
            max_trials=None,
            hyperparameters=hp,
            # It draws from seed, seed + 1, ...: neighbouring seeds would repeat each other.
            seed=1000 * (seed + 1),
        )
    else:
        kind = {"random": RandomOracle, "kerasreg": BayesianOracle}[name]
        oracle = kind(OBJECTIVE, hyperparameters=hp, seed=seed)
    return Proposer(oracle)


def play(name: str, game: Game, seed: int, trials: int, batch: int) -> tuple[np.ndarray, float]:
    """One search; the best true value after each trial, and seconds a proposal."""
    hp, value, noise = game
    rng = np.random.default_rng(seed)
    proposer = searcher(name, hp, seed)
    best, curve, seconds = math.inf, [], 0.0
    while len(curve) < trials:
        start = time.perf_counter()
        proposals = proposer.propose(min(batch, trials - len(curve)))
        seconds += time.perf_counter() - start
        for trial, values in proposals:
            true = value(values)
            seen = true + rng.normal(0, noise)
            status = "completed" if math.isfinite(seen) else "diverged"
            score = seen if math.isfinite(seen) else None
            proposer.tell({"trial": trial, "status": status, "score": score})
            best = min(best, true)
            curve.append(best)
    return np.array(curve), seconds / trials


def interval(difference: np.ndarray) -> tuple[float, float, float]:
    """Mean of paired differences and its 95 % t interval."""
    mean = float(difference.mean())
    half = float(stats.t.ppf(0.975, len(difference) - 1) * stats.sem(difference))
    return mean, mean - half, mean + half


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16, help="settings proposed together")
    parser.add_argument("--games", default="branin,hartmann,regularisation")
    parser.add_argument("--searchers", default="random,keras-tuner,kerasreg")
    parser.add_argument("--table", type=Path, action="append", default=[], help="a trials.jsonl")
    parser.add_argument("--out", type=Path, help="write every curve here as JSON")
    args = parser.parse_args()

    made = {"branin": branin, "hartmann": hartmann, "regularisation": regularisation}
    games = {name: made[name]() for name in args.games.split(",") if name}
    games |= {path.stem: table(path) for path in args.table}
    results: dict[str, dict[str, Any]] = {}
    marks = [n for n in (16, 32, 48, 64, 100) if n <= args.trials]
    for title, game in games.items():
        results[title] = {}
        print(f"\n{title}: best value so far, mean of {args.repetitions} repetitions")
        print(
            f"{'searcher':12}" + "".join(f"{'at ' + str(n):>10}" for n in marks) + "   s/proposal"
        )
        for name in args.searchers.split(","):
            runs = [play(name, game, s, args.trials, args.batch) for s in range(args.repetitions)]
            curves = np.array([curve for curve, _ in runs])
            seconds = float(np.mean([s for _, s in runs]))
            results[title][name] = {"curves": curves.tolist(), "seconds": seconds}
            cells = "".join(f"{curves[:, n - 1].mean():10.4f}" for n in marks)
            print(f"{name:12}{cells}   {seconds:.3f}", flush=True)
        for other in ("keras-tuner", "random"):
            if {other, "kerasreg"} <= results[title].keys():
                kerasreg, reference = (
                    np.array(results[title][k]["curves"]) for k in ("kerasreg", other)
                )
                for n in marks[1:]:
                    mean, low, high = interval(kerasreg[:, n - 1] - reference[:, n - 1])
                    print(f"  kerasreg - {other} at {n}: {mean:+.4f} [{low:+.4f}, {high:+.4f}]")
                mean, low, high = interval(kerasreg[:, 16:].mean(1) - reference[:, 16:].mean(1))
                print(f"  kerasreg - {other}, mean after 16: {mean:+.4f} [{low:+.4f}, {high:+.4f}]")
        if args.out:
            args.out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
