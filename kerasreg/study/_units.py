"""The unit of absolute errors: the target's own, in every record that a reader sees.

A regression target is standardised for training. Records are written in the target's unit, and
study.json says so (`error_unit`). Version 0.1 wrote standard deviations of the target; its studies
are converted when they are read.
"""

import math
from collections.abc import Mapping
from typing import Any

from kerasreg.errors import UserError
from kerasreg.objectives import in_target_unit

Record = dict[str, Any]

#: What study.json holds as `error_unit`; missing in studies of version 0.1.
ERROR_UNIT = "target"


def error_scale(info: Mapping[str, Any]) -> float:
    """The factor from the errors of a study's files to the target's unit; 1 where they are in it.

    Raises:
        UserError: The standard deviation of the target is no positive number.
    """
    dataset = info["asked"].get("dataset")
    if info.get("error_unit") == ERROR_UNIT or not isinstance(dataset, Mapping):
        return 1.0
    scale = dataset.get("target_scale", 1.0)
    if type(scale) not in (int, float) or not 0 < scale < math.inf:
        raise UserError(
            f"Expected a positive number for 'target_scale' in study.json, got {repr(scale)[:60]}; "
            "it was edited or damaged. Restore the file from a copy."
        )
    return float(scale)


def scaled_record(record: Record, scale: float, objective: Any) -> Record:
    """A record with its absolute errors multiplied by `scale`, its score too if it is one."""
    if scale == 1.0:
        return record
    members = [_scaled(member, scale, objective) for member in record["members"]]
    return {**_scaled(record, scale, objective), "members": members}


def _scaled(part: Record, scale: float, objective: Any) -> Record:
    """A record, a member of one or a baseline's candidate, scaled."""
    changed = dict(part)
    for key in {"metrics", "curves"} & set(part):
        changed[key] = {
            name: _times(value, scale) if in_target_unit(name) else value
            for name, value in part[key].items()
        }
    if isinstance(objective, str) and in_target_unit(objective):
        changed |= {k: _times(part[k], scale) for k in ("score", "score_std") if k in part}
    return changed


def scaled_result(result: Record, scale: float) -> Record:
    """A result of version 0.1 with the errors of its records multiplied by `scale`.

    Its tests are in the target's unit already.
    """
    if scale == 1.0:
        return result
    objective, changed = result.get("objective"), dict(result)
    for side in ("best", "baseline"):
        if result.get(side):
            changed[side] = scaled_record(result[side], scale, objective)
    if result.get("baseline_candidates"):
        changed["baseline_candidates"] = [
            _scaled(candidate, scale, objective) for candidate in result["baseline_candidates"]
        ]
    return changed


def _times(value: Any, scale: float) -> Any:
    if isinstance(value, list):
        return [_times(item, scale) for item in value]
    return None if value is None else value * scale
