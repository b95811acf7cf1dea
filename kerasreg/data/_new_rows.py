"""New rows for an exported model: a later file, read and cleaned as the training rows were."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kerasreg.data._names import unique_names
from kerasreg.data._table import read_table
from kerasreg.data.cells.numbers import plain
from kerasreg.data.cells.reading import Reading
from kerasreg.data.files.csv_file import read_csv
from kerasreg.data.files.parquet_file import read_parquet
from kerasreg.errors import UserError


def read_new_rows(
    source: str | Path | pd.DataFrame,
    data: Mapping[str, Any],
    *,
    header: bool = True,
    encoding: str | None = None,
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Read rows for `Dataset.export`'s model; the target and columns left out need not be there.

    Args:
        source: A `.csv` or `.parquet` file, or a table.
        data: What `Dataset.describe()` returned for the table that the model was trained on.
        header, encoding: As in `load`.

    Returns:
        Column -> its cells, as the model takes them: float32 with NaN or texts with `""` for
        missing, shape (rows,). And sentences on cells that are missing or texts that training
        did not know.

    Raises:
        UserError: As `load`; a column of the training is not there.
    """
    frame = _raw(source, header, encoding)
    frame = frame.set_axis(unique_names([plain(str(name)) for name in frame.columns]), axis=1)
    columns = [one for one in (data.get("table") or {}).get("columns", ()) if "kind" in one]
    readings = [Reading.from_dict(one) for one in columns if one["role"] == "feature"]
    if not readings:
        raise UserError("data: expected the description of a table, got that of arrays")
    absent = [reading.name for reading in readings if reading.name not in frame]
    if absent:
        raise UserError(
            f"data: expected the columns of the training, but {', '.join(map(repr, absent[:10]))} "
            f"{'is' if len(absent) == 1 else 'are'} not there; bring all of them"
        )
    cells: dict[str, pd.Series] = {}
    for reading in readings:
        cells |= reading.clean(frame[reading.name])
    table, _ = read_table(pd.DataFrame(cells))
    rows = {name: table.numeric[:, i] for i, name in enumerate(table.numeric_names)}
    known = data["preprocessing"]["text"]
    notes = [
        f"{name}: {int(np.isnan(values).sum()):,} of {len(frame):,} cells are missing"
        for name, values in rows.items()
        if np.isnan(values).any()
    ]
    for index, name in enumerate(table.text_names):
        texts = np.array(table.values[index], dtype=object)[table.codes[:, index]]
        rows[name] = texts
        unknown = sorted(set(texts) - {*known.get(name, ()), ""})
        if known.get(name) and unknown:
            shown = ", ".join(repr(text[:20]) for text in unknown[:5])
            notes.append(f"{name}: training knew no {shown}; they count as no category")
    return rows, tuple(notes)


def _raw(source: str | Path | pd.DataFrame, header: bool, encoding: str | None) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return read_parquet(path)
    if suffix == ".csv":
        return read_csv(path, header=header, encoding=encoding).frame
    raise UserError(f"{path}: expected a file that ends in .csv or .parquet")
