"""The command line: parses, calls the package, turns what happened into an exit status.

0 done; 2 the user's mistake, one line on stderr; 1 a fault of ours, with its traceback; 130 (143)
interrupted (terminated), with everything finished kept. Heavy imports wait until a verb runs.
"""

import argparse
import contextlib
import errno
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kerasreg.command import quiet_import, report_mistake
from kerasreg.errors import UserError
from kerasreg.options import DIAGNOSE, STACK, build_parser, joined

if TYPE_CHECKING:
    from kerasreg.search.progress import Event

#: Seconds that a signalled run has to come to the end of a step.
GRACE = 2.0
# What the disk of a user may say, wherever we write.
_REFUSALS = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT)


class _Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM arrived while a verb ran."""

    def __init__(self, signum: int):
        super().__init__()
        self.signum = signum


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status."""
    try:
        verbs = {verb: partial(_run, verb) for verb in ("search", "train")}
        parsed = build_parser(
            {
                **verbs,
                "diagnose": _diagnose,
                "report": _report,
                "predict": _predict,
                "data": _data,
            }
        ).parse_args(joined(sys.argv[1:] if arguments is None else arguments))
        return parsed.run(parsed)
    except UserError as error:
        return report_mistake("kerasreg", error)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output has gone; it knows what it wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        where = f" ({error.filename})" if error.filename else ""
        print(
            f"kerasreg: {error.strerror}{where}; finished trials are kept. Free the disk or change "
            "the permissions, then go on with --resume.",
            file=sys.stderr,
        )
        return 2


def _run(verb: str, parsed: argparse.Namespace) -> int:
    given = _given(parsed)
    stack = [name for name in given if name.startswith(STACK)]
    base = {name.removeprefix(STACK): given.pop(name) for name in stack}
    quiet, given_out = given.pop("quiet"), given.pop("out", None)
    if given_out is None:
        raise UserError("--out: expected the folder to write, got none. Add --out DIR.")
    folder = Path(given_out)
    verbose = given.pop("verbose")
    # Populations train side by side: operations that each ask for all cores wait for one another.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))
    with _importing(verbose):
        from kerasreg.report import render_report
        from kerasreg.search.from_cli import cluster_of, requested
        from kerasreg.search.resume import stored_request
        from kerasreg.search.run import run_request
        from kerasreg.search.tensorboard import write_figures
        from kerasreg.study import Study
        from kerasreg.terminal import LiveProgress, is_live, print_summary
    resume, minutes = given.pop("resume", False), given.pop("minutes", None)
    reread_test = given.pop("reread_test", False)
    live = LiveProgress(is_live(quiet), quiet, verbose=verbose)
    with _interruptible(verb, folder) as check, live as progress:

        def on_event(event: "Event") -> None:
            check()
            progress(event)

        cluster = cluster_of(given)
        stored = stored_request(Study.open(folder), given.get("custom", ())) if resume else None
        request = requested(verb, given, base, stored)
        study = run_request(
            request,
            folder,
            resume=resume,
            minutes=minutes,
            progress=on_event,
            reread_test=reread_test,
            ray=cluster,
        )
        progress.say("writing the report")
        render_report(folder)
        write_figures(study.tensorboard, study.figures)
    if not quiet:
        print_summary(folder)
    return 0


def _given(parsed: argparse.Namespace) -> dict:
    return {name: value for name, value in vars(parsed).items() if name != "run"}


def _diagnose(parsed: argparse.Namespace) -> int:
    given = _given(parsed)
    quiet, folder = given.pop("quiet"), Path(given.pop("out"))
    with _importing(given.pop("verbose")):
        from kerasreg.data import load
        from kerasreg.diagnosis import diagnose
        from kerasreg.files.keras_model import open_model
        from kerasreg.networks import reading_of
        from kerasreg.report import render_diagnosis
        from kerasreg.search.from_cli import load_arguments
        from kerasreg.terminal import LiveProgress, is_live, print_diagnosis
    data = given.setdefault("data", "digits")
    if data.endswith(".npz"):
        given.setdefault("scaling", "none")
    target = f" --target {shlex.quote(given['target'])}" if "target" in given else ""
    files = shlex.quote(given["model"]), shlex.quote(data) + target
    options = {name: given[name] for name in DIAGNOSE if name in given}
    live = LiveProgress(is_live(quiet), quiet)
    with _interruptible("diagnose", folder) as check, live as progress:

        def told(what: str, fraction: float | None = None) -> None:
            check()
            progress.say(what, fraction)

        try:
            # Before a minute of work, not after it.
            (folder / "figures").mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UserError(f"--out: expected a folder, but {folder} is a file.") from None
        told("reading")
        model = open_model(given["model"], given.get("custom", ()))
        reading = {**reading_of(model, data), **load_arguments(given)}
        rows = load(**reading, progress=lambda done, total: told("reading", done / total))
        diagnosis = diagnose(model, rows, progress=told, files=files, **options)
        told("writing the page")
        page = render_diagnosis(diagnosis, folder)
    if not quiet:
        print_diagnosis(diagnosis, page)
    return 0


def _report(parsed: argparse.Namespace) -> int:
    with _importing(parsed.verbose):
        from kerasreg.report import render_report
    path = render_report(Path(parsed.folder))
    if not parsed.quiet:
        print(path)
    return 0


def _predict(parsed: argparse.Namespace) -> int:
    given = _given(parsed)
    with _importing(given.pop("verbose")):
        from kerasreg.prediction import predict
        from kerasreg.terminal import LiveProgress, is_live
    header = False if given.pop("no_header", False) else None
    quiet = given.pop("quiet")
    say = (lambda _: None) if quiet else print
    with LiveProgress(is_live(quiet), quiet) as progress:
        table = predict(**given, header=header, say=say, progress=progress.reading)
    if not quiet:
        print(f"{len(table):,} rows predicted: {parsed.out}")
    return 0


def _data(parsed: argparse.Namespace) -> int:
    given = _given(parsed)
    with _importing(parsed.verbose):
        from kerasreg.data import load, story
        from kerasreg.report import render_data
        from kerasreg.search.from_cli import load_arguments
        from kerasreg.terminal import LiveProgress, is_live, print_story
    with LiveProgress(is_live(parsed.quiet), parsed.quiet) as progress:
        data = load(**load_arguments(given), progress=progress.reading).describe()
    page = Path(given.get("out") or f"{Path(parsed.data).stem}-columns.html")
    lines = story(data)
    render_data(data, page)
    if not parsed.quiet:
        print_story([*lines, f"page      {page}"])
    return 0


@contextlib.contextmanager
def _importing(verbose: bool) -> Iterator[None]:
    """Import TensorFlow without its noise, and end at once on a signal.

    An exception raised in the middle of an import would come out as another error, and nothing has
    begun that could be lost.
    """
    with quiet_import(verbose) as stderr:

        def leave(signum, frame):
            os.write(stderr, b"kerasreg: interrupted before anything was begun\n")
            os._exit(128 + signum)

        with _handled(leave):
            yield


@contextlib.contextmanager
def _interruptible(verb: str, folder: Path) -> Iterator[Callable[[], None]]:
    """Turn SIGINT and SIGTERM into one line and their exit status; a second one does not wait.

    Yields what has to be called between steps: it ends the run if a signal came. An exception out
    of the signal's handler itself may come up in a callback of TensorFlow, which loses it or
    crashes. Where no step ends in time the process ends as it is: a study survives any kill.
    """
    came: list[int] = []

    def leave() -> None:
        _say_kept(verb, folder)
        os._exit(128 + came[0])

    timer = threading.Timer(GRACE, leave)
    timer.daemon = True

    def stop(signum, frame):
        if came:
            os._exit(128 + signum)
        came.append(signum)
        timer.start()

    def check() -> None:
        if came:
            raise _Interrupted(came[0])

    try:
        with _handled(stop):
            yield check
            check()
    except _Interrupted as interruption:
        timer.cancel()
        _say_kept(verb, folder)
        raise SystemExit(128 + interruption.signum) from None
    finally:
        timer.cancel()


@contextlib.contextmanager
def _handled(handler) -> Iterator[None]:
    before = {name: signal.signal(name, handler) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, old in before.items():
            signal.signal(name, old)


def _say_kept(verb: str, folder: Path) -> None:
    if not os.path.lexists(folder / "study.json"):
        print(f"kerasreg: interrupted before {folder} was begun", file=sys.stderr)
        return
    trials = folder / "trials.jsonl"
    kept = trials.read_bytes().count(b"\n") if trials.exists() else 0
    print(
        f"kerasreg: interrupted; {kept} finished trials are kept. "
        f"Go on with: kerasreg {verb} --resume --out {shlex.quote(str(folder))}",
        file=sys.stderr,
    )
