"""A table's raw columns as inputs of a Keras model, a text as the index of its category."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras import ops


def table_inputs(columns: tuple[str, ...], texts: Iterable[str]) -> dict[str, Any]:
    """Return Keras inputs by column name, shape (rows, 1): of strings for `texts`, else float32."""
    return {
        name: keras.Input(
            shape=(1,), dtype="string" if name in texts else "float32", name=keras_name
        )
        for name, keras_name in _keras_names(columns).items()
    }


def table_model(
    columns: tuple[str, ...],
    categories: Mapping[str, tuple[str, ...]],
    features: Callable[[Any, list], Any],
    name: str,
) -> keras.Model:
    """Build the way from raw columns to features.

    Args:
        columns: Names of all columns.
        categories: Text column -> its categories; other columns are numeric.
        features: Makes features of numeric columns and category indices, as
            `TablePreprocessing.features`.
        name: Of the model.

    Returns:
        A model from a dict by column name, as `table_inputs`, to features.
    """
    inputs = table_inputs(columns, categories)
    numbers = [name for name in columns if name not in categories]
    # A nested model, because layers in one model need different names and Keras' names, such as
    # "cast", may be names of columns. The numbers enter it together: inputs are slow to build.
    nested = [keras.Input(shape=(len(numbers),), name="numbers")] if numbers else []
    texts = [
        keras.Input(shape=(1,), dtype="string", name=f"text_{i}") for i in range(len(categories))
    ]
    found = zip(texts, categories.values(), strict=True)
    made = features(
        nested[0] if numbers else None, [_category_index(text, kept) for text, kept in found]
    )
    inner = keras.Model([*nested, *texts], made, name=free_name("preprocessing", inputs))
    parts = [inputs[name] for name in (*numbers, *categories)]
    if len(numbers) > 1:
        join = keras.layers.Concatenate(name=free_name("numbers", inputs))
        parts[: len(numbers)] = [join(parts[: len(numbers)])]
    return model_of_columns(inputs, inner(parts), name)


def model_of_columns(inputs: Any, outputs: Any, name: str) -> keras.Model:
    """Return `keras.Model(inputs, outputs)`; a column name with "/" is none that Keras warns of."""
    with warnings.catch_warnings():
        # A column name with "/" cannot name a Keras layer, so its key differs from its tensor's.
        warnings.filterwarnings("ignore", "When providing `inputs` as a dict", UserWarning)
        return keras.Model(inputs, outputs, name=name)


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
