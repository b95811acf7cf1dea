"""A model on its way to another process of ours."""

import warnings
from collections.abc import Callable
from typing import Any

import keras

from kerasreg.layers._kinds import kind_of


def custom_classes(model: keras.Model) -> dict[str, type]:
    """The user's classes in a model, its own and its layers', by name."""
    layers = model._flatten_layers(include_self=True)
    return {type(layer).__name__: type(layer) for layer in layers if kind_of(layer) is None}


def sent(model: keras.Model) -> tuple[Callable[..., keras.Model], tuple, dict[str, type]]:
    """What can be pickled of a model, for `received`; classes of the user's go along."""
    return *model.__reduce__(), custom_classes(model)


def received(
    make: Callable[..., keras.Model], arguments: tuple, custom: dict[str, Any]
) -> keras.Model:
    """The model that was sent."""
    with warnings.catch_warnings(), keras.saving.custom_object_scope(custom):
        # The optimiser's state is not used.
        warnings.filterwarnings("ignore", message="Skipping variable loading for optimizer")
        return make(*arguments)
