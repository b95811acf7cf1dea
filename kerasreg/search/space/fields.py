"""The fields of a stack as a search space sees them: their names and types."""

import difflib
from dataclasses import fields
from typing import Any

from kerasreg.errors import UserError
from kerasreg.stacks import StackConfig

FIELDS = tuple(field.name for field in fields(StackConfig))
STANDARD = StackConfig()
# Fields that a range may vary. Whole numbers and words are structure: no range over them.
CONTINUOUS = (
    *(name for name in FIELDS if isinstance(getattr(STANDARD, name), float)),
    "initializer",
)
# Fields that may have one value a layer.
PER_LAYER = ("filters", "units", "dropout", "spatial_dropout", "l1", "l2")
#: Whose value is a list, of as many layers as it has.
WIDTHS = ("filters", "units")


def known(name: str) -> str:
    """The name itself, if it is a field of a stack; else a UserError with the nearest."""
    if name not in FIELDS:
        near = difflib.get_close_matches(str(name), FIELDS, n=3, cutoff=0.5) or FIELDS
        raise UserError(f"{name!r} is no field of a stack. Nearest: {', '.join(near)}.")
    return name


def as_field(name: str, value: Any) -> Any:
    """The value in the type of its field: whole numbers of a float field are floats."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, tuple | list):
        return tuple(as_field(name, item) for item in value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and name in CONTINUOUS else value


def as_json(value: Any) -> Any:
    """The value for JSON: tuples become lists."""
    return list(value) if isinstance(value, tuple) else value


def check(name: str, value: Any) -> None:
    """Let `StackConfig` judge the value.

    Rates a layer are judged one by one: how many there must be depends on the base's layers.

    Raises:
        UserError: No stack has this value of this field.
    """
    for item in value if isinstance(value, tuple) and name not in WIDTHS else (value,):
        StackConfig(**{name: item})
