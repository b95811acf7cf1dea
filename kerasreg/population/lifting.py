"""Lifting: a compiled Keras model as the blueprint, the values and the weights of a member.

What can be lifted is one chain of layers whose mathematics the room knows. Everything else is
refused by name, so that a caller can say why and train the model the plain way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.errors import UserError
from kerasreg.population.blueprint import Blueprint
from kerasreg.population.lifting_layers import Chain, refuse
from kerasreg.population.lifting_training import read_loss, read_optimizer

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Lifted:
    """A model taken apart.

    Attributes:
        blueprint: Its structure; equal for models that differ in values or layer names only.
        values: By (layer, name), as `values.value_names` lists them.
        weights: Its arrays, in the blueprint's order.
        dtype: `"float32"` or `"float64"`.
    """

    blueprint: Blueprint
    values: dict[tuple[int, str], float]
    weights: list[np.ndarray]
    dtype: str


def lift(model: keras.Model) -> Lifted:
    """Take a compiled, untrained Sequential or functional model apart.

    The layers may be, in a row: Input, Flatten and Rescaling (with scalars) at the start, Dense
    with any built-in elementwise activation, BatchNormalization, LayerNormalization and
    GroupNormalization over the last axis, Activation, ReLU, LeakyReLU, ELU and Dropout. Kernels
    may have L1 or L2 penalties. A last softmax or sigmoid is taken off where the loss is a
    cross-entropy, as Keras itself does to compute it. Optimisers: SGD, Adagrad, RMSprop, Adam and
    AdamW with a plain number as learning rate; losses: the cross-entropies, MSE, MAE and Huber.

    Raises:
        UserError: What stands in the way: the layer (or optimiser, or loss) and the reason.
    """
    if not getattr(model, "compiled", False):
        raise UserError("model: expected a compiled Keras model; call model.compile(...) first.")
    chain = Chain()
    for layer in layers_in_order(model):
        chain.add(layer)
    chain.close()
    loss, loss_values, folded = read_loss(model, chain)
    if folded:
        chain.take_off_last_activation()
    rule, decay_all, optimizer_values = read_optimizer(model)
    blueprint = Blueprint(
        tuple(chain.specs), chain.features, chain.width, loss, rule, decay_all=decay_all
    )
    values = {**chain.values, **loss_values, **optimizer_values}
    weights = [
        np.asarray(getattr(chain.sources[p.layer], p.name)).reshape(p.shape)
        for p in blueprint.parameters()
    ]
    return Lifted(blueprint, values, weights, chain.dtype)


def layers_in_order(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model that is one chain, first to last.

    Raises:
        UserError: The model is of another kind, not built, branches or uses a layer twice.
    """
    import keras

    kind = type(model)
    functional = kind.__name__ == "Functional" and kind.__module__.startswith("keras.")
    if kind is not keras.Sequential and not functional:
        raise UserError(
            f"model {model.name!r}: expected a Sequential or functional model, "
            f"got the class {kind.__name__}."
        )
    if not model.built:
        raise UserError(
            f"model {model.name!r}: expected a built model; start it with keras.Input(shape)."
        )
    graph = model._functional if kind is keras.Sequential else model
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UserError(
            f"model {model.name!r}: expected one input and one output, "
            f"got {len(graph.inputs)} and {len(graph.outputs)}."
        )
    layers: list[keras.layers.Layer] = []
    depths = graph._nodes_by_depth
    for depth in sorted(depths, reverse=True):
        nodes = depths[depth]
        layer = nodes[-1].operation
        if len(nodes) > 1 or len(nodes[0].input_tensors) > 1:
            refuse(layer, "the model branches here")
        if layer in layers:
            refuse(layer, "it is used twice")
        # A `training` given in the call has no effect: Keras' fit and evaluate set it.
        arguments = nodes[0].arguments
        more = [*arguments.args[1:], *(v for n, v in arguments.kwargs.items() if n != "training")]
        if any(value is not None for value in more):
            refuse(layer, "it is called with further arguments")
        layers.append(layer)
    return layers
