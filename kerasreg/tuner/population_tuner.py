"""A keras-tuner `Tuner` that trains many trials at once: the same search, much sooner."""

import gc
import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial

from kerasreg.errors import UserError
from kerasreg.search.engines.ray_cluster import RayCluster
from kerasreg.search.engines.ray_cluster.workers import workers_on
from kerasreg.search.oracles import RandomOracle
from kerasreg.tuner import project_folder
from kerasreg.tuner.cluster import Cluster
from kerasreg.tuner.fit_arguments import (
    FitArguments,
    SearchCall,
    bind_fit,
    epochs_of,
    read_callbacks,
    read_rows,
)
from kerasreg.tuner.recorded_fit import FitReader, record_fit
from kerasreg.tuner.round_tuner import RoundTuner
from kerasreg.tuner.rows_in_memory import CannotTrainTogether, stack_geometry

# What keras-tuner calls for a trial, an epoch or a batch and a population does not.
_NOT_CALLED = (
    *("run_trial", "on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end"),
    *("_build_and_fit_model", "_try_build", "_build_hypermodel", "_try_run_and_update_trial"),
    *("_deepcopy_callbacks", "_configure_tensorboard_dir", "_get_tensorboard_dir"),
)


class PopulationTuner(RoundTuner):
    """keras-tuner's search with the trials of one structure trained together.

    A keras-tuner user changes one import: `kerasreg.RandomSearch`, `BayesianOptimization`,
    `GridSearch` and `Hyperband` are this class with the oracle of that name. Trials may differ in
    dropout rates, L1 and L2 strength, learning rate, momentum, weight decay and other values and
    still train as one population; trials of different structure train as one population a
    structure. What a population cannot do is trained the plain way, with one warning that names it.

    Unlike in keras-tuner's classes, 0 is a seed; a trial with a loss or metric that was ever not
    finite has failed, without a retry where its seeds would repeat it, and never ends the search;
    a failed trial is warned of; an objective that nothing logs is refused before training; curves
    are kept (`executions`); training metrics are measured in inference mode at the end of the
    epoch; label smoothing counts in training only.

    An oracle that learns from results is asked ahead only for trials that train together.

    Args:
        hypermodel: A function or `HyperModel` of hyperparameters that returns a compiled Keras
            model, or a `StackConfig`; None for a subclass with a `run_trial` that needs none.
        objective: As in keras-tuner, e.g. `"val_loss"` or `"val_accuracy"`; also
            `keras_tuner.Objective("val_data_loss", "min")`, the loss without penalties.
        max_trials: Count of trials.
        seed: Of the searcher, the batch order and the masks. None is 0.
        hyperparameters, tune_new_entries, allow_new_entries: As in `keras_tuner.RandomSearch`.
        max_retries_per_trial, max_consecutive_failed_trials: As in `keras_tuner.RandomSearch`;
            trials in a row, not in the order in which they end.
        oracle: Any keras-tuner oracle instead of random search; `objective`, `max_trials` and
            the others above are then the oracle's.
        round_size: Most trials drawn together; 8 for oracles that learn from results, else 64.
        outputs: Outputs of a `StackConfig`; by default seen in the targets.
        task: `"classification"` or `"regression"` of a `StackConfig`; by default whole numbers
            and one-hot rows are classes, other targets values.
        tuner_id: Name of the tuner's file in the project folder.
        ray: Train the populations on a Ray cluster: which one, or its address (`"local"`: every
            core of this machine). It changes no result. What is trained the plain way, and what has
            callbacks that look at a trial's model (`ModelCheckpoint`, histograms, kerasreg's
            monitors), trains in this process.
        **kwargs: Arguments of `keras_tuner.Tuner`: `directory`, `project_name`, `overwrite`,
            `executions_per_trial`, `max_model_size`, `optimizer`, `loss`, `metrics`,
            `distribution_strategy`, `logger`.

    Raises:
        UserError: `round_size` is not positive, an objective stands beside an oracle, there is
            nothing to build or run, or the project folder is damaged or another search's.
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
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int | None = 3,
        *,
        oracle: keras_tuner.Oracle | None = None,
        round_size: int | None = None,
        outputs: int | None = None,
        task: str | None = None,
        tuner_id: str | None = None,
        ray: RayCluster | str | None = None,
        **kwargs: Any,
    ):
        if hypermodel is None and type(self).run_trial is PopulationTuner.run_trial:
            raise UserError(
                "hypermodel: expected a function or HyperModel that builds a model, or a subclass "
                "with a run_trial(). Received `hypermodel=None`."
            )
        if oracle is not None and not isinstance(oracle, keras_tuner.Oracle):
            raise UserError(
                f"oracle: Expected `oracle` argument to be an instance of `Oracle`, got {oracle!r}."
            )
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
                max_retries_per_trial=max_retries_per_trial,
                max_consecutive_failed_trials=max_consecutive_failed_trials,
            )
        if round_size is not None and round_size < 1:
            raise UserError(f"round_size: expected at least 1, got {round_size!r}.")
        self.ray = RayCluster(ray) if isinstance(ray, str) else ray
        self.outputs = outputs
        self.task = task
        seed = getattr(oracle, "seed", 0) if seed is None else seed
        super().__init__(
            oracle, hypermodel, int(seed or 0), tuner_id, round_size=round_size, **kwargs
        )

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Search; arguments are those of `keras.Model.fit`.

        Interrupted or ended by an exception, it keeps what has finished; the trials under way run
        again when `search` is called again, here or after the project was opened again.

        Raises:
            UserError: The objective is not among what `fit` logs, or there is no such cluster.
            RuntimeError: As many trials in a row as `max_consecutive_failed_trials` have failed by
                an exception.
        """
        if "KERASTUNER_ORACLE_IP" in os.environ:
            self._warn_plain("keras-tuner's chief and workers")
            super().search(*fit_args, **fit_kwargs)
            return
        if "verbose" in fit_kwargs:
            self.oracle.verbose = fit_kwargs["verbose"]
        read = FitReader(self._read)
        try:
            fit = self._fit_of_trials(read, fit_args, fit_kwargs)
        except CannotTrainTogether as reason:
            # Without a hypermodel there is nothing that a population could train.
            if self.hypermodel is not None:
                self._warn_plain(str(reason))
            fit = None
        # Before the first trial: a project that was killed in it is found again.
        self.save()
        self._earlier = set(self.oracle.end_order)
        call = SearchCall(fit_args, fit_kwargs, fit)
        workers = workers_on(self.ray, self._say) if self.ray and fit else nullcontext()
        try:
            with workers as found:
                self._cluster = Cluster(found, self._say) if found else None
                self.on_search_begin()
                while self._run_round(call):
                    if fit:  # the round's models are cycles, and many
                        gc.collect()
                self.on_search_end()
        finally:
            self._cluster = None
            project_folder.mend(self.oracle)
            self.save()

    def _say(self, text: str) -> None:
        self._warn(text, key=text)

    def _fit_of_trials(
        self, read: FitReader, args: tuple, kwargs: dict[str, Any]
    ) -> Callable[[Trial], FitArguments]:
        """What a population takes of the arguments of each trial's `fit`.

        Raises:
            CannotTrainTogether: Nothing, of no trial.
        """
        reason = self._needs_plain_way()
        if reason is None and self._fits_its_own_way():
            with suppress(CannotTrainTogether, TypeError):
                # For a StackConfig that is trained the plain way.
                self._read(bind_fit(args, kwargs))
            return lambda trial: read(
                record_fit(self.hypermodel, trial.hyperparameters, args, kwargs | epochs_of(trial))
            )
        try:
            arguments = read(bind_fit(args, kwargs))
        except (CannotTrainTogether, TypeError):
            if reason is None:
                raise
        if reason is not None:
            raise CannotTrainTogether(reason)
        return lambda trial: arguments

    def _read(self, given: dict[str, Any]) -> FitArguments:
        rows = read_rows(given)
        # Before anything is refused: a StackConfig is built from it the plain way too.
        with suppress(CannotTrainTogether):
            rows.check_plain()
            targets = [rows.train.y, rows.validation.y]
            self._geometry = stack_geometry(rows.train.x, targets, self.outputs, self.task)
        return FitArguments(rows, read_callbacks(given), given)

    def _needs_plain_way(self) -> str | None:
        """What the user replaced that a population does not call, if anything."""
        for name in _NOT_CALLED:
            if getattr(getattr(self, name), "__func__", None) is not getattr(PopulationTuner, name):
                return f"the tuner's {name}()"
        return None if self.distribution_strategy is None else "a distribution_strategy"
