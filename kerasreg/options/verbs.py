"""The verbs of the command line, each with its options and an example."""

import argparse
from collections.abc import Callable, Mapping

from kerasreg import __version__
from kerasreg.command import Parser
from kerasreg.options.groups import (
    add_data,
    add_model,
    add_output,
    add_ray,
    add_stack,
    add_training,
    add_verbosity,
)

Run = Callable[[argparse.Namespace], int]
#: Options that are arguments of `kerasreg.diagnose`.
DIAGNOSE = ("scaling", "rows", "epochs", "batch_size", "seed")


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
    _add_diagnose(verbs, run["diagnose"])
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
        "  kerasreg search --model network.keras --data images.npz --out study\n"
        "  kerasreg search --resume --out study --trials 128",
    )
    add_data(parser)
    add_model(parser, search=True)
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
        "--choose",
        metavar="RULE",
        help="the trial that answers: best (default), or one-se, the most regularised within one "
        "standard error of it",
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
    add_stack(group, only=("filters", "units", "activation", "optimizer"))
    add_training(parser)
    add_ray(parser)
    add_output(parser)


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
    add_data(parser)
    group = parser.add_argument_group("the stack (a list has a comma between its values)")
    add_stack(group)
    group.add_argument(
        "--set",
        action="append",
        metavar="NAME=VALUE",
        help="any field of the stack by its name, as search varies it; may be repeated",
    )
    add_training(parser)
    add_output(parser)


def _add_diagnose(verbs, run: Run) -> None:
    parser = _verb(
        verbs,
        "diagnose",
        run,
        "Say what is wrong with a Keras network of yours and its data, in about a minute.",
        "  kerasreg diagnose --model network.keras --data images.npz --out diagnosis\n"
        "  kerasreg diagnose --model network.keras --data people.csv --target income --out d\n"
        "  kerasreg diagnose --model network.keras --custom layers:Squash --data digits --out d",
    )
    add_model(parser)
    add_data(parser)
    group = parser.add_argument_group("training copies of the network")
    add = group.add_argument
    add(
        "--scaling",
        metavar="S",
        help="none (default for .npz files: rows as they are) or auto (scaled as search scales)",
    )
    add("--rows", type=int, metavar="N", help="train on at most N rows (default 2000)")
    add("--epochs", type=int, metavar="E", help="(default: about 500 steps)")
    add("--batch-size", type=int, metavar="B", help="rows a step (default: by the data's size)")
    add("--seed", type=int, metavar="K", help="fixes every draw (default 0)")
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder of the page")
    add_verbosity(parser)


def _add_report(verbs, run: Run) -> None:
    parser = _verb(
        verbs,
        "report",
        run,
        "Write report.html and the figures of a study, finished, running or interrupted.",
        "  kerasreg report study",
    )
    parser.add_argument("folder", metavar="DIR", help="the study folder")
    add_verbosity(parser)


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
    add(
        "--data",
        metavar="NEW",
        required=True,
        help="a .csv or .parquet file, an .npz with x, or a folder of images",
    )
    add("--out", metavar="FILE", required=True, help="the .csv or .parquet file to write")
    add("--no-header", action="store_true", help="the CSV has no header row")
    add("--encoding", metavar="NAME", help="of the CSV (default: that of training, or found)")
    add_verbosity(parser)


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
    add_data(parser, positional=True)
    parser.add_argument("--out", metavar="FILE", help="the page to write (default: D-columns.html)")
    add_verbosity(parser)
