"""A bar on stderr for what takes longer than two seconds, where a person is looking."""

import time
from typing import TYPE_CHECKING

import rich.progress
from rich.console import Console

if TYPE_CHECKING:
    from kerasreg.population import EpochReport

#: Seconds before anything is drawn.
PATIENCE = 2.0


class Progress:
    """Shows how far one training is; a context manager. Draws nothing outside a terminal."""

    def __init__(self, text: str):
        from kerasreg.terminal import is_live  # late: what it shows imports TensorFlow

        self._bar = rich.progress.Progress(
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn("{task.description}", markup=False),
            rich.progress.BarColumn(bar_width=24),
            rich.progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not is_live(),
        )
        self._task = self._bar.add_task(text, total=1.0)
        self._started = time.monotonic()
        self._shown = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shown:
            self._bar.stop()

    def epoch(self, before: int, now: int, total: int, report: "EpochReport") -> None:
        """Take a population's report: `now` members of `total` train, `before` are done."""
        if not self._shown and time.monotonic() - self._started > PATIENCE:
            self._shown = True
            self._bar.start()
        part = (report.cohort - 1 + report.epoch / report.epochs) / report.cohorts
        self._bar.update(self._task, completed=(before + now * part) / total)
