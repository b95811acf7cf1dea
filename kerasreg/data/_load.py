"""`load`: named sets, files and folders of images."""

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kerasreg.data._dataset import Dataset
from kerasreg.data._from_arrays import from_arrays, joined_rows
from kerasreg.data._from_frame import from_frame
from kerasreg.data._named import NAMES, read_named
from kerasreg.data._splitting import FRACTIONS
from kerasreg.data.files.csv_file import read_csv
from kerasreg.data.files.image_folder import read_image_folder
from kerasreg.data.files.npz_file import LAYOUTS, read_npz
from kerasreg.data.files.parquet_file import read_parquet
from kerasreg.errors import UserError, check_whole

FILE_TYPES = (".csv", ".parquet", ".npz")


def load(
    name_or_path: str | Path,
    *,
    target: str | int | None = None,
    header: bool = True,
    encoding: str | None = None,
    decimal: str | None = None,
    drop: Sequence[str | int] = (),
    keep: Sequence[str | int] = (),
    kinds: Mapping[str, str] | None = None,
    group: str | int | None = None,
    time: str | int | None = None,
    image_size: Sequence[int] | None = None,
    inputs: Sequence[str] = (),
    task: str | None = None,
    train_size: int | None = None,
    split_seed: int = 0,
    fractions: tuple[float, float, float] = FRACTIONS,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Load a named set, a file or a folder of images, and split it.

    Args:
        name_or_path: One of `kerasreg.data.NAMES`, or a `.csv`, `.parquet` or `.npz` file, or a
            folder with images in one sub-folder a class.
        target: Column to predict, for tables: its name or its index (negative from the end).
        header: Whether a CSV's first row names the columns; else they are named by index.
        encoding: Of a CSV's text; None to recognise UTF-8, UTF-16 and cp1252.
        decimal: Decimal sign of a CSV, `"."` or `","`; None to find it.
        drop, keep, kinds, group, time: Of tables, as in `from_frame`.
        image_size: Height and width that a folder's images are brought to, and where wanted their
            channels, 1 or 3; None for their most frequent size.
        inputs: Of an `.npz`: arrays of it, in place of `x`, that are the inputs of a network; a
            row has their values one after the other.
        task: `"classification"`, `"regression"` or None to infer it from the target.
        train_size: Keep this many training rows, stratified; other parts keep their size.
        split_seed: Seed of the split and of the subset.
        fractions: Train, validation and test fractions. Where the data brings its own test part,
            the first two divide the rest.
        progress: Called with how many of a folder's images are read, and how many there are.

    Raises:
        UserError: For everything about the name, the file or its content that must be changed.
    """
    options = {
        "task": task,
        "train_size": train_size,
        "split_seed": split_seed,
        "fractions": fractions,
    }
    text = {"header": header, "encoding": encoding, "decimal": decimal}
    table = {
        "target": target,
        "drop": list(drop),
        "keep": list(keep),
        "kinds": dict(kinds or {}),
        "group": group,
        "time": time,
    }
    size = None if image_size is None else list(image_size)
    dataset = _read(name_or_path, text, table, size, list(inputs), options, progress)
    given = {**table, **text, "image_size": size, "inputs": list(inputs), **options}
    dataset.source = {
        "name_or_path": locate(name_or_path),
        **{name: value for name, value in given.items() if value != _DEFAULTS[name]},
    }
    return dataset


_DEFAULTS = {**load.__kwdefaults__, "drop": [], "keep": [], "kinds": {}, "inputs": []}


def locate(source: str | Path) -> str:
    """A data source as it can be found again: a name stays a name, a path becomes absolute."""
    path = Path(source)
    is_file = path.suffix or len(path.parts) > 1 or (str(source) not in NAMES and is_folder(path))
    return str(path.absolute()) if is_file else str(source)


def _read(
    name_or_path: str | Path,
    text: dict,
    table: dict,
    image_size: list[int] | None,
    inputs: list[str],
    options: dict,
    progress: Callable[[int, int], None] | None,
) -> Dataset:
    name = str(name_or_path)
    path = Path(name_or_path)
    suffix = path.suffix.lower()
    named = isinstance(name_or_path, str) and name in NAMES
    if inputs and suffix != ".npz":
        raise UserError(f"inputs: expected an .npz with arrays of these names, got {name}.")
    if is_folder(path) and not named:
        _refuse(table | text, name, "holds images")
        size, grey = _checked_size(image_size)
        images = read_image_folder(path, size, grey, progress)
        return from_arrays(
            images.x,
            images.y,
            name=path.name,
            target_name="class",
            notes=images.notes,
            warnings=images.warnings,
            **options,
        )
    if image_size is not None:
        raise UserError(
            f"image_size: expected a folder of images, got {name}; leave out --image-size."
        )
    if named:
        _refuse(table | text, name, "comes with its columns and its target")
        return from_arrays(**read_named(name), name=name, **options)
    if suffix == ".npz":
        _refuse(table | text, name, "holds arrays and their target")
        arrays = read_npz(path, ((*inputs, "y"), *LAYOUTS) if inputs else LAYOUTS)
        if set(inputs) <= set(arrays) and inputs:
            _check_counts(path, arrays)
            arrays = {"x": joined_rows([arrays[one] for one in inputs]), "y": arrays["y"]}
        return from_arrays(**arrays, name=path.name, **options)
    if suffix == ".parquet":
        _refuse(text, name, "is no text")
        frame, written = read_parquet(path), None
    elif suffix == ".csv":
        frame, written = read_csv(path, **text)
    else:
        raise _unknown(name, suffix)
    try:
        return from_frame(frame, **table, name=path.name, written=written, **options)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def is_folder(path: Path) -> bool:
    """Whether there is a folder whose name is none of a file; False where no name is possible."""
    return path.suffix.lower() not in FILE_TYPES and os.path.isdir(path)


def _checked_size(size: list[int] | None) -> tuple[tuple[int, int] | None, bool | None]:
    """Height and width, and whether images are grey; None for what is left open."""
    if size is None:
        return None, None
    if len(size) not in (2, 3) or size[2:] not in ([], [1], [3]):
        raise UserError(
            "image_size: expected a height and a width, and where wanted 1 or 3 channels, got "
            f"{size!r}."
        )
    for side in size[:2]:
        check_whole("image_size", side, 1, 10_000)
    return tuple(size[:2]), size[2] == 1 if size[2:] else None


def _check_counts(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    if len({array.shape[:1] for array in arrays.values()}) > 1:
        got = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise UserError(f"{path}: expected arrays of equally many rows, got {got}.")


def _refuse(options: dict, name: str, why: str) -> None:
    """Refuse options for tables that the data has no use for."""
    for option, value in options.items():
        if value != _DEFAULTS[option]:
            flag = {"header": "no-header", "kinds": "as"}.get(option, option)
            raise UserError(f"{option}: {name} {why}; leave out --{flag}, which is for tables")


def _unknown(name: str, suffix: str) -> UserError:
    near = difflib.get_close_matches(name.lower().replace("-", "_"), NAMES, n=3, cutoff=0.4)
    if near and not suffix:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        hint = f"the names are {', '.join(NAMES)};"
    return UserError(
        f"unknown data {name!r}: {hint} files end in {', '.join(FILE_TYPES)}, "
        "images are in a folder"
    )
