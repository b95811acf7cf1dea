"""Which of Keras' own classes a layer is an instance of."""

from typing import Any


def kind_of(layer: Any) -> str | None:
    """Name of Keras' class that a layer is an instance of; None for a class of the user's."""
    kind = type(layer)
    return kind.__name__ if kind.__module__.startswith("keras.src.") else None
