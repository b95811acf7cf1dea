"""Trials of one structure, trained as one population and reported one by one."""

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial

from kerasreg.population import EpochReport, MemberResult, Population
from kerasreg.population.general import copy_of, inner_optimizer
from kerasreg.population.plan import TrainingPlan
from kerasreg.seeds import derive
from kerasreg.stacks import StackConfig
from kerasreg.tuner.boards import WeightHistograms
from kerasreg.tuner.callbacks import made_ready
from kerasreg.tuner.execution import Execution
from kerasreg.tuner.fit_arguments import FitArguments
from kerasreg.tuner.job import Geometry, Job
from kerasreg.tuner.rows_in_memory import Columns, check_targets


@dataclass
class Prepared:
    """One trial and what its hypermodel returned, one for each execution."""

    trial: Trial
    built: list[keras.Model] | list[StackConfig]


#: A member that is through: its index, its result, its logs and callbacks.
Through = tuple[int, MemberResult, Execution]
#: Called with the training, each trial and its members when these are through.
Report = Callable[["JointTraining", Prepared, list[Through]], None]


class JointTraining:
    """The trials of one job as one population; every execution is a member with another seed.

    Args:
        job, prepared, geometry, objective: As in the tuner.
        seed: Of the first execution; equal for all trials, so that they differ in settings only.
        checkpoint: File of a trial's weights, by its id.

    Attributes:
        members: The indices of its trial and of its execution of each.
        executions: Of each member, by its index.
        folds, plan: As `Population.train` takes them.
    """

    def __init__(
        self,
        job: Job,
        prepared: list[Prepared],
        geometry: Geometry | None,
        seed: int,
        checkpoint: Callable[[str], str],
        objective: keras_tuner.Objective,
    ):
        self.job, self.prepared = job, prepared
        self.members = [
            (of, run) for of, item in enumerate(prepared) for run in range(len(item.built))
        ]
        built = [prepared[of].built[run] for of, run in self.members]
        seeds = [execution_seed(seed, run, job.initial_epoch) for _, run in self.members]
        if job.kind == "config":
            population = Population(built, *geometry, seeds=seeds)
        else:
            general = job.kind == "general"
            population = Population.from_models(
                built, seeds=seeds, general=general, widths=job.widths
            )
        for index, (of, _) in enumerate(self.members):
            earlier = prepared[of].trial.hyperparameters.values.get("tuner/trial_id")
            if earlier:
                population.load_weights(index, checkpoint(earlier))
        self.population = population
        self.executions = _executions(self.members, prepared, population, job, objective)
        self._through: dict[int, list[Through]] = {}
        rows, curves = job.arguments.rows, job.curves
        train = _fold(rows.train, job)
        # A population measures two parts of the rows; without a second one it is the first.
        self.folds = [(train, train if rows.validation is None else _fold(rows.validation, job))]
        self.plan = TrainingPlan(
            epochs=job.epochs,
            batch_size=rows.batch_size,
            objective=curves.objective,
            keep="best",
            shuffle=rows.shuffle,
            steps_per_epoch=rows.steps_per_epoch,
            direction=curves.direction,
        )

    def needs_models(self) -> str | None:
        """The callback that looks at members' models while these train, if there is one."""
        callbacks = self.job.arguments.callbacks
        kinds = [one for one in callbacks.told if isinstance(one, keras.callbacks.ModelCheckpoint)]
        kinds += [*callbacks.monitors, *(one for one in callbacks.boards if one.histogram_freq)]
        return type(kinds[0]).__name__ if kinds else None

    def train(self, report: Report, on_epoch: Callable[[EpochReport], None]) -> None:
        """Train in this process what is not through yet; `on_epoch` as in `Population.train`."""
        left = [k for k, (of, _) in enumerate(self.members) if of not in self._through]
        if not left:
            return
        self.population.train(
            self.folds,
            self.plan,
            only=left,
            watch=_watched(self.members, self.prepared, self.job.arguments),
            follow=self.executions,
            on_epoch=on_epoch,
            on_results=partial(self.collect, report),
        )

    def collect(self, report: Report, pairs: list[tuple[int, MemberResult]]) -> None:
        """Take results in, by member; all members of a trial come together or one by one."""
        for index, result in pairs:
            of, _ = self.members[index]
            through = self._through.setdefault(of, [])
            through.append((index, result, self.executions[index]))
            if len(through) == len(self.prepared[of].built):
                report(self, self.prepared[of], through)


def _fold(part: Columns, job: Job) -> tuple:
    y = part.y
    if job.kind != "general":
        y = check_targets(y, job.structure.outputs, job.structure.loss, None)
    return part.x, y, part.weights


def _executions(
    members: list[tuple[int, int]],
    prepared: list[Prepared],
    population: Population,
    job: Job,
    objective: keras_tuner.Objective,
) -> dict[int, Execution]:
    arguments = job.arguments
    told = list(arguments.callbacks.told)
    if told:
        of, run = members[0]
        built = prepared[of].built[run]
        model = built if isinstance(built, keras.Model) else population.member(0)
        told = made_ready(told, model, arguments.rows.train)
    validated = arguments.rows.validation is not None
    executions = {}
    for index, (of, run) in enumerate(members):
        built = prepared[of].built[run]
        rate = (built if isinstance(built, StackConfig) else built.optimizer).learning_rate
        save = partial(_save, population, index, built)
        executions[index] = Execution(
            told, job.curves.names, validated, job.initial_epoch, float(rate), save, objective
        )
    return executions


def _save(
    population: Population,
    index: int,
    built: keras.Model | StackConfig,
    method: str,
    file: str,
    weights: list[np.ndarray],
    rate: float,
) -> None:
    """Write a member as an ordinary model, with an optimizer that has not taken a step."""
    path = population.path
    model = built if isinstance(built, keras.Model) else path.build(population.members[index])
    path.write(weights, model)
    # The user's optimizer stays unbuilt: the trial's own weights are saved without its variables.
    own, model.optimizer = model.optimizer, copy_of(model.optimizer)
    try:
        if isinstance(inner_optimizer(model)._learning_rate, keras.Variable):
            model.optimizer.learning_rate = rate
        if method == "save":
            model.optimizer.build(model.trainable_variables)
        getattr(model, method)(file, overwrite=True)
    finally:
        model.optimizer = own


def _watched(
    members: list[tuple[int, int]], prepared: list[Prepared], arguments: FitArguments
) -> dict[int, list[keras.callbacks.Callback]]:
    """Copies of what needs a member's model, each with another folder."""
    watched = {}
    boards = [board for board in arguments.callbacks.boards if board.histogram_freq]
    for index, (of, run) in enumerate(members):
        monitors, own = copy.deepcopy((list(arguments.callbacks.monitors), boards))
        for one in (*monitors, *own):
            if one.log_dir is not None:
                one.log_dir = execution_folder(one.log_dir, prepared[of].trial, run)
        if monitors or own:
            watched[index] = [*monitors, *map(WeightHistograms, own)]
    return watched


def execution_seed(seed: int, run: int, initial_epoch: int) -> int:
    """Seed of execution `run` of every trial; one that goes on from another trial has another."""
    return derive(seed + run, "go on", initial_epoch) if initial_epoch else seed + run


def execution_folder(log_dir: str, trial: Trial, run: int) -> str:
    """Where keras-tuner keeps an execution's events."""
    return os.path.join(str(log_dir), trial.trial_id, f"execution{run}")
