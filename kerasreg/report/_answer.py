"""The answer in words and numbers: baseline against best, with what is luck and what is not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kerasreg.errors import UserError
from kerasreg.evidence import compare, proportion
from kerasreg.objectives import lower_is_better
from kerasreg.report._reading import Record, StudyView, gap, metric_of
from kerasreg.stacks import StackConfig
from kerasreg.statuses import UNSCORED
from kerasreg.words import NAMES, amount, count, joined, regularisers


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
    concluded = (view.result or {}).get("best") or {}
    base = view.request.get("base") or StackConfig().to_dict()
    values = {**base, **record["hyperparameters"]}
    if concluded.get("trial") == record["trial"]:
        values = concluded.get("config") or values
    try:
        return StackConfig.from_dict(values)
    except (UserError, TypeError):
        return None


def headline(view: StudyView) -> str:
    """The answer in one sentence."""
    best = view.best
    if best is None:
        lost = sum(trial["status"] in UNSCORED for trial in view.trials)
        if view.trials and lost == len(view.trials):
            return (
                f"No answer: all {lost} trials diverged or failed. "
                "Search smaller learning rates and weaker penalties."
            )
        return "No answer yet: no trial is completed."
    used = regularisers({**(view.request.get("base") or {}), **best["hyperparameters"]})
    what = joined(used) if used else "no regularisation at all"
    which = "best"
    if view.request.get("choose") == "one-se":
        which = "most regularised within one standard error of the best"
    text = f"The {which} of {count(len(view.trials), 'trial')} used {what}"
    baseline = view.baseline
    if baseline is None or baseline.get("score") is None:
        return text + "."
    name, better = NAMES.get(view.objective, view.objective), beats_baseline(view)
    if better is None and best["score"] == baseline["score"]:
        return f"{text}; its {name} equals the unregularised baseline's."
    if better is None:
        return (
            f"{text}; its {name} of {amount(best['score'], view.objective)} cannot be told from "
            f"the unregularised baseline's {amount(baseline['score'], view.objective)}: the "
            "difference could be the luck of the folds or seeds."
        )
    return (
        f"{text}; its {name} is {amount(best['score'], view.objective)}, "
        f"{'better' if better else 'worse'} than the unregularised baseline's "
        f"{amount(baseline['score'], view.objective)}."
    )


def beats_baseline(view: StudyView) -> bool | None:
    """Whether the best score is better than the baseline's.

    None if they are equal, one is missing, or the interval over seeds and folds holds 0.
    """
    if _holds_zero(_member_interval(view, view.objective)):
        return None
    best, baseline = (record and record.get("score") for record in (view.best, view.baseline))
    return _better(best, baseline, view.objective)


def _better(best: float | None, baseline: float | None, metric: str) -> bool | None:
    if best is None or baseline is None or best == baseline:
        return None
    return (best < baseline) == lower_is_better(metric)


def test_sentence(view: StudyView) -> str:
    """What the test rows say of the gain, in one sentence; empty before they were read."""
    best, baseline = (view.test(side, view.metric) for side in ("best", "baseline"))
    if best is None:
        return ""
    article = "an" if view.metric == "accuracy" else "a"
    said = f"On the test rows, after refitting, it has {article} {NAMES[view.metric]} of "
    said += amount(best, view.metric)
    if baseline is None:
        return said + "."
    better = _better(best, baseline, view.metric)
    said += f" against the baseline's {amount(baseline, view.metric)}: "
    if better is None:
        return said + "no difference."
    intervals = test_intervals(view, view.metric)
    if not intervals:
        return said + ("a gain." if better else "no gain; the baseline did better.")
    luck = [over for over, (low, high) in intervals.items() if low <= 0 <= high]
    if luck:
        what = " or of the ".join(luck)
        return said + (
            f"a gain, but one that could be the luck of the {what}."
            if better
            else f"no gain that the test confirms (the difference could be the luck of the {what})."
        )
    what = " and of the ".join(intervals)
    return said + (
        f"a gain larger than the luck of the {what}."
        if better
        else f"a loss larger than the luck of the {what}: here regularisation did not help."
    )


def answer_rows(view: StudyView) -> list[Row]:
    """Baseline against best: validation, training, gap and test, with intervals if repeated."""
    best, baseline, metric = view.best, view.baseline, view.metric
    if best is None:
        return []
    rows = []
    for key in dict.fromkeys(("val_data_loss", f"val_{metric}", view.objective)):
        interval = _member_interval(view, key)
        text = "" if interval is None else _between(interval, key)
        sides, sure = (metric_of(baseline, key), metric_of(best, key)), not _holds_zero(interval)
        rows.append(_row(NAMES[key], *sides, key, text, judged=sure))
    sides = metric_of(baseline, metric), metric_of(best, metric)
    rows.append(_row(f"training {NAMES[metric]}", *sides, metric, judged=False))
    rows.append(_gap_row(best, baseline, metric))
    seeds = len(view.tests("best"))
    for name in (metric, "data_loss") if seeds else ():
        intervals = test_intervals(view, name)
        many = f" (mean of {seeds} seeds)" if seeds > 1 else ""
        text = "; ".join(f"{_between(ends, name)} ({over})" for over, ends in intervals.items())
        sides = view.test("baseline", name), view.test("best", name)
        sure = bool(intervals) and not any(map(_holds_zero, intervals.values()))
        rows.append(_row(f"test {NAMES[name]}{many}", *sides, name, text, judged=sure))
    return rows


def _gap_row(best: Record, baseline: Record | None, metric: str) -> Row:
    gaps = gap(baseline, metric), gap(best, metric)
    name = f"gap: training − validation {NAMES[metric]}"
    row = _row(name, *gaps, metric, signed=True, judged=False)
    if None in gaps or math.isclose(*gaps, abs_tol=1e-6):
        return row
    return replace(row, better=abs(gaps[1]) < abs(gaps[0]))


def test_intervals(view: StudyView, name: str) -> dict[str, tuple[float, float]]:
    """95 % intervals of the difference on the test rows, best minus baseline: over what, ends.

    `rows`: the luck of the rows, for accuracies; `seeds`: the luck of training, from three seeds up
    (two say next to nothing).
    """
    found = {}
    rows = row_interval(view) if name == "accuracy" else None
    if rows is not None:
        found["rows"] = rows
    best, baseline = (
        {one.get("seed"): one.get(name) for one in view.tests(side)}
        for side in ("best", "baseline")
    )
    seeds = _paired(best, baseline) if len(best) > 2 else None
    if seeds is not None:
        found["seeds"] = seeds
    return found


def row_interval(view: StudyView) -> tuple[float, float] | None:
    """The 95 % interval of the difference in test accuracy, best minus baseline.

    Newcombe's interval from two Wilson intervals, as if the two models had seen different rows;
    they saw the same, so it is wider than it need be. None without accuracies and row count.

    Source: R. G. Newcombe, "Interval estimation for the difference between independent
    proportions", Statistics in Medicine 17 (1998), method 10.
    """
    rows = test_rows(view)
    shares = [view.test(side, "accuracy") for side in ("best", "baseline")]
    # A result edited by hand may hold shares that are none.
    if not rows or not all(share is not None and 0 <= share <= 1 for share in shares):
        return None
    best, baseline = (proportion(round(share * rows), rows) for share in shares)
    difference = best.share - baseline.share
    return (
        difference - math.hypot(best.share - best.low, baseline.high - baseline.share),
        difference + math.hypot(best.high - best.share, baseline.share - baseline.low),
    )


def test_rows(view: StudyView) -> int | None:
    """How many test rows there are, None if it was not recorded."""
    rows = view.data.get("rows")
    return rows.get("test") if isinstance(rows, Mapping) else None


def _row(
    name: str,
    baseline: float | None,
    best: float | None,
    metric: str,
    interval: str = "",
    signed: bool = False,
    judged: bool = True,
) -> Row:
    """A line of the answer; `judged`: whether its difference is told as better or worse."""
    difference = None if baseline is None or best is None else best - baseline
    return Row(
        name[0].upper() + name[1:],
        amount(baseline, metric, signed),
        amount(best, metric, signed),
        amount(difference, metric, signed=True),
        interval,
        _better(best, baseline, metric) if judged else None,
    )


def _between(interval: tuple[float, float], metric: str) -> str:
    low, high = (amount(end, metric, signed=True) for end in interval)
    return f"{low.removesuffix(' pp')} to {high}"


def _paired(
    best: Mapping[Any, float | None], baseline: Mapping[Any, float | None]
) -> tuple[float, float] | None:
    """The 95 % interval of best minus baseline over the keys of both, from two pairs up."""
    shared = [key for key in best if None not in (best[key], baseline.get(key))]
    if len(shared) < 2:
        return None
    result = compare([best[key] for key in shared], [baseline[key] for key in shared], 0.0)
    return result.low, result.high


def _holds_zero(interval: tuple[float, float] | None) -> bool:
    return interval is not None and interval[0] <= 0 <= interval[1]


def _member_interval(view: StudyView, name: str) -> tuple[float, float] | None:
    """The interval over the seeds and folds that best and baseline share; None without."""
    return _paired(_by_member(view.best, name), _by_member(view.baseline, name))


def _by_member(record: Record | None, name: str) -> dict[tuple, float]:
    record = record or {}
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
