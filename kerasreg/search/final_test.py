"""The end of a study: the models are refitted, and the test rows are read, once."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from kerasreg.data import Dataset
from kerasreg.decision import decided
from kerasreg.networks import Config
from kerasreg.objectives import in_target_unit, of_predictions
from kerasreg.scores import score
from kerasreg.search.context import SearchContext, Side
from kerasreg.search.ensemble.model import Branch, predict
from kerasreg.search.metrics import logits_of_predictions, measure, predict_outputs
from kerasreg.search.request import Request


def refit(
    context: SearchContext, side: Side, callbacks: tuple[keras.callbacks.Callback, ...] = ()
) -> list[keras.Model]:
    """Train on training and validation rows for the chosen epochs, one model a member seed.

    Args:
        callbacks: What watches the first of them.
    """
    context.enter("refitting")
    rows = context.rows_for(side.config).refit
    epochs, horizon = refit_epochs(context.request, side.record)
    return [
        context.fit(side.config, seed, rows, epochs, () if k else callbacks, horizon)
        for k, seed in enumerate(context.request.member_seeds)
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
    temperature: float = 1.0,
    rules: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Read the test rows, counted before it happens, and measure every model on them.

    Args:
        ensemble, temperature: Branches of the ensemble, and what divides its logits.
        rules: Side -> when it decides for a class, see `kerasreg.decision`.

    Returns:
        `baseline` and `best` to the result with the first seed, beside `seeds`, the list of all;
        `ensemble` to its result. Each has `data_loss`, and `accuracy`, or `mae` in the target's
        unit; and the objective, where that is another.
    """
    context.enter("testing")
    context.study.count_test_read(reread_test=True)
    dataset, tests, rules = context.dataset, {}, rules or {}
    measured = partial(_measured, dataset, context.request.objective)
    views = [side.config.encoding for side in sides.values()]
    rows = dataset.read_tests([*views, *(branch.fold for branch in ensemble)])
    for (name, side), own in zip(sides.items(), rows, strict=False):
        results = [
            {
                "seed": seed,
                **measured(predict_outputs(model, own.x), own.y, side.config, rules.get(name)),
            }
            for seed, model in zip(context.request.member_seeds, models[name], strict=True)
        ]
        tests[name] = {**results[0], "seeds": results}
    if ensemble:
        predictions = predict(ensemble, rows[len(views) :])
        if dataset.task == "regression":
            predictions = (predictions - dataset.target_offset) / dataset.target_scale
        logits = logits_of_predictions(predictions, dataset.task) / temperature
        config = sides["best"].config
        tests["ensemble"] = measured(logits, rows[0].y, config, rules.get("ensemble"))
    return tests


def _measured(
    dataset: Dataset,
    objective: str,
    logits: np.ndarray,
    y: np.ndarray,
    config: Config,
    rule: float | list[float] | None,
) -> dict[str, float | None]:
    measured = measure(logits, y, dataset.task, config.loss)
    for name in of_predictions(objective):
        measured[name] = float(score(name, y, decided(logits, rule)[None])[0])
    for name in measured:
        if in_target_unit(name):
            measured[name] *= dataset.target_scale
    return {name: value if math.isfinite(value) else None for name, value in measured.items()}
