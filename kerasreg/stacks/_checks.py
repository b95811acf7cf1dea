"""Checks of single values, with messages that name the field, the range and the value."""

import math
from numbers import Real
from typing import Any

from kerasreg.errors import UserError

LARGEST = 2**31  # what TensorFlow can count


def check_sequence(name: str, value: Any, kind: type) -> tuple:
    """Return a list as a tuple whose items are of a kind; booleans are no numbers."""
    items = tuple(value) if isinstance(value, tuple | list) else None
    if items is None or any(isinstance(i, bool) or not isinstance(i, kind) for i in items):
        word = "whole numbers" if kind is int else "numbers"
        raise UserError(f"{name}: expected a list of {word}, got {value!r}.")
    return items


def check_number(name: str, value: Any, low: float, high: float, open_low: bool) -> float:
    """Return a finite float in [low, high), or in (low, high) if `open_low`."""
    bounds = f"{'(' if open_low else '['}{low:g}, {high:g})"
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise UserError(f"{name}: expected a finite number in {bounds}, got {value!r}.")
    if value < low or value >= high or (open_low and value == low):
        raise UserError(f"{name}: expected a number in {bounds}, got {value!r}.")
    return float(value)


def check_widths(name: str, value: Any) -> tuple[int, ...]:
    """Return widths of layers as a tuple; one number is a list of one."""
    widths = check_sequence(name, (value,) if isinstance(value, int) else value, int)
    for width in widths:
        if not 1 <= width < LARGEST:
            raise UserError(
                f"{name}: expected positive widths below {LARGEST}, got {width} in {list(widths)}."
            )
    return widths
