"""What was read and how, in a few lines: for the terminal, before anything is trained."""

from collections.abc import Mapping
from typing import Any

from kerasreg.data._names import some

MOST_LINES = 8
_MOST_CLASSES, _MOST = 8, 4
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def story(data: Mapping[str, Any], folds: int = 0, times: int = 1) -> list[str]:
    """Tell what was read, what is predicted and from what, in at most eight lines.

    Args:
        data: What `Dataset.describe()` returned.
        folds, times: Folds of the cross-validation that follows, 0 for none, and how often the
            rows are divided.
    """
    rows, table = data["rows"], data.get("table") or {}
    total = sum(rows.values())
    columns = table.get("columns") or []
    file = table.get("file") or {}
    written = ""
    if file:
        separator = _SEPARATORS.get(file["separator"], file["separator"])
        comma = ", decimal commas" if file["decimal"] == "," else ""
        written = f" ({file['encoding']}, separated by {separator}{comma})"
    width = f", {len(columns):,} columns" if columns else f", {data['features']:,} features"
    shape = data["preprocessing"].get("raw_shape", ())
    if len(shape) > 1:
        width = f" of {'×'.join(map(str, shape))}"
    lines = [f"read      {data['name']}: {total:,} rows{width}{written}"]
    reason = f" ({data['task_reason']})" if data.get("task_reason") else ""
    lines.append(f"target    {data['target']}: {data['task']}{reason}{_classes(data)}")
    if columns:
        lines += _columns(columns, data["preprocessing"].get("encoding", "standard"))
    parts = ", ".join(f"{count:,} {part}" for part, count in rows.items())
    if folds:
        parts += f"; {folds} folds of train and validation"
        parts += f", divided {times} times" if times > 1 else ""
    lines.append(f"rows      {parts}{_divided(data['split'])}")
    lines.append(f"baseline  {_baseline(data)}")
    return lines + _said(data, MOST_LINES - len(lines))


def _divided(split: Mapping[str, Any]) -> str:
    if "group" in split:
        return f"; the {split['keys']:,} groups of {split['group']} stay together"
    return f"; in order of {split['time']}" if "time" in split else ""


def _classes(data: Mapping[str, Any]) -> str:
    counts = data.get("class_counts")
    if not counts:
        return ""
    pairs = sorted(zip(data["class_names"], counts, strict=True), key=lambda pair: -pair[1])
    return f": {some([f'{name[:20]} ({count:,})' for name, count in pairs], _MOST_CLASSES)}"


def _columns(columns: list[Mapping[str, Any]], encoding: str) -> list[str]:
    features = [column for column in columns if column["role"] == "feature"]
    left = [column for column in columns if column["role"] == "left out"]
    said = "" if encoding == "standard" else f" ({encoding} encoding)"
    kinds = {"number": f"of numbers{said}", "category": "of categories", "date": "of dates"}
    counted = [
        f"{sum(column.get('kind') == kind for column in features)} {name}"
        for kind, name in kinds.items()
        if any(column.get("kind") == kind for column in features)
    ]
    line = f"columns   {', '.join(counted)}"
    if left:
        reasons: dict[str, list[str]] = {}
        for column in left:
            reasons.setdefault(column["why"], []).append(column["name"][:30])
        shown = "; ".join(f"{some(names, _MOST)} ({why})" for why, names in reasons.items())
        line += f"; left out: {shown}"
    holes = sorted((c for c in features if c.get("missing")), key=lambda c: -c["missing"])
    if not holes:
        return [line, "missing   none"]
    missing = sum(column["missing"] for column in holes)
    shown = some([f"{c['name'][:30]} {c['missing']:,}" for c in holes], _MOST)
    return [line, f"missing   {missing:,} cells: {shown}"]


def _baseline(data: Mapping[str, Any]) -> str:
    counts = data.get("class_counts")
    if not counts:
        scale = data["target_scale"]
        return f"always the mean of {data['target']} is off by {scale:.4g} (standard deviation)"
    most = max(range(len(counts)), key=counts.__getitem__)
    share = counts[most] / sum(counts)
    return f"always {data['class_names'][most][:30]!r} is right in {share:.1%} of the rows"


def _said(data: Mapping[str, Any], room: int) -> list[str]:
    """Warnings first, one a line; what finds no room is counted."""
    lines = [f"warning   {sentence}" for sentence in data.get("warnings") or []]
    lines += [f"note      {one}" for one in data["notes"] if " is left out: " not in one]
    if len(lines) <= room:
        return lines
    rest = len(lines) - room + 1
    return [
        *lines[: room - 1],
        f"          and {rest} more: the page of kerasreg data and the report say all",
    ]
