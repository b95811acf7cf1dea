"""A model of the user's, with what identifies it."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import keras
import numpy as np

from kerasreg.data import joined_rows
from kerasreg.errors import UserError
from kerasreg.layers import custom_classes, received, sent
from kerasreg.networks._adapting import adapted
from kerasreg.networks._reading import input_names
from kerasreg.regularization.graph import as_functional, has_graph

_LOSSES = {
    "meansquarederror": "mse",
    "meanabsoluteerror": "mae",
    "huber": "huber",
    "sparsecategoricalcrossentropy": "crossentropy",
    "categoricalcrossentropy": "crossentropy",
    "binarycrossentropy": "crossentropy",
}


class Network:
    """A user's model; networks with equal layers and weights are equal.

    Args:
        model: A built Sequential or functional model; compiled, or to be trained with Adam and the
            data's usual loss.

    Raises:
        UserError: A model of another kind.
    """

    def __init__(self, model: keras.Model):
        if not isinstance(model, keras.Model) or not has_graph(model):
            raise UserError(
                "--model: expected a built Sequential or functional Keras model, whose layers can "
                f"be seen, got {type(model).__name__}."
            )
        self.model = model
        self._adapted: dict[tuple, keras.Model] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple:
        # Travels to other processes as its model does, without what was made of it.
        return _received, sent(self.model)

    def __repr__(self) -> str:
        return f"Network({self.model.name!r}, {self.digest[:12]})"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the layers' names and classes and of the weights."""
        made = hashlib.sha256()
        for layer in self.model._flatten_layers(include_self=False):
            made.update(f"{layer.name} {type(layer).__name__} {layer.trainable};".encode())
        for array in self.model.get_weights():
            made.update(np.ascontiguousarray(array))
        return made.hexdigest()

    @property
    def optimizer(self) -> keras.optimizers.Optimizer:
        """The model's own, or Keras' Adam."""
        return self.model.optimizer if self.model.compiled else keras.optimizers.Adam()

    @property
    def learning_rate(self) -> float:
        """The optimiser's; that of a schedule at its beginning."""
        rate = self.optimizer._learning_rate
        rate = rate(0) if callable(rate) else rate
        # As it was written: Keras keeps 0.003 in float32.
        return float(f"{float(keras.ops.convert_to_numpy(rate)):.7g}")

    @property
    def loss(self) -> str | None:
        """`"mse"`, `"mae"`, `"huber"`, `"crossentropy"`, or None of a model without one.

        Raises:
            UserError: Another loss, or several.
        """
        given = keras.tree.flatten(self.model.loss) if self.model.compiled else []
        if not given:
            return None
        found = keras.losses.get(given[0])
        name = getattr(found, "__name__", type(found).__name__).replace("_", "").lower()
        if len(given) > 1 or name not in _LOSSES:
            raise UserError(
                "--model: expected a model compiled with a cross-entropy, mean squared or absolute "
                f"error or Huber's loss, which searches measure, got {name}; compile it with one."
            )
        return _LOSSES[name]

    @property
    def label_smoothing(self) -> float:
        """That of the model's loss."""
        given = keras.tree.flatten(self.model.loss) if self.model.compiled else [None]
        return float(getattr(given[0], "_fn_kwargs", {}).get("label_smoothing", 0.0))

    @property
    def custom_objects(self) -> dict[str, Any]:
        """The user's classes of layers in it, by name."""
        return custom_classes(self.model)

    def joined(self, x: Mapping[str, np.ndarray]) -> np.ndarray:
        """The arrays of several inputs, by the inputs' names, as rows (rows, values).

        Raises:
            UserError: Names that are not those of the inputs, or different counts of rows.
        """
        names = input_names(self.model)
        counts = {len(array) for array in x.values()}
        if set(x) != set(names) or len(counts) != 1:
            got = ", ".join(f"{name} {np.shape(array)}" for name, array in x.items())
            raise UserError(
                f"x: expected an array of equally many rows for each of {', '.join(names)}, "
                f"got {got}."
            )
        return joined_rows([x[name] for name in names])

    def apart(self, exported: keras.Model) -> keras.Model:
        """An exported model with the inputs of the network, where those are several."""
        if len(self.model.inputs) == 1:
            return exported
        inputs = [
            keras.Input(batch_shape=x.shape, dtype=x.dtype, name=name)
            for x, name in zip(self.model.inputs, input_names(self.model), strict=True)
        ]
        parts = [keras.ops.cast(keras.layers.Flatten()(tensor), "float32") for tensor in inputs]
        rows = keras.layers.Concatenate()(parts)
        structured = keras.tree.pack_sequence_as(as_functional(self.model).input, inputs)
        return keras.Model(structured, exported(rows), name=exported.name)

    def adapted(
        self, shape: tuple[int, ...], outputs: int, task: str, seed: int | None
    ) -> keras.Model:
        """See `_adapting.adapted`; made once."""
        key = shape, outputs, task, seed
        if key not in self._adapted:
            self._adapted[key] = adapted(self.model, *key)
        return self._adapted[key]


def _received(*model: Any) -> Network:
    return Network(received(*model))
