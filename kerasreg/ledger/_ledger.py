"""The ledger: runs every lesson on every data set, once, and writes what they found."""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kerasreg
from kerasreg.claims import CLAIMS, find_claim
from kerasreg.errors import UserError
from kerasreg.ledger._data import DataSet, data_sets
from kerasreg.lesson._run import QUICK_SEEDS, _folder, _Parser, parse_docstring
from kerasreg.study import atomic_write
from kerasreg.terminal import duration

#: Written beside results.json once a lesson has ended well: what it was run with.
KEY_FILE = "ledger.json"
DEFAULT_DATA = ("digits", "mnist")


@dataclass(frozen=True)
class LessonScript:
    """A script that is a lesson.

    Attributes:
        path: The file.
        question: Its docstring's first paragraph.
        claims: Ids of the claims that it decides, in the order of the notes.
        digest: SHA-256 (hex) of its text.
    """

    path: Path
    question: str
    claims: tuple[str, ...]
    digest: str

    @property
    def name(self) -> str:
        """The lesson's name."""
        return self.path.stem


@dataclass(frozen=True)
class Run:
    """A lesson on a data set: where its results are, and what they must have been made with."""

    lesson: LessonScript
    data: DataSet
    folder: Path
    key: dict[str, Any]

    def results(self) -> dict[str, Any] | None:
        """What results.json holds; None if it is not there or was made with something else."""
        try:
            made_with = json.loads((self.folder / KEY_FILE).read_bytes())
            results = json.loads((self.folder / "results.json").read_bytes())
        except (OSError, ValueError):  # absent, or the end of a full disk: run it again
            return None
        return results if made_with == self.key else None


def main(arguments: Sequence[str] | None = None, scripts: Path = Path("scripts")) -> int:
    """Run the ledger as its command line asks.

    Args:
        arguments: By default those of the process.
        scripts: Folder of the lessons.

    Returns:
        0 done; 1 a lesson failed; 2 the user's mistake, one line on stderr; 130 interrupted.
    """
    try:
        asked = _parser().parse_args(arguments)
        every = find_lessons(scripts)
        chosen = choose(asked.lessons, every)
        data = data_sets(asked.data or DEFAULT_DATA)
        out = _folder(asked.out)
        # A page of some lessons must not take the place of the page of all.
        whole = len(chosen) == len(every) and len(data) > 1 and not asked.quick
        page = asked.page or (scripts.parent if whole else out) / "LESSONS.md"
        _folder(page.parent)
        planned = [
            Run(lesson, one, out / one.folder / lesson.name, _key(lesson, one, asked))
            for one in data
            for lesson in every
        ]
        failed = _run_all([run for run in planned if run.lesson in chosen], asked)
        _write(planned, data, page, out)
    except UserError as error:
        print(f"lessons: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nlessons: interrupted. The same command continues where it was.", file=sys.stderr)
        return 128 + signal.SIGINT
    return 1 if failed else 0


def find_lessons(scripts: Path) -> list[LessonScript]:
    """Every lesson of a folder, in the order of the claims that they decide.

    Raises:
        UserError: There are none.
    """
    lessons = []
    for path in sorted(scripts.glob("*.py")):
        text = path.read_text("utf-8")
        if path.name == "lessons.py" or "from kerasreg.lesson import" not in text:
            continue
        known = {claim.id for claim in CLAIMS}
        claims = tuple(sorted(set(re.findall(r'"(C\d\d)"', text)) & known))
        question = parse_docstring(text.split('"""')[1])["question"]
        digest = _digest(path)
        lessons.append(LessonScript(path, question, claims, digest))
    if not lessons:
        raise UserError(f"Expected lessons in {scripts}, found none.")
    return sorted(lessons, key=lambda lesson: (lesson.claims or ("D",), lesson.name))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_text("utf-8").encode()).hexdigest()


def choose(names: Sequence[str], every: Sequence[LessonScript]) -> list[LessonScript]:
    """The lessons of these names, or that decide these claims; all if there are no names.

    Raises:
        UserError: A name that is neither a lesson's nor a claim's, with the nearest; or a claim
            that no lesson decides.
    """
    by_name = {lesson.name: lesson for lesson in every}
    chosen = set()
    for name in names:
        stem = Path(name).stem
        if re.fullmatch(r"[cC]\d+", stem):
            claim = find_claim(stem).id
            own = [lesson.name for lesson in every if claim in lesson.claims]
            if not own:
                raise UserError(f"No lesson decides {claim} yet.")
            chosen.update(own)
        elif stem in by_name:
            chosen.add(stem)
        else:
            nearest = difflib.get_close_matches(stem, by_name, cutoff=0.0)
            raise UserError(
                f"Expected names of lessons or ids of claims such as C01, got {name!r}; "
                f"near: {', '.join(nearest)}."
            )
    return [lesson for lesson in every if not names or lesson.name in chosen]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lessons",
        description="Run every lesson on every data set and write what they found to LESSONS.md. "
        "What was run before, with the same script, seeds, data and version, is not run again.",
        epilog="Example: python scripts/lessons.py C01 overfit_weight_decay --data digits",
    )
    parser.add_argument("lessons", nargs="*", metavar="LESSON|CLAIM", help="by default all")
    parser.add_argument(
        "--data", nargs="+", help="names or .npz files, as the lessons take (default digits mnist)"
    )
    parser.add_argument("--seeds", type=int, help="paired seeds of every lesson (default 12)")
    parser.add_argument("--quick", action="store_true", help="try every lesson, decide nothing")
    parser.add_argument("--again", action="store_true", help="run also what is there already")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/lessons"), help="default runs/lessons"
    )
    parser.add_argument(
        "--page",
        type=Path,
        help="the page to write (default LESSONS.md here, or in --out where not all was asked)",
    )
    return parser


def _key(lesson: LessonScript, data: DataSet, asked: argparse.Namespace) -> dict[str, Any]:
    from kerasreg.evidence import DEFAULT_SEEDS

    return {
        "script": lesson.digest,
        "data": data.digest,
        "seeds": asked.seeds or (QUICK_SEEDS if asked.quick else DEFAULT_SEEDS),
        "quick": asked.quick,
        "version": kerasreg.__version__,
    }


def _run_all(runs: Sequence[Run], asked: argparse.Namespace) -> list[str]:
    """Run what has no results yet, one after the other; return what failed."""
    waiting = [run for run in runs if asked.again or run.results() is None]
    print(f"{len(runs)} runs, of which {len(runs) - len(waiting)} are there already.", flush=True)
    failed, began = [], time.monotonic()
    for number, run in enumerate(waiting, start=1):
        title = f"{run.lesson.name} on {run.data.label}"
        print(f"[{number}/{len(waiting)}] {title} … ", end="", flush=True)
        started = time.monotonic()
        code = _run_one(run, asked)
        spent = duration(time.monotonic() - started)
        left = (time.monotonic() - began) / number * (len(waiting) - number)
        rest = f"; about {duration(left)} left" if number < len(waiting) else ""
        print(f"{spent if code == 0 else f'failed with status {code} after {spent}'}{rest}")
        if code:
            failed.append(title)
    if failed:
        print(f"Failed: {'; '.join(failed)}. Not on the page until they run.", file=sys.stderr)
    return failed


def _run_one(run: Run, asked: argparse.Namespace) -> int:
    """Run one lesson in a process of its own; its words go to output.txt, its errors through."""
    folder = _folder(run.folder)
    (folder / KEY_FILE).unlink(missing_ok=True)
    command = [sys.executable, os.fspath(run.lesson.path.resolve())]
    command += ["--data", run.data.argument, "--out", os.fspath(folder)]
    command += ["--seeds", str(asked.seeds)] if asked.seeds else []
    command += ["--quick"] if asked.quick else []
    # As it is now: a script may be edited while others run.
    key = {**run.key, "script": _digest(run.lesson.path)}
    with open(folder / "output.txt", "wb") as output:
        code = subprocess.run(command, stdout=output, check=False).returncode
    if code == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    if code == 0:
        atomic_write(folder / KEY_FILE, json.dumps(key, indent=1).encode())
    return code


def _write(runs: Sequence[Run], data: Sequence[DataSet], page: Path, out: Path) -> None:
    from kerasreg.ledger._page import Measured, write_gallery, write_page

    measured = []
    for run in runs:
        results = run.results()
        if results is not None:
            measured.append(Measured(run.lesson, run.data, run.folder, results))
    write_page(measured, [one.label for one in data], page)
    gallery = write_gallery(measured, out / "index.html")
    print(f"{len(measured)} of {len(runs)} results are on {_near(page)} and {_near(gallery)}.")


def _near(path: Path) -> Path:
    """The path as a person here would type it."""
    path, here = path.resolve(), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
