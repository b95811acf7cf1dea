"""The members of a population, made from settings or from Keras models, and checked."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kerasreg.errors import UserError
from kerasreg.networks import Config
from kerasreg.population.blueprint import blueprint_of_config
from kerasreg.population.members import Member
from kerasreg.population.path import Path
from kerasreg.population.stack_path import StackPath
from kerasreg.population.values import values_of_config
from kerasreg.stacks import StackConfig, build_stack, build_template, check_geometry

if TYPE_CHECKING:
    import keras


def is_dense(config: Config) -> bool:
    """Whether members with this setting are stacks of dense layers, which have their own path."""
    return isinstance(config, StackConfig) and not config.filters


def build_model(
    config: Config,
    input_shape: int | tuple[int, ...],
    outputs: int,
    task: str = "classification",
    seed: int = 0,
    steps: int | None = None,
) -> "keras.Model":
    """The compiled model of a setting and a seed; arguments as in `build_stack`."""
    if isinstance(config, StackConfig):
        return build_stack(config, input_shape, outputs, task, seed, steps)
    return config.build(input_shape, outputs, task, seed)


def _template(config: Config, *geometry: Any) -> "keras.Model":
    """The model of a setting with all that others of its structure may have."""
    if isinstance(config, StackConfig):
        return build_template(config, *geometry)
    return config.build_template(*geometry)


def path_of_configs(
    configs: Sequence[Config],
    input_shape: int | tuple[int, ...],
    outputs: int,
    task: str,
    seeds: int | Sequence[int],
    folds: Sequence[int] | None,
    groups: Sequence[int] | None,
    dtype: str,
) -> tuple[Path, list[Member]]:
    """Members with these settings, and how they are computed; see `Population`.

    Raises:
        UserError: No members, lists of different length, or different structures (named).
    """
    shape = check_geometry(input_shape, outputs, task)
    if not configs:
        raise UserError("configs: expected at least one StackConfig, got an empty list.")
    for config in configs:
        if not isinstance(config, Config):
            raise UserError(f"configs: expected StackConfig objects, got {config!r}.")
    _check_structures(configs)
    places = _places(len(configs), seeds, folds, groups)
    if not is_dense(configs[0]):
        return _path_of_built(configs, places, shape, outputs, task, dtype)
    blueprint = blueprint_of_config(configs[0], math.prod(shape), outputs, task)
    members = [
        Member(config, *place, values_of_config(config, blueprint))
        for config, place in zip(configs, places, strict=True)
    ]
    return StackPath(blueprint, members, shape, task, dtype), members


def _path_of_built(
    configs: Sequence[Config],
    places: Sequence[tuple[int, int, int]],
    shape: tuple[int, ...],
    outputs: int,
    task: str,
    dtype: str,
) -> tuple[Path, list[Member]]:
    """Members that are Keras models, of which only the first is kept; folds share what one gave."""
    import keras

    from kerasreg.population.general import GeneralPath, lift_model

    if dtype != keras.config.floatx():
        raise UserError(
            f"dtype: expected Keras' own, {keras.config.floatx()}, for convolutions, got {dtype}; "
            "call keras.config.set_floatx first."
        )
    lifted, weights, members = {}, {}, []
    for config, place in zip(configs, places, strict=True):
        seed = place[0]
        # A network's weights are those of its seed, however it is regularised.
        drawn = (config, seed) if isinstance(config, StackConfig) else seed
        if config not in lifted or drawn not in weights:
            one = lift_model(_template(config, shape, outputs, task, seed))
            weights.setdefault(drawn, one.weights)
            kept = next(iter(lifted.values()), one).model
            lifted.setdefault(config, replace(one, model=kept))
        members.append(Member(config, *place, lifted[config].values, weights[drawn]))

    def build(member: Member) -> "keras.Model":
        return build_model(member.config, shape, outputs, task, member.seed)

    return GeneralPath([*lifted.values()], build, task), members


def path_of_models(
    models: "Sequence[keras.Model]",
    seeds: int | Sequence[int],
    folds: Sequence[int] | None,
    groups: Sequence[int] | None,
    dtype: str | None,
    general: bool,
    widths: Sequence[int] | None,
) -> tuple[Path, list[Member]]:
    """Members with the values and weights of these models, and how they are computed.

    Raises:
        UserError: No models, one that cannot be lifted, or different structures.
    """
    from kerasreg.population.general import GeneralPath, lift_model, widen_model
    from kerasreg.population.lifting import lift, widen

    if not models:
        raise UserError("models: expected at least one model, got an empty list.")
    stacks = []
    if not general:
        # What is no stack may be a model of another kind.
        with suppress(UserError):
            stacks = [lift(model) for model in models]
    if stacks and widths is not None:
        stacks = [widen(one, widths) for one in stacks]
    lifted = stacks or [widen_model(lift_model(model), widths) for model in models]
    places = _places(len(lifted), seeds, folds, groups)
    members = [
        Member(None, *place, item.values, item.weights, model)
        for item, place, model in zip(lifted, places, models, strict=True)
    ]
    if not stacks:
        return GeneralPath(lifted), members
    first = stacks[0]
    for index, item in enumerate(stacks):
        if (item.blueprint, item.dtype) != (first.blueprint, first.dtype):
            raise UserError(f"models: expected one structure, but models 0 and {index} differ.")
    task = "regression" if first.blueprint.metric == "mae" else "classification"
    shape = tuple(models[0].input_shape[1:])
    return StackPath(first.blueprint, members, shape, task, dtype or first.dtype), members


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


def _check_structures(configs: Sequence[Config]) -> None:
    first = configs[0].structure()
    for index, config in enumerate(configs):
        for (name, expected), (_, value) in zip(first, config.structure(), strict=True):
            if value != expected:
                raise UserError(
                    f"configs: expected one structure, but {name} is {expected!r} in config 0 "
                    f"and {value!r} in config {index}. Train them as two populations."
                )
