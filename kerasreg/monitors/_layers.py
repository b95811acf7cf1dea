"""Names of a model's layers and the outputs they produce in one forward pass."""

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import keras
import tensorflow as tf

_INSIDE = "it runs inside a loop or another compiled function"


@dataclass
class Outputs:
    """What one forward pass produced, in the order in which the layers were called."""

    tensors: dict[str, tf.Tensor] = field(default_factory=dict)
    activations: dict[str, str] = field(default_factory=dict)
    missed: dict[str, str] = field(default_factory=dict)


def named_layers(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return every layer below `model`, nested ones as `outer.inner`, each layer once.

    In functional models the operations that are no layers (`keras.ops.relu(x)`) are included.
    """
    named: dict[str, keras.layers.Layer] = {}
    seen: set[int] = set()

    def walk(parent: keras.layers.Layer, prefix: str) -> None:
        for layer in _children(parent):
            if id(layer) in seen or isinstance(layer, keras.layers.InputLayer):
                continue
            seen.add(id(layer))
            name = _unique(prefix + layer.name, named)
            named[name] = layer
            walk(layer, f"{name}.")

    walk(model, "")
    return named


def _children(layer: object) -> list[keras.layers.Layer]:
    # A recurrent layer is one layer: its cell runs inside a loop, once a step.
    if isinstance(layer, keras.layers.RNN) or not isinstance(layer, keras.layers.Layer):
        return []
    return getattr(layer, "operations", None) or layer._layers


def _unique(name: str, taken: Collection[str]) -> str:
    numbered = (f"{name}#{count}" for count in itertools.count(2))
    return next(n for n in itertools.chain([name], numbered) if n not in taken)


def own_trainable(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Return a layer's trainable variables without those of the layers inside it."""
    inside = [child for child in _children(layer) if isinstance(child, keras.layers.Layer)]
    inner = {id(v) for child in inside for v in child.trainable_variables}
    return [v for v in layer.trainable_variables if id(v) not in inner]


def variables_by_layer(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Return the trainable variables of every layer that owns some, each variable once.

    Variables that the model owns itself are listed under the model's name.
    """
    layers = {model.name: model, **named_layers(model)}
    groups: dict[str, list[keras.Variable]] = {}
    seen: set[int] = set()
    for name, layer in layers.items():
        if isinstance(layer, keras.layers.Layer):
            own = [v for v in own_trainable(layer) if id(v) not in seen]
            seen.update(id(v) for v in own)
            if own:
                groups[name] = own
    return groups


def number_tags(names: list[str]) -> dict[str, str]:
    """Return name -> name with its position in front, so that tags sort as the layers do."""
    digits = max(2, len(str(len(names))))
    return {name: f"{index:0{digits}d}_{name}" for index, name in enumerate(names, start=1)}


def call_arguments(model: keras.Model, training: bool) -> dict[str, bool]:
    """Return `{"training": training}` if the model's `call` takes it, else nothing."""
    return {"training": training} if model._call_has_training_arg else {}


def trainable_values(model: keras.Model) -> list[tuple[keras.Variable, tf.Tensor]]:
    """Return the trainable variables with their values, for a `keras.StatelessScope`.

    Inside such a scope Keras computes weight penalties from mapped values only.
    """
    return [(v, tf.convert_to_tensor(v.value)) for v in model.trainable_variables]


def watch_outputs(model: keras.Model, inputs: object) -> Outputs:
    """Run `model` on `inputs` in inference mode and keep every layer's output.

    While the model runs, the `call` of each layer is replaced on the instance by one that also
    remembers what it returned. That works for functional, Sequential and subclassed models alike
    and leaves no trace. A layer that calls an activation function itself, as `Dense` does, gives
    two outputs: `NAME.pre` before it and `NAME` after it. An output that is the very tensor that
    came in, or that an inner layer gave already, is not repeated: dropout in inference, for one.

    Variables are not changed, not even by layers that draw or count in inference, since the
    whole runs in a `keras.StatelessScope`.

    Returns:
        Tensors of floating-point outputs as float32, each `(rows, ..., units)`, the activation's
        name where a layer has one, and the reason for every layer that could not be watched.
    """
    layers = named_layers(model)
    found = Outputs()
    known: set[int] = set()
    called: set[str] = set()
    given: dict[str, list[str]] = defaultdict(list)
    graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()

    def remember(name: str, value: object, activation: str, suffix: str = "") -> None:
        tensors = [t for t in keras.tree.flatten(value) if t is not None]
        for index, tensor in enumerate(tensors):
            key = name + suffix + (f".{index}" if len(tensors) > 1 else "")
            if id(tensor) in known:
                continue
            reason = _unwatchable(tensor, graph)
            if reason:
                found.missed.setdefault(name, reason)
                continue
            unique = _unique(key, found.tensors)
            known.add(id(tensor))
            held.append(tensor)
            found.tensors[unique] = tf.cast(tensor, tf.float32)
            found.activations[unique] = activation
            given[name].append(unique)

    # Identity is by `id`, so every tensor compared must stay alive until the end.
    held: list[object] = []

    def spy_call(name: str, layer: keras.layers.Layer) -> Callable:
        call = layer.call
        activation = _activation_name(layer)

        @functools.wraps(call)
        def spied(*args: object, **kwargs: object) -> object:
            arriving = [t for t in keras.tree.flatten((args, kwargs)) if tf.is_tensor(t)]
            held.extend(arriving)
            known.update(id(t) for t in arriving)
            value = call(*args, **kwargs)
            called.add(name)
            remember(name, value, activation)
            return value

        return spied

    def spy_activation(name: str, function: Callable) -> Callable:
        @functools.wraps(function)
        def spied(x: object, *args: object, **kwargs: object) -> object:
            if _unwatchable(x, graph) is None:
                remember(name, x, "", suffix=".pre")
            return function(x, *args, **kwargs)

        return spied

    with ExitStack() as stack:
        for name, layer in layers.items():
            stack.enter_context(_replaced(layer, "call", spy_call(name, layer)))
            function = vars(layer).get("activation")
            if _is_function(function):
                stack.enter_context(_replaced(layer, "activation", spy_activation(name, function)))
        stack.enter_context(keras.StatelessScope(trainable_values(model), collect_losses=True))
        model(inputs, **call_arguments(model, training=False))
    for name in layers:
        if name not in called:
            found.missed[name] = "not called on the probe, or inside a compiled function"
    # What a layer gave before it went into a loop is only a part of what it does.
    for name, reason in found.missed.items():
        for key in given[name] if reason == _INSIDE else ():
            del found.tensors[key], found.activations[key]
    return found


@contextmanager
def _replaced(layer: object, name: str, value: object) -> Iterator[None]:
    """Set an instance attribute behind Keras' attribute tracking, and put it back."""
    own = vars(layer)
    missing = object()
    before = own.get(name, missing)
    own[name] = value
    try:
        yield
    finally:
        if before is missing:
            del own[name]
        else:
            own[name] = before


def _unwatchable(tensor: object, graph: tf.Graph | None) -> str | None:
    """Return why a value cannot be watched, or `None` if it can."""
    if not isinstance(tensor, tf.Tensor):
        return f"its output is a {type(tensor).__name__}, not a dense tensor"
    if graph is not None and getattr(tensor, "graph", graph) is not graph:
        return _INSIDE
    if not tensor.dtype.is_floating:
        return f"its output is {tensor.dtype.name}, not floating-point"
    if tensor.shape.rank == 0:
        return "its output is one number"
    return None


def _is_function(activation: object) -> bool:
    """Tell whether a layer's `activation` does something that no layer of its own shows."""
    if isinstance(activation, keras.layers.Layer) or not callable(activation):
        return False
    return activation is not keras.activations.linear


def _activation_name(layer: object) -> str:
    """Return the name, without underscores, of the function whose range bounds a layer's output.

    `ReLU` and the operation `keras.ops.relu` of a functional model are classes of their own.
    """
    function = getattr(layer, "activation", None) or layer
    return getattr(function, "__name__", type(function).__name__).lower().replace("_", "")
