"""The options of the command line: what there is to say, its help, and an example of every verb."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence

from kerasreg import __version__
from kerasreg.command import Parser

Run = Callable[[argparse.Namespace], int]
#: What the parsed name of every field of the stack begins with.
STACK = "stack_"


def joined(arguments: Sequence[str]) -> list[str]:
    """Write `--l2 -1e-3` as `--l2=-1e-3`: argparse takes the value for an option."""
    joined: list[str] = []
    for argument in arguments:
        negative = argument[:1] == "-" and argument[1:2] in set("0123456789.")
        if negative and joined and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def build_parser(run: Mapping[str, Run]) -> argparse.ArgumentParser:
    """The parser of all verbs.

    Args:
        run: Verb -> what runs it; becomes `run` of the parsed arguments.
    """
    parser = Parser(
        prog="kerasreg",
        description="Which regularisation does my Keras network need, how strong, and why?",
        epilog="Start with: kerasreg search --data digits --out study",
    )
    parser.add_argument("--version", action="version", version=f"kerasreg {__version__}")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    _add_search(verbs, run["search"])
    _add_train(verbs, run["train"])
    _add_report(verbs, run["report"])
    _add_predict(verbs, run["predict"])
    _add_data_verb(verbs, run["data"])
    return parser


def _verb(verbs, name: str, run: Run, summary: str, examples: str) -> argparse.ArgumentParser:
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


def _add_search(verbs, run: Run) -> None:
    parser = _verb(
        verbs,
        "search",
        run,
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
    add(
        "--halving",
        action=argparse.BooleanOptionalAction,
        help="stop the worse half of the trials early, thrice (default: of random ones with folds)",
    )
    add(
        "--ensemble",
        action=argparse.BooleanOptionalAction,
        help="join the folds' members of the best trials in ensemble.keras (default: with folds)",
    )
    add(
        "--minutes",
        type=float,
        metavar="M",
        help="start no more trials after this long; what is in training is finished",
    )
    add(
        "--space",
        action="append",
        metavar="NAME=LOW:HIGH[:log][:zero]|A,B,...",
        help="let NAME vary so; may be repeated; other names keep their default. A choice that is "
        "a list, one value a layer, has x between its values: units=64x64,128x128",
    )
    add(
        "--fix",
        action="append",
        metavar="NAME=VALUE",
        help="hold NAME at VALUE (a list a layer: dropout=0.2,0.3); may be repeated",
    )
    add(
        "--try",
        action="append",
        dest="try_first",
        metavar="NAME=VALUE,...",
        help="try this setting first (a list a layer: units=64,64,l2=0); may be repeated",
    )
    _add_stack(group, only=("units", "activation", "optimizer"))
    _add_training(parser)
    _add_output(parser)


def _add_train(verbs, run: Run) -> None:
    parser = _verb(
        verbs,
        "train",
        run,
        "Train one setting, beside the same stack without regularisation.",
        "  kerasreg train --data digits --dropout 0.3 --l2 1e-4 --out run\n"
        "  kerasreg train --data diabetes --norm batch --units 64,64 --lr 0.01 --out run\n"
        "  kerasreg train --data digits --norm batch --set norm_momentum=0.99 --out run",
    )
    _add_data(parser)
    group = parser.add_argument_group("the stack (a list has a comma between its values)")
    _add_stack(group)
    group.add_argument(
        "--set",
        action="append",
        metavar="NAME=VALUE",
        help="any field of the stack by its name, as search varies it; may be repeated",
    )
    _add_training(parser)
    _add_output(parser)


def _add_report(verbs, run: Run) -> None:
    parser = _verb(
        verbs,
        "report",
        run,
        "Write report.html and the figures of a study, finished, running or interrupted.",
        "  kerasreg report study",
    )
    parser.add_argument("folder", metavar="DIR", help="the study folder")
    _add_verbosity(parser)


def _add_predict(verbs, run: Run) -> None:
    parser = _verb(
        verbs,
        "predict",
        run,
        "Predict new rows, read as the training rows were; they need no target.",
        "  kerasreg predict study --data tomorrow.csv --out predicted.csv\n"
        "  kerasreg predict study/best.keras --data tomorrow.parquet --out predicted.parquet",
    )
    add = parser.add_argument
    add("model", metavar="DIR|MODEL", help="the study folder, or a .keras file in it")
    add("--data", metavar="NEW", required=True, help="a .csv or .parquet file, or an .npz with x")
    add("--out", metavar="FILE", required=True, help="the .csv or .parquet file to write")
    add("--no-header", action="store_true", help="the CSV has no header row")
    add("--encoding", metavar="NAME", help="of the CSV (default: that of training, or found)")
    _add_verbosity(parser)


def _add_data_verb(verbs, run: Run) -> None:
    parser = _verb(
        verbs,
        "data",
        run,
        "Say what is read from a file and how, without training; a page shows each column.",
        "  kerasreg data people.csv --target income\n"
        "  kerasreg data people.csv --target income --drop id --as zip=category",
    )
    parser.add_argument("data", metavar="D", help="a name or a file, as for search")
    _add_data(parser, positional=True)
    parser.add_argument("--out", metavar="FILE", help="the page to write (default: D-columns.html)")
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


def _add_stack(group, only: Sequence[str] | None = None) -> None:
    for flag, field, metavar, text in _STACK_FLAGS:
        if only is None or field in only:
            group.add_argument(flag, dest=STACK + field, metavar=metavar, help=text)


def _add_data(parser: argparse.ArgumentParser, positional: bool = False) -> None:
    group = parser.add_argument_group("the data")
    add = group.add_argument
    if not positional:
        add(
            "--data",
            metavar="D",
            help="digits (default), breast_cancer, wine, iris, diabetes, mnist, "
            "fashion_mnist, cifar10, or a .csv, .parquet or .npz file",
        )
    add("--target", metavar="COLUMN", help="of a table: name, or index (-1 is the last)")
    add("--no-header", action="store_true", help="the CSV has no header row")
    add("--encoding", metavar="NAME", help="of the CSV (default: UTF-8, UTF-16 or cp1252, found)")
    add("--decimal", metavar="SIGN", help="decimal sign of the CSV, . or , (default: found)")
    add("--drop", action="append", metavar="COLUMN", help="leave it out; may be repeated")
    add(
        "--keep",
        action="append",
        metavar="COLUMN",
        help="use it although it looks like a row number or an identifier; may be repeated",
    )
    add(
        "--as",
        action="append",
        dest="kinds",
        metavar="COLUMN=KIND",
        help="read it as number, category or date; may be repeated",
    )
    add("--group", metavar="COLUMN", help="rows of one group stay in one part and one fold")
    add("--time", metavar="COLUMN", help="split in order of time: the latest rows test")
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
        help="stop after P epochs without improvement (0: never; default 10, with folds 0)",
    )
    add("--batch-size", type=int, metavar="B", help="rows a step (default: by the data's size)")
    add(
        "--objective",
        metavar="O",
        help="val_data_loss (default), val_accuracy, val_balanced_accuracy, val_auc, val_f1, "
        "val_mae or val_rmse",
    )
    add("--balance", action="store_true", help="let rare classes weigh as much in training")
    add("--epoch", metavar="RULE", help="the epoch that counts: best (default) or last")
    add("--seeds", type=int, metavar="S", help="members a setting, K, K+1, ... (default 1)")
    add(
        "--folds",
        type=int,
        metavar="F",
        help="cross-validate with F folds (0: one validation part; default 5 below 10,000 rows)",
    )
    add("--seed", type=int, metavar="K", help="fixes every draw (default 0)")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", metavar="E", help="how to train: population or keras-tuner")
    parser.add_argument("--out", metavar="DIR", help="the study folder to write (required)")
    parser.add_argument("--resume", action="store_true", help="go on with the study in --out")
    parser.add_argument(
        "--reread-test", action="store_true", help="allow the test rows to be read again"
    )
    _add_verbosity(parser)


def _add_verbosity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", default=False, help="print errors only")
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        default=False,
        help="show every finished trial, and what TensorFlow says",
    )
