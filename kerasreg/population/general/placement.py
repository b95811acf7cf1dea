"""Where a model's values stand: read them out of a model, put others in their place.

A program is traced on one model of its structure, the template. While it is traced, the template's
numbers are replaced by `Value`s, which are the program's inputs; afterwards they are put back.
Nothing of the template is changed, and nothing is cloned: subclassed models, layers without a
configuration and functions of the user's are held like all others.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from kerasreg.losses import SmoothedCrossentropy
from kerasreg.population.general.description import regularizer_kind
from kerasreg.population.general.layer_values import OPTIONAL, call_of, value_names

#: Values, by the last part of their key, that a program leaves out where all members have 0.
OPTIONAL_VALUES = (*OPTIONAL, "l1", "l2", "label_smoothing", "weight_decay")

_ABSENT = object()


def layers_of(model: keras.Model) -> list[keras.layers.Layer]:
    """Every layer in a model, nested ones and cells included, in an order that structure fixes."""
    return model._flatten_layers(include_self=True)


def read_values(model: keras.Model) -> dict[str, float]:
    """A model's values by key: of its layers, regularisers and losses."""
    values: dict[str, float] = {}
    for index, layer in enumerate(layers_of(model)):
        for name in value_names(layer):
            attribute, _, item = name.partition(".")
            value = getattr(layer, attribute)
            values[f"layer/{index}/{name}"] = float(value[int(item)] if item else value)
        values |= _strengths(f"activity/{index}", layer.activity_regularizer)
    for index, variable in enumerate(model.trainable_variables):
        values |= _strengths(f"weight/{index}", variable.regularizer)
    for index, loss in enumerate(smoothed_losses(model)):
        values[f"loss/{index}/label_smoothing"] = float(loss_options(loss)["label_smoothing"])
    return values


@contextmanager
def placed(
    model: keras.Model,
    values: Mapping[str, Any],
    generators: Mapping[int, keras.random.SeedGenerator],
) -> Iterator[None]:
    """Let others stand in a model for as long as the block runs.

    Args:
        model: The template.
        values: Numbers or `Value`s, by key.
        generators: Seed generators of random layers, by the layer's index: Keras gives a layer
            whose rate is 0 none.
    """
    before = []
    layers = layers_of(model)
    seeds = [(layers[index], "seed_generator", new) for index, new in generators.items()]
    for owner, name, new in [*seeds, *_placements(model, values)]:
        before.append((owner, name, vars(owner).get(name, _ABSENT)))
        object.__setattr__(owner, name, new)
    try:
        yield
    finally:
        for owner, name, old in reversed(before):
            if old is _ABSENT:
                object.__delattr__(owner, name)
            else:
                object.__setattr__(owner, name, old)


def _placements(model: keras.Model, values: Mapping[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    """What is put where: the owner, its attribute and the new object."""
    for index, layer in enumerate(layers_of(model)):
        names = value_names(layer)
        pairs: dict[str, list[Any]] = {}
        for name in names:
            attribute, _, item = name.partition(".")
            value = values[f"layer/{index}/{name}"]
            if item:
                pairs.setdefault(attribute, []).append(value)
            else:
                yield layer, name, value
        for attribute, pair in pairs.items():
            yield layer, attribute, tuple(pair)
        call = call_of(layer)
        if call is not None and values[f"layer/{index}/{names[0]}"]:
            yield layer, "call", call
        if regularizer_kind(layer.activity_regularizer) is None:
            yield layer, "activity_regularizer", _penalty(f"activity/{index}", values)
    for index, variable in enumerate(model.trainable_variables):
        if regularizer_kind(variable.regularizer) is None:
            yield variable, "_regularizer", _penalty(f"weight/{index}", values)
    for index, loss in enumerate(smoothed_losses(model)):
        smoothing = values[f"loss/{index}/label_smoothing"]
        if isinstance(loss, SmoothedCrossentropy):
            yield loss, "label_smoothing", smoothing
        else:
            yield loss, "_fn_kwargs", {**loss._fn_kwargs, "label_smoothing": smoothing}


def _strengths(key: str, regularizer: Any) -> dict[str, float]:
    if regularizer_kind(regularizer) is not None:
        return {}
    return {f"{key}/{name}": float(getattr(regularizer, name, 0.0)) for name in ("l1", "l2")}


def _penalty(key: str, values: Mapping[str, Any]) -> keras.regularizers.Regularizer | None:
    l1, l2 = values[f"{key}/l1"], values[f"{key}/l2"]
    if not l1 and not l2:
        return None
    penalty = keras.regularizers.L1L2()
    penalty.l1, penalty.l2 = l1, l2
    return penalty


def smoothed_losses(model: keras.Model) -> list[keras.losses.Loss]:
    """The compiled losses that smooth labels."""
    losses = keras.tree.flatten(model._compile_loss._user_loss)
    return [one for one in losses if "label_smoothing" in loss_options(one)]


def loss_options(loss: Any) -> Mapping[str, Any]:
    """The arguments of a loss."""
    if isinstance(loss, SmoothedCrossentropy):
        return {"label_smoothing": loss.label_smoothing}
    return getattr(loss, "_fn_kwargs", {})
