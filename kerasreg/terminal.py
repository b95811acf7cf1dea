"""What a person sees in the terminal: a live line while it trains, one screen at the end."""

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from kerasreg.report import (
    StudyView,
    answer_rows,
    beats_baseline,
    effects_sentence,
    ensemble_sentence,
    fit_sentence,
    headline,
    read_study,
    test_sentence,
)
from kerasreg.words import amount, duration, show

if TYPE_CHECKING:
    from kerasreg.diagnosis import Diagnosis
    from kerasreg.search.progress import Event

# Regularisers first, in the order in which a reader asks for them.
_SETTING_ORDER = (
    *("dropout", "spatial_dropout", "input_dropout", "l1", "l2", "weight_decay", "normalization"),
    *("shift", "rotation", "zoom", "contrast", "erase"),
)


def is_live(quiet: bool = False) -> bool:
    """Whether to draw moving progress: stderr is a terminal, and neither CI nor --quiet."""
    return not quiet and not os.environ.get("CI") and Console(stderr=True).is_terminal


class LiveProgress:
    """Draws the events of a search on stderr: trials, rate, best so far, time left.

    Use as a context manager and pass it as `progress=`. With `live=False` nothing moves and nothing
    is drawn; what was read is still said on stdout, and warnings on stderr, unless `quiet`. A
    trial has a line if it is the best so far, or with `verbose`.
    """

    def __init__(
        self, live: bool, quiet: bool = False, console: Console | None = None, verbose: bool = False
    ):
        self._console = console or Console(stderr=True)
        self._quiet, self._verbose = quiet, verbose
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

    def __enter__(self) -> "LiveProgress":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def __call__(self, event: "Event") -> None:
        """Show one event."""
        if event.notice or event.story:
            if event.notice and not self._quiet:
                self._console.print(event.notice, style="yellow", markup=False, highlight=False)
            elif not self._quiet:
                print_story(event.story)
            return
        self._enter(event.phase, event.fraction)
        said = self._verbose or (self._live and event.new_best)
        if event.finished and said and not self._quiet:
            self._console.print(event.finished, style="dim", markup=False, highlight=False)
        self._bar.update(
            self._task,
            description=escape(event.phase),
            total=1.0 if event.total else None,
            completed=event.fraction,
            detail=escape(self._detail(event)),
        )

    def say(self, phase: str, fraction: float | None = None) -> None:
        """Name what is done now and, where it is known, its fraction."""
        self._enter(phase, fraction or 0.0)
        self._bar.update(
            self._task,
            description=escape(phase),
            total=None if fraction is None else 1.0,
            completed=fraction or 0.0,
            detail=self._left(fraction or 0.0),
        )

    def reading(self, done: int, total: int) -> None:
        """How many images of a folder are read."""
        self.say("reading images", done / total)

    def _enter(self, phase: str, fraction: float) -> None:
        if phase != self._phase:
            self._phase, self._started, self._first = phase, time.monotonic(), fraction

    def _left(self, fraction: float) -> str:
        """How long the phase still takes, as far as it can be told."""
        spent, gained = time.monotonic() - self._started, fraction - self._first
        if gained <= 0 or spent <= 1:
            return ""
        return f"{duration(round(spent * (1 - fraction) / gained))} left"

    def _detail(self, event: "Event") -> str:
        if not event.total:
            return ""
        parts = [f"{event.done}/{event.total}"]
        spent = time.monotonic() - self._started
        if left := self._left(event.fraction):
            parts += [f"{(event.fraction - self._first) * event.total / spent:.3g}/s", left]
        if event.workers:
            parts.append(f"{event.workers} worker{'s' * (event.workers > 1)}")
        if event.best is not None:
            parts.append(f"best {event.objective} {event.best:.4g} (trial {event.best_trial})")
        return " · ".join(parts)


def print_story(lines: Sequence[str]) -> None:
    """Print what `kerasreg.data.story` tells; warnings stand out."""
    console = Console(highlight=False)
    for line in lines:
        style = "yellow" if line.startswith("warning") else ""
        console.print(line, style=style, soft_wrap=True, markup=False)


def print_diagnosis(diagnosis: "Diagnosis", page: Path, console: Console | None = None) -> None:
    """One table: what was found, by which numbers, and what to do next; `page` has more of it."""
    console = console or Console(highlight=False)
    model, data = diagnosis.files
    console.print(f"{model} on {data}: {headline(diagnosis)}", style="bold", markup=False)
    console.print(fit_sentence(diagnosis), markup=False)
    if diagnosis.findings:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_lines=True, header_style="bold")
        for column, ratio in (("", 2), ("measured", 6), ("do next", 4)):
            table.add_column(column, ratio=ratio)
        for one in diagnosis.findings:
            style = "red" if one.severity == "serious" else "yellow"
            table.add_row(Text(one.name, style), Text(one.text), Text(one.advice))
        console.print(table)
    console.print(f"Open next: [bold]{escape(str(page))}[/]", soft_wrap=True)


def print_summary(folder: Path, console: Console | None = None) -> None:
    """One screen: best setting, baseline against best, where everything is, what to open next.

    Raises:
        UserError: No study there, or a file that is not what kerasreg writes.
    """
    console = console or Console(highlight=False)
    view = read_study(folder)
    if view.best is None:
        reasons = folder / "trials.jsonl"
        console.print(
            f"No trial has a score. Each one's reason: {reasons}", soft_wrap=True, markup=False
        )
        return
    console.print()
    if said := effects_sentence(view):
        console.print(said, markup=False, style="bold")
        console.print()
    trial, setting = view.best["trial"], describe_setting(view.best["hyperparameters"])
    console.print(f"[bold]Best setting[/] (trial {escape(trial)}): {escape(setting)}")
    console.print(_comparison(view))
    for warning in view.data.get("warnings") or []:
        console.print(f"Warning: {warning}", style="yellow", soft_wrap=True, markup=False)
    for said in (_decision(view.result or {}), test_sentence(view), ensemble_sentence(view)):
        if said:
            console.print(said, markup=False)
    if beats_baseline(view) is False:
        console.print(
            "The baseline has the better validation score: nothing that was tried helps here. "
            "More trials or a narrower space may."
        )
    for name, file, note in (
        ("model", "best.keras", f"  ({_model_note(view)})"),
        ("ensemble", "ensemble.keras", ""),
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


def describe_setting(values: Mapping[str, Any]) -> str:
    """`dropout 0.31, l2 2.1e-05, learning_rate 0.0012`, regularisers first."""
    names = dict.fromkeys([name for name in _SETTING_ORDER if name in values] + list(values))
    return ", ".join(f"{name} {show(values[name])}" for name in names)


def _decision(result: Mapping[str, Any]) -> str:
    """When a class is decided for, if not by the largest probability; else nothing."""
    sides = [result[name] for name in ("ensemble", "best") if result.get(name)]
    rule = sides[0].get("threshold") if sides else None
    names = result.get("class_names")
    if isinstance(rule, list) and names:
        weights = ", ".join(f"{n} {show(w)}" for n, w in zip(names, rule, strict=False))
        return f"Decides by probabilities times a weight: {weights} (kerasreg predict does)."
    if isinstance(rule, float) and names:
        from_on = f"from a probability of {show(rule)} on"
        return f"Decides for {names[-1]} {from_on} (kerasreg predict does)."
    return ""


def _comparison(view: StudyView) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("")
    sides = ("baseline", "best", "difference") if view.baseline else ("best",)
    for side in sides:
        table.add_column(side, justify="right")
    for row in answer_rows(view):
        table.add_row(row.name, *(getattr(row, side) for side in sides))
    return table


def _model_note(view: StudyView) -> str:
    """What the exported model was trained on and, where seeds differ, its test result alone."""
    note = "refitted on training and validation rows"
    first, *others = view.tests("best") or [{}]
    if not others or first.get(view.metric) is None:
        return note
    result = amount(first[view.metric], view.metric)
    return f"{note}; seed {first.get('seed')}, test {view.metric} {result}"
