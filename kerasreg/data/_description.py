"""What a study records of its data."""

from typing import Any


def describe(data: Any) -> dict[str, Any]:
    """What `Dataset.describe` gives of `data`, a Dataset."""
    return {
        "name": data.name,
        "task": data.task,
        "task_reason": data._task_reason,
        "target": data.target_name,
        "class_names": None if data.class_names is None else list(data.class_names),
        "class_counts": data._class_counts,
        "rows": {part: len(rows) for part, rows in data.rows.items()},
        "features": len(data.feature_names),
        "target_offset": data.target_offset,
        "target_scale": data.target_scale,
        "split": dict(data._split),
        "preprocessing": data._preprocessing.describe(),
        "fingerprint": data.fingerprint,
        "notes": list(data.notes),
        "warnings": list(data.warnings),
        "table": data._table,
    }
