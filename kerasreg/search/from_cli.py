"""What the command line was given, as a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kerasreg.data import locate
from kerasreg.errors import UserError
from kerasreg.search.request import Request
from kerasreg.search.space import Space
from kerasreg.search.space.fields import parse_value, split
from kerasreg.stacks import StackConfig


def requested(
    command: str, given: Mapping[str, Any], base: Mapping[str, Any], stored: Request | None = None
) -> Request:
    """Build a request from what the command line was given.

    Args:
        command: The verb.
        given: Option -> value, only those given. `space`, `fix`, `try_first` and `set` are lists
            of text.
        base: Fields of the stack that were given.
        stored: The request of the study that is resumed: it answers everything not given.

    Raises:
        UserError: A text does not read, or a value is none that a study can have.
    """
    if stored and stored.command != command:
        raise UserError(
            f"--resume: the study was begun by kerasreg {stored.command}; go on with that."
        )
    given = dict(given)
    fields = stored.to_dict() if stored else {"command": command, "data": {}}
    fields["command"] = command
    data = {key: given.pop(name) for key, name in _DATA.items() if name in given}
    if "header" in data:
        data["header"] = not data["header"]
    if stored is None:
        data.setdefault("name_or_path", "digits")
    if "name_or_path" in data:
        data["name_or_path"] = locate(data["name_or_path"])
    # A study made from arrays has no data that options could change; loading it says so.
    if data and ("name_or_path" in data or fields["data"] is not None):
        fields["data"] = {**(fields["data"] or {}), **data}
    edits, fixed = given.pop("space", ()), given.pop("fix", ())
    if edits or fixed or stored is None:
        # A study that goes on is edited, so that only what differs from it shows.
        start = stored and stored.parsed_space
        space = Space.parse(edits, fixed, start) if command == "search" else Space()
        fields["space"] = space.to_dict()
    base = _with_set(base, given.pop("set", ()))
    fields["base"] = {**fields.get("base", StackConfig().to_dict()), **base}
    if "try_first" in given:
        space = Space.from_dict(fields["space"])
        stack = StackConfig.from_dict(fields["base"]).replace(**space.fixed)
        given["try_first"] = tuple(space.setting(text, stack) for text in given["try_first"])
    if "epoch" in given:
        given["epoch_rule"] = given.pop("epoch")
    if given.get("patience") == 0:
        given["patience"] = None
    if command == "train":
        fields["trials"] = 1
    return Request.from_dict({**fields, **given})


def _with_set(base: Mapping[str, Any], texts: Iterable[str]) -> dict[str, Any]:
    """The fields of the stack with those of `--set NAME=VALUE`."""
    fields = dict(base)
    for text in texts:
        try:
            name, right = split(text, "NAME=VALUE")
            value = parse_value(name, right)
        except UserError as error:
            raise UserError(f"--set: {error}") from None
        if name in fields:
            raise UserError(f"--set: expected {name} once, but it is given twice; leave one out.")
        fields[name] = value
    return fields


# Argument of `kerasreg.load` -> option of the command line.
_DATA = {
    "name_or_path": "data",
    "target": "target",
    "header": "no_header",
    "task": "task",
    "train_size": "train_size",
    "split_seed": "split_seed",
}
