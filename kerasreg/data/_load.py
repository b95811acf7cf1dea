"""`load`, `from_arrays` and `from_frame`: the doors through which data comes in."""

import difflib
import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from kerasreg.data._arrays import ArrayPreprocessing, check_array
from kerasreg.data._assemble import assemble
from kerasreg.data._columns import TablePreprocessing
from kerasreg.data._csv import read_csv
from kerasreg.data._dataset import Dataset
from kerasreg.data._labels import Labels, read_labels
from kerasreg.data._named import NAMES, read_named
from kerasreg.data._npz import read_npz
from kerasreg.data._parquet import read_parquet, unique_names
from kerasreg.data._splitting import FRACTIONS
from kerasreg.data._table import read_table, take_target
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
    fractions: tuple[float, float, float] = FRACTIONS,
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
    dataset = _read(name_or_path, target, header, options)
    given = {"target": target, "header": header, **options}
    dataset.source = {
        "name_or_path": locate(name_or_path),
        **{name: value for name, value in given.items() if value != _DEFAULTS[name]},
    }
    return dataset


_DEFAULTS = load.__kwdefaults__


def locate(source: str | Path) -> str:
    """A data source as it can be found again: a name stays a name, a file becomes absolute."""
    path = Path(source)
    is_file = path.suffix or len(path.parts) > 1
    return str(path.absolute()) if is_file else str(source)


def _read(
    name_or_path: str | Path, target: str | int | None, header: bool, options: dict
) -> Dataset:
    name = str(name_or_path)
    path = Path(name_or_path)
    suffix = path.suffix.lower()
    if isinstance(name_or_path, str) and name in NAMES:
        _refuse_table_options(name, target, header)
        named = read_named(name)
        return from_arrays(
            named.x,
            named.y,
            x_test=named.x_test,
            y_test=named.y_test,
            name=name,
            feature_names=named.feature_names,
            class_names=None if options["task"] == "regression" else named.class_names,
            target_name=named.target_name,
            scaling=named.scaling,
            **(options | {"task": options["task"] or named.task}),
        )
    if suffix == ".npz":
        _refuse_table_options(name, target, header)
        return from_arrays(**read_npz(path), name=path.name, **options)
    if suffix == ".parquet":
        if not header:
            raise UserError(f"header: {name} names its columns; --no-header is for CSV files")
        frame = read_parquet(path)
    elif suffix == ".csv":
        frame = read_csv(path, header=header)
    else:
        raise _unknown(name, suffix)
    try:
        return from_frame(frame, target, name=path.name, **options)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def from_frame(
    frame: pd.DataFrame,
    target: str | int | None,
    *,
    name: str = "table",
    task: str | None = None,
    train_size: int | None = None,
    split_seed: int = 0,
    fractions: tuple[float, float, float] = FRACTIONS,
) -> Dataset:
    """Make a Dataset of a pandas table.

    Numbers and booleans: missing values become the training median, with a feature that says so,
    and columns are standardised. Text: one feature a category, missing being one of them. Rows
    without a target are left out.

    Args:
        frame: The table; columns of numbers, booleans, text or categories.
        target: Column to predict: its name or its index (negative from the end).
        name: What the data is called in reports.
        task, train_size, split_seed, fractions: As in `load`.

    Raises:
        UserError: As `load`.
    """
    frame = frame.set_axis(unique_names(list(frame.columns)), axis=1)
    column = take_target(frame, target)
    values = frame[column]
    present = values.notna().to_numpy()
    notes = []
    if not present.all():
        notes.append(f"{int((~present).sum()):,} rows without a target are left out")
        frame, values = frame[present], values[present]
    if len(values) == 0:
        raise UserError(f"target {column!r} is missing in every row")
    labels = read_labels(_target_values(values), task=task, name=f"target {column!r}")
    table, remarks = read_table(frame.drop(columns=column))
    fingerprint = hashlib.sha256(f"{table.fingerprint()}{column!r}".encode())
    _add_labels(fingerprint, labels)
    return assemble(
        table,
        labels,
        TablePreprocessing.fit,
        name=name,
        target_name=column,
        fingerprint=fingerprint.hexdigest(),
        train_size=train_size,
        split_seed=split_seed,
        fractions=fractions,
        notes=(*notes, *remarks),
    )


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
    fractions: tuple[float, float, float] = FRACTIONS,
    scaling: str = "auto",
    feature_names: tuple[str, ...] | None = None,
    class_names: tuple[str, ...] | None = None,
    target_name: str = "y",
) -> Dataset:
    """Make a Dataset of arrays.

    Args:
        x: Numbers, shape (rows, features) or (rows, height, width, ...); more axes are flattened.
        y: Labels (numbers, text or booleans) or quantities, shape (rows,) or (rows, 1).
        x_test, y_test: Test rows in the same layout; without them a test part is split off.
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
    x, y = check_array(x, "x"), _column(y, "y")
    _check_lengths(x, y, "x", "y")
    if (x_test is None) != (y_test is None):
        raise UserError("x_test and y_test: give both or neither")
    if x_test is not None:
        x_test, y_test = check_array(x_test, "x_test"), _column(y_test, "y_test")
        _check_lengths(x_test, y_test, "x_test", "y_test")
        if x_test.shape[1:] != x.shape[1:]:
            raise UserError(
                f"x_test: expected rows of shape {x.shape[1:]} as in x, got {x_test.shape[1:]}"
            )
        if (y.dtype.kind in "US") != (y_test.dtype.kind in "US"):
            raise UserError(f"y_test: expected labels as in y, {y.dtype}, got {y_test.dtype}")
        y = np.concatenate([y, y_test])
    labels = read_labels(y, task=task, name="y")
    if class_names is not None and labels.class_names is not None:
        if len(class_names) != len(labels.class_names):
            raise UserError(
                f"class_names: expected {len(labels.class_names)} names, got {len(class_names)}"
            )
        labels = Labels(labels.task, labels.y, tuple(str(label) for label in class_names))
    fingerprint = hashlib.sha256()
    for array in (x, x_test):
        if array is not None:
            fingerprint.update(f"{array.dtype.str}{array.shape}".encode())
            fingerprint.update(np.ascontiguousarray(array).data)
    _add_labels(fingerprint, labels)
    return assemble(
        x,
        labels,
        partial(ArrayPreprocessing.fit, scaling=scaling, feature_names=feature_names),
        raw_test=x_test,
        name=name,
        target_name=target_name,
        fingerprint=fingerprint.hexdigest(),
        train_size=train_size,
        split_seed=split_seed,
        fractions=fractions,
    )


def _target_values(values: pd.Series) -> np.ndarray:
    """A table's target as NumPy knows it: numbers, booleans, or objects for `read_labels`."""
    dtype = values.dtype
    if isinstance(dtype, pd.StringDtype | pd.CategoricalDtype) or dtype.kind == "O":
        return np.array(list(values), dtype=object)
    if pd.api.types.is_bool_dtype(dtype):
        return values.to_numpy(dtype=bool)
    if pd.api.types.is_integer_dtype(dtype):
        return values.to_numpy()
    if pd.api.types.is_float_dtype(dtype):
        return values.to_numpy(dtype=np.float64)
    return values.to_numpy()


def _column(y, name: str) -> np.ndarray:
    """Targets as one axis; `read_labels` judges their values."""
    try:
        y = np.asarray(y)
    except ValueError:
        raise UserError(f"{name}: expected one value a row, got rows of other lengths") from None
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _check_lengths(x: np.ndarray, y: np.ndarray, x_name: str, y_name: str) -> None:
    rows = len(y) if y.ndim else 0
    if len(x) != rows:
        raise UserError(
            f"{x_name} has {len(x)} rows and {y_name} has {rows}; expected one target a row"
        )
    if y.ndim != 1:
        hint = f"; for one-hot rows use {y_name}.argmax(axis=1)" if y.ndim == 2 else ""
        raise UserError(f"{y_name}: expected one value a row, got shape {y.shape}{hint}")


def _add_labels(fingerprint, labels: Labels) -> None:
    fingerprint.update(labels.y.data)
    fingerprint.update(repr((labels.task, labels.class_names)).encode())


def _refuse_table_options(name: str, target, header: bool) -> None:
    if target is not None:
        raise UserError(f"target: {name} comes with its target; --target is for tables")
    if not header:
        raise UserError(f"header: {name} is no CSV; --no-header is for CSV files")


def _unknown(name: str, suffix: str) -> UserError:
    near = difflib.get_close_matches(name.lower().replace("-", "_"), NAMES, n=3, cutoff=0.4)
    if near and not suffix:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        hint = f"the names are {', '.join(NAMES)};"
    return UserError(f"unknown data {name!r}: {hint} files end in {', '.join(FILE_TYPES)}")
