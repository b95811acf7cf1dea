"""The figures of a study's page, each with its caption and its text alternative."""

from itertools import combinations
from pathlib import Path
from typing import Any

from kerasreg import plots, words
from kerasreg.report._page import Picture, drawn
from kerasreg.report._reading import StudyView, metric_of
from kerasreg.seeds import derive

_PAIRS = (
    ("dropout", "l2"),
    ("dropout", "learning_rate"),
    ("l2", "learning_rate"),
    ("dropout", "l1"),
    ("dropout", "input_dropout"),
    ("l1", "l2"),
)
_PANELS = 4


def curves(view: StudyView, figures: Path) -> Picture | None:
    """Learning curves of baseline and best, written to `figures`; None without a best trial."""
    if view.best is None:
        return None
    columns = {"Baseline, no regularisation": view.baseline} if view.baseline else {}
    columns[f"Best, trial {view.best['trial']}"] = view.best
    return drawn(
        plots.learning_curves(columns),
        "learning_curves",
        "Training (dashed) and validation (solid), both without dropout, the penalty apart. "
        "The shaded area is the gap; the dot is the chosen epoch, thin lines are single members."
        + (" Both columns share their axes." if len(columns) > 1 else ""),
        _curves_alt(view),
        figures,
    )


def _curves_alt(view: StudyView) -> str:
    parts = []
    for name, record in (("baseline", view.baseline), ("best trial", view.best)):
        train, validation = metric_of(record, "data_loss"), metric_of(record, "val_data_loss")
        if train is not None and validation is not None:
            parts.append(
                f"at the chosen epoch {record['chosen_epoch']} the {name} has training data loss "
                f"{train:.4g} and validation data loss {validation:.4g}"
            )
    return "Learning curves: " + "; ".join(parts) + "."


def calibration(view: StudyView, figures: Path) -> Picture | None:
    """How often the ensemble's probabilities came true; None without one of classes."""
    found = ((view.result or {}).get("ensemble") or {}).get("calibration")
    if not found:
        return None
    predicted, observed = found["predicted"], found["observed"]
    off = sum(abs(p - o) for p, o in zip(predicted, observed, strict=True)) / len(predicted)
    return drawn(
        plots.reliability_diagram(predicted, observed),
        "reliability",
        "How often the ensemble's predictions came true, on rows that their members were not "
        f"trained on. Each dot is as many rows; they are {100 * off:.1f} points from the dashed "
        "line, where probabilities mean what they say. Temperature "
        f"{found['temperature']:.2f}.",
        "Reliability: "
        + ", ".join(f"{p:.0%} came true {o:.0%}" for p, o in zip(predicted, observed, strict=True))
        + ".",
        figures,
    )


def region(view: StudyView, figures: Path) -> dict[str, Any]:
    """Where the good settings are, drawn from as many trials as each figure needs.

    Returns:
        `pictures`; how many trials are `scored`, the `names` that vary, how many scored trials an
        importance `needed`; the `importance` or None.
    """
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
            plots.slices(view.trials, view.objective, names[:15]),
            "slices",
            "Each hyperparameter alone. Triangles lie beyond the axis; the star is the best.",
            f"Score against each of {', '.join(names[:15])}; the best trial is at {where}.",
            figures,
        )
    )
    pictures.append(
        drawn(
            plots.parallel_coordinates(view.trials, view.objective, names[:8]),
            "parallel_coordinates",
            "Each line is a trial through its values to its score; the best tenth is bold.",
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


def inside(view: StudyView, figures: Path) -> list[Picture]:
    """What happened in the layers of baseline and best; empty where it was not recorded.

    Raises:
        UserError: The record is damaged.
    """
    path = view.folder / "inside.npz"
    if not path.exists():
        return []
    recorded = plots.load_inside(path)
    inside = plots.for_drawing(recorded)
    few, all_ = (
        max((len(w.weights) for w in one.values()), default=0) for one in (inside, recorded)
    )
    some = f" {few} of {all_} layers." if few < all_ else ""
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
                f"Entries of the trained kernels, density on a logarithmic axis.{some}",
                f"Weight histograms. Share of weights near zero: {near}.",
                figures,
            )
        )
    return shown
