"""What a network looks like inside: what enters its layers, its units, gradients, normalisation."""

import functools
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasreg.diagnosis.rows import Rows
from kerasreg.monitors import GradientMonitor, replaced, variables_by_layer, watch_outputs
from kerasreg.monitors.statistics import BOUNDS, activation_statistics, sort_finite

#: Rows of a probe.
PROBE = 512
#: Activations that give exactly 0 to a whole half of their arguments, as Keras' names without
#: underscores.
_RECTIFIERS = ("relu", "relu6")


@dataclass(frozen=True)
class Units:
    """Dead and saturated outputs of the hidden layers with an activation.

    Attributes:
        dead: Layer -> share of its units that are 0 for every row; of rectifiers.
        saturated: Layer -> share of its outputs near a bound; of bounded activations.
    """

    dead: dict[str, float]
    saturated: dict[str, float]


@dataclass(frozen=True)
class Normalization:
    """One batch normalisation.

    Attributes:
        layer: Its name.
        variance_ratio: Variance of what enters it in inference by that in training, where dropout
            adds to it.
        momentum: Of its moving statistics.
    """

    layer: str
    variance_ratio: float
    momentum: float


def layers_of(model: keras.Model) -> list[keras.layers.Layer]:
    """Every layer in a model that is no model, in the order of the graph."""
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if not isinstance(layer, keras.Model)]


def probe_of(rows: Rows) -> np.ndarray:
    """Indices of the rows to look at a network with: an even part of the used ones."""
    return rows.used[:: -(-len(rows.used) // PROBE)]


def entering(
    model: keras.Model,
    x: Any,
    wanted: Callable[[keras.layers.Layer], bool],
    training: bool = False,
) -> dict[str, np.ndarray]:
    """What enters the layers that are wanted: name -> first input of its first call, in order.

    In `training` masks are drawn, the same each time.
    """
    found: dict[str, np.ndarray] = {}

    def spy(layer: keras.layers.Layer) -> Callable:
        call = layer.call

        @functools.wraps(call)
        def spied(*args: Any, **kwargs: Any) -> Any:
            first = keras.tree.flatten((args, kwargs))[0]
            # Inside a compiled function there are no numbers to look at.
            if hasattr(first, "numpy"):
                found.setdefault(layer.name, first.numpy())
            return call(*args, **kwargs)

        return spied

    with ExitStack() as stack:
        for layer in layers_of(model):
            if wanted(layer):
                stack.enter_context(replaced(layer, "call", spy(layer)))
        _call(model, x, training)
    return found


def _call(model: keras.Model, x: Any, training: bool) -> np.ndarray:
    """Outputs of a model; its variables stay as they are."""
    tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, x)
    mode = {"training": training} if model._call_has_training_arg else {}
    generators = [one for layer in layers_of(model) for one in layer._seed_generators]
    seeds = [(one.state, np.array([0, at], "uint32")) for at, one in enumerate(generators)]
    with keras.StatelessScope([(state, keras.ops.convert_to_tensor(v)) for state, v in seeds]):
        return np.asarray(model(tensors, **mode))


def units_of(model: keras.Model, x: Any) -> Units:
    """Look at the hidden layers' outputs."""
    watched = watch_outputs(model, keras.tree.map_structure(keras.ops.convert_to_tensor, x))
    dead, saturated = {}, {}
    for name in list(watched.tensors)[:-1]:
        values, kind = watched.tensors[name].numpy(), watched.activations[name]
        bounds = BOUNDS.get(kind)
        if kind not in _RECTIFIERS and bounds is None:
            continue
        statistics = activation_statistics(values, sort_finite(values), None, bounds)
        if kind in _RECTIFIERS:
            dead[name] = statistics["dead"]
        else:
            saturated[name] = statistics["saturated"]
    return Units(dead, saturated)


def gradients_of(model: keras.Model, x: Any, y: np.ndarray) -> dict[str, tuple[float, float]]:
    """Norms of gradient and weights, by layer with a kernel, from input to output."""
    monitor = GradientMonitor((x, y))
    monitor.set_model(model)
    monitor.on_train_begin()
    monitor.on_epoch_end(0)
    kernels = {
        name
        for name, variables in variables_by_layer(model).items()
        if any(len(variable.shape) > 1 for variable in variables)
    }
    return {
        name: (float(record["norm"][0]), float(record["weight_norm"][0]))
        for name, record in monitor.records.items()
        if name in kernels
    }


def normalizations_of(model: keras.Model, x: Any) -> list[Normalization]:
    """Look at the batch normalisations that are in training."""
    batch = {
        layer.name: layer
        for layer in layers_of(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    }
    inference, training = (
        {
            name: _variance(values, batch[name].axis) + batch[name].epsilon
            for name, values in entering(model, x, lambda x: x.name in batch, mode).items()
        }
        for mode in (False, True)
    )
    return [
        Normalization(name, float(inference[name] / training[name]), float(batch[name].momentum))
        for name in inference
    ]


def _variance(values: np.ndarray, channels: int) -> float:
    """Mean variance of the channels, which stand along an axis."""
    axes = tuple(axis for axis in range(values.ndim) if axis != channels % values.ndim)
    return float(values.var(axis=axes).mean())


def by_batches(model: keras.Model, inputs: list[Any]) -> np.ndarray:
    """Outputs for batches of rows, normalised by each batch's own statistics, without dropout."""
    with ExitStack() as stack:
        for layer in layers_of(model):
            if getattr(layer, "rate", 0):
                stack.enter_context(replaced(layer, "rate", 0.0))
        return np.concatenate([_call(model, x, training=True) for x in inputs])
