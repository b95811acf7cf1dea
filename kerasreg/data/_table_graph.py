"""A table's raw columns as inputs of a Keras model, a text as the index of its category."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras import ops


def table_graph(
    columns: tuple[str, ...],
    categories: Mapping[str, tuple[str, ...]],
    features: Callable[[Any, list], Any],
) -> tuple[dict[str, Any], Any]:
    """Build the symbolic way from raw columns to features.

    Args:
        columns: Names of all columns.
        categories: Text column -> its categories; other columns are numeric.
        features: Makes features of numeric columns and category indices, as
            `TablePreprocessing.features`.

    Returns:
        Keras inputs by column name, and the symbolic features.
    """
    inputs = {
        name: keras.Input(
            shape=(1,), dtype="string" if name in categories else "float32", name=keras_name
        )
        for name, keras_name in _keras_names(columns).items()
    }
    # A nested model, because layers in one model need different names and Keras' names, such as
    # "concatenate", may be names of columns.
    nested = {
        name: keras.Input(shape=(1,), dtype=tensor.dtype, name=f"column_{index}")
        for index, (name, tensor) in enumerate(inputs.items())
    }
    numeric = [nested[name] for name in columns if name not in categories]
    made = features(
        numeric[0] if len(numeric) == 1 else numeric and ops.concatenate(numeric, axis=1),
        [_category_index(nested[name], kept) for name, kept in categories.items()],
    )
    model = keras.Model(list(nested.values()), made, name=free_name("preprocessing", inputs))
    return inputs, model([inputs[name] for name in columns])


def _category_index(column: Any, kept: tuple[str, ...]) -> Any:
    """Index of the category, shape (rows,), -1 for none of them; None without categories."""
    if not kept:
        return None
    unknown = "[unknown]"
    while unknown in kept:
        unknown += "]"
    lookup = keras.layers.StringLookup(
        vocabulary=list(kept), mask_token=None, oov_token=unknown, num_oov_indices=1
    )
    return ops.squeeze(lookup(column), axis=1) - 1


def _keras_names(columns: tuple[str, ...]) -> dict[str, str]:
    """Map column names to names Keras takes for layers: without "/", and different from all.

    The keys of the dict that users pass stay the column names.
    """
    names: dict[str, str] = {}
    for name in columns:
        names[name] = name
        if "/" in name:
            names[name] = free_name(name.replace("/", "_"), {*columns, *names.values()})
    return names


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return `name` with as many `_` appended as make it different from all in `taken`."""
    while name in taken:
        name += "_"
    return name
