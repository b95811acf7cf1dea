"""How what is asked now differs from what was asked before."""

import json
from typing import Any

_ABSENT = object()


def printable(text: str) -> str:
    """Return at most 80 characters of `text` that a terminal shows and does not obey."""
    text = text if len(text) <= 80 else text[:77] + "..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


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


def differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    """Return dotted key -> `old → new`, for plain JSON values.

    A top-level key missing from `new` was not asked again and so does not differ; below the top
    level a missing key does.
    """
    found = {}
    for key, value in new.items():
        found.update(_differences(old.get(key, _ABSENT), value, key))
    return {printable(key): change for key, change in found.items()}
