"""Widths as values on the general path: a row of layers in the arrays of a wider one.

A narrow member has zeros in what it lacks, and they stay zeros (see `kerasreg.population.widths`).
Only layers, activations and optimisers for which that holds without a mask are widened.
"""

import math
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from kerasreg.errors import UserError
from kerasreg.population.general.description import regularizer_kind
from kerasreg.population.general.layer_values import generators_of, is_noise, kind_of
from kerasreg.population.general.lifting import Lifted, lift_model
from kerasreg.population.general.optimizer import copy_of
from kerasreg.population.lifting_layers import ELEMENTWISE, activation_name
from kerasreg.population.widths import NOT_ZERO_AT_ZERO

_UNITS = {"Dense": "units", "Conv1D": "filters", "Conv2D": "filters", "LSTM": "units"}
_UNITS |= {"GRU": "units", "SimpleRNN": "units"}
_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
#: Layers that give every unit of theirs from the same unit of what enters, and 0 from 0.
_KEEPING = (
    *("BatchNormalization", "Activation", "ReLU", "LeakyReLU", "Dropout", "SpatialDropout1D"),
    *("SpatialDropout2D", "GaussianDropout", "MaxPooling1D", "MaxPooling2D", "AveragePooling1D"),
    *("AveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D"),
    *("GlobalAveragePooling2D", "ZeroPadding1D", "ZeroPadding2D"),
)
_OPTIMIZERS = ("SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Nadam", "Lion", "Adagrad", "Adadelta")

Places = tuple[np.ndarray, ...]


def own_widths(model: keras.Model) -> tuple[int, ...]:
    """Units or filters of every layer of a model but the last; none if it cannot be widened."""
    optimizer, variables = model.optimizer, model.trainable_variables
    if type(model) is not keras.Sequential or kind_of(optimizer) not in _OPTIMIZERS:
        return ()
    if kind_of(model.layers[-1]) != "Dense" or not all(map(_is_known, model.layers[:-1])):
        return ()
    if not _units_last(model.layers[-1]) or not all(map(optimizer._use_weight_decay, variables)):
        # A copy of an optimiser does not know what it leaves out.
        return ()
    if any(None in (*before[1:], *after[1:]) for _, before, after in _shapes(model)):
        return ()
    widths = tuple(_units(layer) for layer in model.layers[:-1] if kind_of(layer) in _UNITS)
    # Draws of a narrow layer are the beginning of a wide one's; behind a Flatten they are not.
    noise = [live for layer, live, _ in _walk(model, [2 * w for w in widths]) if is_noise(layer)]
    return widths if all(np.array_equal(live, range(len(live))) for live in noise) else ()


def products(model: keras.Model, widths: Sequence[int]) -> int:
    """Multiplications of a row in the model with other widths."""
    total = 0
    sizes = [size for _, _, size in _walk(model, widths)]
    for (layer, before, after), (entering, out) in zip(_shapes(model), sizes, strict=True):
        if kind_of(layer) in _UNITS:
            kernel = math.prod(getattr(layer, "kernel_size", ()))
            gates = _GATES.get(kind_of(layer), 0)
            shape = before if gates else after
            entering, kernel = (entering + out, gates) if gates else (entering, kernel)
            total += math.prod(shape[1:-1]) * kernel * entering * out
    return total


def widen_model(lifted: Lifted, widths: Sequence[int] | None) -> Lifted:
    """A model in the arrays of one with these widths; itself where they are its own, or None.

    Raises:
        UserError: It cannot be held so.
    """
    source = lifted.model
    own = own_widths(source)
    if widths is None or tuple(widths) == own:
        return lifted
    if len(own) != len(widths) or any(a > b for a, b in zip(own, widths, strict=True)):
        raise UserError(
            f"widths: expected {own or 'None'} or larger for model {source.name!r}, got "
            f"{tuple(widths)}."
        )
    rest = iter([*widths, _units(source.layers[-1])])

    def wider(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if kind_of(layer) in _UNITS:
            config[_UNITS[kind_of(layer)]] = next(rest)
        return type(layer).from_config(config)

    model = keras.models.clone_model(source, clone_function=wider)
    compile_like(model, source)
    model.set_weights(padded(source, lifted.weights, widths, [v.shape for v in model.weights]))
    return lift_model(model)


def compile_like(model: keras.Model, source: keras.Model) -> None:
    """Compile a model as another one, with an optimiser of its own."""
    metrics = source._compile_metrics
    model.compile(
        optimizer=copy_of(source.optimizer),
        loss=source.loss,
        loss_weights=source._compile_loss._user_loss_weights,
        metrics=metrics and metrics._user_metrics,
        weighted_metrics=metrics and metrics._user_weighted_metrics,
    )


def padded(
    model: keras.Model,
    arrays: Sequence[np.ndarray],
    widths: Sequence[int],
    shapes: Sequence[tuple[int, ...]],
) -> list[np.ndarray]:
    """A narrow model's arrays in arrays of these shapes, those with `widths`."""
    wide = []
    for array, places, shape in zip(arrays, _places(model, widths), shapes, strict=True):
        wide.append(np.zeros(shape, array.dtype))
        wide[-1][np.ix_(*places)] = array
    return wide


def narrowed(
    model: keras.Model, arrays: Sequence[np.ndarray], widths: Sequence[int]
) -> list[np.ndarray]:
    """The inverse of `padded`."""
    places = _places(model, widths)
    return [array[np.ix_(*own)] for array, own in zip(arrays, places, strict=True)]


def _is_known(layer: keras.layers.Layer) -> bool:
    kind = kind_of(layer)
    if kind not in _UNITS and kind not in (*_KEEPING, "Flatten", "Embedding"):
        return False
    activation = getattr(layer, "activation", None)
    name = "linear" if activation is None else activation_name(activation)
    # Without a threshold, a ReLU maps 0 to 0.
    zero = name in ELEMENTWISE and name not in NOT_ZERO_AT_ZERO
    zero = zero and not getattr(layer, "threshold", 0)
    own_draws = generators_of(layer) and not is_noise(layer)
    return zero and not own_draws and _units_last(layer)


def _units_last(layer: keras.layers.Layer) -> bool:
    """Whether units stand on the last axis, each for itself."""
    return (
        getattr(layer, "data_format", "channels_last") == "channels_last"
        and getattr(layer, "groups", 1) == 1
        and getattr(layer, "noise_shape", None) is None
        and (getattr(layer, "axis", -1) == -1 or layer.axis == layer.input_spec.ndim - 1)
        and regularizer_kind(layer.activity_regularizer) is None
        and all(regularizer_kind(v.regularizer) is None for v in layer.trainable_variables)
    )


def _units(layer: keras.layers.Layer) -> int:
    return getattr(layer, _UNITS[kind_of(layer)])


def _walk(
    model: keras.Model, widths: Sequence[int]
) -> Iterator[tuple[keras.layers.Layer, np.ndarray, tuple[int, int]]]:
    """By layer: which units of what enters, in the wide model, are the narrow one's; and how many
    units enter and leave the wide one."""
    rest = iter([*widths, _units(model.layers[-1])])
    wide = model.input_shape[-1]
    live = np.arange(wide)
    for layer, shape, _ in _shapes(model):
        kind, out = kind_of(layer), wide
        if kind in _UNITS:
            out = next(rest)
        elif kind == "Embedding":
            out = layer.output_dim
        elif kind == "Flatten":
            positions = math.prod(shape[1:-1])
            out = positions * wide
        yield layer, live, (wide, out)
        if kind in _UNITS:
            live = np.arange(_units(layer))
        elif kind == "Embedding":
            live = np.arange(out)
        elif kind == "Flatten":
            live = (np.arange(positions)[:, None] * wide + live).reshape(-1)
        wide = out


def _shapes(model: keras.Model) -> Iterator[tuple[keras.layers.Layer, tuple, tuple]]:
    """By layer, the shapes of what enters and leaves; a layer itself may stand elsewhere too."""
    shape = model.input_shape
    for layer in model.layers:
        after = layer.compute_output_shape(shape)
        yield layer, shape, after
        shape = after


def _places(model: keras.Model, widths: Sequence[int]) -> list[Places]:
    """By array of `get_weights()`, where its entries stand in the wide array, axis by axis."""
    found: dict[int, Places] = {}
    for layer, live, (_, out) in _walk(model, widths):
        kind = kind_of(layer)
        for variable in layer.weights:
            axes = [np.arange(size) for size in variable.shape]
            if kind in _UNITS:
                own = np.arange(_units(layer))
                gates = np.arange(_GATES.get(kind, 1))
                axes[-1] = (gates[:, None] * out + own).reshape(-1)
                if variable.name == "kernel":
                    axes[-2] = live
            elif kind == "BatchNormalization":
                axes[-1] = live
            found[id(variable)] = tuple(axes)
    return [found[id(variable)] for variable in model.weights]
