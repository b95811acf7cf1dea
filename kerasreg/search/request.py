"""What a study was asked to do, as plain values: stored in study.json, compared on resuming."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasreg.errors import UserError
from kerasreg.search.engines import EPOCH_RULES, OBJECTIVES
from kerasreg.search.space import Space
from kerasreg.stacks import StackConfig
from kerasreg.study import Study

SEARCHERS = ("random", "bayesian", "grid")
ENGINES = ("population", "keras-tuner")

# Field -> how the command line calls it, where the names differ.
_FLAGS = {"epoch_rule": "--epoch"}


@dataclass(frozen=True)
class Request:
    """Everything that decides which numbers a study gives, but the data's content.

    Attributes:
        command: `"search"` or `"train"`.
        data: Arguments of `kerasreg.load` (source, target, header, task, train_size, split_seed),
            or None for data given as arrays.
        space: `Space.to_dict()`; empty for `train`.
        searcher: One of `SEARCHERS`.
        trials: How many settings to try; the only field that may grow later.
        epochs: Most epochs a member trains.
        seeds: Members a setting: seeds `seed`, `seed + 1`, ...
        folds: Cross-validation folds, 0 for the validation rows.
        engine: One of `ENGINES`.
        objective: `val_data_loss`, `val_accuracy` or `val_mae`.
        base: `StackConfig.to_dict()` of what the space leaves alone.
        patience: Epochs without improvement, None for no limit.
        halving: Stop the worse half of a round at an eighth, a quarter and half of the epochs.
        batch_size: Rows a step, None for the data set's default.
        epoch_rule: `"best"` or `"last"`.
        seed: Fixes every draw.
        try_first: Settings tried before the searcher's own.

    Raises:
        UserError: A value that no study can have.
    """

    data: dict[str, Any] | None
    space: dict[str, Any]
    command: str = "search"
    searcher: str = "random"
    trials: int = 64
    epochs: int = 50
    seeds: int = 1
    folds: int = 0
    engine: str = "population"
    objective: str = "val_data_loss"
    base: dict[str, Any] = field(default_factory=lambda: StackConfig().to_dict())
    patience: int | None = 10
    halving: bool = False
    batch_size: int | None = None
    epoch_rule: str = "best"
    seed: int = 0
    try_first: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        for name, low in (("trials", 1), ("epochs", 1), ("seeds", 1), ("patience", 1)):
            _whole(name, getattr(self, name), low, optional=name == "patience")
        _whole("batch_size", self.batch_size, 1, optional=True)
        _whole("seed", self.seed, 0)
        _whole("folds", self.folds, 0)
        if self.folds == 1:
            raise UserError("--folds: expected 2 or more (or none), got 1.")
        _one_of("searcher", self.searcher, SEARCHERS)
        _one_of("engine", self.engine, ENGINES)
        if self.halving and self.engine != "population":
            raise UserError("--halving: expected --engine population, whose trials train together.")
        _one_of("epoch_rule", self.epoch_rule, EPOCH_RULES)
        # One form, so that requests compare: the base with what the space holds fixed.
        base = StackConfig.from_dict(self.base).replace(**self.parsed_space.fixed)
        object.__setattr__(self, "base", base.to_dict())
        known = dict.fromkeys(name for names in OBJECTIVES.values() for name in names)
        _one_of("objective", self.objective, tuple(known))

    @property
    def member_seeds(self) -> tuple[int, ...]:
        """The seed of each member of a setting, folds aside."""
        return tuple(self.seed + k for k in range(self.seeds))

    def check_task(self, task: str) -> None:
        """Refuse an objective that the data's task does not have."""
        if self.objective not in OBJECTIVES[task]:
            raise UserError(
                f"--objective: expected {' or '.join(OBJECTIVES[task])} for {task}, "
                f"got {self.objective!r}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**dataclasses.asdict(self), "try_first": list(self.try_first)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Request:
        """The inverse of `to_dict`.

        Raises:
            UserError: The values are not a request's.
        """
        names = {item.name for item in dataclasses.fields(cls)}
        if (
            not isinstance(values, Mapping)
            or set(values) - names
            or not {"data", "space"} <= set(values)
        ):
            raise UserError("study.json: expected what kerasreg writes; it was edited or damaged.")
        return cls(**{**values, "try_first": tuple(values.get("try_first", ()))})

    @classmethod
    def of_study(cls, study: Study) -> Request:
        """What a study was asked."""
        asked = study.asked
        asked.pop("dataset", None)
        return cls.from_dict(asked)

    @property
    def parsed_space(self) -> Space:
        """The space as an object."""
        return Space.from_dict(self.space)

    def config(self, hyperparameters: Mapping[str, Any]) -> StackConfig:
        """The stack of one setting of this request."""
        base = StackConfig.from_dict(self.base)
        if self.command == "train":
            return base
        return self.parsed_space.config(hyperparameters, base)


def requested(
    command: str, given: Mapping[str, Any], base: Mapping[str, Any], stored: Request | None = None
) -> Request:
    """Build a request from what the command line was given.

    Args:
        command: The verb.
        given: Option -> value, only those given. `space`, `fix` and `try_first` are lists of text.
        base: Fields of the stack that were given.
        stored: The request of the study that is resumed: it answers everything not given.

    Raises:
        UserError: A text does not read, or a value is none that a study can have.
    """
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
    if data:
        fields["data"] = {**(fields["data"] or {}), **data}
    edits, fixed = given.pop("space", ()), given.pop("fix", ())
    if edits or fixed or stored is None:
        space = Space.parse(edits, fixed) if command == "search" else Space()
        fields["space"] = space.to_dict()
    fields["base"] = {**fields.get("base", StackConfig().to_dict()), **base}
    if "try_first" in given:
        space = Space.from_dict(fields["space"])
        given["try_first"] = tuple(space.setting(text) for text in given["try_first"])
    if "epoch" in given:
        given["epoch_rule"] = given.pop("epoch")
    if given.get("patience") == 0:
        given["patience"] = None
    if command == "train":
        fields["trials"] = 1
    return Request.from_dict({**fields, **given})


# Argument of `kerasreg.load` -> option of the command line.
_DATA = {
    "name_or_path": "data",
    "target": "target",
    "header": "no_header",
    "task": "task",
    "train_size": "train_size",
    "split_seed": "split_seed",
}


def locate(source: str | Path) -> str:
    """A data source as it is stored: a name stays a name, a file becomes absolute."""
    path = Path(source)
    is_file = path.suffix or len(path.parts) > 1
    return str(path.absolute()) if is_file else str(source)


def _whole(name: str, value: Any, low: int, optional: bool = False) -> None:
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        flag = f"--{name.replace('_', '-')}"
        raise UserError(f"{flag}: expected a whole number of at least {low}, got {value!r}.")


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        flag = _FLAGS.get(name, f"--{name}")
        raise UserError(f"{flag}: expected one of {', '.join(choices)}, got {value!r}.")


def check_minutes(minutes: float | None) -> None:
    """Refuse a time budget that is no time."""
    if minutes is not None and not (math.isfinite(minutes) and minutes > 0):
        raise UserError(f"--minutes: expected a number above 0, got {minutes}.")
