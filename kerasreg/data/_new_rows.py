"""New rows for an exported model: a later file, read and cleaned as the training rows were."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kerasreg.data._arrays import as_float32, check_array
from kerasreg.data._from_arrays import joined_rows
from kerasreg.data._names import unique_names
from kerasreg.data._table import read_table
from kerasreg.data.cells.numbers import plain
from kerasreg.data.cells.reading import Reading
from kerasreg.data.files.csv_file import read_csv
from kerasreg.data.files.image_folder import image_files, read_images
from kerasreg.data.files.npz_file import read_npz
from kerasreg.data.files.parquet_file import read_parquet
from kerasreg.errors import UserError


def read_new_rows(
    source: str | Path | pd.DataFrame | np.ndarray,
    data: Mapping[str, Any],
    *,
    header: bool = True,
    encoding: str | None = None,
    inputs: Sequence[str] = (),
) -> tuple[dict[str, np.ndarray] | np.ndarray, tuple[str, ...]]:
    """Read rows for `Dataset.export`'s model; the target and columns left out need not be there.

    Args:
        source: A `.csv` or `.parquet` file, or a table; for a model of arrays an `.npz` with `x`,
            or `x`.
        data: What `Dataset.describe()` returned for the rows that the model was trained on.
        header, encoding: As in `load`. Without a header the columns stand as in the training file,
            with the target or without it.
        inputs: As in `load`.

    Returns:
        Column -> its cells, as the model takes them: float32 with NaN or texts with `""` for
        missing, shape (rows,); for arrays `x`. And sentences on cells that are missing or texts
        that training did not know.

    Raises:
        UserError: As `load`; a column of the training is not there.
    """
    if data["preprocessing"]["kind"] == "array":
        return _array(source, tuple(data["preprocessing"]["raw_shape"]), inputs), ()
    columns = (data.get("table") or {}).get("columns")
    if not columns:
        raise UserError(
            "data: the study is of a version that did not record how cells are read; search again"
        )
    trained = (data.get("table") or {}).get("file", {}).get("decimal")
    frame = _raw(source, {"header": header, "encoding": encoding, "unclear": trained})
    if not header:
        frame = frame.set_axis(_places(frame.shape[1], columns), axis=1)
    frame = frame.set_axis(unique_names([plain(str(name)) for name in frame.columns]), axis=1)
    readings = [Reading.from_dict(one) for one in columns if one["role"] == "feature"]
    absent = [reading.name for reading in readings if reading.name not in frame]
    if absent:
        raise UserError(
            f"data: expected the columns of the training, but {', '.join(map(repr, absent[:10]))} "
            f"{'is' if len(absent) == 1 else 'are'} not there; bring all of them"
        )
    cells: dict[str, pd.Series] = {}
    notes = []
    complete = {one["name"] for one in columns if one.get("missing") == 0}
    for reading in readings:
        cleaned = reading.clean(frame[reading.name])
        cells |= cleaned
        if missing := int(next(iter(cleaned.values())).isna().sum()):
            none = " (in training none)" if reading.name in complete else ""
            notes.append(f"{reading.name}: {missing:,} of {len(frame):,} cells are missing{none}")
    table, _ = read_table(pd.DataFrame(cells))
    rows = {name: table.numeric[:, i] for i, name in enumerate(table.numeric_names)}
    known = data["preprocessing"]["text"]
    for index, name in enumerate(table.text_names):
        texts = np.array(table.values[index], dtype=object)[table.codes[:, index]]
        rows[name] = texts
        unknown = sorted(set(texts) - {*known.get(name, ()), ""})
        if known.get(name) and unknown:
            shown = ", ".join(repr(text[:20]) for text in unknown[:5])
            notes.append(f"{name}: training knew no {shown}; they count as no category")
    return rows, tuple(notes)


def read_new_images(
    folder: str | Path,
    data: Mapping[str, Any],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, list[str], tuple[str, ...]]:
    """Read every image below a folder, as those that a model was trained on.

    Args:
        folder: Its sub-folders mean nothing.
        data, progress: As in `read_new_rows` and `load`.

    Returns:
        The pixels, as the model takes them; each image's place in the folder; sentences on what
        was resized or left out.

    Raises:
        UserError: The training was not on images, or none can be read.
    """
    shape = tuple(data["preprocessing"].get("raw_shape", ()))
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,)):
        raise UserError(f"{folder}: expected a file of rows as in training, got a folder.")
    x, files, notes, unread = read_images(
        image_files(Path(folder)), shape[:2], shape[2:] != (3,), progress
    )
    places = [file.relative_to(folder).as_posix() for file in files]
    return as_float32(x.reshape(-1, *shape)), places, (*notes, *unread)


def _raw(source: str | Path | pd.DataFrame, options: Mapping[str, Any]) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return read_parquet(path)
    if suffix == ".csv":
        # A file whose numbers could be read either way is read as that of the training was.
        return read_csv(path, **options)[0]
    raise UserError(f"{path}: expected a file that ends in .csv or .parquet")


def _places(width: int, columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the columns of a file without a header: their places in the training file."""
    names = [one["name"] for one in columns]
    features = [one["name"] for one in columns if one["role"] != "target"]
    for candidate in (names, features):
        if len(candidate) == width:
            return candidate
    raise UserError(
        f"data: expected {len(names)} columns as in training, or {len(features)} without the "
        f"target, got {width}"
    )


def _array(
    source: str | Path | pd.DataFrame | np.ndarray, shape: tuple[int, ...], inputs: Sequence[str]
) -> np.ndarray:
    if isinstance(source, str | Path):
        if Path(source).suffix.lower() != ".npz":
            raise UserError(f"{source}: expected an .npz with x, as the training data was arrays")
        arrays = read_npz(Path(source), (tuple(inputs), ("x",)) if inputs else (("x",),))
        source = arrays["x"] if "x" in arrays else joined_rows([*arrays.values()])
    x = check_array(source)
    if x.shape[1:] != shape:
        raise UserError(f"x: expected rows of shape {shape} as in training, got {x.shape[1:]}")
    return as_float32(x)
