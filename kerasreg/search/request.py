"""What a study is to do: stored in study.json, compared on resuming."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kerasreg.errors import UserError
from kerasreg.objectives import EPOCH_RULES, OBJECTIVES, objectives_of
from kerasreg.population import TrainingPlan
from kerasreg.search.engines import halving_rungs
from kerasreg.search.space import Space
from kerasreg.stacks import StackConfig

SEARCHERS = ("random", "bayesian", "grid")
ENGINES = ("population", "keras-tuner")

# Field -> its option, where the names differ.
_OPTIONS = {"epoch_rule": "--epoch"}
# Whole numbers that a study can count to; seeds may be as large as a file holds exactly.
_BOUNDS = {
    "trials": (1, 10**6),
    "epochs": (1, 10**9),
    "seeds": (1, 10**4),
    "patience": (1, 10**9),
    "batch_size": (1, 10**9),
    "folds": (0, 10**9),
    "seed": (0, 10**18),
}
_CHOICES = {
    "searcher": SEARCHERS,
    "engine": ENGINES,
    "epoch_rule": EPOCH_RULES,
    "objective": OBJECTIVES,
}


@dataclass(frozen=True)
class Request:
    """Everything that decides the results of a study, but the data's content.

    Attributes:
        command: `"search"` or `"train"`.
        data: Arguments of `kerasreg.load`, or None for data given as arrays.
        space: What may vary; empty for `train`.
        searcher: One of `SEARCHERS`.
        trials: How many settings to try; the only field that may grow later.
        epochs: Most epochs a member trains.
        seeds: Members a setting: seeds `seed`, `seed + 1`, ...
        folds: Cross-validation folds, 0 for the validation rows.
        engine: One of `ENGINES`.
        objective: `val_data_loss`, `val_accuracy` or `val_mae`.
        base: The stack that the space leaves alone, with what the space holds fixed.
        patience: Epochs without improvement, None for no limit.
        halving: Stop the worse half of a round at an eighth, a quarter and half of the epochs.
        batch_size: Rows a step, None for the data set's default.
        epoch_rule: `"best"` or `"last"`.
        seed: Fixes every draw.
        try_first: Settings tried before those of the searcher.

    Raises:
        UserError: A value that no study can have.
    """

    data: dict[str, Any] | None
    space: Space
    command: str = "search"
    searcher: str = "random"
    trials: int = 64
    epochs: int = 50
    seeds: int = 1
    folds: int = 0
    engine: str = "population"
    objective: str = "val_data_loss"
    base: StackConfig = field(default_factory=StackConfig)
    patience: int | None = 10
    halving: bool = False
    batch_size: int | None = None
    epoch_rule: str = "best"
    seed: int = 0
    try_first: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            optional = name in ("patience", "batch_size")
            _whole(name, getattr(self, name), low, high, optional)
        if self.folds == 1:
            raise UserError("--folds: expected 2 or more (or none), got 1.")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise UserError(
                    f"{_OPTIONS.get(name, f'--{name}')}: expected one of {', '.join(choices)}, "
                    f"got {getattr(self, name)!r}."
                )
        if self.halving and self.engine != "population":
            raise UserError("--halving: expected --engine population, whose trials train together.")
        # One form, so that requests compare.
        object.__setattr__(self, "base", self.base.replace(**self.space.fixed))

    @property
    def member_seeds(self) -> tuple[int, ...]:
        """The seed of each member of a setting, folds aside."""
        return tuple(self.seed + k for k in range(self.seeds))

    def config(self, hyperparameters: Mapping[str, Any]) -> StackConfig:
        """The stack of one setting of this request."""
        if self.command == "train":
            return self.base
        return self.space.config(hyperparameters, self.base)

    def plan(self, batch_size: int, halving: bool) -> TrainingPlan:
        """How members are trained.

        Args:
            batch_size: Rows a step; the data decide where the request does not.
            halving: Whether the worse settings stop early.
        """
        return TrainingPlan(
            epochs=self.epochs,
            batch_size=batch_size,
            objective=self.objective,
            patience=self.patience,
            halving=halving_rungs(self.epochs) if halving else (),
            keep="none",
        )

    def check_task(self, task: str) -> None:
        """Refuse an objective that the data's task does not have."""
        known = objectives_of(task)
        if self.objective not in known:
            raise UserError(
                f"--objective: expected {' or '.join(known)} for {task}, got {self.objective!r}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        space, base = self.space.to_dict(), self.base.to_dict()
        return {**values, "space": space, "base": base, "try_first": list(self.try_first)}

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
            or not all(_is_kind(name, values[name]) for name in values)
        ):
            raise UserError("study.json: expected what kerasreg writes; it was edited or damaged.")
        return cls(
            **{
                **values,
                "space": Space.from_dict(values["space"]),
                "base": StackConfig.from_dict(values.get("base", {})),
                "try_first": tuple(values.get("try_first", ())),
            }
        )


def _is_kind(name: str, value: Any) -> bool:
    """Whether a stored value has the type that the rest relies on."""
    if name == "data":
        return value is None or (
            isinstance(value, Mapping)
            and "name_or_path" in value
            and all(type(item) in _DATA_KINDS.get(key, ()) for key, item in value.items())
            and "\0" not in value["name_or_path"]
        )
    if name == "try_first":
        return type(value) in (list, tuple) and all(isinstance(item, Mapping) for item in value)
    return type(value) in _KINDS.get(name, (type(value),))


_KINDS = {"space": (dict,), "base": (dict,), "command": (str,), "halving": (bool,)}
_DATA_KINDS = {
    "name_or_path": (str,),
    "target": (str, int, type(None)),
    "header": (bool,),
    "task": (str, type(None)),
    "train_size": (int, type(None)),
    "split_seed": (int,),
    "fractions": (list, tuple),
}


def _whole(name: str, value: Any, low: int, high: int, optional: bool) -> None:
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        option = f"--{name.replace('_', '-')}"
        raise UserError(f"{option}: expected a whole number from {low} to {high}, got {value!r}.")


def check_minutes(minutes: float | None) -> None:
    """Refuse a time budget that is no time."""
    if minutes is not None and not (math.isfinite(minutes) and minutes > 0):
        raise UserError(f"--minutes: expected a number above 0, got {minutes}.")
