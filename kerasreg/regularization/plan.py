"""The plan: what is done to which layer of a model, what is left alone, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from kerasreg.errors import UserError
from kerasreg.layers import kind_of
from kerasreg.regularization.choosing import Where, chooser
from kerasreg.regularization.compiling import compile_regularized, smoothed
from kerasreg.regularization.dropping import place_dropout
from kerasreg.regularization.edits import Edits
from kerasreg.regularization.graph import KERNELS, graphs_of, has_graph, has_kernel
from kerasreg.regularization.normalizing import normalize
from kerasreg.regularization.penalizing import penalize
from kerasreg.regularization.rebuilding import rebuild
from kerasreg.regularization.regularizers import Regularizers


@dataclass(frozen=True)
class Row:
    """One layer of a plan.

    Attributes:
        layer: Its name, after those of the models that it is nested in.
        kind: Its class.
        done: Regulariser -> what is done.
        left: Regulariser -> why nothing is done.
    """

    layer: str
    kind: str
    done: Mapping[str, str]
    left: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """What `regularize` does to a model; printed, a table.

    Attributes:
        model: The model, which is never changed.
        asked: The regularisers.
        rows: One a layer that is changed, or could have been.
    """

    model: keras.Model
    asked: Regularizers
    rows: tuple[Row, ...]
    edits: Edits
    decayed: tuple[Any, ...]

    def build(self) -> keras.Model:
        """A new compiled model with the weights of the old one."""
        result, kernels = self.rebuilt()
        compile_regularized(result, self.model, self.asked, kernels)
        return result

    def rebuilt(self) -> tuple[keras.Model, list[keras.Variable]]:
        """The same uncompiled, and the kernels that weight decay is for."""
        result, copies = rebuild(self.model, self.edits)
        return result, [v for layer in self.decayed for v in _kernels(copies[layer])]

    def __str__(self) -> str:
        table = [("layer", "type", "done", "left alone")]
        table += [
            (row.layer, row.kind, "; ".join(row.done.values()), _text(row.left))
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, cells, widths)).rstrip() for cells in table]
        return "\n".join(lines)


def plan_regularization(
    model: keras.Model, asked: Regularizers, where: Where = None, seed: int = 0
) -> Plan:
    """Decide what is done to which layer.

    Args:
        model: A built and compiled Sequential or functional model.
        asked: The regularisers.
        where: Which layers, see `choosing.chooser`; inputs, and the loss, are always chosen.
        seed: Of the new dropout layers' draws.

    Raises:
        UserError: A model that cannot be changed, or a regulariser that no layer of it takes.
    """
    _check(model)
    if not asked.names:
        raise UserError(
            "regularize: expected at least one regulariser, such as dropout=0.3, got none."
        )
    plan = make_plan(model, asked, where, seed)
    if asked.label_smoothing is not None:
        smoothed(model.loss, asked.label_smoothing)  # refuses losses that it does not fit
    _check_effect(plan)
    return plan


def make_plan(
    model: keras.Model,
    asked: Regularizers,
    where: Where = None,
    seed: int = 0,
    zeros: bool = False,
) -> Plan:
    """A plan of any model that has a graph; what has no effect is left out.

    Args:
        model, asked, where, seed: As in `plan_regularization`.
        zeros: Put in dropout layers whose rate is 0, too: models that differ in rates are then of
            one structure.
    """
    edits, graphs = Edits(), list(graphs_of(model))
    chosen, decayed = chooser(where, graphs), []
    for graph in graphs:
        normalize(graph, asked, chosen, edits)
        place_dropout(graph, asked, chosen, edits, seed, zeros)
        penalize(graph, asked, chosen, edits)
        decayed += [
            layer
            for layer in graph.operations
            if has_kernel(layer) and layer.trainable and chosen(graph, layer)
        ]
    names = {operation: graph.name(operation) for graph in graphs for operation in graph.operations}
    rows = [
        Row(names[layer], type(layer).__name__, _of(edits.done, layer), _of(edits.left, layer))
        for layer in names
    ]
    rows = [row for row in rows if row.done or row.left]
    rows += _training_rows(asked, len(decayed))
    return Plan(model, asked, tuple(rows), edits, tuple(decayed))


def regularize(
    model: keras.Model,
    *,
    dropout: float | None = None,
    spatial_dropout: float | None = None,
    input_dropout: float | None = None,
    l1: float | None = None,
    l2: float | None = None,
    max_norm: float | None = None,
    weight_decay: float | None = None,
    label_smoothing: float | None = None,
    normalization: str | None = None,
    where: Where = None,
    seed: int = 0,
) -> keras.Model:
    """A new compiled model with these regularisers in force and the weights of `model`.

    Keras reads a layer's regularisers when it builds the layer and ignores what is assigned later;
    the new model is built with them. It is of Keras' own classes where `model` is, and predicts
    what `model` predicts, unless `normalization` is asked for. `plan_regularization` says what is
    done to which layer.

    Args:
        model: A built and compiled Sequential or functional model; it stays as it is.
        dropout, spatial_dropout, input_dropout, l1, l2, max_norm, weight_decay, label_smoothing,
            normalization: See `Regularizers`; None leaves what the model has.
        where: Layers to change: a name, a glob pattern, a type, a function, or several of them.
        seed: Of the new dropout layers' draws.

    Raises:
        UserError: A model that cannot be changed, a value out of range, or a regulariser that no
            layer of the model takes.
    """
    asked = Regularizers(
        dropout,
        spatial_dropout,
        input_dropout,
        l1,
        l2,
        max_norm,
        weight_decay,
        label_smoothing,
        normalization,
    )
    return plan_regularization(model, asked, where, seed).build()


def _training_rows(asked: Regularizers, decayed: int) -> Iterator[Row]:
    """What is done to the optimiser and to the loss."""
    if asked.weight_decay and decayed:
        said = f"weight decay {asked.weight_decay:.3g} of {decayed} layers' kernels"
        yield Row("", "optimizer", {"weight_decay": said}, {})
    if asked.label_smoothing:
        said = f"labels smoothed by {asked.label_smoothing:.3g}"
        yield Row("", "loss", {"label_smoothing": said}, {})


def _check(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise UserError(f"model: expected a keras.Model, got {type(model).__name__}.")
    if kind_of(model) is None:
        raise UserError(
            f"model {model.name!r}: expected a Sequential or functional model, whose layers can be "
            f"seen, got the class {type(model).__name__}."
        )
    if not has_graph(model):
        raise UserError(
            f"model {model.name!r}: expected a built model; begin it with keras.Input(shape)."
        )
    if not model.compiled:
        raise UserError(
            f"model {model.name!r}: expected a compiled model; call for example "
            "model.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy']) first."
        )


def _check_effect(plan: Plan) -> None:
    done = {name for row in plan.rows for name in row.done}
    for name in plan.asked.names:
        if name in done or getattr(plan.asked, name) in (0, "none"):
            continue
        reasons = [f"{row.layer}: {row.left[name]}" for row in plan.rows if name in row.left]
        because = f" ({'; '.join(reasons)})" if reasons else ""
        raise UserError(
            f"{name}: expected a model with a layer that takes it, but {plan.model.name!r} has "
            f"none{because}; leave {name} out."
        )


def _kernels(layer: keras.Layer) -> list[keras.Variable]:
    return [v for v in layer.trainable_variables if v.name.removesuffix("_kernel") in KERNELS]


def _of(said: list[tuple[Any, str, str]], layer: Any) -> dict[str, str]:
    return {name: text for one, name, text in said if one is layer}


def _text(said: Mapping[str, str]) -> str:
    """Each sentence once, after the regularisers that it is said of."""
    names: dict[str, list[str]] = {}
    for name, text in said.items():
        names.setdefault(text, []).append(name)
    return "; ".join(f"{', '.join(own)}: {text}" for text, own in names.items())
