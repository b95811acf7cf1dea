"""Lifting: a compiled Keras model as the blueprint, the values and the weights of a member.

What can be lifted is one chain of layers whose mathematics the room knows. Any other model is one
for the general path, which says what it cannot train and why; here a refusal only names the part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from kerasreg.population.blueprint import Blueprint
from kerasreg.population.lifting_layers import Chain, require
from kerasreg.population.lifting_training import read_loss, read_optimizer
from kerasreg.population.widths import padded_arrays, widened, width_values


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
        UserError: The model is no such stack; the message names the part that is not.
    """
    require(getattr(model, "compiled", False), "a model that is not compiled")
    chain = Chain()
    for layer in layers_in_order(model):
        chain.add(layer)
    chain.close()
    loss, loss_values = read_loss(model, chain)
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


def widen(lifted: Lifted, widths: Sequence[int]) -> Lifted:
    """A stack in the arrays of one with these hidden widths.

    Raises:
        UserError: It is wider, or cannot be held so.
    """
    narrow, wide = lifted.blueprint, widened(lifted.blueprint, widths)
    weights = padded_arrays(lifted.weights, [p.shape for p in wide.parameters()])
    return Lifted(wide, {**lifted.values, **width_values(narrow)}, weights, lifted.dtype)


def layers_in_order(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model that is one chain, first to last.

    Raises:
        UserError: The model is of another kind, not built, branches or uses a layer twice.
    """
    kind = type(model)
    functional = kind.__name__ == "Functional" and kind.__module__.startswith("keras.")
    require(kind is keras.Sequential or functional, f"the class {kind.__name__}")
    require(model.built, "a model that is not built")
    graph = model._functional if kind is keras.Sequential else model
    require(len(graph.inputs) == len(graph.outputs) == 1, "more than one input or output")
    layers: list[keras.layers.Layer] = []
    depths = graph._nodes_by_depth
    for depth in sorted(depths, reverse=True):
        nodes = depths[depth]
        layer = nodes[-1].operation
        require(len(nodes) == 1 and len(nodes[0].input_tensors) <= 1, layer)
        require(layer not in layers, layer)
        # A `training` given in the call has no effect: Keras' fit and evaluate set it.
        arguments = nodes[0].arguments
        more = [*arguments.args[1:], *(v for n, v in arguments.kwargs.items() if n != "training")]
        require(all(value is None for value in more), layer)
        layers.append(layer)
    return layers
