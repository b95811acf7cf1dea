"""`load` and `from_arrays`: the two doors through which data comes in."""

import difflib
import hashlib
from pathlib import Path

import numpy as np

from kerasreg.data._arrays import ArrayPreprocessing, check_array
from kerasreg.data._dataset import Dataset, TestRows
from kerasreg.data._labels import Labels, read_labels
from kerasreg.data._named import NAMES, read_named
from kerasreg.data._npz import read_npz
from kerasreg.data._splitting import check_fractions, split_rows, subset_rows
from kerasreg.errors import UserError

FILE_TYPES = (".csv", ".parquet", ".npz")


def load(
    name_or_path: str | Path,
    *,
    target: str | int | None = None,
    header: bool = True,
    task: str | None = None,
    train_size: int | None = None,
    split_seed: int = 0,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
) -> Dataset:
    """Load a named set or a file and split it.

    Args:
        name_or_path: One of `kerasreg.data.NAMES`, or a `.csv`, `.parquet` or `.npz` file.
        target: Column to predict, for tables: its name or its index (negative from the end).
        header: Whether a CSV's first row names the columns; else they are named by index.
        task: `"classification"`, `"regression"` or None to infer it from the target.
        train_size: Keep this many training rows, stratified; other parts keep their size.
        split_seed: Seed of the split and of the subset.
        fractions: Train, validation and test fractions. Where the data brings its own test part,
            the first two divide the rest.

    Raises:
        UserError: For everything about the name, the file or its content that must be changed.
    """
    options = {
        "task": task,
        "train_size": train_size,
        "split_seed": split_seed,
        "fractions": fractions,
    }
    name = str(name_or_path)
    if isinstance(name_or_path, str) and name in NAMES:
        _refuse_table_options(name, target, header)
        named = read_named(name)
        class_names = named.class_names
        if task == "regression":
            class_names = None
        dataset = from_arrays(
            named.x,
            named.y,
            x_test=named.x_test,
            y_test=named.y_test,
            name=name,
            feature_names=named.feature_names,
            class_names=class_names,
            target_name=named.target_name,
            scaling=named.scaling,
            **(options | {"task": task or named.task}),
        )
        return dataset
    path = Path(name_or_path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        _refuse_table_options(name, target, header)
        arrays = read_npz(path)
        return from_arrays(**arrays, name=path.name, **options)
    raise _unknown(name, suffix)


def from_arrays(
    x,
    y,
    *,
    x_test=None,
    y_test=None,
    name: str = "arrays",
    task: str | None = None,
    train_size: int | None = None,
    split_seed: int = 0,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    scaling: str = "auto",
    feature_names: tuple[str, ...] | None = None,
    class_names: tuple[str, ...] | None = None,
    target_name: str = "y",
) -> Dataset:
    """Make a Dataset of arrays.

    Args:
        x: Numbers, shape (rows, features) or (rows, height, width, ...); more axes are flattened.
        y: Labels (numbers, text or booleans) or quantities, shape (rows,) or (rows, 1).
        x_test, y_test: A test part of its own, in the same layout; else one is split off.
        name: What the data is called in reports.
        task, train_size, split_seed, fractions: As in `load`.
        scaling: `"standard"`: each feature by the mean and standard deviation of the training
            rows. `"unit"`: all values by 1/255 (uint8) or 1/largest training magnitude. `"none"`.
            `"auto"`: unit for uint8 and for more than two axes (images), else standard.
        feature_names: One a flattened feature.
        class_names: One a class, in the order of the sorted labels; else the labels themselves.
        target_name: What is predicted.

    Raises:
        UserError: NaN, infinite, object or text `x`; lengths or shapes that do not match; targets
            that are constant, fractional labels, or have too few rows of a class; bad options.
    """
    x = check_array(x, "x")
    y = np.asarray(y)
    _check_lengths(x, y, "x", "y")
    parts = [y.reshape(len(y), -1)[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y]
    if (x_test is None) != (y_test is None):
        raise UserError("x_test and y_test: give both or neither")
    if x_test is not None:
        x_test = check_array(x_test, "x_test")
        y_test = np.asarray(y_test)
        _check_lengths(x_test, y_test, "x_test", "y_test")
        if x_test.shape[1:] != x.shape[1:]:
            raise UserError(
                f"x_test: expected rows of shape {x.shape[1:]} as in x, got {x_test.shape[1:]}"
            )
        if x_test.dtype != x.dtype:
            x, x_test = x.astype(np.float64), x_test.astype(np.float64)
        parts.append(y_test.reshape(len(y_test), -1)[:, 0] if y_test.ndim == 2 else y_test)
        if parts[0].dtype.kind != parts[1].dtype.kind and "U" in (
            parts[0].dtype.kind + parts[1].dtype.kind
        ):
            raise UserError("y_test: expected the same kind of labels as y")
    labels = read_labels(np.concatenate(parts) if len(parts) > 1 else y, task=task, name="y")
    if class_names is not None and labels.class_names is not None:
        if len(class_names) != len(labels.class_names):
            raise UserError(
                f"class_names: expected {len(labels.class_names)} names, got {len(class_names)}"
            )
        labels = Labels(labels.task, labels.y, tuple(str(label) for label in class_names))
    fingerprint = _fingerprint(x, x_test, labels)
    rows = _divide(labels, len(x), x_test is not None, train_size, split_seed, fractions)
    train, validation, test = rows
    if x_test is None:
        tests = TestRows(x[test], labels.y[test])
    else:
        tests = TestRows(x_test, labels.y[len(x) :])
    # Only rows that may be learned from are kept beside the guarded test rows.
    kept = np.concatenate([train, validation])
    raw = x[kept]
    train = np.arange(len(train))
    validation = np.arange(len(train), len(kept))
    return Dataset(
        name=name,
        labels=Labels(labels.task, labels.y[kept], labels.class_names),
        raw=raw,
        train_rows=train,
        validation_rows=validation,
        test=tests,
        preprocessing=ArrayPreprocessing.fit(raw, train, scaling, feature_names),
        target_name=target_name,
        fingerprint=fingerprint,
        split={
            "seed": split_seed,
            "fractions": list(fractions),
            "train_size": train_size,
            "own_test_part": x_test is not None,
        },
    )


def _divide(
    labels: Labels,
    rows: int,
    own_test: bool,
    train_size: int | None,
    seed: int,
    fractions: tuple[float, float, float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return training, validation and test rows; the last empty where the data brings its own."""
    fractions = check_fractions(fractions)
    y = labels.y[:rows]
    if own_test:
        _check_seen(labels, rows)
        share = fractions[0] + fractions[1]
        fit, held = fractions[0] / share, fractions[1] / share
        train, validation = split_rows(y, (fit, held), seed, labels.class_names)
        test = np.empty(0, dtype=np.int64)
    else:
        train, validation, test = split_rows(y, fractions, seed, labels.class_names)
    if train_size is not None:
        train = train[subset_rows(y[train], train_size, seed, labels.class_names)]
    return train, validation, test


def _check_seen(labels: Labels, rows: int) -> None:
    if labels.class_names is None:
        return
    missing = set(np.unique(labels.y[rows:])) - set(np.unique(labels.y[:rows]))
    if missing:
        raise UserError(
            f"class {labels.class_names[min(missing)]!r} appears in the test part only; "
            "it cannot be learned"
        )


def _check_lengths(x: np.ndarray, y: np.ndarray, x_name: str, y_name: str) -> None:
    rows = len(y) if y.ndim else 0
    if len(x) != rows:
        raise UserError(
            f"{x_name} has {len(x)} rows and {y_name} has {rows}; expected one target a row"
        )


def _fingerprint(x: np.ndarray, x_test: np.ndarray | None, labels: Labels) -> str:
    digest = hashlib.sha256()
    for array in (x, x_test, labels.y):
        if array is not None:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    digest.update(repr(labels.class_names).encode())
    return digest.hexdigest()


def _refuse_table_options(name: str, target, header: bool) -> None:
    if target is not None:
        raise UserError(f"target: {name} has a target of its own; --target is for tables")
    if not header:
        raise UserError(f"header: {name} is no CSV; --no-header is for CSV files")


def _unknown(name: str, suffix: str) -> UserError:
    if suffix or Path(name).exists():
        return UserError(
            f"{name}: expected a file ending in {', '.join(FILE_TYPES)}, or one of the names "
            f"{', '.join(NAMES)}"
        )
    near = difflib.get_close_matches(name.lower().replace("-", "_"), NAMES, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"the names are {', '.join(NAMES)}"
    return UserError(f"unknown data {name!r}: {hint} Files end in {', '.join(FILE_TYPES)}")
