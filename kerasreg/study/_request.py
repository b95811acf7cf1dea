"""How a request differs from the one that a study began with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasreg.errors import UserError
from kerasreg.study._text import printable

_ABSENT = object()


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "not given"
    return printable(json.dumps(value, ensure_ascii=False))


def _equal(old: Any, new: Any) -> bool:
    # 1 and 1.0 are the same answer; True and 1 are not.
    return isinstance(old, bool) == isinstance(new, bool) and old == new


def _differences(old: Any, new: Any, key: str) -> dict[str, str]:
    if isinstance(old, dict) and isinstance(new, dict):
        found = {}
        for name in dict.fromkeys([*old, *new]):
            inner = _differences(old.get(name, _ABSENT), new.get(name, _ABSENT), f"{key}.{name}")
            found.update(inner)
        return found
    return {} if _equal(old, new) else {key: f"{_shown(old)} → {_shown(new)}"}


def growth(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[int, int] | None:
    """Check that a request goes on with a study; return its old and new `trials` where they grow.

    A top-level key that is missing now is as before; below the top level it is a difference.

    Raises:
        UserError: Listing every difference but more trials as `key: old → new`.
    """
    found = {}
    for key, value in new.items():
        found.update(_differences(old.get(key, _ABSENT), value, key))
    before, now = old.get("trials"), new.get("trials")
    grows = "trials" in found and type(before) is type(now) is int and before < now
    if grows:
        del found["trials"]
    elif "trials" in found:
        found["trials"] += " (it may only grow)"
    if found:
        listed = "; ".join(f"{printable(key)}: {change}" for key, change in found.items())
        raise UserError(
            f"{folder} was begun with other arguments ({listed}); give the same again or choose "
            "another folder."
        )
    return (before, now) if grows else None
