"""The members of a population, made from settings or from Keras models, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kerasreg.errors import UserError
from kerasreg.population.blueprint import Blueprint, blueprint_of_config
from kerasreg.population.members import Member
from kerasreg.population.values import values_of_config
from kerasreg.stacks import StackConfig

if TYPE_CHECKING:
    import keras


def members_of_configs(
    configs: Sequence[StackConfig],
    features: int,
    outputs: int,
    task: str,
    seeds: int | Sequence[int],
    folds: Sequence[int] | None,
    groups: Sequence[int] | None,
) -> tuple[Blueprint, list[Member]]:
    """Members with these settings, and the structure that they share; see `Population`.

    Raises:
        UserError: No members, lists of different length, or different structures (named).
    """
    if not configs:
        raise UserError("configs: expected at least one StackConfig, got an empty list.")
    for config in configs:
        if not isinstance(config, StackConfig):
            raise UserError(f"configs: expected StackConfig objects, got {config!r}.")
    _check_structures(configs)
    blueprint = blueprint_of_config(configs[0], features, outputs, task)
    places = _places(len(configs), seeds, folds, groups)
    members = [
        Member(config, *place, values_of_config(config, blueprint))
        for config, place in zip(configs, places, strict=True)
    ]
    return blueprint, members


def members_of_models(
    models: Sequence[keras.Model],
    seeds: int | Sequence[int],
    folds: Sequence[int] | None,
    groups: Sequence[int] | None,
) -> tuple[Blueprint, list[Member], str]:
    """Members with the values and weights of these models, their structure and their dtype.

    Raises:
        UserError: No models, one that cannot be lifted, or different structures.
    """
    from kerasreg.population.lifting import lift

    lifted = [lift(model) for model in models]
    if not lifted:
        raise UserError("models: expected at least one model, got an empty list.")
    first = lifted[0]
    for index, item in enumerate(lifted):
        if (item.blueprint, item.dtype) != (first.blueprint, first.dtype):
            raise UserError(f"models: expected one structure, but models 0 and {index} differ.")
    places = _places(len(lifted), seeds, folds, groups)
    members = [
        Member(None, *place, item.values, item.weights, model)
        for item, place, model in zip(lifted, places, models, strict=True)
    ]
    return first.blueprint, members, first.dtype


def _places(
    count: int,
    seeds: int | Sequence[int],
    folds: Sequence[int] | None,
    groups: Sequence[int] | None,
) -> list[tuple[int, int, int]]:
    """Seed, fold and group of each member."""
    columns = {
        "seeds": [seeds] * count if isinstance(seeds, int) else seeds,
        "folds": [0] * count if folds is None else folds,
        "groups": range(count) if groups is None else groups,
    }
    for name, values in columns.items():
        if len(values) != count:
            raise UserError(f"{name}: expected one a member, {count}, got {len(values)}.")
    return list(zip(*(map(int, values) for values in columns.values()), strict=True))


def _check_structures(configs: Sequence[StackConfig]) -> None:
    first = configs[0].structure()
    for index, config in enumerate(configs):
        for (name, expected), (_, value) in zip(first, config.structure(), strict=True):
            if value != expected:
                raise UserError(
                    f"configs: expected one structure, but {name} is {expected!r} in config 0 "
                    f"and {value!r} in config {index}. Train them as two populations."
                )
