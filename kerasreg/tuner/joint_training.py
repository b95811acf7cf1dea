"""Trials of one structure, trained as one population and reported one by one."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import keras
import keras_tuner
from keras_tuner import errors
from keras_tuner.engine.trial import Trial

from kerasreg.errors import UserError
from kerasreg.population import MemberResult, Population
from kerasreg.population.blueprint import Blueprint, blueprint_of_config
from kerasreg.population.lifting import lift
from kerasreg.seeds import derive
from kerasreg.stacks import StackConfig
from kerasreg.tuner.curve_names import curve_names, population_objective, stack_curve_names
from kerasreg.tuner.fit_arguments import FitArguments, FitRows
from kerasreg.tuner.rows_in_memory import CannotTrainTogether
from kerasreg.tuner.targets import check_targets


@dataclass(frozen=True)
class Job:
    """What trials have to share to train as one population.

    Attributes:
        blueprint: Their structure.
        dtype: Of their weights.
        stack: Whether they are `StackConfig`s.
        names: Names in the user's logs and the curves they are, as sorted pairs.
        objective, monitor: By the population's names.
        epochs: To train.
        initial_epoch: Trained already, in the trial that this one goes on from.
    """

    blueprint: Blueprint
    dtype: str
    stack: bool
    names: tuple[tuple[str, str], ...]
    objective: str
    monitor: str
    epochs: int
    initial_epoch: int


@dataclass
class Prepared:
    """One trial and what its hypermodel returned, one for each execution."""

    trial: Trial
    built: list[keras.Model] | list[StackConfig]


def job_of(
    executions: list[keras.Model] | list[StackConfig],
    trial: Trial,
    objective: keras_tuner.Objective,
    arguments: FitArguments,
    geometry: tuple[tuple[int, ...], int, str],
    largest: int | None,
) -> Job:
    """What a trial's models, one an execution, have to share with others.

    Raises:
        CannotTrainTogether: It cannot be a member of a population; the message names why.
        FailedTrialError: It has more than `largest` trainable parameters.
    """
    read = [_read(built, arguments.rows, geometry) for built in executions]
    if any(one != read[0] for one in read):
        raise CannotTrainTogether("a hypermodel that builds different models from equal values")
    blueprint, names, dtype = read[0]
    parameters = blueprint.parameters()
    size = sum(p.shape[0] * p.shape[1] for p in parameters if p.trainable)
    if largest and size > largest:
        raise errors.FailedTrialError(f"Oversized model: {size} parameters. Skip model.")
    aim = population_objective(objective.name, objective.direction, names)
    monitor, mode = arguments.callbacks.monitor, arguments.callbacks.mode
    monitor = population_objective(monitor, mode, names, "EarlyStopping of") if monitor else aim
    first = trial.hyperparameters.values.get("tuner/initial_epoch") or 0
    epochs = (trial.hyperparameters.values.get("tuner/epochs") or arguments.epochs) - first
    return Job(
        blueprint=blueprint,
        dtype=dtype,
        stack=isinstance(executions[0], StackConfig),
        names=tuple(sorted(names.items())),
        objective=aim,
        monitor=monitor,
        epochs=epochs,
        initial_epoch=first,
    )


def _read(
    built: keras.Model | StackConfig, rows: FitRows, geometry: tuple[tuple[int, ...], int, str]
) -> tuple[Blueprint, dict[str, str], str]:
    """Structure, names of the curves and dtype of one execution; its rows are checked."""
    parts = (rows.train, rows.validation)
    if isinstance(built, StackConfig):
        shape, outputs, task = geometry
        blueprint = blueprint_of_config(built, math.prod(shape), outputs, task)
        names, dtype, model = stack_curve_names(blueprint.metric), "float32", None
    else:
        model = built
        if not model.built:
            model.build((None, *rows.train.x.shape[1:]))
        try:
            lifted = lift(model)
        except UserError as error:
            raise CannotTrainTogether(str(error).rstrip(".")) from None
        blueprint, dtype = lifted.blueprint, lifted.dtype
        weighted = any(part.weights is not None for part in parts)
        names = curve_names(model, blueprint.loss, weighted)
        shape = model.input_shape[1:]
    for part in parts:
        if part.x.shape[1:] != shape:
            raise CannotTrainTogether(f"inputs of shape {part.x.shape} for rows of {shape}")
        if model is not None and part.x.dtype.kind == "f" and "int" in model.inputs[0].dtype:
            # Keras cuts their fractions off.
            raise CannotTrainTogether(f"{part.x.dtype} inputs for {model.inputs[0].dtype} ones")
        check_targets(part.y, blueprint.outputs, blueprint.loss, model)
    return blueprint, names, dtype


def train_together(
    job: Job,
    prepared: list[Prepared],
    arguments: FitArguments,
    geometry: tuple[tuple[int, ...], int, str],
    seed: int,
    checkpoint: Callable[[str], str],
    report: Callable[[Prepared, Population, list[tuple[int, MemberResult]]], None],
) -> None:
    """Train the trials of one job; every execution is a member with another seed.

    Args:
        job, prepared: What the trials share, and the trials.
        arguments: Of `fit`.
        geometry: Input shape, outputs and task of a `StackConfig`.
        seed: Of the first execution; equal for all trials, so that they differ in settings only.
        checkpoint: File of a trial's weights, by its id.
        report: Called with each trial, the population and its members when it is through.
    """
    # Each member as the indices of its trial and of its execution.
    members = [(of, run) for of, item in enumerate(prepared) for run in range(len(item.built))]
    built = [prepared[of].built[run] for of, run in members]
    seeds = [execution_seed(seed, run, job.initial_epoch) for _, run in members]
    if job.stack:
        population = Population(built, *geometry, seeds=seeds)
    else:
        population = Population.from_models(built, seeds=seeds)
    for index, (of, _) in enumerate(members):
        earlier = prepared[of].trial.hyperparameters.values.get("tuner/trial_id")
        if earlier:
            population.load_weights(index, checkpoint(earlier))
    through: dict[int, list[tuple[int, MemberResult]]] = {}

    def collect(pairs: list[tuple[int, MemberResult]]) -> None:
        for index, result in pairs:
            of, _ = members[index]
            through.setdefault(of, []).append((index, result))
            if len(through[of]) == len(prepared[of].built):
                report(prepared[of], population, through[of])

    rows: FitRows = arguments.rows
    train, validation = (
        (part.x, check_targets(part.y, job.blueprint.outputs, job.blueprint.loss, None))
        for part in (rows.train, rows.validation)
    )
    population.fit(
        *train,
        validation_data=(*validation, rows.validation.weights),
        sample_weight=rows.train.weights,
        epochs=job.epochs,
        batch_size=rows.batch_size,
        objective=job.objective,
        patience=arguments.callbacks.patience,
        monitor=job.monitor,
        keep="best",
        watch=_watched(members, prepared, arguments),
        on_results=collect,
    )


def _watched(
    members: list[tuple[int, int]], prepared: list[Prepared], arguments: FitArguments
) -> dict[int, list[keras.callbacks.Callback]]:
    """Copies of the monitors for every member, each with another folder."""
    watched = {}
    for index, (of, run) in enumerate(members):
        monitors = copy.deepcopy(list(arguments.callbacks.monitors))
        for monitor in monitors:
            if monitor.log_dir is not None:
                monitor.log_dir = execution_folder(monitor.log_dir, prepared[of].trial, run)
        if monitors:
            watched[index] = monitors
    return watched


def execution_seed(seed: int, run: int, initial_epoch: int) -> int:
    """Seed of execution `run` of every trial; one that goes on from another trial has another."""
    return derive(seed + run, "go on", initial_epoch) if initial_epoch else seed + run


def execution_folder(log_dir: str, trial: Trial, run: int) -> str:
    """Where keras-tuner keeps an execution's events."""
    return os.path.join(str(log_dir), trial.trial_id, f"execution{run}")
