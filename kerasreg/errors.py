"""The one exception that means: the user can fix this; and two checks that raise it."""

from collections.abc import Collection
from numbers import Integral
from typing import Any


class UserError(ValueError):
    """A mistake of the user, told in one line: what was expected, what came, what to do.

    The command line prints the message on stderr and exits with status 2. Everything else that
    escapes is a fault of kerasreg and exits with status 1.
    """


def check_whole(name: str, value: Any, low: int = 1, high: int | None = None) -> int:
    """Return `value` as an int; raise a `UserError` unless it is whole, from `low` to `high`."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise UserError(f"{name}: expected a whole number {bounds}, got {value!r}.")
    return int(value)


def check_choice(name: str, value: Any, choices: Collection[str], otherwise: str = "") -> None:
    """Refuse a value that is none of the choices; `otherwise` ends the list of what is expected."""
    if value not in choices:
        expected = ", ".join(choices) + (f" {otherwise}" if otherwise else "")
        raise UserError(f"{name}: expected one of {expected}, got {value!r}.")
