"""Options that several verbs share, by group."""

import argparse
from collections.abc import Sequence

#: What the parsed name of every field of the stack begins with.
STACK = "stack_"

# flag, field of StackConfig, metavar, help
_STACK_FLAGS = (
    (
        "--filters",
        "filters",
        "A,B,...",
        "of convolutions before the hidden layers (default none; of a search for images of 16×16 "
        "or more 16,32)",
    ),
    (
        "--units",
        "units",
        "A,B,...",
        "widths of the hidden layers (default 128,128; of a search below 1,000 rows 64,64)",
    ),
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


def add_stack(group, only: Sequence[str] | None = None) -> None:
    for flag, field, metavar, text in _STACK_FLAGS:
        if only is None or field in only:
            group.add_argument(flag, dest=STACK + field, metavar=metavar, help=text)


def add_model(parser: argparse.ArgumentParser, search: bool = False) -> None:
    """The user's network; a search also has stacks, and weights to start from."""
    title = "your own network, in place of a stack" if search else "the network"
    add = parser.add_argument_group(title).add_argument
    add("--model", metavar="FILE", required=not search, help="a .keras file")
    add(
        "--custom",
        action="append",
        metavar="MODULE:NAME",
        help="a class or function of yours that the file names; may be repeated",
    )
    if search:
        add(
            "--keep-weights",
            action="store_true",
            help="start from the file's weights, which must not have seen these rows (default: "
            "layers that are not frozen start from fresh draws)",
        )


def add_data(parser: argparse.ArgumentParser, positional: bool = False) -> None:
    group = parser.add_argument_group("the data")
    add = group.add_argument
    if not positional:
        add(
            "--data",
            metavar="D",
            help="digits (default), breast_cancer, wine, iris, diabetes, mnist, "
            "fashion_mnist, cifar10, a .csv, .parquet or .npz file, or a folder with images in "
            "one sub-folder a class",
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
    add(
        "--image-size",
        metavar="HxW",
        help="bring a folder's images to this height and width, and with x1 or x3 to grey or "
        "colour (default: what --model takes, else their most frequent)",
    )
    add("--task", metavar="T", help="classification or regression (default: inferred)")
    add("--train-size", type=int, metavar="N", help="keep only N training rows, stratified")
    add("--split-seed", type=int, metavar="K", help="of train/validation/test (default 0)")


def add_training(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training")
    add = group.add_argument
    add(
        "--epochs",
        type=int,
        metavar="E",
        help="most epochs a trial trains (default 50, or 600 steps)",
    )
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
    add(
        "--seeds",
        type=int,
        metavar="S",
        help="members a setting, K, K+1, ... (default 1, or 2 below 500 rows, divided anew)",
    )
    add(
        "--folds",
        type=int,
        metavar="F",
        help="cross-validate with F folds (0: one validation part; default 5 below 10,000 rows)",
    )
    add("--seed", type=int, metavar="K", help="fixes every draw (default 0)")


def add_ray(parser: argparse.ArgumentParser) -> None:
    """Where a search trains."""
    group = parser.add_argument_group("a cluster of machines (Ray)")
    add = group.add_argument
    add(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="train on the cluster at auto, HOST:PORT or ray://HOST:10001; without ADDRESS on all "
        "cores of this machine",
    )
    add("--ray-cpus", type=float, metavar="N", help="cores of a population (default 1)")
    add("--ray-gpus", type=float, metavar="N", help="GPUs, or the part of one (default 0)")
    add(
        "--ray-checkpoints",
        metavar="DIR",
        help="a folder all machines share: what a lost worker did goes on from its last minute",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", metavar="E", help="how to train: population or keras-tuner")
    parser.add_argument("--out", metavar="DIR", help="the study folder to write (required)")
    parser.add_argument("--resume", action="store_true", help="go on with the study in --out")
    parser.add_argument(
        "--reread-test", action="store_true", help="allow the test rows to be read again"
    )
    add_verbosity(parser)


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", default=False, help="print errors only")
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        default=False,
        help="show every finished trial, and what TensorFlow says",
    )
