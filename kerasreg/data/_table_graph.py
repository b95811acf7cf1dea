"""The preprocessing of a table as layers: raw columns in, features out, Keras' own parts only."""

import keras
import numpy as np
from keras import ops


def table_graph(preprocessing):
    """Return (dict of Keras inputs by column name, features) for a `TablePreprocessing`."""
    text = set(preprocessing.text_names)
    inputs = {
        name: keras.Input(
            shape=(1,), dtype="string" if name in text else "float32", name=keras_name
        )
        for name, keras_name in _keras_names(preprocessing.columns).items()
    }
    # A model of its own, because layers in one model need different names and Keras' own, such
    # as "concatenate", may be names of columns.
    name = free_name("preprocessing", inputs)
    return inputs, _keras_model(preprocessing, name)(
        [inputs[column] for column in preprocessing.columns]
    )


def _keras_model(preprocessing, name: str):
    """Raw columns, as a list in the table's order, to features."""
    text = set(preprocessing.text_names)
    columns = {
        column: keras.Input(
            shape=(1,), dtype="string" if column in text else "float32", name=f"column_{index}"
        )
        for index, column in enumerate(preprocessing.columns)
    }
    blocks = []
    if preprocessing.numeric_names:
        raw = _concatenate([columns[column] for column in preprocessing.numeric_names])
        # float64 inside: a column of mean 1e6 and deviation 1 keeps its digits.
        wide = ops.cast(raw, "float64")
        missing = ops.isnan(wide)
        filled = ops.where(missing, preprocessing.medians, wide)
        blocks.append(ops.cast((filled - preprocessing.offset) * preprocessing.gain, "float32"))
        if len(preprocessing.flagged):
            flags = ops.take(missing, preprocessing.flagged.astype(np.int32), axis=1)
            blocks.append(ops.cast(flags, "float32"))
    for column, found in zip(preprocessing.text_names, preprocessing.categories, strict=True):
        if found.kept:
            blocks.append(_keras_one_hot(columns[column], found.kept))
    return keras.Model(list(columns.values()), _concatenate(blocks), name=name)


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


def free_name(name: str, taken) -> str:
    """Return `name` with as many `_` appended as make it different from all in `taken`."""
    while name in taken:
        name += "_"
    return name


def _concatenate(tensors: list):
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=1)


def _keras_one_hot(inputs, kept: tuple[str, ...]):
    """One column a category; all zeros for a text that is none of them."""
    unknown = "[unknown]"
    while unknown in kept:
        unknown += "]"
    lookup = keras.layers.StringLookup(
        vocabulary=list(kept), mask_token=None, oov_token=unknown, num_oov_indices=1
    )
    # The lookup gives 0 for unknown, so that -1 reaches one_hot, which makes zeros of it.
    return ops.one_hot(ops.squeeze(lookup(inputs), axis=1) - 1, len(kept), dtype="float32")
