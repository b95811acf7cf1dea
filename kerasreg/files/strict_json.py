"""JSON as kerasreg writes it and as it trusts it: strict, bounded, without NaN."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from kerasreg.errors import UserError
from kerasreg.files.atomic import atomic_write
from kerasreg.files.opening import read_bytes

MAX_DEPTH = 32
MAX_BYTES = 16 * 2**20
_INT_LIMIT = 2**63


def plain(value: Any, depth: int = 0) -> Any:
    """Return `value` as JSON can hold it: numpy unpacked, tuples as lists, non-finite as None.

    Lone surrogates (undecodable bytes of a file name, say) become visible escapes, so that every
    string written can be encoded again.

    Raises:
        TypeError: For a type that JSON has no word for, or a dictionary key that is no string.
        ValueError: Nested deeper than 32 levels, or an integer beyond 64 bits.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"Expected at most {MAX_DEPTH} nested levels.")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, int):
        if abs(value) >= _INT_LIMIT:
            raise ValueError(f"Expected integers within 64 bits, got one of {value.bit_length()}.")
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.generic):
        return plain(value.item(), depth)
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), depth)
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"Expected string keys, got {key!r}.")
        return {plain(key): plain(item, depth + 1) for key, item in value.items()}
    raise TypeError(f"Expected what JSON can hold, got {type(value).__name__}: {value!r}.")


def dumps(value: Any, indent: int | None = None) -> bytes:
    """Return `plain(value)` as UTF-8 JSON; one line when `indent` is None."""
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps(
        plain(value), allow_nan=False, ensure_ascii=False, indent=indent, separators=separators
    )
    return text.encode("utf-8")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _integer(text: str) -> int:
    # Length first: Python refuses thousands of digits with a message of its own.
    if len(text) > 20 or abs(int(text)) >= _INT_LIMIT:
        raise ValueError(f"{text[:40]} has more than 64 bits")
    return int(text)


def _constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the key {name[:60]!r} stands twice")
            seen.add(name)
    return result


def _check(value: Any) -> None:
    """Walk without recursion: depth and Unicode of everything in `value`."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item)
                deeper.extend(item.values())
            elif isinstance(item, list):
                # Curves are long lists of floats, which `_number` has already checked.
                if set(map(type, item)) != {float}:
                    deeper.extend(item)
            elif isinstance(item, str):
                try:
                    item.encode("utf-8")
                except UnicodeEncodeError:
                    raise ValueError("a string is not valid Unicode") from None
        if not deeper:
            return
        level = deeper
    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def loads(data: bytes) -> Any:
    """Parse strict JSON: no NaN or Infinity, no doubled keys, 64-bit numbers, 32 levels.

    Raises:
        ValueError: With what is wrong, in words that fit after "FILE: ".
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            parse_float=_number,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except RecursionError:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"it is not JSON ({error.msg}, {where})") from None
    _check(value)
    return value


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` atomically as indented JSON; NaN and infinities become null.

    Raises:
        UserError: When the file cannot be written.
    """
    atomic_write(path, dumps(value, indent=1) + b"\n")


def read_json(path: Path | str) -> dict[str, Any]:
    """Read one JSON object from a regular file of at most 16 MiB.

    Raises:
        UserError: Missing, unreadable, a link, too large, or not one strict JSON object.
    """
    data = read_bytes(path, MAX_BYTES)
    try:
        value = loads(data)
        if not isinstance(value, dict):
            raise ValueError(f"it holds a {type(value).__name__}, not one object")
    except ValueError as error:
        raise UserError(
            f"Expected a JSON object in {path}, but {error}; restore the file from a copy."
        ) from None
    return value
