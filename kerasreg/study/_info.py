"""study.json: the request, when it was made, by which command and with which versions."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from kerasreg.errors import UserError
from kerasreg.files.strict_json import plain, read_json
from kerasreg.study._text import damaged, printable
from kerasreg.study._units import ERROR_UNIT

FORMAT = "kerasreg study"
FORMAT_VERSION = 1


def _now() -> str:
    """Return the time in UTC, for people to read; nothing is decided by it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    """Return the versions that decide a study's numbers, without importing any of them."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in ("tensorflow", "keras", "keras-tuner", "numpy", "kerasreg"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def new(request: Mapping[str, Any], command: Sequence[str] | None) -> dict[str, Any]:
    """Return the content of study.json for a new study."""
    return plain(
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "created": _now(),
            "command": list(sys.argv if command is None else command),
            "versions": _versions(),
            "asked": dict(request),
            "extended": [],
            "error_unit": ERROR_UNIT,
        }
    )


def read(path: Path) -> dict[str, Any]:
    """Read study.json.

    Raises:
        UserError: It is broken, of another program, of another version, or has wrong types.
    """
    info = read_json(path)
    if info.get("format") != FORMAT:
        raise UserError(
            f'Expected "format": "{FORMAT}" in {path}, got {repr(info.get("format"))[:60]}; '
            "another program wrote it, so choose another folder."
        )
    version = info.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:
        raise UserError(
            f"Expected format version {FORMAT_VERSION} in {path}, got {repr(version)[:60]}; open "
            "the study with the kerasreg that wrote it."
        )
    kinds = {"created": str, "command": list, "versions": dict, "asked": dict, "extended": list}
    for key, kind in kinds.items():
        if type(info.get(key)) is not kind:
            raise damaged(path, f"{key!r} of type {kind.__name__}", info.get(key))
    if info.get("error_unit", ERROR_UNIT) != ERROR_UNIT:
        raise damaged(path, f"{ERROR_UNIT!r} for 'error_unit', or none,", info["error_unit"])
    changes = info.get("other_versions", [])
    if type(changes) is not list or not all(_is_change(change) for change in changes):
        raise damaged(path, "'other_versions' to be a list of when and what", changes)
    return info


def extended(info: dict[str, Any], trials: tuple[int, int]) -> dict[str, Any]:
    """Return a copy of the content whose request has more trials, `(old, new)`, with a note."""
    info = plain(info)
    info["asked"]["trials"] = trials[1]
    info["extended"].append({"from": trials[0], "to": trials[1], "at": _now()})
    return info


def version_changes(info: dict[str, Any]) -> list[str]:
    """Return `name: then → now` for what has another version than when the study began."""
    now, then = _versions(), info["versions"]
    return [
        printable(f"{name}: {then[name]} → {now[name]}")
        for name in now
        if name in then and then[name] != now[name]
    ]


def with_changes(info: dict[str, Any], changes: list[str]) -> dict[str, Any] | None:
    """Return a copy of the content that notes version changes; None when it notes them already."""
    info = plain(info)
    noted = info.setdefault("other_versions", [])
    if not changes or changes in [note["changes"] for note in noted]:
        return None
    noted.append({"at": _now(), "changes": changes})
    return info


def _is_change(value: Any) -> bool:
    return (
        type(value) is dict
        and type(value.get("at")) is str
        and type(value.get("changes")) is list
        and all(type(change) is str for change in value["changes"])
    )
