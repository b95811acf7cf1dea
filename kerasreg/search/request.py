"""What a study is to do: stored in study.json, compared on resuming."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kerasreg.errors import UserError, check_whole
from kerasreg.networks import Config, Network, NetworkConfig
from kerasreg.objectives import EPOCH_RULES, OBJECTIVES, objectives_of
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
    "patience": (0, 10**9),
    "batch_size": (1, 10**9),
    "folds": (0, 10**9),
    "seed": (0, 10**18),
}
_CHOICES = {
    "command": ("search", "train"),
    "searcher": SEARCHERS,
    "engine": ENGINES,
    "epoch_rule": EPOCH_RULES,
    "choose": ("best", "one-se"),
    "objective": OBJECTIVES,
}


@dataclass(frozen=True)
class Request:
    """Everything that decides the results of a study, but the data's content.

    The fields are arguments of `kerasreg.search`, where they are described, but for these:

    Attributes:
        data: Arguments of `kerasreg.load`, or None for data given as arrays.
        space: What may vary; empty for `train`.
        command: `"search"` or `"train"`.
        trials: The only field that may grow later.
        epochs, seeds, folds, ensemble, halving, patience: None where the data decide, see
            `settle.settled`.
        base: The stack, or the user's network, that the space leaves alone, with what the space
            holds fixed.

    Raises:
        UserError: A value that no study can have.
    """

    data: dict[str, Any] | None
    space: Space
    command: str = "search"
    searcher: str = "random"
    trials: int = 64
    epochs: int | None = None
    seeds: int | None = None
    folds: int | None = None
    ensemble: bool | None = None
    engine: str = "population"
    objective: str = "val_data_loss"
    base: Config = field(default_factory=StackConfig)
    patience: int | None = None
    halving: bool | None = None
    batch_size: int | None = None
    balance: bool = False
    epoch_rule: str = "best"
    choose: str = "best"
    seed: int = 0
    try_first: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if value is None and name in ("epochs", "seeds", "patience", "batch_size", "folds"):
                continue
            check_whole(f"--{name.replace('_', '-')}", value, low, high)
        if self.folds == 1:
            raise UserError("--folds: expected 2 or more (or none), got 1.")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise UserError(
                    f"{_OPTIONS.get(name, f'--{name}')}: expected one of {', '.join(choices)}, "
                    f"got {getattr(self, name)!r}."
                )
        if self.choose == "one-se" and self.seeds in (None, 1) and self.folds == 0:
            raise UserError(
                "--choose one-se: expected --folds or --seeds of 2 or more, for a standard "
                "error, got one part and one seed."
            )
        if self.halving and self.engine != "population":
            raise UserError("--halving: expected --engine population, whose trials train together.")
        # One form, so that requests compare.
        object.__setattr__(self, "base", self.base.replace(**self.space.fixed))

    @property
    def member_seeds(self) -> tuple[int, ...]:
        """The seed of each member of a setting, folds aside."""
        return tuple(self.seed + k for k in range(self.seeds))

    def config(self, hyperparameters: Mapping[str, Any]) -> Config:
        """The stack, or network, of one setting of this request."""
        if self.command == "train":
            return self.base
        return self.space.config(hyperparameters, self.base)

    def check_task(self, task: str) -> None:
        """Refuse an objective, or classes to balance, that the data's task does not have."""
        if self.balance and task == "regression":
            raise UserError("--balance: expected classes, but the target is a quantity.")
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
    def from_dict(cls, values: Mapping[str, Any], network: Network | None = None) -> "Request":
        """The inverse of `to_dict`; `network` is the one that its base names.

        Raises:
            UserError: The values are not a request's.
        """
        switches = {name: values.get(name, False) for name in ("halving", "ensemble")}
        names, first = {item.name for item in dataclasses.fields(cls)}, values.get("try_first", ())
        if (
            set(values) - names
            or not {"data", "space"} <= set(values)
            or not _is_data(values["data"])
            or type(first) not in (list, tuple)
            or not all(isinstance(setting, Mapping) for setting in first)
            or not {type(switch) for switch in switches.values()} <= {bool, type(None)}
            or type(values.get("balance", False)) is not bool
        ):
            raise UserError("study.json: expected what kerasreg writes; it was edited or damaged.")
        return cls(
            **{
                **values,
                **switches,
                "space": Space.from_dict(values["space"]),
                "base": _base(values.get("base", {}), network),
                "try_first": tuple(first),
            }
        )


def _base(values: Any, network: Network | None) -> Config:
    if network is None:
        return StackConfig.from_dict(values)
    fields = {item.name for item in dataclasses.fields(NetworkConfig)}
    if set(values) - fields or values.get("network") != network.digest:
        raise UserError(
            "network.keras: expected the model that study.json names; it was replaced. Restore it, "
            "or begin a new study."
        )
    return NetworkConfig(**{**values, "network": network})


_DATA_KINDS = {
    "name_or_path": (str,),
    "target": (str, int, type(None)),
    "header": (bool,),
    "encoding": (str, type(None)),
    "decimal": (str, type(None)),
    "drop": (list, tuple),
    "keep": (list, tuple),
    "kinds": (dict,),
    "group": (str, int, type(None)),
    "time": (str, int, type(None)),
    "image_size": (list, tuple, type(None)),
    "task": (str, type(None)),
    "train_size": (int, type(None)),
    "split_seed": (int,),
    "fractions": (list, tuple),
}


def _is_data(value: Any) -> bool:
    """Whether a stored value has the types that `kerasreg.load` relies on."""
    return value is None or (
        isinstance(value, Mapping)
        and "name_or_path" in value
        and all(type(item) in _DATA_KINDS.get(key, ()) for key, item in value.items())
        and "\0" not in value["name_or_path"]
    )
