"""The widths that trials of a study are padded to, so that trials of other widths join them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import keras_tuner

from kerasreg.population.general import own_widths, products
from kerasreg.population.widths import can_widen, hidden_widths, widened

#: Multiplications of a row up to which a network's cost less than another structure's compilation:
#: all of its trials have the widest arrays. Above, widths are halved as long as a trial fits.
SMALL = 2**18


def widths_of(
    kind: str, model: keras.Model, structure: Any, hyperparameters: keras_tuner.HyperParameters
) -> tuple[int, ...] | None:
    """Widths of the arrays that a trial's model trains in; None if they can only be its own.

    A layer is tuned where its width is the value of a hyperparameter of whole numbers; its arrays
    are as wide as that may get, or a half, a quarter, ... of it. They follow from the trial and
    the space alone, never from other trials or the clock.

    Args:
        kind, structure: As in a `Job`, before padding.
        model: What the trial's build returned.
        hyperparameters: Its values and the space.
    """
    if kind == "general":
        own = own_widths(model)
        return _padded(own, partial(products, model), hyperparameters) if own else None
    if kind != "stack" or not can_widen(structure):
        return None
    own = hidden_widths(structure)
    return _padded(own, lambda widths: widened(structure, widths).member_size(), hyperparameters)


def _padded(
    own: tuple[int, ...],
    size: Callable[[tuple[int, ...]], int],
    hyperparameters: keras_tuner.HyperParameters,
) -> tuple[int, ...]:
    limits = _limits(own, hyperparameters)
    tuned = [limit > 0 for limit in limits]
    widths = tuple(map(max, own, limits))
    while any(tuned) and size(widths) > SMALL:
        halves = tuple(-(-w // 2) if t else w for w, t in zip(widths, tuned, strict=True))
        if any(half < width for half, width in zip(halves, own, strict=True)):
            break
        widths = halves
    return widths


def _limits(widths: tuple, hyperparameters: keras_tuner.HyperParameters) -> list[int]:
    """By layer, the largest value of the hyperparameter that its width is; 0 for none.

    Of several, the first that is not another layer's already.
    """
    limits, taken = [], set()
    for width in widths:
        found = {
            one.name: largest
            for one in hyperparameters.space
            if hyperparameters.values.get(one.name) == width and (largest := _largest(one))
        }
        name = next((name for name in found if name not in taken), next(iter(found), None))
        taken.add(name)
        limits.append(found.get(name, 0))
    return limits


def _largest(hyperparameter: Any) -> int:
    if hasattr(hyperparameter, "max_value"):
        values = [hyperparameter.min_value, hyperparameter.max_value]
    else:
        values = getattr(hyperparameter, "values", [])
        values = values() if callable(values) else values
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
    return max(values, default=0) if whole and len(values) > 1 else 0
