"""Which layers `where` chooses: by name, pattern, type or function."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import keras

from kerasreg.errors import UserError
from kerasreg.regularization.graph import Graph

#: From a graph and layers that stand for one another, whether one of them is chosen.
Chooser = Callable[..., bool]
Where = str | type | Callable[[keras.Layer], bool] | list | tuple | None


def chooser(where: Where, graphs: list[Graph]) -> Chooser:
    """A function that tells whether one of some layers of a graph is chosen.

    Args:
        where: A name or glob pattern (of `dense_1` or `backbone/dense_1`), a type of layers, a
            function from a layer to a bool, several of these, or None for every layer.
        graphs: The model's, to refuse what chooses nothing.

    Raises:
        UserError: `where` is none of these, or chooses no layer.
    """
    if where is None:
        return lambda graph, *layers: True
    wanted = list(where) if isinstance(where, list | tuple) else [where]
    for one in wanted:
        if not (isinstance(one, str | type) or callable(one)):
            raise UserError(
                f"where: expected a layer's name, a pattern, a type or a function, got {one!r}."
            )

    def chosen(graph: Graph, *layers: Any) -> bool:
        return any(_matches(one, graph, layer) for one in wanted for layer in layers)

    named = [graph.name(operation) for graph in graphs for operation in graph.operations]
    if not any(chosen(graph, one) for graph in graphs for one in graph.operations):
        raise UserError(
            f"where: expected a name, pattern, type or function that chooses a layer, got "
            f"{where!r}, which chooses none of {', '.join(named)}."
        )
    return chosen


def _matches(one: Any, graph: Graph, layer: Any) -> bool:
    if isinstance(one, str):
        return fnmatchcase(layer.name, one) or fnmatchcase(graph.name(layer), one)
    if isinstance(one, type):
        return isinstance(layer, one)
    return bool(one(layer))
