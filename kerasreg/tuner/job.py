"""What a trial's models are to a population: what they have to share with others, or why not."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import keras_tuner
from keras_tuner import errors
from keras_tuner.engine.trial import Trial

from kerasreg.errors import UserError
from kerasreg.objectives import Direction
from kerasreg.population.blueprint import blueprint_of_config
from kerasreg.population.general import lift_model, widen_model
from kerasreg.population.lifting import lift
from kerasreg.population.widths import widened
from kerasreg.stacks import StackConfig
from kerasreg.tuner.fit_arguments import FitArguments, FitRows, epochs_of
from kerasreg.tuner.objectives import (
    check_objective,
    curve_names,
    population_objective,
    stack_curve_names,
)
from kerasreg.tuner.rows_in_memory import CannotTrainTogether, check_targets
from kerasreg.tuner.tuned_widths import widths_of

Geometry = tuple[tuple[int, ...], int, str]


@dataclass(frozen=True)
class Curves:
    """By what names a population's curves are the user's.

    Attributes:
        names: Names in the user's logs and the curves they are, as sorted pairs, both without
            `val_`; None where they are the same.
        objective: The curve that decides.
        direction: Which way it is better; None for the metric's own.
    """

    names: tuple[tuple[str, str], ...] | None
    objective: str
    direction: Direction | None = None


@dataclass(frozen=True)
class Job:
    """What trials have to share to train as one population.

    Attributes:
        kind: `"config"` for `StackConfig`s, `"stack"` for Keras models that are stacks, or
            `"general"` for other models.
        structure: Of the models, with the widths that they are padded to.
        dtype: Of their weights.
        curves: Their names.
        arguments: Of `fit`.
        epochs: To train.
        initial_epoch: Number of the first one.
        widths: What layers are padded to; None for their own.
    """

    kind: str
    structure: Any
    dtype: str
    curves: Curves
    arguments: FitArguments
    epochs: int
    initial_epoch: int
    widths: tuple[int, ...] | None


def job_of(
    executions: list[keras.Model] | list[StackConfig],
    trial: Trial,
    objective: keras_tuner.Objective,
    arguments: FitArguments,
    geometry: Geometry | None,
    largest: int | None,
) -> Job:
    """What a trial's models, one an execution, have to share with others.

    Raises:
        CannotTrainTogether: It cannot be a member of a population; the message names why.
        UserError: `fit` would not log the objective.
        FailedTrialError: It has more than `largest` trainable parameters.
    """
    given = {**arguments.given, **epochs_of(trial)}
    first = given.get("initial_epoch") or 0
    epochs = given.get("epochs", 1) - first
    if epochs < 1:
        raise CannotTrainTogether(f"initial_epoch={first}, which leaves no epoch")
    found = [_read(built, objective, arguments, geometry) for built in executions]
    if any(other[0] != found[0][0] for other in found):
        raise CannotTrainTogether("a hypermodel that builds different models from equal values")
    (kind, structure, dtype, curves), size = found[0]
    if largest and size > largest:
        raise errors.FailedTrialError(f"Oversized model: {size} parameters. Skip model.")
    widths = widths_of(kind, executions[0], structure, trial.hyperparameters)
    if widths and kind == "stack":
        structure = widened(structure, widths)
    elif widths:
        structure = widen_model(lift_model(executions[0]), widths).structure
    return Job(kind, structure, dtype, curves, arguments, epochs, first, widths)


def _read(
    built: keras.Model | StackConfig,
    objective: keras_tuner.Objective,
    arguments: FitArguments,
    geometry: Geometry | None,
) -> tuple[tuple, int]:
    """`Job`'s first four attributes, and the count of trainable parameters."""
    rows = arguments.rows
    if isinstance(built, StackConfig):
        if geometry is None:
            rows.check_plain()
        if built.filters:
            raise CannotTrainTogether(
                "a StackConfig with filters; build_stack(config, input_shape, outputs) is a model "
                "that can"
            )
        shape, outputs, task = geometry
        blueprint = blueprint_of_config(built, math.prod(shape), outputs, task)
        size = sum(math.prod(p.shape) for p in blueprint.parameters() if p.trainable)
        _check_rows(rows, shape, None, blueprint.outputs, blueprint.loss)
        curves = _curves(stack_curve_names(blueprint.metric), objective)
        return ("config", blueprint, "float32", curves), size
    if not built.built:
        _build(built, rows)
    size = sum(math.prod(variable.shape) for variable in built.trainable_weights)
    try:
        return _read_stack(built, objective, rows), size
    except CannotTrainTogether:
        return _read_general(built, objective, arguments), size


def _read_stack(model: keras.Model, objective: keras_tuner.Objective, rows: FitRows) -> tuple:
    try:
        lifted = lift(model)
    except UserError as error:
        raise CannotTrainTogether(str(error).rstrip(".")) from None
    blueprint = lifted.blueprint
    _check_rows(rows, model.input_shape[1:], model, blueprint.outputs, blueprint.loss)
    weighted = any(part.weights is not None for part in (rows.train, rows.validation))
    names = curve_names(model, blueprint.loss, weighted)
    return "stack", blueprint, lifted.dtype, _curves(names, objective)


def _read_general(
    model: keras.Model, objective: keras_tuner.Objective, arguments: FitArguments
) -> tuple:
    check_objective(objective, model, arguments.given, more=("data_loss", "penalty"))
    arguments.rows.check_nesting()
    try:
        lifted = lift_model(model)
    except UserError as error:
        raise CannotTrainTogether(str(error).rstrip(".")) from None
    curves = Curves(None, objective.name, objective.direction)
    return "general", lifted.structure, keras.config.floatx(), curves


def _curves(names: dict[str, str], objective: keras_tuner.Objective) -> Curves:
    shown = tuple(sorted(names.items()))
    if hasattr(objective, "name_to_direction"):
        for name, way in objective.name_to_direction.items():
            population_objective(name, way, names)
        return Curves(shown, objective.name, objective.direction)
    return Curves(shown, population_objective(objective.name, objective.direction, names))


def _build(model: keras.Model, rows: FitRows) -> None:
    """Give a model its weights, as Keras does at its first batch."""
    try:
        if isinstance(model, keras.Sequential):
            # Called on rows, it would take their count for the size of every batch.
            model.build((None, *rows.train.x.shape[1:]))
        else:
            model(keras.tree.map_structure(lambda array: array[:1], rows.train.x))
    except Exception as error:
        raise CannotTrainTogether(f"a model that these rows do not build ({error})") from error


def _check_rows(
    rows: FitRows, shape: tuple, model: keras.Model | None, outputs: int, loss: str
) -> None:
    rows.check_plain()
    for part in (rows.train, rows.validation):
        if part.x.shape[1:] != shape:
            raise CannotTrainTogether(f"inputs of shape {part.x.shape} for rows of {shape}")
        if model is not None and part.x.dtype.kind == "f" and "int" in model.inputs[0].dtype:
            # Keras cuts their fractions off.
            raise CannotTrainTogether(f"{part.x.dtype} inputs for {model.inputs[0].dtype} ones")
        check_targets(part.y, outputs, loss, model)
