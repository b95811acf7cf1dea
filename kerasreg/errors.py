"""The one exception that means: the user can fix this; and one check that raises it."""

from typing import Any


class UserError(ValueError):
    """A mistake of the user, told in one line: what was expected, what came, what to do.

    The command line prints the message on stderr and exits with status 2. Everything else that
    escapes is a fault of kerasreg and exits with status 1.
    """


def check_whole(name: str, value: Any, low: int = 1, high: int | None = None) -> None:
    """Raise a `UserError` unless `value` is a whole number from `low` to `high`."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise UserError(f"{name}: expected a whole number {bounds}, got {value!r}.")
