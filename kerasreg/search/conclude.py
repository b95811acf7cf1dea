"""After the last trial: the fair baseline, the refit, the one reading of the test rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasreg.data import Dataset
from kerasreg.monitors.events import shared_writer
from kerasreg.search import inside, tensorboard
from kerasreg.search.engines import Engine, TrainingTask, halving_rungs
from kerasreg.search.events import Counter, Event, Progress
from kerasreg.search.measuring import measure, predict_logits
from kerasreg.search.request import Request
from kerasreg.search.space import Choice, Range
from kerasreg.stacks import StackConfig
from kerasreg.study import (
    OBJECTIVES,
    Study,
    atomic_save_npz,
    atomic_write,
    read_json,
    trial_record,
    write_json,
)

LEARNING_RATES = 8  # of the baseline


@dataclass(frozen=True)
class Work:
    """What every step of a study works with."""

    request: Request
    dataset: Dataset
    study: Study
    engine: Engine
    progress: Progress | None

    @property
    def batch_size(self) -> int:
        """Rows a step."""
        return self.request.batch_size or self.dataset.default_batch_size

    def task(
        self,
        settings: tuple[StackConfig, ...],
        halving: bool = False,
        beside: tuple[StackConfig, ...] = (),
    ) -> TrainingTask:
        """The request's task for these settings; with `halving`, the worse ones stop early."""
        asked = self.request
        return TrainingTask(
            settings=settings,
            seeds=asked.member_seeds,
            folds=asked.folds,
            epochs=asked.epochs,
            batch_size=self.batch_size,
            patience=asked.patience,
            objective=asked.objective,
            epoch_rule=asked.epoch_rule,
            fold_seed=asked.seed,
            halving=halving_rungs(asked.epochs) if halving else (),
            beside=beside,
        )

    def counter(self, phase: str, total: int) -> Counter:
        """A counter of settings for the progress of one phase."""
        asked = self.request
        epochs = asked.epochs * asked.seeds * max(1, asked.folds)
        lower = OBJECTIVES[asked.objective] > 0
        return Counter(self.progress, phase, total, epochs, asked.objective, lower)

    def say(self, phase: str) -> None:
        """Enter a phase that is not counted."""
        if self.progress:
            self.progress(Event(phase))


def conclude(work: Work) -> None:
    """Train the baseline, refit both sides, read the test rows once, write result and model.

    Both sides are refitted on training and validation rows for their chosen number of epochs, with
    every seed of the study. The exported model is the best setting's with the first seed, and
    `test` is that model's result; the other seeds' stand beside it.
    """
    study, dataset = work.study, work.dataset
    best = study.best()
    candidates = train_baseline(work)
    baseline = _best_candidate(candidates, work.request.objective)
    sides = {"baseline": baseline, "best": best}
    result = {
        "objective": work.request.objective,
        "metric": "mae" if dataset.task == "regression" else "accuracy",
        "class_names": dataset.class_names,
        "feature_names": dataset.feature_names,
        "target_name": dataset.target_name,
        "target_scale": dataset.target_scale,
        "rows": dataset.describe()["rows"],
        "batch_size": work.batch_size,
        "best": None,
        "baseline": None,
        "baseline_candidates": [
            {name: record[name] for name in ("hyperparameters", "status", "score", "chosen_epoch")}
            for record in candidates
        ],
    }
    models = {
        who: refit(work, _config(work, who, record)) for who, record in sides.items() if record
    }
    if models:
        work.say("testing")
        study.count_test_read(reread_test=True)
        test = dataset.read_test()
        for who, trained in models.items():
            config = _config(work, who, sides[who])[0]
            results = [
                {"seed": seed, **_tested(work, config, model, test)}
                for seed, model in zip(work.request.member_seeds, trained, strict=True)
            ]
            result[who] = {
                **sides[who],
                "config": config.to_dict(),
                "refit_epochs": sides[who]["chosen_epoch"],
                "test": {**results[0], "seeds": results},
            }
    if best:
        exported = dataset.export(models["best"][0])
        atomic_write(study.best_model, exported.save)
        look_inside(work, sides)
    study.write_result(result)


def train_baseline(work: Work) -> list[dict[str, Any]]:
    """Train the unregularised stack at each learning rate, with the study's seeds and folds.

    Finished candidates are kept in the study's checkpoints, so an interruption repeats only one.
    """
    rates = baseline_rates(work.request)
    base = StackConfig.from_dict(work.request.base).unregularized()
    path = work.study.checkpoints / "baseline.json"
    records = list(read_json(path)["candidates"]) if path.exists() else []
    counter = work.counter("baseline", len(rates))
    for record in records:
        counter.setting(record, new=False)
    rest = rates[len(records) :]

    def finished(index: int, members: list) -> None:
        rate = rest[index]
        record = trial_record(
            f"baseline-{len(records)}",
            {"learning_rate": rate},
            members,
            work.request.objective,
            work.request.epoch_rule,
            work.engine.name,
        )
        records.append(record)
        write_json(path, {"candidates": records})
        counter.setting(record)

    settings = tuple(base.replace(learning_rate=rate) for rate in rest)
    if settings:
        work.engine.train(
            work.task(settings),
            work.dataset,
            lambda scores: counter.epochs(len(scores)),
            finished,
            work.study.checkpoints,
        )
    return records


def baseline_rates(request: Request) -> list[float]:
    """Learning rates that the baseline may choose from, as wide as the search's.

    Eight, evenly spaced in the logarithm, over the space's range; the choices of a space that
    lists them; the one rate of a search that does not vary it.
    """
    varied = request.parsed_space["learning_rate"] if _varies_rate(request) else None
    if isinstance(varied, Range):
        return [float(rate) for rate in np.geomspace(varied.low, varied.high, LEARNING_RATES)]
    if isinstance(varied, Choice):
        return [float(rate) for rate in varied.values]
    return [float(request.base["learning_rate"])]


def _varies_rate(request: Request) -> bool:
    return "learning_rate" in request.parsed_space


def _best_candidate(records: list[dict[str, Any]], objective: str) -> dict[str, Any] | None:
    sign = OBJECTIVES[objective]
    scored = [record for record in records if record["status"] == "completed"]
    best = min(scored, key=lambda record: sign * record["score"], default=None)
    return best and {**best, "trial": "baseline"}


def _config(work: Work, who: str, record: Mapping[str, Any]) -> tuple[StackConfig, int]:
    """The stack of a side and for how many epochs it is refitted."""
    base = StackConfig.from_dict(work.request.base)
    if who == "baseline":
        config = base.unregularized().replace(**record["hyperparameters"])
    else:
        config = work.request.config(record["hyperparameters"])
    return config, record["chosen_epoch"]


def refit(work: Work, chosen: tuple[StackConfig, int]) -> list[keras.Model]:
    """Train on training and validation rows for the chosen epochs, one model a seed."""
    config, epochs = chosen
    work.say("refitting")
    rows = work.dataset.refit
    return [
        work.engine.fit(config, seed, work.dataset, rows, epochs, work.batch_size)
        for seed in work.request.member_seeds
    ]


def _tested(work: Work, config: StackConfig, model: keras.Model, test) -> dict[str, float | None]:
    """Data loss and accuracy (or mae in the target's own unit) on the test rows."""
    measured = measure(predict_logits(model, test.x), test.y, work.dataset.task, config.loss)
    if "mae" in measured:
        measured["mae"] *= work.dataset.target_scale
    return {name: value if math.isfinite(value) else None for name, value in measured.items()}


def look_inside(work: Work, sides: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Replay both sides with the first seed, watched; for TensorBoard and `DIR/inside.npz`."""
    arrays: dict[str, np.ndarray] = {}
    for who, record in sides.items():
        if not record:
            continue
        work.say("looking inside")
        folder = work.study.tensorboard / who
        # Shared with the monitors: TensorBoard follows one file of a folder at a time.
        writer = shared_writer(folder)
        tensorboard.write_curves(writer, record["curves"])
        config, _ = _config(work, who, record)
        seed = work.request.member_seeds[0]
        watched = inside.watch(
            work.engine, config, seed, work.dataset, record["epochs"], work.batch_size, folder
        )
        arrays |= inside.named(who, watched)
    atomic_save_npz(work.study.folder / "inside.npz", arrays)
