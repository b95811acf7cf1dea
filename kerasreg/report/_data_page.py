"""The page of `kerasreg data`: what was read, column by column."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasreg import words
from kerasreg.data import story
from kerasreg.report._page import write_page
from kerasreg.report._trials import cell, numeric_columns

_COLUMNS = ("column", "role", "read as", "missing", "different", "values", "why")


def render_data(data: Mapping[str, Any], path: Path | str) -> Path:
    """Write the page of a data set, of which `data` is what `Dataset.describe()` returned."""
    columns = (data.get("table") or {}).get("columns") or []
    rows = [[cell(value) for value in _row(column)] for column in columns]
    said = story(data)
    values = {
        "title": f"{data['name']}: what was read",
        "lines": [line.split(maxsplit=1) for line in said if not line.startswith(("warn", "note"))],
        "warnings": data.get("warnings") or [],
        "notes": data["notes"],
        "columns": _COLUMNS,
        "numeric": numeric_columns(rows, len(_COLUMNS)),
        "rows": rows,
    }
    return write_page("data.html.j2", Path(path), values)


def _row(column: Mapping[str, Any]) -> list[Any]:
    values = None
    if "range" in column:
        low, high = (words.show(value, 6) for value in column["range"])
        days = f" days from {column['origin']}" if column.get("kind") == "date" else ""
        values = f"{low} to {high}{days}"
    elif "frequent" in column:
        values = ", ".join(f"{value} ({count:,})" for value, count in column["frequent"].items())
    shown = [column.get(key) for key in ("name", "role", "kind", "missing", "different")]
    return [*shown, values, column.get("why")]
