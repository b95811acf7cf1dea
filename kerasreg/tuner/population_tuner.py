"""A keras-tuner `Tuner` that trains many trials at once: the same search, much sooner."""

from __future__ import annotations

import gc
import os
import time
import warnings
from typing import Any

import keras_tuner
from keras_tuner import errors
from keras_tuner.engine.trial import Trial, TrialStatus

from kerasreg.errors import UserError
from kerasreg.search.oracles import RandomOracle
from kerasreg.tuner import project_folder
from kerasreg.tuner.fit_arguments import FitArguments, bind_fit, read_callbacks, read_rows
from kerasreg.tuner.joint_training import Job, Prepared, execution_folder, job_of, train_together
from kerasreg.tuner.plain_tuner import PlainTuner
from kerasreg.tuner.rows_in_memory import CannotTrainTogether
from kerasreg.tuner.targets import stack_geometry
from kerasreg.tuner.trial_results import (
    DIVERGED,
    announce,
    as_history,
    best_execution,
    write_events,
)

# What keras-tuner calls for a trial, an epoch or a batch and a population does not.
_NOT_CALLED = (
    *("run_trial", "on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end"),
    *("_build_and_fit_model", "_try_build", "_build_hypermodel", "_try_run_and_update_trial"),
    *("_deepcopy_callbacks", "_configure_tensorboard_dir", "_get_tensorboard_dir"),
)


class PopulationTuner(PlainTuner):
    """keras-tuner's search with the trials of one structure trained together.

    A keras-tuner user changes one line: `keras_tuner.RandomSearch(...)` becomes
    `kerasreg.PopulationTuner(...)`. Trials may differ in dropout rates, L1 and L2 strength,
    learning rate, momentum, weight decay and other values and still train as one population;
    trials of different structure (widths, layers, optimiser) train as one population a structure.
    What a population cannot do is trained the plain way, with one warning that names it.

    Unlike in keras-tuner's classes, 0 is a seed; a trial with a loss or metric that was ever not
    finite has failed, and failures do not end the search; an exception in the hypermodel other than
    `FailedTrialError` is the user's to see; curves are kept (`executions`); training metrics are
    measured in inference mode at the end of the epoch; label smoothing counts in training only.

    Args:
        hypermodel: A function or `HyperModel` of hyperparameters that returns a compiled Keras
            model, or a `StackConfig`.
        objective: As in keras-tuner, e.g. `"val_loss"` or `"val_accuracy"`; also
            `keras_tuner.Objective("val_data_loss", "min")`, the loss without penalties.
        max_trials: Count of trials.
        seed: Of the searcher, the batch order and the masks. None is 0.
        hyperparameters, tune_new_entries, allow_new_entries: As in `keras_tuner.RandomSearch`.
        oracle: Any keras-tuner oracle instead of random search; `objective`, `max_trials` and
            the others above are then the oracle's.
        round_size: Trials drawn together; 8 for Bayesian oracles, which learn in between, else 64.
        outputs: Outputs of a `StackConfig`; by default seen in the targets.
        task: `"classification"` or `"regression"` of a `StackConfig`; by default whole numbers
            and one-hot rows are classes, other targets values.
        tuner_id: Name of the tuner's file in the project folder.
        **kwargs: Arguments of `keras_tuner.Tuner`: `directory`, `project_name`, `overwrite`,
            `executions_per_trial`, `max_model_size`, ...

    Raises:
        UserError: `round_size` is not positive, an objective stands beside an oracle, or the
            project folder holds a damaged file.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int = 10,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        *,
        oracle: keras_tuner.Oracle | None = None,
        round_size: int | None = None,
        outputs: int | None = None,
        task: str | None = None,
        tuner_id: str | None = None,
        **kwargs: Any,
    ):
        if oracle is not None and objective is not None:
            raise UserError("objective: expected it in the oracle, which was given; leave one out.")
        if oracle is None:
            oracle = RandomOracle(
                objective=objective,
                max_trials=max_trials,
                seed=seed or 0,
                hyperparameters=hyperparameters,
                tune_new_entries=tune_new_entries,
                allow_new_entries=allow_new_entries,
            )
        if round_size is not None and round_size < 1:
            raise UserError(f"round_size: expected at least 1, got {round_size!r}.")
        self.round_size = round_size or (8 if "Bayesian" in type(oracle).__name__ else 64)
        self.outputs = outputs
        self.task = task
        self._warned: set[str] = set()
        seed = getattr(oracle, "seed", 0) if seed is None else seed
        super().__init__(oracle, hypermodel, int(seed or 0), tuner_id, **kwargs)

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Search; arguments are those of `keras.Model.fit`.

        Interrupted or ended by an exception, it keeps what has finished; the trials under way run
        again when `search` is called again, here or after the project was opened again.
        """
        if "KERASTUNER_ORACLE_IP" in os.environ:
            self._warn("keras-tuner's chief and workers")
            super().search(*fit_args, **fit_kwargs)
            return
        try:
            arguments = self._read(fit_args, fit_kwargs)
        except CannotTrainTogether as reason:
            self._warn(str(reason))
            arguments = None
        # Before the first trial: a project that was killed in it is found again.
        self.save()
        try:
            if arguments is None:
                super().search(*fit_args, **fit_kwargs)
            else:
                self._search_together(arguments, fit_args, fit_kwargs)
        finally:
            project_folder.mend(self.oracle)
            self.save()

    def _read(self, fit_args: tuple, fit_kwargs: dict[str, Any]) -> FitArguments:
        reason = self._needs_plain_way()
        try:
            given = bind_fit(fit_args, fit_kwargs)
            rows = read_rows(given)
        except (CannotTrainTogether, TypeError):
            if reason is None:
                raise
            raise CannotTrainTogether(reason) from None
        # Before anything is refused: a StackConfig is built from it the plain way too.
        targets = [rows.train.y, rows.validation.y]
        self._geometry = stack_geometry(rows.train.x, targets, self.outputs, self.task)
        if reason is not None:
            raise CannotTrainTogether(reason)
        return FitArguments(rows, read_callbacks(given), given.get("epochs", 1))

    def _needs_plain_way(self) -> str | None:
        """What the user replaced that a population does not call, if anything."""
        if type(self.hypermodel).fit is not keras_tuner.HyperModel.fit:
            return "the hypermodel's fit()"
        for name in _NOT_CALLED:
            if getattr(getattr(self, name), "__func__", None) is not getattr(PopulationTuner, name):
                return f"the tuner's {name}()"
        return None if self.distribution_strategy is None else "a distribution_strategy"

    def _search_together(self, arguments: FitArguments, fit_args, fit_kwargs) -> None:
        verbose = fit_kwargs.get("verbose", "auto") != 0
        self.on_search_begin()
        # keras-tuner prints a table a trial; a round gets two lines.
        before, self.oracle.verbose = self.oracle.verbose, 0
        try:
            while trials := self._draw():
                self._train_round(trials, arguments, verbose, fit_args, fit_kwargs)
                # Keras' models are cycles, and a round has many.
                gc.collect()
        finally:
            self.oracle.verbose = before
        self.on_search_end()

    def _train_round(self, trials, arguments, verbose: bool, fit_args, fit_kwargs) -> None:
        jobs, plain = self._prepare(trials, arguments)
        if verbose and jobs:
            announce([len(p) for p in jobs.values()], arguments, self.executions_per_trial)
        for job, prepared in jobs.items():
            self._train(job, prepared, arguments, verbose)
        for trial in plain:
            self._try_run_and_update_trial(trial, *fit_args, **fit_kwargs)
            self.on_trial_end(trial)

    def _draw(self) -> list[Trial]:
        """Trials until the round is full, or the oracle has none before it sees results."""
        trials: list[Trial] = []
        while len(trials) < self.round_size:
            self.pre_create_trial()
            trial = self.oracle.create_trial(f"{self.tuner_id}-{len(trials)}")
            if trial.status in (TrialStatus.STOPPED, TrialStatus.IDLE):
                break
            trials.append(trial)
        return trials

    def _prepare(
        self, trials: list[Trial], arguments: FitArguments
    ) -> tuple[dict[Job, list[Prepared]], list[Trial]]:
        """Build every trial's models; trials by what they share, and those for the plain way."""
        jobs: dict[Job, list[Prepared]] = {}
        plain: list[Trial] = []
        for trial in trials:
            self.on_trial_begin(trial)
            try:
                built = [
                    self._built(trial.hyperparameters) for _ in range(self.executions_per_trial)
                ]
                job = job_of(
                    built,
                    trial,
                    self.oracle.objective,
                    arguments,
                    self._geometry,
                    self.max_model_size,
                )
            except errors.FailedTrialError as error:
                self._end(trial, TrialStatus.FAILED, str(error))
            except CannotTrainTogether as reason:
                self._warn(str(reason))
                plain.append(trial)
            else:
                jobs.setdefault(job, []).append(Prepared(trial, built))
        return jobs, plain

    def _train(self, job: Job, prepared: list[Prepared], arguments, verbose: bool) -> None:
        started = time.perf_counter()
        train_together(
            job,
            prepared,
            arguments,
            self._geometry,
            self.seed,
            self._get_checkpoint_fname,
            lambda *through: self._report(job, arguments, *through),
        )
        if verbose:
            best = [t for t in self.oracle.get_best_trials(1) if t.score is not None]
            score = f"; best {self.oracle.objective.name} {best[0].score:.4f}" if best else ""
            print(f"{len(prepared)} trials in {time.perf_counter() - started:.1f} s{score}")

    def _report(self, job: Job, arguments: FitArguments, item: Prepared, population, members):
        """Tell the oracle one trial's result, as keras-tuner would, and keep its files."""
        trial, objective = item.trial, self.oracle.objective
        histories = [as_history(result, dict(job.names)) for _, result in members]
        runs = [(result.seed, result.status, result.seconds) for _, result in members]
        self._keep(trial, histories, runs)
        for board in arguments.callbacks.boards:
            for run, (history, about) in enumerate(zip(histories, runs, strict=True)):
                folder = execution_folder(board.log_dir, trial, run)
                write_events(folder, history.history, trial, objective, *about[1:])
        if any(result.status == "diverged" for _, result in members):
            self._end(trial, TrialStatus.INVALID, DIVERGED)
            return
        if not job.stack:
            config = item.built[0].get_build_config()
            project_folder.write_json(self._get_build_config_fname(trial.trial_id), config)
        index = members[best_execution(histories, objective)][0]
        population.save_weights(index, self._get_checkpoint_fname(trial.trial_id))
        self._tell(trial, histories)
        self._end(trial, TrialStatus.COMPLETED, None)

    def _warn(self, reason: str) -> None:
        if reason not in self._warned:
            self._warned.add(reason)
            warnings.warn(
                f"Trained the plain way, one trial after the other, because of {reason}.",
                stacklevel=3,
            )
