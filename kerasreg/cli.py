"""The command line: parses, calls the package, turns what happened into an exit status.

0 done; 2 the user's mistake, one line on stderr; 1 a fault of ours, with its traceback; 130 (143)
interrupted (terminated), with everything finished kept. Heavy imports wait until a verb runs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from kerasreg import __version__
from kerasreg.errors import UserError


class _Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM arrived while a verb ran."""

    def __init__(self, signum: int):
        super().__init__()
        self.signum = signum


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status."""
    try:
        parsed = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
        return parsed.run(parsed)
    except UserError as error:
        # One line whatever the message quotes: a column's name may hold a newline.
        print(f"kerasreg: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output has gone; it knows what it wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class _Parser(argparse.ArgumentParser):
    """Like argparse, but a mistake is one line and not a page of usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}. See {self.prog} --help.")


def _joined(arguments: Sequence[str]) -> list[str]:
    """Write `--l2 -1e-3` as `--l2=-1e-3`: argparse takes the number for an option."""
    joined: list[str] = []
    for argument in arguments:
        number = argument[:1] == "-" and argument[1:2] in set("0123456789.")
        if number and joined and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kerasreg",
        description="Which regularisation does my Keras network need, how strong, and why?",
        epilog="Start with: kerasreg search --data digits --out study",
    )
    parser.add_argument("--version", action="version", version=f"kerasreg {__version__}")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    _add_search(verbs)
    _add_train(verbs)
    _add_report(verbs)
    return parser


def _verb(verbs, name: str, run, summary: str, examples: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # What was not given stays unset: --resume compares only what was.
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


def _add_search(verbs) -> None:
    parser = _verb(
        verbs,
        "search",
        _search,
        "Search for the regularisation that a data set needs.",
        "  kerasreg search --data digits --trials 64 --out study\n"
        "  kerasreg search --data people.csv --target income --searcher bayesian --out study\n"
        "  kerasreg search --data digits --space l2=1e-6:1e-2:log --fix dropout=0 --out study\n"
        "  kerasreg search --resume --out study --trials 128",
    )
    _add_data(parser)
    group = parser.add_argument_group("what to try")
    add = group.add_argument
    add("--searcher", metavar="S", help="random (default), bayesian or grid")
    add("--trials", type=int, metavar="N", help="settings to try (default 64)")
    add("--minutes", type=float, metavar="M", help="start no more trials after this long")
    add(
        "--space",
        action="append",
        metavar="NAME=LOW:HIGH[:log][:zero]|A,B,...",
        help="let NAME vary so; may be repeated; other names keep their default",
    )
    add("--fix", action="append", metavar="NAME=VALUE", help="hold NAME at VALUE; may be repeated")
    add(
        "--try",
        action="append",
        dest="try_first",
        metavar="NAME=VALUE,...",
        help="try this setting first; may be repeated",
    )
    add("--units", metavar="A,B,...", help="widths of the hidden layers (default 128,128)")
    add("--activation", metavar="NAME", help="of every hidden layer (default relu)")
    add("--optimizer", metavar="NAME", help="adam (default), sgd, momentum, nesterov, ...")
    _add_training(parser)
    parser.add_argument("--engine", metavar="E", help="how to train: population or keras-tuner")
    parser.add_argument("--resume", action="store_true", help="continue the study in --out")
    _add_output(parser)


def _add_train(verbs) -> None:
    parser = _verb(
        verbs,
        "train",
        _train,
        "Train one setting, beside the same stack without regularisation.",
        "  kerasreg train --data digits --dropout 0.3 --l2 1e-4 --out run\n"
        "  kerasreg train --data diabetes --norm batch --units 64,64 --lr 0.01 --out run",
    )
    _add_data(parser)
    group = parser.add_argument_group("the stack (per-layer lists are separated by commas)")
    for flag, field, metavar, text in _STACK_FLAGS:
        group.add_argument(flag, dest=f"stack_{field}", metavar=metavar, help=text)
    _add_training(parser)
    parser.add_argument("--engine", metavar="E", help="how to train: population or keras-tuner")
    _add_output(parser)


def _add_report(verbs) -> None:
    parser = _verb(
        verbs,
        "report",
        _report,
        "Write report.html and the figures of a study, finished, running or interrupted.",
        "  kerasreg report study",
    )
    parser.add_argument("folder", metavar="DIR", help="the study folder")
    _add_verbosity(parser)


# flag, field of StackConfig, metavar, help
_STACK_FLAGS = (
    ("--units", "units", "A,B,...", "widths of the hidden layers (default 128,128)"),
    ("--activation", "activation", "NAME", "of every hidden layer (default relu)"),
    ("--norm", "normalization", "NAME", "none (default), batch, layer or group"),
    ("--norm-position", "norm_position", "P", "before (default) or after the activation"),
    ("--groups", "groups", "N", "groups of group normalisation (default 8)"),
    ("--dropout", "dropout", "R", "fraction dropped after each hidden layer (default 0)"),
    ("--input-dropout", "input_dropout", "R", "fraction of the inputs dropped (default 0)"),
    ("--l1", "l1", "A", "adds A·Σ|w| to the loss (default 0)"),
    ("--l2", "l2", "A", "adds A·Σw² to the loss (default 0)"),
    ("--weight-decay", "weight_decay", "A", "decoupled decay of the kernels (default 0)"),
    ("--label-smoothing", "label_smoothing", "S", "in training only (default 0)"),
    ("--initializer", "initializer", "I", "he (default), xavier, glorot or a standard deviation"),
    ("--optimizer", "optimizer", "NAME", "adam (default), sgd, momentum, nesterov, ..."),
    ("--lr", "learning_rate", "RATE", "learning rate (default 0.001)"),
    ("--momentum", "momentum", "M", "of momentum and nesterov (default 0.9)"),
    ("--loss", "loss", "NAME", "of regression: mse (default), mae or huber"),
)


def _add_data(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the data")
    add = group.add_argument
    add(
        "--data",
        metavar="D",
        help="digits (default), breast_cancer, wine, iris, diabetes, mnist, "
        "fashion_mnist, cifar10, or a .csv, .parquet or .npz file",
    )
    add("--target", metavar="COLUMN", help="of a table: name, or index (-1 is the last)")
    add("--no-header", action="store_true", help="the CSV has no header row")
    add("--task", metavar="T", help="classification or regression (default: inferred)")
    add("--train-size", type=int, metavar="N", help="keep only N training rows, stratified")
    add("--split-seed", type=int, metavar="K", help="of train/validation/test (default 0)")


def _add_training(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training")
    add = group.add_argument
    add("--epochs", type=int, metavar="E", help="most epochs a trial trains (default 50)")
    add(
        "--patience",
        type=int,
        metavar="P",
        help="stop after P epochs without improvement (default 10; 0: never)",
    )
    add("--batch-size", type=int, metavar="B", help="rows a step (default: by the data's size)")
    add("--objective", metavar="O", help="val_data_loss (default), val_accuracy or val_mae")
    add("--epoch", metavar="RULE", help="the epoch that counts: best (default) or last")
    add("--seeds", type=int, metavar="S", help="members a setting, K, K+1, ... (default 1)")
    add("--folds", type=int, metavar="F", help="cross-validate with F folds")
    add("--seed", type=int, metavar="K", help="fixes every draw (default 0)")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="DIR", help="the study folder to write (required)")
    parser.add_argument(
        "--reread-test", action="store_true", help="allow the test rows to be read again"
    )
    _add_verbosity(parser)


def _add_verbosity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", default=False, help="print errors only")
    parser.add_argument(
        "-v", "--verbose", action="store_true", default=False, help="show TensorFlow's own messages"
    )


def _search(parsed: argparse.Namespace) -> int:
    given = _given(parsed)
    names = [name for name in ("units", "activation", "optimizer") if name in given]
    return _run("search", given, {name: _field(name, given.pop(name)) for name in names})


def _train(parsed: argparse.Namespace) -> int:
    given = _given(parsed)
    names = [name for name in given if name.startswith("stack_")]
    base = {name.removeprefix("stack_"): given.pop(name) for name in names}
    return _run("train", given, {name: _field(name, text) for name, text in base.items()})


def _given(parsed: argparse.Namespace) -> dict:
    return {name: value for name, value in vars(parsed).items() if name != "run"}


def _field(name: str, text: str) -> object:
    """Read one field of the stack: a word, a number, or several numbers with commas."""
    if name in _WORDS:
        return text
    read = int if name in ("units", "groups") else float
    try:
        numbers = tuple(read(part) for part in text.split(","))
    except ValueError:
        if name == "initializer":
            return text
        kind = "whole numbers" if read is int else "numbers"
        raise UserError(
            f"--{name.replace('_', '-')}: expected {kind} separated by commas, got {text!r}."
        ) from None
    return numbers if name == "units" or len(numbers) > 1 else numbers[0]


_WORDS = ("activation", "normalization", "norm_position", "optimizer", "loss")


def _run(verb: str, given: dict, base: dict) -> int:
    quiet, given_out = given.pop("quiet"), given.pop("out", None)
    if given_out is None:
        raise UserError("--out: expected the folder to write, got none. Add --out DIR.")
    folder = Path(given_out)
    verbose = given.pop("verbose")
    with _importing(verbose):
        from kerasreg.report import render_report
        from kerasreg.search.request import Request, requested
        from kerasreg.search.run import run_request
        from kerasreg.study import Study
        from kerasreg.terminal import LiveProgress, is_live, print_summary
    resume, minutes = given.pop("resume", False), given.pop("minutes", None)
    reread_test = given.pop("reread_test", False)
    with _interruptible(folder), LiveProgress(is_live(quiet), quiet) as progress:
        stored = Request.of_study(Study.open(folder)) if resume else None
        request = requested(verb, given, base, stored)
        study = run_request(
            request,
            folder,
            resume=resume,
            minutes=minutes,
            progress=progress,
            reread_test=reread_test,
        )
        progress.say("writing the report")
        render_report(study.folder)
    if not quiet:
        print_summary(folder, study.result)
    return 0


def _report(parsed: argparse.Namespace) -> int:
    with _importing(parsed.verbose):
        from kerasreg.report import render_report
    path = render_report(Path(parsed.folder))
    if not parsed.quiet:
        print(path)
    return 0


@contextlib.contextmanager
def _importing(verbose: bool) -> Iterator[None]:
    """Import TensorFlow without its noise, and end at once on a signal.

    An exception raised in the middle of an import would come out as somebody else's error, and
    nothing has begun that could be lost.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)

    def leave(signum, frame):
        os.write(stderr, b"kerasreg: interrupted before anything was begun\n")
        os._exit(128 + signum)

    try:
        with _handled(leave), contextlib.nullcontext() if verbose else _silent_stderr(stderr):
            yield
    finally:
        os.close(stderr)


@contextlib.contextmanager
def _silent_stderr(kept: int) -> Iterator[None]:
    """Send file descriptor 2 nowhere, then back to `kept`.

    TensorFlow 2.21 logs two lines while it is imported, before it reads any setting.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)


@contextlib.contextmanager
def _interruptible(folder: Path) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into one line and their exit status; a second one does not wait."""

    def stop(signum, frame):
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda again, _: os._exit(128 + again))
        raise _Interrupted(signum)

    try:
        with _handled(stop):
            yield
    except _Interrupted as interruption:
        _say_kept(folder)
        raise SystemExit(128 + interruption.signum) from None


@contextlib.contextmanager
def _handled(handler) -> Iterator[None]:
    before = {name: signal.signal(name, handler) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, old in before.items():
            signal.signal(name, old)


def _say_kept(folder: Path) -> None:
    trials = folder / "trials.jsonl"
    kept = trials.read_bytes().count(b"\n") if trials.exists() else 0
    print(
        f"kerasreg: interrupted; {kept} finished trials are kept. "
        f"Go on with: kerasreg search --resume --out {folder}",
        file=sys.stderr,
    )
