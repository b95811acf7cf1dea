"""The ledger's command line: run every lesson on every data set and write what they found."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kerasreg
from kerasreg.command import Parser, report_mistake
from kerasreg.errors import UserError
from kerasreg.evidence import DEFAULT_SEEDS
from kerasreg.ledger._data import NO_DATA, DataSet, data_sets
from kerasreg.ledger._page import write_gallery, write_page
from kerasreg.ledger._runs import Run, measured_of, run_all
from kerasreg.ledger._scripts import LessonScript, choose, find_lessons
from kerasreg.lesson import QUICK_SEEDS, writable_folder

DEFAULT_DATA = ("digits", "mnist")


def main(arguments: Sequence[str] | None = None, scripts: Path = Path("scripts")) -> int:
    """Run the ledger as its command line asks.

    Returns:
        0 done; 1 a lesson failed; 2 the user's mistake, one line on stderr; 130 interrupted.
    """
    try:
        asked = _parser().parse_args(arguments)
        if asked.ray_cpus and not asked.ray:
            raise UserError("--ray-cpus: expected --ray beside it; add --ray.")
        every = find_lessons(scripts)
        chosen = choose(asked.lessons, every)
        data = data_sets(asked.data or DEFAULT_DATA)
        out = writable_folder(asked.out)
        # A page of some lessons must not take the place of the page of all.
        whole = len(chosen) == len(every) and len(data) > 1 and not asked.quick
        page = asked.page or (scripts.parent if whole else out) / "LESSONS.md"
        writable_folder(page.parent)
        planned = [
            Run(lesson, one, out / one.folder / lesson.name, _key(lesson, one, asked))
            for one in (*data, NO_DATA)
            for lesson in every
            if lesson.reads_data == (one is not NO_DATA)
        ]
        options = ["--seeds", str(asked.seeds)] if asked.seeds else []
        options += ["--quick"] if asked.quick else []
        runs = [run for run in planned if run.lesson in chosen]
        failed = run_all(runs, options, asked.again, asked.ray, asked.ray_cpus or 1)
        _write(planned, data, page, out)
    except UserError as error:
        return report_mistake("lessons", error)
    except KeyboardInterrupt:
        print("\nlessons: interrupted. The same command continues where it was.", file=sys.stderr)
        return 128 + signal.SIGINT
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python scripts/lessons.py",
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
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="run the lessons side by side on the Ray cluster at auto, HOST:PORT or "
        "ray://HOST:10001; without ADDRESS on all cores of this machine",
    )
    parser.add_argument(
        "--ray-cpus", type=int, metavar="N", help="cores of a lesson there (default 1)"
    )
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
    return {
        "script": lesson.digest,
        "data": data.digest,
        "seeds": asked.seeds or (QUICK_SEEDS if asked.quick else DEFAULT_SEEDS),
        "quick": asked.quick,
        "version": kerasreg.__version__,
    }


def _write(runs: Sequence[Run], data: Sequence[DataSet], page: Path, out: Path) -> None:
    measured = measured_of(runs)
    write_page(measured, [one.label for one in data], page)
    gallery = write_gallery(measured, out / "index.html")
    print(f"{len(measured)} of {len(runs)} results are on {_near(page)} and {_near(gallery)}.")


def _near(path: Path) -> Path:
    """The path as a person here would type it."""
    path, here = path.resolve(), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
