"""What came of a trial: as keras-tuner takes it, and as a file."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.src.engine import tuner_utils

DIVERGED = "Diverged: a loss or metric was not finite."


def best_execution(
    histories: Sequence[keras.callbacks.History], objective: keras_tuner.Objective
) -> int:
    """Which execution has the best epoch: its weights are the trial's."""
    best = []
    for history in histories:
        epoch = tuner_utils.get_best_step(history, objective)
        logs = {name: values[epoch] for name, values in history.history.items()}
        best.append(objective.get_value(logs))
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
    histories: Sequence[keras.callbacks.History], runs: Sequence[tuple[int | None, str, float]]
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
