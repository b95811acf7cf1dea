"""What a person sees in the terminal: a live line while it trains, one screen at the end."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from kerasreg.objectives import sign

if TYPE_CHECKING:
    from kerasreg.search.run import Event

# Penalties and their kin, in the order in which a reader asks for them.
_SETTING_ORDER = ("dropout", "input_dropout", "l1", "l2", "weight_decay", "normalization")


def is_live(quiet: bool = False) -> bool:
    """Whether to draw moving progress: stderr is a terminal, and neither CI nor --quiet."""
    return not quiet and not os.environ.get("CI") and Console(stderr=True).is_terminal


class LiveProgress:
    """Draws the events of a search on stderr: trials, rate, best so far, time left.

    Use as a context manager and pass it as `progress=`. With `live=False` nothing moves and nothing
    is drawn; warnings are still said, unless `quiet`.
    """

    def __init__(self, live: bool, quiet: bool = False, console: Console | None = None):
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            console=self._console,
            transient=True,
            disable=not live,
        )
        self._task = self._bar.add_task("starting", total=None, detail="")
        self._phase = ""
        self._live = live

    def __enter__(self) -> LiveProgress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.notice:
            if not self._quiet:
                self._console.print(event.notice, style="yellow", markup=False, highlight=False)
            return
        if event.phase != self._phase:
            self._phase, self._started = event.phase, time.monotonic()
            self._first = event.fraction
        if event.finished and self._live:
            self._console.print(event.finished, style="dim", markup=False, highlight=False)
        total = 1.0 if event.total else None
        self._bar.update(
            self._task,
            description=escape(event.phase),
            total=total,
            completed=event.fraction,
            detail=escape(self._detail(event)),
        )

    def say(self, phase: str) -> None:
        """Name what is done now."""
        self._bar.update(self._task, description=escape(phase), total=None, detail="")

    def _detail(self, event: Event) -> str:
        if not event.total:
            return ""
        parts = [f"{event.done}/{event.total}"]
        spent = time.monotonic() - self._started
        gained = event.fraction - self._first
        if gained > 0 and spent > 1:
            parts.append(f"{gained * event.total / spent:.3g}/s")
            parts.append(f"{duration(spent * (1 - event.fraction) / gained)} left")
        if event.best is not None:
            parts.append(f"best {event.objective} {event.best:.4g} (trial {event.best_trial})")
        return " · ".join(parts)


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s` or `2 h 5 min`."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def print_summary(folder: Path, result: Mapping[str, Any], console: Console | None = None) -> None:
    """One screen: best setting, baseline against best, where everything is, what to open next.

    Args:
        folder: The study folder.
        result: What `result.json` holds.
        console: Where to print; stdout by default.
    """
    console = console or Console(highlight=False)
    if not result.get("best"):
        console.print(
            f"No trial has a score. Each one's reason: {escape(str(folder))}/trials.jsonl"
        )
        return
    console.print()
    console.print(f"[bold]Best setting[/] (trial {result['best']['trial']}): ", end="")
    console.print(escape(describe_setting(result["best"]["hyperparameters"])))
    console.print(_comparison(result))
    if _baseline_is_better(result):
        console.print(
            "The baseline has the better validation score: nothing that was tried helps here. "
            "More trials or a narrower space may."
        )
    for name, file, note in (
        ("model", "best.keras", f"  ({_model_note(result)})"),
        ("trials", "trials.jsonl", ""),
        (
            "tensorboard",
            "tensorboard",
            f"  (tensorboard --logdir {shlex.quote(str(folder / 'tensorboard'))})",
        ),
    ):
        if (folder / file).exists():
            # Whole paths, however long: they are there to be copied.
            console.print(f"{name:<13}{folder / file}{note}", soft_wrap=True, markup=False)
    report = folder / "report.html"
    target = report if report.exists() else folder
    console.print(f"Open next: [bold]{escape(str(target))}[/]", soft_wrap=True)


def _baseline_is_better(result: Mapping[str, Any]) -> bool:
    baseline, best = result.get("baseline") or {}, result["best"]
    if baseline.get("score") is None or best.get("score") is None:
        return False
    way = sign(result.get("objective", "val_data_loss"))
    return way * baseline["score"] > way * best["score"]


def describe_setting(values: Mapping[str, Any]) -> str:
    """`dropout 0.31, l2 2.1e-05, learning_rate 0.0012`, regularisers first."""
    first = [name for name in _SETTING_ORDER if name in values]
    names = first + [name for name in values if name not in first]
    return ", ".join(f"{name} {_value(values[name])}" for name in names)


def _comparison(result: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("")
    sides = {"baseline": result.get("baseline"), "best": result["best"]}
    sides = {name: side for name, side in sides.items() if side}
    for name in sides:
        table.add_column(name, justify="right")
    metric = result.get("metric", "accuracy")
    rows = [
        ("validation data loss", "metrics", "val_data_loss"),
        (f"validation {metric}", "metrics", f"val_{metric}"),
        (f"training {metric}", "metrics", metric),
        ("gap", "gap", metric),
        (f"test {metric}{_over(result)}", "test", metric),
        (f"test data loss{_over(result)}", "test", "data_loss"),
    ]
    for label, place, name in rows:
        cells = [_cell(side, place, name, result) for side in sides.values()]
        if any(cell != "-" for cell in cells):
            table.add_row(label, *cells)
    return table


def _cell(side: Mapping[str, Any], place: str, name: str, result: Mapping[str, Any]) -> str:
    scale = result.get("target_scale", 1.0) if name.endswith("mae") else 1.0
    if place == "gap":
        train, validation = (side["metrics"].get(key) for key in (name, f"val_{name}"))
        value = None if None in (train, validation) else train - validation
    elif place == "test":
        value = _mean_test(side, name)
        scale = 1.0  # stored in the target's own units
    else:
        value = side["metrics"].get(name)
    return "-" if value is None else f"{value * scale:.4f}"


def _over(result: Mapping[str, Any]) -> str:
    seeds = len((result["best"].get("test") or {}).get("seeds") or [])
    return f" (mean of {seeds} seeds)" if seeds > 1 else ""


def _mean_test(side: Mapping[str, Any], name: str) -> float | None:
    """A test result as the report shows it: the mean over the seeds, like the validation's."""
    test = side.get("test") or {}
    values = [one.get(name) for one in test.get("seeds") or [test]]
    return None if None in values else sum(values) / len(values)


def _model_note(result: Mapping[str, Any]) -> str:
    """What the exported model was trained on and, where seeds differ, what it has by itself."""
    note = "refitted on training and validation rows"
    metric, test = result.get("metric", "accuracy"), result["best"].get("test") or {}
    if len(test.get("seeds") or []) < 2 or test.get(metric) is None:
        return note
    return f"{note}; seed {test.get('seed')}, test {metric} {test[metric]:.4f}"


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
