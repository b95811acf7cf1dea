"""The outputs of a model's layers in one forward pass."""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import keras
import tensorflow as tf

from kerasreg.monitors._layers import (
    call_arguments,
    children,
    named_layers,
    trainable_values,
    unique_name,
)

_INSIDE = "it runs inside a loop or another compiled function"


@dataclass
class Outputs:
    """What one forward pass produced, in the order in which the layers were called.

    Attributes:
        tensors: Floating-point outputs as float32, each `(rows, ..., units)`.
        activations: Names of the activation functions that gave them, `""` without one.
        missed: Layer -> why its output could not be watched.
    """

    tensors: dict[str, tf.Tensor] = field(default_factory=dict)
    activations: dict[str, str] = field(default_factory=dict)
    missed: dict[str, str] = field(default_factory=dict)


def watch_outputs(model: keras.Model, inputs: object) -> Outputs:
    """Run `model` on `inputs` in inference mode and keep every layer's output.

    A layer that calls an activation function itself, as `Dense` does, gives two outputs:
    `NAME.pre` before it and `NAME` after it. An output that is the very tensor that came in, or
    that an inner layer gave already, is not repeated: dropout in inference, for one.

    Variables are not changed, not even by layers that draw or count in inference, since the
    whole runs in a `keras.StatelessScope`.
    """
    watch = _Watch(model)
    with ExitStack() as stack:
        for name, layer in watch.names.values():
            if id(layer) in watch.called_by_code:
                stack.enter_context(replaced(layer, "call", watch.spy_call(layer)))
            function = vars(layer).get("activation")
            if _is_function(function):
                spy = watch.spy_activation(name, function)
                stack.enter_context(replaced(layer, "activation", spy))
        stack.enter_context(keras.StatelessScope(trainable_values(model), collect_losses=True))
        watch.run(model, inputs)
    return watch.outputs()


class _Watch:
    """One forward pass that is watched.

    Functional and Sequential models, nested ones too, are run node by node along their graph.
    The layers inside any other layer are called by Python code, so that only a replaced `call`
    sees them, and activation functions inside layers only a replaced `activation`. Both are set on
    the instance for the time of the pass.
    """

    def __init__(self, model: keras.Model) -> None:
        named = named_layers(model)
        self.names = {id(layer): (name, layer) for name, layer in named.items()}
        self.called_by_code = {
            id(child)
            for layer in (model, *named.values())
            if _graph(layer) is None
            for child in children(layer)
        }
        self._found = Outputs()
        self._called: set[str] = set()
        self._given: dict[str, list[str]] = defaultdict(list)
        # Identity is by `id`, so every tensor compared must stay alive until the end.
        self._known: dict[int, object] = {}
        self._tf_graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()

    def run(self, layer: keras.layers.Layer, *args: object, **kwargs: object) -> object:
        """Call a layer in inference mode."""
        if _graph(layer) is not None:
            return self._run_graph(layer, *args)
        return layer(*args, **kwargs | call_arguments(layer, training=False))

    def _run_graph(self, model: keras.Model, inputs: object, *_: object, **__: object) -> object:
        graph = _graph(model)
        return graph._run_through_graph(
            graph._standardize_inputs(inputs),
            call_fn=lambda layer, *args, **kwargs: self._watched(
                layer, functools.partial(self.run, layer), *args, **kwargs
            ),
        )

    def spy_call(self, layer: keras.layers.Layer) -> Callable:
        """`layer.call`, watched."""
        call = layer.call if _graph(layer) is None else functools.partial(self._run_graph, layer)
        return functools.wraps(layer.call)(functools.partial(self._watched, layer, call))

    def spy_activation(self, name: str, function: Callable) -> Callable:
        """A layer's activation function, its argument watched."""

        @functools.wraps(function)
        def spied(x: object, *args: object, **kwargs: object) -> object:
            if _unwatchable(x, self._tf_graph) is None:
                self._remember(name, x, "", suffix=".pre")
            return function(x, *args, **kwargs)

        return spied

    def _watched(
        self, layer: keras.layers.Layer, call: Callable, *args: object, **kwargs: object
    ) -> object:
        arriving = keras.tree.flatten((args, kwargs))
        self._known.update((id(t), t) for t in arriving if tf.is_tensor(t))
        value = call(*args, **kwargs)
        name, _ = self.names[id(layer)]
        self._called.add(name)
        self._remember(name, value, _activation_name(layer))
        return value

    def _remember(self, name: str, value: object, activation: str, suffix: str = "") -> None:
        tensors = [t for t in keras.tree.flatten(value) if t is not None]
        for index, tensor in enumerate(tensors):
            if id(tensor) in self._known:
                continue
            reason = _unwatchable(tensor, self._tf_graph)
            if reason:
                self._found.missed.setdefault(name, reason)
                continue
            key = name + suffix + (f".{index}" if len(tensors) > 1 else "")
            key = unique_name(key, self._found.tensors)
            self._known[id(tensor)] = tensor
            self._found.tensors[key] = tf.cast(tensor, tf.float32)
            self._found.activations[key] = activation
            self._given[name].append(key)

    def outputs(self) -> Outputs:
        """What was found, after the pass."""
        found = self._found
        for name, layer in self.names.values():
            if not isinstance(layer, keras.layers.Layer):
                # An operation, such as `NotEqual` for a mask, has nothing that one trains.
                found.missed.pop(name, None)
            elif name not in self._called:
                found.missed[name] = "not called on the probe, or inside a compiled function"
        # What a layer gave before it went into a loop is only a part of what it does.
        for name, reason in found.missed.items():
            for key in self._given[name] if reason == _INSIDE else ():
                del found.tensors[key], found.activations[key]
        return found


def _graph(layer: object) -> keras.Model | None:
    """The functional model that runs when `layer` is called, if it is one or Sequential."""
    graph = layer._functional if type(layer) is keras.Sequential else layer
    return graph if getattr(type(graph).call, "__qualname__", "") == "Functional.call" else None


@contextmanager
def replaced(layer: object, name: str, value: object) -> Iterator[None]:
    """Set an instance attribute behind Keras' attribute tracking, and put it back."""
    attributes = vars(layer)
    missing = object()
    before = attributes.get(name, missing)
    attributes[name] = value
    try:
        yield
    finally:
        if before is missing:
            del attributes[name]
        else:
            attributes[name] = before


def _unwatchable(tensor: object, graph: tf.Graph | None) -> str | None:
    """Return why a value cannot be watched, or `None` if it can."""
    if not isinstance(tensor, tf.Tensor):
        return f"its output is a {type(tensor).__name__}, not a dense tensor"
    if graph is not None and getattr(tensor, "graph", graph) is not graph:
        return _INSIDE
    if not tensor.dtype.is_floating:
        return f"its output is {tensor.dtype.name}, not floating-point"
    if tensor.shape.rank == 0:
        return "its output is a scalar"
    return None


def _is_function(activation: object) -> bool:
    """Whether a layer's `activation` is a function, whose result no other layer shows."""
    if isinstance(activation, keras.layers.Layer) or not callable(activation):
        return False
    return activation is not keras.activations.linear


def _activation_name(layer: object) -> str:
    """Return the name, without underscores, of the function that bounds a layer's output.

    The layer `ReLU` and the operation `keras.ops.relu` of a functional model go by their class.
    """
    function = getattr(layer, "activation", None) or layer
    return getattr(function, "__name__", type(function).__name__).lower().replace("_", "")
