"""The table of trials and the curves embedded for it."""

import math
from typing import Any

from kerasreg import words
from kerasreg.objectives import lower_is_better, sign
from kerasreg.report._reading import Record, StudyView, gap

_POINTS = 80  # a trial's curve in the page has at most this many
_CURVES = ("data_loss", "val_data_loss", "accuracy", "val_accuracy", "mae", "val_mae", "penalty")


def table(view: StudyView) -> dict[str, Any]:
    """Every trial as a row of text, best first.

    Returns:
        `columns`, names; `numeric`, whether each stands to the right; `lower`, whether a smaller
        score is better; `rows`, each with its cells, its status and the reason of it.
    """
    names = list(dict.fromkeys(n for trial in view.trials for n in trial["hyperparameters"]))
    metric = view.metric
    spread = any(trial["score_std"] is not None for trial in view.trials)
    second = f"val_{metric}" if view.objective == "val_data_loss" else "val_data_loss"
    head = ["trial", "status", view.objective, *(["±"] if spread else []), second, "gap"]
    columns = [*head, *names, "epoch", "seconds"]
    best = view.best
    rows = []
    better = sign(view.objective)
    ranked = sorted(  # what has no score last
        enumerate(view.trials),
        key=lambda pair: (pair[1]["score"] is None, -better * (pair[1]["score"] or 0)),
    )
    for index, trial in ranked:
        metrics = trial["metrics"]
        cells = [trial["score"], *([trial["score_std"]] if spread else [])]
        cells += [metrics.get(second), gap(trial, metric)]
        cells += [trial["hyperparameters"].get(name) for name in names]
        cells += [trial["chosen_epoch"], trial["seconds"]]
        rows.append(
            {
                "index": index,
                "trial": trial["trial"],
                "status": trial["status"],
                "best": trial is best,
                "reason": _reason(trial),
                "cells": [cell(value, 4 if k == 0 else 3) for k, value in enumerate(cells)],
            }
        )
    numeric = numeric_columns([row["cells"] for row in rows], len(columns) - 2)
    return {
        "columns": columns,
        "numeric": [False, False, *numeric],
        "lower": lower_is_better(view.objective),
        "rows": rows,
    }


def numeric_columns(rows: list[list[dict[str, Any]]], columns: int) -> list[bool]:
    """Which columns of cells hold nothing but numbers and dashes, and so stand to the right."""
    return [
        any(row[k]["number"] for row in rows)
        and all(row[k]["number"] or row[k]["text"] == "–" for row in rows)
        for k in range(columns)
    ]


def cell(value: Any, digits: int = 4) -> dict[str, Any]:
    """A value of a table: its text, what to sort by, and whether it is a number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"text": words.show(value, digits), "sort": value if number else "", "number": number}


def _reason(trial: Record) -> str:
    if trial["status"] == "failed":
        return str(trial.get("error") or "no reason recorded")
    if trial["status"] == "diverged":
        lost = [
            epoch + 1
            for values in trial["curves"].values()
            for epoch, value in enumerate(values)
            if value is None
        ]
        when = f" in epoch {min(lost)}" if lost else ""
        return f"a number was not finite{when}"
    if trial["status"] == "stopped":
        return f"stopped by halving after epoch {trial['epochs']}: the better half went on"
    return ""


def embedded(trial: Record) -> dict[str, Any]:
    """What the page draws when a trial is opened: its curves, thinned to 80 points at most."""
    curves = {}
    for name in _CURVES:
        values = trial["curves"].get(name)
        if values and not (name == "penalty" and not any(values)):
            step = math.ceil(len(values) / _POINTS)
            curves[name] = [_short(value) for value in values[::step]]
            curves["_step"] = step
    return {"id": trial["trial"], "epoch": trial["chosen_epoch"], "curves": curves}


def _short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")
