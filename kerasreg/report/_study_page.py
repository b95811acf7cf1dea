"""The page of a study: a reader's questions in their order."""

import math
import shlex
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from kerasreg import plots
from kerasreg.report import _words as words
from kerasreg.report._page import Picture, drawn, write_page
from kerasreg.report._reading import Record, StudyView, read_study
from kerasreg.seeds import derive
from kerasreg.stacks import StackConfig

_PAIRS = (
    ("dropout", "l2"),
    ("dropout", "learning_rate"),
    ("l2", "learning_rate"),
    ("dropout", "l1"),
    ("dropout", "input_dropout"),
    ("l1", "l2"),
)
_PANELS = 4
_POINTS = 80  # a trial's curve in the page has at most this many
_CURVES = ("data_loss", "val_data_loss", "accuracy", "val_accuracy", "mae", "val_mae", "penalty")


def render_report(folder: Path | str) -> Path:
    """Write `report.html` and `figures/` of a study, finished, running or interrupted.

    Args:
        folder: The study folder. Nothing but these two is written, and no lock is taken.

    Returns:
        The page: one self-contained file that needs no network.

    Raises:
        UserError: No study there, a file that is not what kerasreg writes, or a disk that refuses.
    """
    view = read_study(folder)
    figures = view.folder / "figures"
    values = {
        "title": f"{view.name}: which regularisation?",
        "headline": words.headline(view),
        "test_sentence": words.test_sentence(view),
        "progress": _progress(view),
        "rows": words.answer_rows(view),
        "members_note": words.members_note(view),
        "best": view.best,
        "settings": _settings(view),
        "test": _test_facts(view),
        "cost": _cost(view),
        "curves": _curves_picture(view, figures),
        "region": _region(view, figures),
        "inside": _inside(view, figures),
        "table": _table(view),
        "data_notes": [str(note) for note in view.data.get("notes") or []],
        "repeat": _repeat(view),
        "embedded": {"objective": view.objective, "trials": [_embedded(t) for t in view.trials]},
    }
    return write_page("study.html.j2", view.folder / "report.html", values)


def _progress(view: StudyView) -> dict[str, Any]:
    statuses = [trial["status"] for trial in view.trials]
    return {
        "finished": view.result is not None,
        "done": len(statuses),
        "asked": view.asked.get("trials"),
        "counts": {name: statuses.count(name) for name in dict.fromkeys(statuses)},
        "resume": f"kerasreg search --resume --out {shlex.quote(str(view.folder.name))}",
    }


def _settings(view: StudyView) -> list[tuple[str, str]]:
    best = view.best
    if best is None:
        return []
    return [(name, words.show(value)) for name, value in best["hyperparameters"].items()]


def _test_facts(view: StudyView) -> dict[str, Any]:
    best, test = view.best, view.test("best")
    value = test.get(view.metric)
    validation = ((best or {}).get("metrics") or {}).get(f"val_{view.metric}")
    return {
        "reads": view.test_reads,
        "read": bool(test),
        "rows": words.test_rows(view),
        "metric": words.NAMES[view.metric],
        "value": words.amount(value, view.metric),
        "validation": words.amount(validation, view.metric),
        "trials": len(plots.scored(view.trials)),
    }


def _cost(view: StudyView) -> str:
    spent = sum(float(trial["seconds"]) for trial in view.trials)
    if not view.trials:
        return "Nothing was trained yet."
    each = spent / len(view.trials)
    return (
        f"Training {words.count(len(view.trials), 'trial')} took {words.seconds(spent)}, "
        f"{words.seconds(each)} a trial."
    )


def _curves_picture(view: StudyView, figures: Path) -> Picture | None:
    if view.best is None:
        return None
    columns = {
        "Baseline, no regularisation": view.baseline,
        f"Best, trial {view.best['trial']}": view.best,
    }
    if view.baseline is None:
        del columns["Baseline, no regularisation"]
    return drawn(
        plots.learning_curves(columns),
        "learning_curves",
        "Training (dashed) and validation (solid), both without dropout, the penalty apart. "
        "The shaded area is the gap; the dot is the chosen epoch, thin lines are single members. "
        "Both columns share their axes.",
        _curves_alt(view),
        figures,
    )


def _curves_alt(view: StudyView) -> str:
    parts = []
    for name, record in (("baseline", view.baseline), ("best trial", view.best)):
        metrics = (record or {}).get("metrics") or {}
        if metrics.get("data_loss") is not None and metrics.get("val_data_loss") is not None:
            parts.append(
                f"at the chosen epoch {record['chosen_epoch']} the {name} has training data loss "
                f"{metrics['data_loss']:.4g} and validation data loss "
                f"{metrics['val_data_loss']:.4g}"
            )
    return "Learning curves: " + "; ".join(parts) + "."


def _region(view: StudyView, figures: Path) -> dict[str, Any]:
    done = plots.scored(view.trials)
    names = plots.varied(view.trials)
    pictures: list[Picture] = []
    result = None
    best = view.best
    if len(done) >= 2:
        baseline = (view.baseline or {}).get("score")
        pictures.append(
            drawn(
                plots.best_so_far(view.trials, view.objective, baseline),
                "best_so_far",
                "Every score and the best so far, against trials and seconds of training.",
                f"Best-so-far curve over {words.count(len(view.trials), 'trial')}, ending at "
                f"{words.show(best['score'] if best else None)}.",
                figures,
            )
        )
    if len(done) >= 3 and names:
        pictures = [*_responses(view, names, figures), *pictures]
        result = plots.importance(view.trials, derive(0, "report importance"))
        if result is not None:
            pictures.insert(1, _importance_picture(result, figures))
    return {
        "pictures": pictures,
        "scored": len(done),
        "names": names,
        "needed": plots.enough_for_importance(done),
        "importance": result,
    }


def _responses(view: StudyView, names: list[str], figures: Path) -> list[Picture]:
    pairs = [pair for pair in _PAIRS if set(pair) <= set(names)] or list(combinations(names, 2))
    where = "; ".join(
        f"{name} {words.show(value)}"
        for name, value in (view.best or {"hyperparameters": {}})["hyperparameters"].items()
    )
    pictures = []
    if pairs:
        pictures.append(
            drawn(
                plots.response_surface(view.trials, view.objective, pairs[:_PANELS]),
                "response_surface",
                "Each dot is a trial (choose one to see its curves); bright is good; the star is "
                "the best, crosses diverged. The tint is the smoothed mean of the dots near it. "
                "Exact zeros stand in the grey band.",
                "Score over pairs of hyperparameters: "
                + ", ".join(f"{a} by {b}" for a, b in pairs[:_PANELS])
                + f". The best trial is at {where}.",
                figures,
            )
        )
    pictures.append(
        drawn(
            plots.slices(view.trials, view.objective, names[:9]),
            "slices",
            "Each hyperparameter alone. Triangles lie beyond the axis; the star is the best.",
            f"Score against each of {', '.join(names[:9])}; the best trial is at {where}.",
            figures,
        )
    )
    pictures.append(
        drawn(
            plots.parallel_coordinates(view.trials, view.objective, names[:8]),
            "parallel_coordinates",
            "Each line is a trial through all its values to its score; the best tenth is bold.",
            f"Parallel coordinates of {', '.join(names[:8])} and the score.",
            figures,
        )
    )
    return pictures


def _importance_picture(result: plots.Importance, figures: Path) -> Picture:
    ranked = ", ".join(
        f"{name} {mean:.2f} ({low:.2f} to {high:.2f})"
        for name, mean, low, high in zip(
            result.names, result.mean, result.low, result.high, strict=True
        )
    )
    weak = (
        " The forest predicts held-out trials hardly better than their mean, so this ranking says "
        "little."
        if result.r2 < 0.1
        else ""
    )
    return drawn(
        plots.importance_figure(result),
        "importance",
        "What shuffling one hyperparameter costs a random forest that predicts the rank of the "
        "score on held-out trials. Bars: 5–95 % over repeated cross-validation." + weak,
        f"Permutation importance: {ranked}.{weak}",
        figures,
    )


def _inside(view: StudyView, figures: Path) -> list[Picture]:
    path = view.folder / "inside.npz"
    if not path.exists():
        return []
    inside = plots.load_inside(path)
    shown = []
    if any(record.activations for record in inside.values()):
        shares = "; ".join(
            f"{who} {layer}: {record.zero[-1]:.0%} zero, {record.dead[-1]:.0%} of units dead"
            for who, one in inside.items()
            for layer, record in one.activations.items()
        )
        shown.append(
            drawn(
                plots.activation_ridges(inside),
                "activations",
                "Distribution of each layer's outputs on a fixed probe, a ridge an epoch, without "
                "exact zeros, whose share at the last epoch stands in the title.",
                f"Activation distributions at the last epoch: {shares}.",
                figures,
            )
        )
    if any(record.activations or record.gradient_norms for record in inside.values()):
        shown.append(
            drawn(
                plots.unit_health(inside),
                "unit_health",
                "Dead units give zero for every row of the probe.",
                "Dead units, saturated outputs and gradient norms by layer over epochs.",
                figures,
            )
        )
    if any(record.weights for record in inside.values()):
        near = "; ".join(
            f"{who} {layer}: {weights.near_zero:.0%}"
            for who, one in inside.items()
            for layer, weights in one.weights.items()
        )
        shown.append(
            drawn(
                plots.weight_histograms(inside),
                "weights",
                "Entries of the trained kernels, density on a logarithmic axis.",
                f"Weight histograms. Share of weights near zero: {near}.",
                figures,
            )
        )
    return shown


def _table(view: StudyView) -> dict[str, Any]:
    names = list(dict.fromkeys(n for trial in view.trials for n in trial["hyperparameters"]))
    metric = view.metric
    spread = any(trial["score_std"] is not None for trial in view.trials)
    second = f"val_{metric}" if view.objective == "val_data_loss" else "val_data_loss"
    head = ["trial", "status", view.objective, *(["±"] if spread else []), second, "gap"]
    columns = [*head, *names, "epoch", "seconds"]
    best = view.best
    rows = []
    for index, trial in enumerate(view.trials):
        metrics = trial["metrics"]
        train, validation = metrics.get(metric), metrics.get(f"val_{metric}")
        gap = None if train is None or validation is None else train - validation
        cells = [trial["score"], *([trial["score_std"]] if spread else [])]
        cells += [metrics.get(second), gap]
        cells += [trial["hyperparameters"].get(name) for name in names]
        cells += [trial["chosen_epoch"], trial["seconds"]]
        rows.append(
            {
                "index": index,
                "trial": trial["trial"],
                "status": trial["status"],
                "best": trial is best,
                "reason": _reason(trial),
                "cells": [_cell(value) for value in cells],
                "rank": _rank(trial, view.objective),
            }
        )
    numeric = [
        all(row["cells"][k]["number"] or row["cells"][k]["text"] == "–" for row in rows)
        for k in range(len(columns) - 2)
    ]
    rows.sort(key=lambda row: row["rank"])
    return {
        "columns": columns,
        "numeric": [False, False, *numeric],
        "lower": plots.lower_is_better(view.objective),
        "rows": rows,
    }


def _rank(trial: Record, objective: str) -> tuple[bool, float]:
    """Best first, what has no score last."""
    score = trial["score"]
    if score is None:
        return True, 0.0
    return False, float(score) if plots.lower_is_better(objective) else -float(score)


def _cell(value: Any) -> dict[str, Any]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"text": words.show(value, 4), "sort": value if number else "", "number": number}


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
        return f"stopped by the search after epoch {trial['epochs']}"
    return ""


def _embedded(trial: Record) -> dict[str, Any]:
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


def _repeat(view: StudyView) -> dict[str, Any]:
    command = view.info.get("command") or []
    best = view.best
    config = words.config_of(view, best) if best else None
    return {
        "command": shlex.join(str(part) for part in command),
        "created": view.info.get("created"),
        "versions": view.info.get("versions") or {},
        "seed": view.asked.get("seed"),
        "seeds": sorted({seed for trial in view.trials for seed in trial["seeds"]}),
        "data": _facts({key: view.data[key] for key in view.data if key != "notes"}),
        "code": _code(view, config) if config else "",
        "extended": len(view.info.get("extended") or []),
    }


def _facts(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested plain values as (name, text), what is unknown left out."""
    facts = []
    for name, value in values.items():
        name = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            facts += _facts(value, f"{name}, ")
        elif value is not None and value != []:
            facts.append((name, words.show(value, 6)))
    return facts


def _code(view: StudyView, config: StackConfig) -> str:
    standard = StackConfig().to_dict()
    changed: Mapping[str, Any] = {
        name: value for name, value in config.to_dict().items() if value != standard[name]
    }
    lines = "".join(f"    {name}={_literal(value)},\n" for name, value in changed.items())
    stack = f"config = StackConfig(\n{lines})" if lines else "config = StackConfig()"
    source = view.data.get("source") or view.data.get("name") or "digits"
    return (
        "from kerasreg import StackConfig, build_stack, load\n\n"
        f"{stack}\n"
        f"data = load({str(source)!r})\n"
        "model = build_stack(\n"
        "    config, data.input_shape, data.outputs, "
        f"task=data.task, seed={int(view.asked.get('seed') or 0)}\n"
        ")"
    )


def _literal(value: Any) -> str:
    return repr(tuple(value)) if isinstance(value, list) else repr(value)
