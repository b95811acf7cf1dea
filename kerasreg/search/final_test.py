"""The end of a study: the models are refitted, and the test rows are read, once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras

from kerasreg.data import Split
from kerasreg.search.context import SearchContext, Side
from kerasreg.search.metrics import measure, predict_logits


def refit(context: SearchContext, side: Side) -> list[keras.Model]:
    """Train on training and validation rows for the chosen epochs, one model a member seed."""
    context.enter("refitting")
    rows, epochs = context.dataset.refit, side.record["chosen_epoch"]
    return [context.fit(side.config, seed, rows, epochs) for seed in context.request.member_seeds]


def read_test_rows(
    context: SearchContext, sides: Mapping[str, Side], models: Mapping[str, list[keras.Model]]
) -> dict[str, dict[str, Any]]:
    """Read the test rows, counted before it happens, and measure the refitted models on them.

    Returns:
        `baseline` and `best` to the result with the first seed, beside `seeds`, the list of all.
        Each has `seed`, `data_loss`, and `accuracy`, or `mae` in the target's unit.
    """
    context.enter("testing")
    context.study.count_test_read(reread_test=True)
    rows = context.dataset.read_test()
    tests = {}
    for name, side in sides.items():
        results = [
            {"seed": seed, **_measured(context, side, model, rows)}
            for seed, model in zip(context.request.member_seeds, models[name], strict=True)
        ]
        tests[name] = {**results[0], "seeds": results}
    return tests


def _measured(
    context: SearchContext, side: Side, model: keras.Model, rows: Split
) -> dict[str, float | None]:
    dataset = context.dataset
    measured = measure(predict_logits(model, rows.x), rows.y, dataset.task, side.config.loss)
    if "mae" in measured:
        measured["mae"] *= dataset.target_scale
    return {name: value if math.isfinite(value) else None for name, value in measured.items()}
