"""The end of a study: the models are refitted, and the test rows are read, once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kerasreg.data import Dataset
from kerasreg.search.context import SearchContext, Side
from kerasreg.search.ensemble_model import Branch, predict
from kerasreg.search.metrics import logits_of_predictions, measure, predict_logits
from kerasreg.search.request import Request
from kerasreg.stacks import StackConfig


def refit(context: SearchContext, side: Side) -> list[keras.Model]:
    """Train on training and validation rows for the chosen epochs, one model a member seed."""
    context.enter("refitting")
    rows = context.rows_for(side.config).refit
    epochs, horizon = refit_epochs(context.request, side.record)
    return [
        context.fit(side.config, seed, rows, epochs, horizon=horizon)
        for seed in context.request.member_seeds
    ]


def refit_epochs(request: Request, record: Mapping[str, Any]) -> tuple[int, int]:
    """Epochs of the refit of a record, and of its schedule.

    With folds they are fewer, so that more rows mean as many steps.
    """
    share = 1 - 1 / request.folds if request.folds else 1.0
    return tuple(max(1, round(share * n)) for n in (record["chosen_epoch"], request.epochs))


def read_test_rows(
    context: SearchContext,
    sides: Mapping[str, Side],
    models: Mapping[str, list[keras.Model]],
    ensemble: Sequence[Branch] = (),
) -> dict[str, dict[str, Any]]:
    """Read the test rows, counted before it happens, and measure every model on them.

    Returns:
        `baseline` and `best` to the result with the first seed, beside `seeds`, the list of all;
        `ensemble` to its result. Each has `data_loss`, and `accuracy`, or `mae` in the target's
        unit.
    """
    context.enter("testing")
    context.study.count_test_read(reread_test=True)
    dataset, tests = context.dataset, {}
    views = [side.config.encoding for side in sides.values()]
    rows = dataset.read_tests([*views, *(branch.fold for branch in ensemble)])
    for (name, side), own in zip(sides.items(), rows, strict=False):
        results = [
            {"seed": seed, **_measured(dataset, predict_logits(model, own.x), own.y, side.config)}
            for seed, model in zip(context.request.member_seeds, models[name], strict=True)
        ]
        tests[name] = {**results[0], "seeds": results}
    if ensemble:
        predictions = predict(ensemble, rows[len(views) :])
        if dataset.task == "regression":
            predictions = (predictions - dataset.target_offset) / dataset.target_scale
        logits = logits_of_predictions(predictions, dataset.task)
        tests["ensemble"] = _measured(dataset, logits, rows[0].y, sides["best"].config)
    return tests


def _measured(
    dataset: Dataset, logits: np.ndarray, y: np.ndarray, config: StackConfig
) -> dict[str, float | None]:
    measured = measure(logits, y, dataset.task, config.loss)
    if "mae" in measured:
        measured["mae"] *= dataset.target_scale
    return {name: value if math.isfinite(value) else None for name, value in measured.items()}
