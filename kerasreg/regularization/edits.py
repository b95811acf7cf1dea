"""What is to be changed in a model, layer by layer, and what is said about it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras

Makes = Callable[[], keras.Layer]


@dataclass
class Edits:
    """Changes, collected by those who decide them and carried out by `rebuild`.

    Attributes:
        configs: Layer -> entries of its configuration that change.
        after: Layer -> what makes the new layers that follow it, in order.
        done: (layer, regulariser, sentence) of every change.
        left: The same of what could have been changed and was not.
    """

    configs: dict[Any, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    after: dict[Any, list[Makes]] = field(default_factory=lambda: defaultdict(list))
    done: list[tuple[Any, str, str]] = field(default_factory=list)
    left: list[tuple[Any, str, str]] = field(default_factory=list)
