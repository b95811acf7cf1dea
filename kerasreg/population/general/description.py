"""What a Keras model is, but for its values and weights: equal lines, equal structure.

Two models whose descriptions are equal compute the same function of inputs, weights and values,
so that one program trains both. Left out are names, seeds, initialisers, regularisers and the
values that `layer_values` lists.
"""

import hashlib
import types
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from kerasreg.population.general.layer_values import FACTORS, INNER_RATES, VALUES

_LEFT_OUT = ("name", "seed", "build_config")
_PENALTIES = {"ActivityRegularization": ("l1", "l2")}
_REGULARIZERS = ("L1", "L2", "L1L2")


def describe_model(model: keras.Model) -> tuple[str, ...]:
    """One line a layer, a connection and an output."""
    return tuple(_model_lines(model))


def describe(item: Any) -> Any:
    """A description of an argument, equal for equal ones: a number, a function, a Keras object."""
    if item is None or isinstance(item, str | bytes | bool | int | float | complex):
        return item
    if hasattr(item, "numpy"):
        item = item.numpy()
    if isinstance(item, np.ndarray | np.generic):
        array = np.ascontiguousarray(item)
        return (str(array.dtype), array.shape, hashlib.sha256(array.data).hexdigest())
    if isinstance(item, Mapping):
        return tuple((str(key), describe(item[key])) for key in sorted(item, key=str))
    if isinstance(item, list | tuple | set):
        return tuple(map(describe, item))
    if isinstance(item, types.FunctionType):
        return _function(item)
    if isinstance(item, types.MethodType | types.BuiltinFunctionType):
        return (item.__qualname__, describe(getattr(item, "__self__", None)))
    if isinstance(item, types.ModuleType):
        return item.__name__
    if isinstance(item, types.CodeType):
        return (item.co_code, describe(item.co_consts), item.co_names)
    if isinstance(item, type):
        return _class(item)
    config = _config(item)
    return (_class(type(item)), id(item) if config is None else describe(config))


def _model_lines(model: keras.Model) -> Iterator[str]:
    graph = graph_of(model)
    yield f"{_class(type(model))!r}, trainable={model.trainable}, {model.dtype_policy.name}"
    if graph is None:
        config = _config(model)
        yield repr(id(model) if config is None else describe(config))
        for layer in model._layers:
            yield from _layer_lines(layer)
        return
    operations = {id(operation): i for i, operation in enumerate(graph.operations)}
    present = {id(node) for depth in graph._nodes_by_depth.values() for node in depth}
    nodes = {}
    for operation in graph.operations:
        own = [node for node in operation._inbound_nodes if id(node) in present]
        nodes |= {id(node): (operations[id(operation)], i) for i, node in enumerate(own)}

    def reference(tensor: Any) -> Any:
        if not isinstance(tensor, keras.KerasTensor):
            return describe(tensor)
        operation, node, output = tensor._keras_history
        place = nodes[id(operation._inbound_nodes[node])]
        return (*place, output, str(tensor.dtype), tuple(tensor.shape))

    for operation in graph.operations:
        yield from _layer_lines(operation)
        for node in operation._inbound_nodes:
            if id(node) in nodes:
                given = (node.arguments.args, node.arguments.kwargs)
                yield f"called with {keras.tree.map_structure(reference, given)!r}"
    yield f"inputs {keras.tree.map_structure(reference, graph._inputs_struct)!r}"
    yield f"outputs {keras.tree.map_structure(reference, graph._outputs_struct)!r}"


def graph_of(model: keras.Model) -> Any:
    """The graph of layers that a Sequential or functional model runs; None for one of its own."""
    graph = getattr(model, "_functional", None) if isinstance(model, keras.Sequential) else model
    own = getattr(type(model).call, "__module__", "")
    return (
        graph if hasattr(graph, "_nodes_by_depth") and own.startswith("keras.src.models.") else None
    )


def _layer_lines(layer: Any) -> Iterator[str]:
    if isinstance(layer, keras.Model):
        yield from _model_lines(layer)
        return
    config = _config(layer)
    described = id(layer) if config is None else describe(_stripped(type(layer), config))
    yield f"{_class(type(layer))!r} {described!r}"
    if type(layer).__name__ == "Normalization":
        # An adapted layer's statistics are constants of its call.
        yield repr([describe(getattr(layer, name, None)) for name in ("mean", "variance")])


def _stripped(kind: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """A layer's configuration without what members may differ in."""
    keras_own = kind.__module__.startswith("keras.")
    left: dict[str, Any] = {}
    values = (*VALUES.get(kind.__name__, ()), *_PENALTIES.get(kind.__name__, ()))
    for name, value in config.items():
        if name in _LEFT_OUT or name == "activity_regularizer":
            continue
        if keras_own and (name.endswith(("_initializer", "_regularizer"))):
            continue
        if keras_own and name in INNER_RATES.get(kind.__name__, ()):
            value = bool(value)
        elif keras_own and name in FACTORS.get(kind.__name__, ()):
            value = value is not None
        elif keras_own and name in values:
            continue
        elif isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
            inner = getattr(keras.layers, str(value.get("class_name")), object)
            value = {**value, "config": _stripped(inner, value["config"])}
        left[name] = value
    return left


def regularizer_kind(regularizer: Any) -> Any:
    """What of a regulariser is structure: nothing of Keras' L1, L2 and none."""
    if regularizer is None or (
        type(regularizer).__module__.startswith("keras.")
        and type(regularizer).__name__ in _REGULARIZERS
    ):
        return None
    return describe(regularizer)


def _config(item: Any) -> Mapping[str, Any] | None:
    try:
        with warnings.catch_warnings():
            # It is compared, not saved.
            warnings.filterwarnings("ignore", message="The object being serialized includes")
            return item.get_config()
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return None


def _function(function: types.FunctionType) -> tuple:
    return (
        function.__module__,
        function.__qualname__,
        describe(function.__code__),
        describe(function.__defaults__),
        tuple(_cell(cell) for cell in function.__closure__ or ()),
    )


def _cell(cell: types.CellType) -> Any:
    try:
        content = cell.cell_contents
    except ValueError:
        return None
    # By name only: a function may refer to itself, and a method's `super()` to its class.
    if isinstance(content, type | types.FunctionType):
        return (content.__qualname__, describe(getattr(content, "__code__", None)))
    return describe(content)


def _class(kind: type) -> Any:
    """Keras' classes by name; others by what their methods do, since each call of a function
    that defines a class defines another."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__.split(".")[0] in ("builtins", "keras", "tensorflow", "numpy", "kerasreg"):
        return name
    methods = [item for item in vars(kind).values() if isinstance(item, types.FunctionType)]
    return (name, tuple(map(_function, methods)), tuple(map(_class, kind.__bases__)))
