"""Lessons run on data sets, each in a process, and only where that has no results yet."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasreg.files import atomic_write
from kerasreg.ledger._data import DataSet
from kerasreg.ledger._scripts import LessonScript, digest_of
from kerasreg.lesson import writable_folder
from kerasreg.words import duration

#: Written beside results.json once a lesson has ended well: what it was run with.
KEY_FILE = "ledger.json"


@dataclass(frozen=True)
class Run:
    """A lesson on a data set: where its results are, and what they must have been made with."""

    lesson: LessonScript
    data: DataSet
    folder: Path
    key: dict[str, Any]

    def stored(self) -> dict[str, Any] | None:
        """What results.json holds; None if it is not there or was made with something else."""
        try:
            made_with = json.loads((self.folder / KEY_FILE).read_bytes())
            results = json.loads((self.folder / "results.json").read_bytes())
        except (OSError, ValueError):  # absent, or the end of a full disk: run it again
            return None
        return results if made_with == self.key else None


@dataclass(frozen=True)
class Measured(Run):
    """A run with its results."""

    results: dict[str, Any]

    @property
    def figures(self) -> list[tuple[Path, str]]:
        """The lesson's figures, and their names on the page."""
        stem = f"{self.lesson.name}_{self.data.folder}"
        return [
            (self.folder / name, stem + name.removeprefix("figure"))
            for name in self.results["figures"]
        ]


def measured_of(runs: Sequence[Run]) -> list[Measured]:
    """The runs that have results."""
    found = [(run, run.stored()) for run in runs]
    return [Measured(**vars(run), results=results) for run, results in found if results is not None]


def run_all(runs: Sequence[Run], options: Sequence[str], again: bool) -> list[str]:
    """Run what has no results yet, one after the other.

    Args:
        options: Of every lesson's command line, beside its data and its folder.

    Returns:
        Titles of what failed.
    """
    waiting = [run for run in runs if again or run.stored() is None]
    print(f"{len(runs)} runs, of which {len(runs) - len(waiting)} are there already.", flush=True)
    failed, began = [], time.monotonic()
    for count, run in enumerate(waiting, start=1):
        title = f"{run.lesson.name} on {run.data.label}"
        print(f"[{count}/{len(waiting)}] {title} … ", end="", flush=True)
        started = time.monotonic()
        code = _run_one(run, options)
        spent = duration(time.monotonic() - started)
        left = (time.monotonic() - began) / count * (len(waiting) - count)
        rest = f"; about {duration(left)} left" if count < len(waiting) else ""
        print(f"{spent if code == 0 else f'failed with status {code} after {spent}'}{rest}")
        if code:
            failed.append(title)
    if failed:
        print(f"Failed: {'; '.join(failed)}. Not on the page until they run.", file=sys.stderr)
    return failed


def _run_one(run: Run, options: Sequence[str]) -> int:
    """Run one lesson in a process; its output goes to output.txt, its errors are shown."""
    folder = writable_folder(run.folder)
    (folder / KEY_FILE).unlink(missing_ok=True)
    command = [sys.executable, os.fspath(run.lesson.path.resolve())]
    command += ["--data", run.data.argument, "--out", os.fspath(folder), *options]
    # As it is now: a script may be edited while others run.
    key = {**run.key, "script": digest_of(run.lesson.path)}
    with open(folder / "output.txt", "wb") as output:
        code = subprocess.run(command, stdout=output, check=False).returncode
    if code == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    if code == 0:
        atomic_write(folder / KEY_FILE, json.dumps(key, indent=1).encode())
    return code
