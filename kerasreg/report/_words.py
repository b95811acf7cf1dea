"""The answer in words and numbers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kerasreg.errors import UserError
from kerasreg.evidence import compare, proportion
from kerasreg.plots import lower_is_better
from kerasreg.report._reading import Record, StudyView
from kerasreg.stacks import StackConfig, lambda_from_l2

NAMES = {
    "data_loss": "data loss",
    "accuracy": "accuracy",
    "mae": "mean absolute error",
    "val_data_loss": "validation data loss",
    "val_accuracy": "validation accuracy",
    "val_mae": "validation mean absolute error",
}


@dataclass(frozen=True)
class Row:
    """One line of the answer's table: both sides, their difference and its interval, as text."""

    name: str
    baseline: str
    best: str
    difference: str
    interval: str
    better: bool | None


def config_of(view: StudyView, record: Record) -> StackConfig | None:
    """The whole stack of a record, or None if its names are not a stack's."""
    base = view.asked.get("base") or StackConfig().to_dict()
    try:
        return StackConfig.from_dict({**base, **record["hyperparameters"]})
    except (UserError, TypeError):
        return None


def regularisers(settings: Mapping[str, Any]) -> list[str]:
    """What regularises in a setting, each as a phrase with its strength."""

    def on(name: str) -> Any:
        value = settings.get(name)
        if isinstance(value, list | tuple):
            return value if any(value) else None
        return value or None

    said = []
    if on("dropout"):
        said.append(f"dropout at rate {show(on('dropout'))} (fraction dropped)")
    if on("input_dropout"):
        said.append(f"input dropout at rate {show(on('input_dropout'))}")
    if on("l2"):
        l2 = on("l2")
        notes = (
            f" (½λΣw² with λ = {show(lambda_from_l2(l2))})" if isinstance(l2, float | int) else ""
        )
        said.append(f"L2 of {show(l2)}{notes}")
    if on("l1"):
        said.append(f"L1 of {show(on('l1'))}")
    if on("weight_decay"):
        said.append(f"decoupled weight decay of {show(on('weight_decay'))}")
    if on("label_smoothing"):
        said.append(f"label smoothing of {show(on('label_smoothing'))}")
    if settings.get("normalization", "none") != "none":
        said.append(f"{settings['normalization']} normalisation")
    return said


def show(value: Any, digits: int = 3) -> str:
    """One value, short: numbers to `digits` significant digits, lists with commas."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float | list | tuple):
        return str(value)
    if isinstance(value, list | tuple):
        return ", ".join(show(item, digits) for item in value)
    if isinstance(value, int):
        return str(value)
    return f"{value:.{digits}g}"


def amount(value: float | None, metric: str, signed: bool = False) -> str:
    """A metric for reading: accuracies in percent, the rest with four significant digits."""
    if value is None:
        return "–"
    sign = "+" if signed else ""
    if metric.endswith("accuracy"):
        text = f"{100 * value:{sign}.1f} {'pp' if signed else '%'}"
    else:
        text = f"{value:{sign}.4g}"
    return text.replace("-", "−")


def seconds(value: float) -> str:
    """`8 s`, `3 min 20 s` or `2 h 5 min`."""
    whole = max(0, round(value))
    if whole < 60:
        return f"{value:.1f} s" if value < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def headline(view: StudyView) -> str:
    """The answer in one sentence."""
    best = view.best
    if best is None:
        lost = sum(trial["status"] in ("diverged", "failed") for trial in view.trials)
        if view.trials and lost == len(view.trials):
            return (
                f"No answer: all {lost} trials diverged or failed. "
                "Search smaller learning rates and weaker penalties."
            )
        return "No answer yet: no trial is completed."
    used = regularisers(settings_of(view, best))
    what = _joined(used) if used else "no regularisation at all"
    text = f"The best of {count(len(view.trials), 'trial')} used {what}"
    baseline = view.baseline
    if baseline is None or baseline.get("score") is None:
        return text + "."
    score, reference = float(best["score"]), float(baseline["score"])
    name = NAMES.get(view.objective, view.objective)
    better = score < reference if lower_is_better(view.objective) else score > reference
    if score == reference:
        return f"{text}; its {name} equals the unregularised baseline's."
    return (
        f"{text}; its {name} is {amount(score, view.objective)}, "
        f"{'better' if better else 'worse'} than the unregularised baseline's "
        f"{amount(reference, view.objective)}."
    )


def test_sentence(view: StudyView) -> str:
    """What the test rows say of the gain, in one sentence; empty before they were read."""
    ours, theirs = (view.test(side).get(view.metric) for side in ("best", "baseline"))
    if ours is None:
        return ""
    said = f"On the test rows, after refitting, it has {_article(view.metric)} of "
    said += amount(ours, view.metric)
    if theirs is None:
        return said + "."
    better = ours > theirs if view.metric == "accuracy" else ours < theirs
    said += f" against the baseline's {amount(theirs, view.metric)}: "
    interval = test_interval(view)
    if ours == theirs:
        return said + "no difference."
    if interval is None:
        return said + ("a gain." if better else "no gain; the baseline did better.")
    if interval[0] <= 0 <= interval[1]:
        rows = f"{test_rows(view):,} rows"
        return said + (
            f"a gain, but one that {rows} cannot tell from luck."
            if better
            else f"no gain that the test rows confirm ({rows} cannot tell the two apart)."
        )
    return said + (
        "a gain larger than the luck of these rows."
        if better
        else "a loss larger than the luck of these rows: regularisation did not help here."
    )


def _article(metric: str) -> str:
    return {"accuracy": "an accuracy", "mae": "a mean absolute error"}[metric]


def settings_of(view: StudyView, record: Record) -> dict[str, Any]:
    """All settings of a record: what the study held fixed, and what varied."""
    return {**(view.asked.get("base") or {}), **record["hyperparameters"]}


def answer_rows(view: StudyView) -> list[Row]:
    """Baseline against best: validation, gap and test, with intervals where there are seeds."""
    best, baseline, metric = view.best, view.baseline, view.metric
    if best is None:
        return []
    rows = [_validation_row(best, baseline, f"val_{name}") for name in ("data_loss", metric)]
    rows.append(_gap_row(best, baseline, metric))
    tests = view.test("baseline"), view.test("best")
    if tests[1]:
        rows += [_test_row(view, *tests, name) for name in (metric, "data_loss")]
    return rows


def _validation_row(best: Record, baseline: Record | None, name: str) -> Row:
    ours, theirs = _metric(best, name), _metric(baseline, name)
    pairs = _paired(best, baseline, name)
    return _row(f"{NAMES.get(name, name)}", theirs, ours, name, pairs, lower_is_better(name))


def _gap_row(best: Record, baseline: Record | None, metric: str) -> Row:
    def gap(record: Record | None) -> float | None:
        train, validation = _metric(record, metric), _metric(record, f"val_{metric}")
        return None if train is None or validation is None else train - validation

    row = _row(f"gap: training − validation {NAMES[metric]}", gap(baseline), gap(best), metric)
    if gap(baseline) is None or gap(best) is None:
        return row
    return replace(row, better=abs(gap(best)) < abs(gap(baseline)))


def _test_row(view: StudyView, baseline: Mapping, best: Mapping, name: str) -> Row:
    row = _row(
        f"test {NAMES[name]}", baseline.get(name), best.get(name), name, None, name != "accuracy"
    )
    interval = test_interval(view)
    if name != "accuracy" or interval is None:
        return row
    return replace(row, interval=_between(interval, name))


def test_interval(view: StudyView) -> tuple[float, float] | None:
    """The 95 % interval of the difference in test accuracy, best minus baseline.

    Newcombe's interval from two Wilson intervals, as if the two models had seen different rows;
    they saw the same, so it is wider than it need be. None without accuracies and row count.

    Source: R. G. Newcombe, "Interval estimation for the difference between independent
    proportions", Statistics in Medicine 17 (1998), method 10.
    """
    rows = test_rows(view)
    shares = [view.test(side).get("accuracy") for side in ("best", "baseline")]
    if not rows or None in shares:
        return None
    best, baseline = (proportion(round(share * rows), rows) for share in shares)
    difference = best.share - baseline.share
    return (
        difference - math.hypot(best.share - best.low, baseline.high - baseline.share),
        difference + math.hypot(best.high - best.share, baseline.share - baseline.low),
    )


def test_rows(view: StudyView) -> int | None:
    """How many test rows there are, None if it was not recorded."""
    for place in (view.result or {}, view.data):
        for key in ("test_rows", "test_size"):
            if isinstance(place.get(key), int):
                return place[key]
    rows = view.data.get("rows")
    return rows.get("test") if isinstance(rows, Mapping) else None


def _row(
    name: str,
    baseline: float | None,
    best: float | None,
    metric: str,
    interval: tuple[float, float] | None = None,
    lower: bool = True,
) -> Row:
    difference = None if baseline is None or best is None else best - baseline
    return Row(
        name[0].upper() + name[1:],
        amount(baseline, metric),
        amount(best, metric),
        amount(difference, metric, signed=True),
        "" if interval is None else _between(interval, metric),
        None if not difference else (difference < 0) == lower,
    )


def _between(interval: tuple[float, float], metric: str) -> str:
    low, high = (amount(end, metric, signed=True) for end in interval)
    return f"{low.removesuffix(' pp')} to {high}"


def _metric(record: Record | None, name: str) -> float | None:
    return None if record is None else (record.get("metrics") or {}).get(name)


def _paired(best: Record, baseline: Record | None, name: str) -> tuple[float, float] | None:
    """The 95 % interval of best minus baseline over shared seeds and folds, from two pairs up."""
    if baseline is None:
        return None
    ours, theirs = _by_member(best, name), _by_member(baseline, name)
    shared = [key for key in ours if key in theirs]
    if len(shared) < 2:
        return None
    result = compare([ours[key] for key in shared], [theirs[key] for key in shared], 0.0)
    return result.low, result.high


def _by_member(record: Record, name: str) -> dict[tuple, float]:
    chosen = record.get("chosen_epoch")
    values = {}
    for member in record.get("members") or []:
        curve = member["curves"].get(name) or []
        if chosen and chosen <= len(curve) and curve[chosen - 1] is not None:
            values[(member["seed"], member["fold"])] = float(curve[chosen - 1])
    return values


def members_note(view: StudyView) -> str:
    """What the intervals rest on, or why there are none."""
    best = view.best
    members = len(best.get("members") or []) if best else 0
    if members < 2:
        return (
            "One seed was trained for each setting, so there is no interval over seeds: a "
            "difference of a few rows can be luck. Ask for --seeds 5 or more to see it."
        )
    folds = len({member["fold"] for member in best["members"]})
    over = "seeds and folds" if folds > 1 else "seeds"
    return (
        f"Validation intervals are 95 % t-intervals of the paired difference over {members} {over} "
        "of the same split; they do not include the luck of having chosen the best trial."
    )


def count(number: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
