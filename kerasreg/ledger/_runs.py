"""Lessons run on data sets, each in a process, and only where that has no results yet."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasreg.files import atomic_write
from kerasreg.ledger._data import DataSet
from kerasreg.ledger._elsewhere import run_on_cluster
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


def run_all(
    runs: Sequence[Run],
    options: Sequence[str],
    again: bool,
    ray: str | None = None,
    cpus: int = 1,
) -> list[str]:
    """Run what has no results yet, one after the other or on a cluster.

    Args:
        options: Of every lesson's command line, beside its data and its folder.
        ray: Address of a Ray cluster; None for this machine.
        cpus: Cores of a lesson there.

    Returns:
        Titles of what failed.
    """
    waiting = [run for run in runs if again or run.stored() is None]
    print(f"{len(runs)} runs, of which {len(runs) - len(waiting)} are there already.", flush=True)
    failed, began = [], time.monotonic()
    ended = _on_cluster(waiting, options, ray, cpus) if ray else _one_by_one(waiting, options)
    for count, (title, code, seconds) in enumerate(ended, start=1):
        spent = duration(seconds)
        left = (time.monotonic() - began) / count * (len(waiting) - count)
        rest = f"; about {duration(left)} left" if count < len(waiting) else ""
        said = spent if code == 0 else f"failed with status {code} after {spent}"
        print(f"{said}{rest}", flush=True)
        if code:
            failed.append(title)
    if failed:
        print(f"Failed: {'; '.join(failed)}. Not on the page until they run.", file=sys.stderr)
    return failed


#: Title of a run that has ended, its exit status and seconds; the line that names it is begun.
Endings = Iterator[tuple[str, int, float]]


def _one_by_one(runs: Sequence[Run], options: Sequence[str]) -> Endings:
    """Run lessons, each in a process; its output goes to output.txt, its errors are shown."""
    for count, run in enumerate(runs, start=1):
        title = _begin_line(run, count, len(runs))
        started = time.monotonic()
        key, folder = _key_of(run), _emptied(run)
        command = [sys.executable, os.fspath(run.lesson.path.resolve())]
        command += ["--data", run.data.argument, "--out", os.fspath(folder), *options]
        with open(folder / "output.txt", "wb") as output:
            code = subprocess.run(command, stdout=output, check=False).returncode
        if code == 128 + signal.SIGINT:
            raise KeyboardInterrupt
        _end(folder, key, code)
        yield title, code, time.monotonic() - started


def _on_cluster(runs: Sequence[Run], options: Sequence[str], address: str, cpus: int) -> Endings:
    keys = [_key_of(run) for run in runs]
    lessons = [(run.lesson, run.data) for run in runs]
    ended = run_on_cluster(lessons, options, address, cpus) if runs else ()
    for count, (index, (code, seconds, errors, files)) in enumerate(ended, start=1):
        title = _begin_line(runs[index], count, len(runs))
        sys.stderr.write(errors)
        folder = _emptied(runs[index])
        shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            atomic_write(folder / name, content)
        _end(folder, keys[index], code)
        yield title, code, seconds


def _begin_line(run: Run, count: int, total: int) -> str:
    title = f"{run.lesson.name} on {run.data.label}"
    print(f"[{count}/{total}] {title} … ", end="", flush=True)
    return title


def _key_of(run: Run) -> bytes:
    # As it is now: a script may be edited while others run.
    key = {**run.key, "script": digest_of(run.lesson.path)}
    return json.dumps(key, indent=1).encode()


def _emptied(run: Run) -> Path:
    """The run's folder, which does not count as one with results any more."""
    folder = writable_folder(run.folder)
    (folder / KEY_FILE).unlink(missing_ok=True)
    return folder


def _end(folder: Path, key: bytes, code: int) -> None:
    if code == 0:
        atomic_write(folder / KEY_FILE, key)
