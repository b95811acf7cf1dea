"""How a tuner draws, trains and reports one round of trials."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import keras_tuner
from keras_tuner import errors
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import GridSearchOracle, HyperbandOracle, RandomSearchOracle

from kerasreg.errors import UserError
from kerasreg.search.engines import WorkerLost
from kerasreg.search.engines.side_by_side import Tell, answered, directly, run_side_by_side
from kerasreg.search.oracles import GridOracle, RandomOracle, SeededOracle
from kerasreg.stacks import StackConfig
from kerasreg.tuner import project_folder
from kerasreg.tuner.boards import write_events
from kerasreg.tuner.cluster import Cluster
from kerasreg.tuner.display import announce, note_start, quiet, show_start
from kerasreg.tuner.fit_arguments import SearchCall, bind_fit
from kerasreg.tuner.job import Job, job_of
from kerasreg.tuner.joint_training import JointTraining, Prepared, Through, execution_folder
from kerasreg.tuner.objectives import check_objective
from kerasreg.tuner.plain_tuner import PlainTuner
from kerasreg.tuner.rows_in_memory import CannotTrainTogether
from kerasreg.tuner.trial_results import DIVERGED, best_execution

# Oracles that learn nothing from results, or say by themselves when they have to wait for one.
_POPULATE = (
    *(RandomSearchOracle.populate_space, GridSearchOracle.populate_space),
    HyperbandOracle.populate_space,
)
_PROPOSE = (RandomOracle._propose, GridOracle._propose)
# Trials of a round that share their structure with no other, before a learning oracle has to see
# results: one or two of them may still find others.
_MOST_ALONE = 3


def learns(oracle: keras_tuner.Oracle) -> bool:
    """Whether an oracle proposes by the results of earlier trials, as far as its class says."""
    kind = type(oracle)
    if kind.populate_space is SeededOracle.populate_space:
        return kind._propose not in _PROPOSE
    return kind.populate_space not in _POPULATE


@dataclass
class Round:
    """What was drawn.

    Attributes:
        jobs: Trials by what they share, each to be trained as one population.
        alone: Trials to be trained the plain way, one after the other.
        drawn: How many trials were drawn, failed ones included.
        failures: How many of them, the last ones, could not be built.
    """

    jobs: dict[Job, list[Prepared]] = field(default_factory=dict)
    alone: list[Trial] = field(default_factory=list)
    drawn: int = 0
    failures: int = 0

    def left(self, job: Job) -> list[Trial]:
        """The trials of a job that have not ended."""
        trials = [prepared.trial for prepared in self.jobs[job]]
        return [trial for trial in trials if trial.status == TrialStatus.RUNNING]

    def is_full(self, size: int, learning: bool) -> bool:
        """Whether another proposal would be made too early, or be one too many.

        A learning oracle is asked ahead only for what trains together. No oracle is where already
        the first trial of the round has to be trained alone.
        """
        if self.drawn >= size or (self.alone and (learning or self.drawn == 1)):
            return True
        singles = sum(len(prepared) == 1 for prepared in self.jobs.values())
        return learning and singles >= _MOST_ALONE


class RoundTuner(PlainTuner):
    """Trains what shares a structure together, and the rest of a round one by one.

    A round has at most `round_size` trials: by default 8 where the oracle learns from results,
    else 64.
    """

    def __init__(
        self, oracle: keras_tuner.Oracle, *args: Any, round_size: int | None, **kwargs: Any
    ):
        self._learns = learns(oracle)
        self.round_size = round_size or (8 if self._learns else 64)
        # Where populations train, for as long as a search goes on; None for this process.
        self._cluster: Cluster | None = None
        # Each execution has another copy, as in keras-tuner, until the round ends.
        self._heard: list = []
        super().__init__(oracle, *args, **kwargs)

    def _run_round(self, call: SearchCall) -> bool:
        """Draw and train one round; False if there was nothing to draw."""
        drawn = self._draw(call)
        self._train_round(drawn, call)
        self._heard.clear()
        return drawn.drawn > 0

    def _draw(self, call: SearchCall) -> Round:
        """Draw trials and build their models, until the round is full or the oracle waits."""
        drawn = Round()
        while not drawn.is_full(self.round_size, self._learns):
            if drawn.failures and drawn.failures == self.max_consecutive_failed_trials:
                break
            self.pre_create_trial()
            with quiet(self.oracle):
                trial = self.oracle.create_trial(f"{self.tuner_id}-{drawn.drawn}")
            if trial.status == TrialStatus.STOPPED:
                break
            if trial.status == TrialStatus.IDLE:
                if drawn.drawn:
                    break
                continue
            drawn.drawn += 1
            note_start(self.oracle, trial)
            self.on_trial_begin(trial)
            if call.fit is None:
                drawn.alone.append(trial)
            else:
                self._prepare(trial, call, drawn)
        return drawn

    def _prepare(self, trial: Trial, call: SearchCall, drawn: Round) -> None:
        """Build a trial's models and put it where it is trained; a trial that fails has ended."""
        try:
            built = [self._built(trial.hyperparameters) for _ in range(self.executions_per_trial)]
        except (errors.FatalError, UserError):
            raise
        except Exception as error:
            self._end_failed(trial, error, drawn)
            return
        objective = self.oracle.objective
        try:
            try:
                arguments = call.fit(trial)
            finally:
                # What the trial asked for is in the next proposals, as if it had ended.
                self.oracle.update_space(trial.hyperparameters)
            job = job_of(built, trial, objective, arguments, self._geometry, self.max_model_size)
        except errors.FailedTrialError as error:
            self._end_failed(trial, error, drawn)
        except CannotTrainTogether as reason:
            if not (isinstance(built[0], StackConfig) or self._fits_its_own_way()):
                check_objective(objective, built[0], bind_fit(call.args, call.kwargs))
            self._warn_plain(str(reason))
            drawn.alone.append(trial)
        else:
            drawn.failures = 0
            drawn.jobs.setdefault(job, []).append(Prepared(trial, built))

    def _end_failed(self, trial: Trial, error: Exception, drawn: Round) -> None:
        drawn.failures += 1
        self._fail(trial, error)
        with quiet(self.oracle):
            self.on_trial_end(trial)

    def _train_round(self, drawn: Round, call: SearchCall) -> None:
        if drawn.jobs and self.oracle.verbose:
            announce([len(prepared) for prepared in drawn.jobs.values()])
        begun = list(self._begun(drawn))
        # Keras' models are made and looked at in one thread only.
        apart = [one for one in begun if self._cluster is None and one.needs_models() is None]
        if len(apart) > 1:
            self._train_side_by_side(apart, drawn)
            begun = [one for one in begun if one not in apart]
        for training in begun:
            with self._or_alone(training.job, drawn):
                self._train(training)
        for trial in drawn.alone:
            show_start(self.oracle, trial)
            self._try_run_and_update_trial(trial, *call.args, **call.kwargs)
            self.on_trial_end(trial)
            self._check_failures()
        self._check_failures()

    def _train_side_by_side(self, trainings: Sequence[JointTraining], drawn: Round) -> None:
        def job(training: JointTraining) -> Callable[[Tell], None]:
            def train(tell: Tell) -> None:
                keras.config.set_dtype_policy(policy)  # Keras keeps one for each thread
                try:
                    self._train(training, answered(tell))
                except Exception as error:
                    tell(met, training, error)

            return train

        def met(training: JointTraining, error: Exception) -> None:
            with self._or_alone(training.job, drawn):
                raise error

        policy = keras.config.dtype_policy()
        run_side_by_side([job(one) for one in trainings])

    def _begun(self, drawn: Round) -> Iterator[JointTraining]:
        for job, prepared in drawn.jobs.items():
            begun = []
            with self._or_alone(job, drawn):
                checkpoint, objective = self._get_checkpoint_fname, self.oracle.objective
                begun = [
                    JointTraining(job, prepared, self._geometry, self.seed, checkpoint, objective)
                ]
            if self._cluster:
                for training in begun:
                    self._cluster.send(training)
            yield from begun

    @contextmanager
    def _or_alone(self, job: Job, drawn: Round) -> Iterator[None]:
        """Have the trials of a job trained the plain way if they cannot train together."""
        try:
            yield
        except WorkerLost as error:
            # In this process they might take it along.
            for trial in drawn.left(job):
                self._fail(trial, error)
                self._end(trial, trial.status, trial.message)
        except Exception as error:
            if isinstance(error, CannotTrainTogether):
                reason = str(error)
            elif job.kind == "general":
                # A model's code, or rows that it does not take: Keras says it as users know it.
                kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
                said = " ".join(str(error).split())[:300].rstrip(".")
                reason = f"what the population met: {kind}{said}"
            else:
                raise
            self._warn_plain(reason)
            drawn.alone += drawn.left(job)

    def _train(self, training: JointTraining, tell: Tell = directly) -> None:
        started = time.perf_counter()
        if self._cluster:
            self._cluster.collect(training, self._report)
        training.train(partial(tell, self._report), lambda report: tell(int))
        tell(self._say_trained, len(training.prepared), time.perf_counter() - started)

    def _say_trained(self, count: int, seconds: float) -> None:
        if self.oracle.verbose:
            best = [t for t in self.oracle.get_best_trials(1) if t.score is not None]
            score = f"; best {self.oracle.objective.name} {best[0].score:.4f}" if best else ""
            print(f"{count} trials in {seconds:.1f} s{score}")

    def _report(self, training: JointTraining, item: Prepared, members: list[Through]) -> None:
        """Tell the oracle one trial's result, as keras-tuner would, and keep its files."""
        job, population = training.job, training.population
        trial, objective = item.trial, self.oracle.objective
        for _, _, execution in members:
            execution.finish()
            self._heard.append(execution)
        histories = [execution.history for _, _, execution in members]
        runs = [(result.seed, result.status, result.seconds) for _, result, _ in members]
        self._keep(trial, histories, runs)
        for board in job.arguments.callbacks.boards:
            for run, (history, about) in enumerate(zip(histories, runs, strict=True)):
                folder = execution_folder(board.log_dir, trial, run)
                write_events(folder, history, trial, objective, *about[1:])
        if any(result.status == "diverged" for _, result, _ in members):
            self._end(trial, TrialStatus.FAILED, DIVERGED)
            return
        if job.kind != "config":
            config = item.built[0].get_build_config()
            project_folder.write_json(self._get_build_config_fname(trial.trial_id), config)
        index = members[best_execution(histories, objective)][0]
        population.save_weights(index, self._get_checkpoint_fname(trial.trial_id))
        self._tell(trial, histories)
        self._end(trial, TrialStatus.COMPLETED, None)

    def _end(self, trial: Trial, status: str, message: str | None) -> None:
        trial.status, trial.message = status, message
        with quiet(self.oracle):
            self.on_trial_end(trial)

    def _warn_plain(self, reason: str) -> None:
        # Keras appends a number to a layer's name for every model that is built.
        self._warn(
            f"Trained the plain way, one trial after the other, because of {reason}.",
            key=re.sub(r"_[0-9]+'", "'", reason),
        )
