"""What the command line was given, as a request."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from kerasreg.data import locate
from kerasreg.errors import UserError
from kerasreg.files.keras_model import open_model
from kerasreg.networks import Network, NetworkConfig, reading_of
from kerasreg.search.engines.ray_cluster import RayCluster
from kerasreg.search.network_space import network_space
from kerasreg.search.request import Request
from kerasreg.search.space import Space
from kerasreg.search.space.default_space import DEFAULT_FIXED
from kerasreg.search.space.parsing import parse_assignment, parse_value
from kerasreg.stacks import StackConfig

# Argument of `kerasreg.load` -> option of the command line.
_NAMES = (
    *("target", "task", "train_size", "split_seed", "encoding", "decimal", "drop", "keep", "kinds"),
    *("group", "time", "image_size"),
)
_DATA = {"name_or_path": "data", "header": "no_header", **{name: name for name in _NAMES}}


def requested(
    command: str, given: Mapping[str, Any], base: Mapping[str, str], stored: Request | None = None
) -> Request:
    """Build a request from what the command line was given.

    Args:
        command: The verb.
        given: Option -> value, only those given. `space`, `fix`, `try_first` and `set` are lists
            of text.
        base: Fields of the stack that have an option -> the text given.
        stored: The request of the study that is resumed: it answers everything not given.

    Raises:
        UserError: A text does not read, or a value is none that a study can have.
    """
    if stored and stored.command != command:
        raise UserError(
            f"--resume: the study was begun by kerasreg {stored.command}; go on with that."
        )
    given = dict(given)
    data = _data(given, stored)
    network = _network(given, stored)
    if network and not stored:
        data = {**reading_of(network.network.model, data["name_or_path"]), **data}
    edits, fixed = given.pop("space", ()), given.pop("fix", ())
    if command == "search":
        # In the space, where they are told from nothing said.
        by_data = [name for name in ("filters", "units") if name in base]
        fixed = [*fixed, *(f"{name}={base[name]}" for name in by_data)]
        base = {name: text for name, text in base.items() if name not in by_data}
    fields = _stack_fields(base, given.pop("set", ()))
    if command == "train":
        # Trained as the trials of a search are.
        usual = StackConfig(**DEFAULT_FIXED | {"feature_scale": not fields.get("filters")})
        start = stored or Request(data, Space(), "train", trials=1, base=usual)
    else:
        # A study that goes on is edited, so that only what differs from it shows.
        usual = stored.space if stored else network and network_space(network)
        space = Space.parse(edits, fixed, usual)
        start = stored or Request(data, Space(), base=network or StackConfig())
        start = dataclasses.replace(start, space=space, base=network or start.base)
    stack = start.base.replace(**fields, **start.space.fixed)
    if "try_first" in given:
        given["try_first"] = tuple(start.space.setting(text, stack) for text in given["try_first"])
    if "epoch" in given:
        given["epoch_rule"] = given.pop("epoch")
    return dataclasses.replace(start, data=data, base=stack, **given)


def cluster_of(given: dict[str, Any]) -> RayCluster | None:
    """Take the options of the cluster out of `given`; None where it was not asked for one.

    Raises:
        UserError: A share without a cluster, or one that no population can have.
    """
    address = given.pop("ray", None)
    fields = {
        name: given.pop(f"ray_{name}")
        for name in ("cpus", "gpus", "checkpoints")
        if f"ray_{name}" in given
    }
    if fields and address is None:
        raise UserError(f"--ray-{next(iter(fields))}: expected --ray beside it; add --ray.")
    return RayCluster(address, **fields) if address is not None else None


def _network(given: dict[str, Any], stored: Request | None) -> NetworkConfig | None:
    """Take the options of the user's own network out of `given`; None for a stack."""
    path, custom = given.pop("model", None), given.pop("custom", ())
    before = stored.base if stored and isinstance(stored.base, NetworkConfig) else None
    if path is None and before is None and (custom or "keep_weights" in given):
        raise UserError("--custom and --keep-weights: expected a network, --model FILE.")
    if path is not None:
        network = Network(open_model(path, custom))
        before = before.replace(network=network) if before else NetworkConfig(network)
    if before and given.pop("keep_weights", False):
        before = before.replace(keep_weights=True)
    return before


def _data(given: dict[str, Any], stored: Request | None) -> dict[str, Any] | None:
    """Take the options of the data out of `given`; the arguments of `kerasreg.load`."""
    data = load_arguments(given)
    for name in _DATA.values():
        given.pop(name, None)
    if stored is None:
        data.setdefault("name_or_path", "digits")
    if "name_or_path" in data:
        data["name_or_path"] = locate(data["name_or_path"])
    before = stored.data if stored else {}
    # A study made from arrays has no data that options could change; loading it says so.
    if before is None and "name_or_path" not in data:
        return None
    return {**(before or {}), **data}


def load_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `kerasreg.load` among the options of the command line.

    Raises:
        UserError: An `--as` that is no COLUMN=KIND.
    """
    data = {key: given[name] for key, name in _DATA.items() if name in given}
    if "header" in data:
        data["header"] = not data["header"]
    if "kinds" in data:
        pairs = [text.rpartition("=") for text in data["kinds"]]
        if not all(column and kind for column, _, kind in pairs):
            raise UserError(
                f"--as: expected COLUMN=number, category or date, got {', '.join(data['kinds'])}."
            )
        data["kinds"] = {column: kind for column, _, kind in pairs}
    if "image_size" in data:
        sides = data["image_size"].lower().split("x")
        if not all(side.isdecimal() for side in sides):
            raise UserError(f"--image-size: expected HEIGHTxWIDTH, got {data['image_size']!r}.")
        data["image_size"] = [int(side) for side in sides]
    return data


def _stack_fields(base: Mapping[str, str], texts: Iterable[str]) -> dict[str, Any]:
    """The fields of the stack that were given by their options and by `--set NAME=VALUE`."""
    fields = {name: parse_value(name, text) for name, text in base.items()}
    for text in texts:
        try:
            name, value = parse_assignment(text)
        except UserError as error:
            raise UserError(f"--set: {error}") from None
        if name in fields:
            raise UserError(f"--set: expected {name} once, but it is given twice; leave one out.")
        fields[name] = value
    return fields
