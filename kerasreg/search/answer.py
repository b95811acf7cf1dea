"""After the last trial: the fair baseline, the refit, the one reading of the test rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasreg.data import Dataset
from kerasreg.files import atomic_save_npz, atomic_write
from kerasreg.monitors.events import shared_writer
from kerasreg.population import TrainingPlan
from kerasreg.search import replay, tensorboard
from kerasreg.search.baseline import baseline_shape, best_candidate, train_baseline
from kerasreg.search.engines import Engine, TrainingTask, halving_rungs
from kerasreg.search.metrics import measure, predict_logits
from kerasreg.search.progress import Counter, Event, Progress
from kerasreg.search.request import Request
from kerasreg.stacks import StackConfig
from kerasreg.study import Study


@dataclass(frozen=True)
class Side:
    """Baseline or best: the record that was chosen, and the stack it is of."""

    record: dict[str, Any]
    config: StackConfig


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
        only: frozenset[int] | None = None,
    ) -> TrainingTask:
        """The request's task for these settings; with `halving`, the worse ones stop early."""
        asked = self.request
        plan = TrainingPlan(
            epochs=asked.epochs,
            batch_size=self.batch_size,
            objective=asked.objective,
            patience=asked.patience,
            halving=halving_rungs(asked.epochs) if halving else (),
            keep="none",
        )
        return TrainingTask(settings, asked.member_seeds, plan, asked.folds, asked.seed, only)

    def counter(self, phase: str, total: int) -> Counter:
        """A counter of settings for the progress of one phase."""
        asked = self.request
        epochs = asked.epochs * asked.seeds * max(1, asked.folds)
        return Counter(self.progress, phase, total, epochs, asked.objective)

    def say(self, phase: str) -> None:
        """Enter a phase that is not counted."""
        if self.progress:
            self.progress(Event(phase))


def conclude(work: Work) -> None:
    """Train the baseline, refit both sides, read the test rows once, write result and model.

    Both sides are refitted on training and validation rows for their chosen number of epochs, with
    every seed of the study. The exported model is the best setting's with the first seed, and
    `test` is that model's result; the other seeds' stand beside it. Where no trial has a score,
    nothing is refitted, exported or tested.
    """
    study, dataset = work.study, work.dataset
    best = study.best()
    shape = baseline_shape(work.request, best)
    candidates = train_baseline(work, shape)
    sides = {}
    if baseline := best_candidate(candidates, work.request.objective):
        sides["baseline"] = Side(baseline, shape.replace(**baseline["hyperparameters"]))
    if best:
        sides["best"] = Side(best, work.request.config(best["hyperparameters"]))
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
        **{who: {**side.record, "config": side.config.to_dict()} for who, side in sides.items()},
        "baseline_candidates": [
            {name: record[name] for name in ("hyperparameters", "status", "score", "chosen_epoch")}
            for record in candidates
        ],
    }
    if best:
        # Without a best trial there is nothing to test, and the test rows stay unread.
        models = {who: refit(work, side) for who, side in sides.items()}
        work.say("testing")
        study.count_test_read(reread_test=True)
        test = dataset.read_test()
        for who, side in sides.items():
            results = [
                {"seed": seed, **_tested(work, side.config, model, test)}
                for seed, model in zip(work.request.member_seeds, models[who], strict=True)
            ]
            result[who] |= {
                "refit_epochs": side.record["chosen_epoch"],
                "test": {**results[0], "seeds": results},
            }
        exported = dataset.export(models["best"][0])
        atomic_write(study.best_model, exported.save)
        look_inside(work, sides)
    study.write_result(result)


def refit(work: Work, side: Side) -> list[keras.Model]:
    """Train on training and validation rows for the chosen epochs, one model a seed."""
    work.say("refitting")
    rows, epochs = work.dataset.refit, side.record["chosen_epoch"]
    return [
        work.engine.fit(side.config, seed, work.dataset, rows, epochs, work.batch_size)
        for seed in work.request.member_seeds
    ]


def _tested(work: Work, config: StackConfig, model: keras.Model, test) -> dict[str, float | None]:
    """Data loss and accuracy (or mae in the target's own unit) on the test rows."""
    measured = measure(predict_logits(model, test.x), test.y, work.dataset.task, config.loss)
    if "mae" in measured:
        measured["mae"] *= work.dataset.target_scale
    return {name: value if math.isfinite(value) else None for name, value in measured.items()}


def look_inside(work: Work, sides: Mapping[str, Side]) -> None:
    """Replay both sides with the first seed, watched; for TensorBoard and `DIR/inside.npz`."""
    arrays: dict[str, np.ndarray] = {}
    # Of an interrupted conclusion, or of the result before the study was extended.
    for who in ("baseline", "best"):
        tensorboard.clear(work.study.tensorboard / who)
    for who, side in sides.items():
        work.say("looking inside")
        folder = work.study.tensorboard / who
        # Shared with the monitors: TensorBoard follows one file of a folder at a time.
        writer = shared_writer(folder, fresh=True)
        tensorboard.write_curves(writer, side.record["curves"])
        seed, epochs = work.request.member_seeds[0], side.record["epochs"]
        watched = replay.watch(
            work.engine, side.config, seed, work.dataset, epochs, work.batch_size, folder
        )
        arrays |= replay.named(who, watched)
    atomic_save_npz(work.study.folder / "inside.npz", arrays)
