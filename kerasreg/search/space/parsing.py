"""Values and ranges of a space as text, for a command line.

A list, one value a layer, is written with commas: `units=64,64`. Inside a list of choices the comma
is between the choices, and an `x` between the values of one: `units=64x64,128x128`.
"""

import re
from typing import Any

from kerasreg.errors import UserError
from kerasreg.search.space.fields import PER_LAYER, STANDARD, WIDTHS, known
from kerasreg.search.space.ranges import Choice, Range


def parse_value(name: str, text: str, separator: str = ",") -> Any:
    """Read one value of the field `name`: a number, a word, true or false, or a list a layer.

    Args:
        name: A field of `StackConfig`.
        text: `0.5`, `batch`, `true`, `64,64`, of widths `none` for no layer.
        separator: What stands between the values of a list.

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
    if name in WIDTHS and text == "none":
        return ()
    kind = int if isinstance(standard, int | tuple) else float
    parts = text.split(separator) if name in PER_LAYER else [text]
    try:
        values = tuple(kind(part) for part in parts)
    except ValueError:
        if name == "initializer":
            return text
        expected = "a whole number" if kind is int else "a number"
        several = f", or several with {separator!r} between them" if name in PER_LAYER else ""
        raise UserError(f"{name}: expected {expected}{several}, got {text!r}.") from None
    return values if isinstance(standard, tuple) or len(values) > 1 else values[0]


def split_edit(text: str, form: str) -> tuple[str, str]:
    """`NAME=REST` as a known name and the rest.

    Args:
        text: The edit.
        form: What was expected, for the error.

    Raises:
        UserError: There is no name or no rest, or the name is no field of a stack.
    """
    name, equals, rest = text.partition("=")
    if not equals or not name.strip() or not rest.strip():
        raise UserError(f"expected {form}, got {text!r}.")
    return known(name.strip()), rest.strip()


def parse_assignment(text: str) -> tuple[str, Any]:
    """Read `NAME=VALUE` as a field and its value.

    Raises:
        UserError: The text has another form, or is no value of the field.
    """
    name, rest = split_edit(text, "NAME=VALUE")
    return name, parse_value(name, rest)


def parse_setting(text: str) -> dict[str, Any]:
    """Read `NAME=VALUE,NAME=VALUE,...`; the commas of a list are not followed by a name.

    Raises:
        UserError: The text has another form, or a value is none of its field.
    """
    return dict(parse_assignment(part) for part in re.split(r",(?=[^,=]*=)", text))


def parse_varied(text: str) -> tuple[str, Range | Choice]:
    """Read `NAME=LOW:HIGH[:log][:zero][:step=S]` or `NAME=A,B,C`, with `x` inside A, B and C.

    Raises:
        UserError: The text has another form, the field is unknown, or its bounds make no range.
    """
    name, rest = split_edit(text, "NAME=LOW:HIGH[:log][:zero] or NAME=A,B,C")
    try:
        if ":" in rest:
            return name, _parse_range(text, rest)
        return name, Choice(*(parse_value(name, part, "x") for part in rest.split(",")))
    except UserError as error:
        raise UserError(f"{text}: {error}") from None


def _parse_range(text: str, bounds: str) -> Range:
    low, high, *options = bounds.split(":")
    flags: dict[str, Any] = {}
    try:
        for option in options:
            key, _, value = option.partition("=")
            if key == "step":
                flags[key] = float(value)
            elif option in ("log", "zero"):
                flags[option] = True
            else:
                raise ValueError(option)
        low, high = float(low), float(high)
    except ValueError:
        raise UserError(f"expected NAME=LOW:HIGH[:log][:zero][:step=S], got {text!r}.") from None
    return Range(low, high, **flags)
