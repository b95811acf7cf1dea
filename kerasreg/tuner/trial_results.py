"""What came of a trial: as keras-tuner takes it, as a file, and for TensorBoard."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial
from keras_tuner.src.engine import tuner_utils

from kerasreg.monitors import EventWriter

DIVERGED = "Diverged: a loss or metric was not finite."


def best_execution(
    histories: Sequence[keras.callbacks.History], objective: keras_tuner.Objective
) -> int:
    """Which execution has the best epoch: its weights are the trial's."""
    best = [
        history.history[objective.name][tuner_utils.get_best_step(history, objective)]
        for history in histories
    ]
    return best.index(max(best) if objective.direction == "max" else min(best))


def all_finite(results: Any) -> bool:
    """Whether everything that training gave is finite."""
    values = results
    if isinstance(results, keras.callbacks.History):
        values = list(results.history.values())
    elif isinstance(results, Mapping):
        values = list(results.values())
    values = keras.tree.flatten(values)
    return all(np.isfinite(value).all() for value in values if not isinstance(value, str | None))


def executions_of(
    histories: Sequence[keras.callbacks.History],
    runs: Sequence[tuple[int | None, str, float]],
) -> list[dict[str, Any]]:
    """Plain values for `executions.json`; `runs` are (seed, status, seconds)."""
    return [
        {
            "seed": seed,
            "status": status,
            "seconds": seconds,
            "history": {
                name: [_plain(value) for value in values]
                for name, values in history.history.items()
            },
        }
        for history, (seed, status, seconds) in zip(histories, runs, strict=True)
    ]


def _plain(value: Any) -> float | list | None:
    """A logged value for JSON: None where it is not finite, a list for a metric of many values."""
    if np.size(value) > 1:
        return [_plain(part) for part in value]
    value = float(np.reshape(value, ()))
    return value if math.isfinite(value) else None


def write_events(
    folder: str,
    curves: Mapping[str, Sequence[float]],
    trial: Trial,
    objective: keras_tuner.Objective,
    status: str,
    seconds: float,
) -> None:
    """Write curves as Keras' `TensorBoard` does, and the trial's row of the HParams dashboard.

    Args:
        folder: Of the execution; `train/` and `validation/` are made in it.
        curves: As in `History.history`.
        trial: Its hyperparameters are the row; executions of one trial share it.
        objective: The row's metric, at its best epoch.
        status, seconds: Of the execution.
    """
    for part, prefix in (("train", ""), ("validation", "val_")):
        measured = {
            name.removeprefix("val_"): values
            for name, values in curves.items()
            if name.startswith("val_") == bool(prefix)
        }
        with EventWriter(os.path.join(folder, part)) as writer:
            for epoch in range(len(measured["loss"])):
                scalars = {f"epoch_{name}": values[epoch] for name, values in measured.items()}
                writer.scalars(epoch, scalars)
    better = max if objective.direction == "max" else min
    finite = [v for v in curves[objective.name] if math.isfinite(v)]
    score = better(finite) if finite and status != "diverged" else None
    with EventWriter(folder) as writer:
        writer.hparams(
            {
                name: value if isinstance(value, bool | int | float | str) else str(value)
                for name, value in trial.hyperparameters.values.items()
                if not name.startswith("tuner/")
            },
            {} if score is None else {objective.name: score},
            group=trial.trial_id,
            step=0 if score is None else list(curves[objective.name]).index(score),
            status="failure" if score is None else "success",
            seconds=seconds,
        )
