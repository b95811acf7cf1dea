"""The fields of a stack as a search space sees them: their names, types and spelling in text."""

from __future__ import annotations

import difflib
from dataclasses import fields
from typing import Any

from kerasreg.errors import UserError
from kerasreg.search.space.ranges import Range
from kerasreg.stacks import StackConfig

FIELDS = tuple(field.name for field in fields(StackConfig))
STANDARD = StackConfig()
# Whole numbers and words are structure: a Range over them means nothing.
NUMBERS = (
    *(name for name in FIELDS if isinstance(getattr(STANDARD, name), float)),
    "initializer",
)


def parse_value(name: str, text: str) -> Any:
    """Read one value of the field `name`: a number, a word, true/false, or `64x64` for several.

    Raises:
        UserError: The field is unknown, or the text is no value of it.
    """
    standard = getattr(STANDARD, known(name))
    text = text.strip()
    if isinstance(standard, bool):
        if text.lower() not in ("true", "false"):
            raise UserError(f"{name}: expected true or false, got {text!r}.")
        return text.lower() == "true"
    if isinstance(standard, str) and name != "initializer":
        return text
    number = int if isinstance(standard, int | tuple) else float
    parts = text.split("x") if isinstance(standard, tuple | float) else [text]
    try:
        values = tuple(number(part) for part in parts)
    except ValueError:
        if name == "initializer":
            return text
        kind = "whole number" if number is int else "number"
        raise UserError(f"{name}: expected a {kind}, got {text!r}.") from None
    return values if isinstance(standard, tuple) or len(values) > 1 else values[0]


def known(name: str) -> str:
    """The name itself, if it is a field of a stack; else a UserError with the nearest."""
    if name not in FIELDS:
        near = difflib.get_close_matches(str(name), FIELDS, n=3, cutoff=0.5) or FIELDS
        raise UserError(f"{name!r} is no field of a stack. Nearest: {', '.join(near)}.")
    return name


def split(text: str, form: str) -> tuple[str, str]:
    """`NAME=REST` as a known name and the rest; `form` is what the error says was expected."""
    name, equals, right = text.partition("=")
    if not equals or not name.strip() or not right.strip():
        raise UserError(f"expected {form}, got {text!r}.")
    return known(name.strip()), right.strip()


def parse_range(text: str, right: str) -> Range:
    """Read `LOW:HIGH[:log][:zero][:step=S]`; `text` is the whole edit, for the error."""
    low, high, *options = right.split(":")
    flags: dict[str, Any] = {}
    try:
        bounds = float(low), float(high)
        for option in options:
            key, _, value = option.partition("=")
            if key == "step":
                flags[key] = float(value)
            elif option in ("log", "zero"):
                flags[option] = True
            else:
                raise ValueError(option)
    except ValueError:
        raise UserError(f"expected NAME=LOW:HIGH[:log][:zero][:step=S], got {text!r}.") from None
    return Range(*bounds, **flags)


def as_field(name: str, value: Any) -> Any:
    """The value in the type of its field: whole numbers of a float field are floats."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, tuple | list):
        return tuple(as_field(name, item) for item in value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and name in NUMBERS else value


def plain(value: Any) -> Any:
    """The value for JSON."""
    return list(value) if isinstance(value, tuple) else value


def check(name: str, value: Any) -> None:
    """Let `StackConfig` judge the value; of rates per layer each, for their count is the base's."""
    for item in value if isinstance(value, tuple) and name != "units" else (value,):
        StackConfig(**{name: item})
