"""keras-tuner's `Tuner` with its measured defects mended: what trains a trial the plain way."""

import time
import traceback
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import keras
import keras_tuner
from keras_tuner import errors
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.engine.tuner import maybe_distribute
from keras_tuner.src.engine import tuner_utils

from kerasreg.errors import UserError
from kerasreg.stacks import StackConfig, build_stack
from kerasreg.tuner.fit_arguments import bind_fit, epochs_of
from kerasreg.tuner.joint_training import execution_seed
from kerasreg.tuner.objectives import check_objective, refuse_unlogged
from kerasreg.tuner.project_tuner import ProjectTuner
from kerasreg.tuner.trial_results import DIVERGED, all_finite


class PlainTuner(ProjectTuner):
    """Trains trials one by one as keras-tuner does, with these differences.

    Hypermodels may return a `StackConfig`. A trial with a loss or metric that was ever not finite
    has failed, which never ends the search. An exception makes a failed trial, as in keras-tuner,
    and a warning. An objective that `fit` does not log is refused before it trains. Curves are
    kept. Hyperband's oracle works without keras-tuner's class `Hyperband`.
    """

    def __init__(self, oracle: keras_tuner.Oracle, *args: Any, **kwargs: Any):
        # Of the executions of the trial under way; None for a model that the user builds.
        self._seeds: list[int | None] = []
        # Arguments of the `fit` that the model under construction is for.
        self._fit_given: Mapping[str, Any] | None = None
        self._warned: set[str] = set()
        # Trials that had ended before the search began.
        self._earlier: set[str] = set()
        super().__init__(oracle, *args, **kwargs)
        # keras-tuner counts diverged trials too, and in the order in which trials end.
        self.max_consecutive_failed_trials = oracle.max_consecutive_failed_trials
        oracle.max_consecutive_failed_trials = None

    def run_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> Any:
        """Train one trial the plain way, as keras-tuner does."""
        self._seeds = []
        fit_kwargs |= epochs_of(trial)
        return super().run_trial(trial, *fit_args, **fit_kwargs)

    def _build_and_fit_model(self, trial: Trial, *args: Any, **kwargs: Any) -> Any:
        self._seeds.append(None)
        if not self._fits_its_own_way():
            # keras-tuner's callbacks add nothing to the logs.
            given = {**kwargs, "callbacks": kwargs.get("callbacks", [])[:-2]}
            # A model's class may have a `fit` with other arguments.
            with suppress(TypeError):
                self._fit_given = bind_fit(args, given)
        try:
            return super()._build_and_fit_model(trial, *args, **kwargs)
        finally:
            self._fit_given = None

    def _fits_its_own_way(self) -> bool:
        return type(self.hypermodel).fit is not keras_tuner.HyperModel.fit

    def _try_build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        model = super()._try_build(hp)
        if self._fit_given is not None:
            check_objective(self.oracle.objective, model, self._fit_given)
        return model

    def _try_run_and_update_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> None:
        """keras-tuner's, but a diverged trial is none to average, and failures are heard."""
        started = time.perf_counter()
        try:
            results = self.run_trial(trial, *fit_args, **fit_kwargs)
            told = self.oracle.get_trial(trial.trial_id).metrics
            if told.exists(self.oracle.objective.name):
                warnings.warn(
                    "run_trial() told the oracle itself, which keras-tuner deprecates. Please "
                    "remove the call and return the metrics.",
                    DeprecationWarning,
                    stacklevel=2,
                )
                history = told.get_history(self.oracle.objective.name)
                finite = all_finite([o.value for o in history])
            else:
                finite = self._keep_results(trial, results, time.perf_counter() - started)
                if finite:
                    self._tell(trial, results)
        except (errors.FatalError, UserError):
            raise
        except Exception as error:
            self._fail(trial, error)
            return
        trial.status = TrialStatus.COMPLETED if finite else TrialStatus.INVALID
        trial.message = None if finite else DIVERGED

    def _keep_results(self, trial: Trial, results: Any, seconds: float) -> bool:
        """Write the curves, if there are any; whether everything is finite."""
        histories = results if isinstance(results, list) else [results]
        finite = [all_finite(history) for history in histories]
        if all(isinstance(history, keras.callbacks.History) for history in histories):
            status = ["completed" if whole else "diverged" for whole in finite]
            seeds = self._seeds if len(self._seeds) == len(status) else [None] * len(status)
            share = seconds / max(len(histories), 1)
            runs = [(seed, word, share) for seed, word in zip(seeds, status, strict=True)]
            self._keep(trial, histories, runs)
        return all(finite)

    def _fail(self, trial: Trial, error: Exception) -> None:
        """Mark a trial as failed by an exception: keras-tuner retries all but FailedTrialError."""
        if isinstance(error, errors.FailedTrialError):
            trial.status, trial.message = TrialStatus.FAILED, str(error)
        else:
            trial.status = TrialStatus.INVALID
            trial.message = "".join(traceback.format_exception(error))
        reason = traceback.format_exception_only(error)[-1].strip()
        self._warn(f"A trial failed: {reason}", key=reason)

    def _warn(self, message: str, key: str) -> None:
        """Warn once a reason."""
        if key not in self._warned:
            self._warned.add(key)
            warnings.warn(message, stacklevel=3)

    def _check_failures(self) -> None:
        """Raise keras-tuner's error when too many trials in a row have failed by an exception."""
        failures = 0
        for key in self.oracle.start_order:
            trial = self.oracle.trials[key]
            failed = trial.status == TrialStatus.FAILED and trial.message != DIVERGED
            failures = failures + 1 if failed and key not in self._earlier else 0
            if failures == self.max_consecutive_failed_trials:
                raise RuntimeError(
                    f"Number of consecutive failures exceeded the limit of {failures} "
                    f"(max_consecutive_failed_trials). What has finished is kept. The last one:\n"
                    f"{trial.message}"
                )

    def _built(self, hp: keras_tuner.HyperParameters) -> keras.Model | StackConfig:
        """What the hypermodel returns, its compile arguments overridden as the tuner was told."""
        with maybe_distribute(self.distribution_strategy):
            try:
                built = self.hypermodel.build(hp)
            except UserError as error:
                raise errors.FailedTrialError(str(error)) from error
            if not isinstance(built, keras.Model | StackConfig):
                raise errors.FatalTypeError(
                    f"Expected the model-building function, or HyperModel.build(), to return a "
                    f"compiled Keras model or a StackConfig, got {built!r}."
                )
            self._override_compile_args(built)
        return built

    def _override_compile_args(self, model: keras.Model | StackConfig) -> None:
        if not (self.optimizer or self.loss or self.metrics):
            return
        if isinstance(model, StackConfig):
            raise UserError(
                "optimizer, loss, metrics: a StackConfig says how it is trained; set its fields."
            )
        override_compile_arguments(model, self.optimizer, self.loss, self.metrics)

    def _build_hypermodel(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """A Keras model of these hyperparameters, as Hyperband wants it to start."""
        model = self._built(hp)
        if isinstance(model, StackConfig):
            if self._geometry is None:
                raise UserError(
                    "hypermodel: a StackConfig can only be built for arrays given to search(); "
                    "return build_stack(config, input_shape, outputs) instead."
                )
            run = max(0, len(self._seeds) - 1)
            seed = execution_seed(self.seed, run, hp.values.get("tuner/initial_epoch") or 0)
            self._seeds[run:] = [seed]
            model = build_stack(model, *self._geometry, seed=seed)
        earlier = hp.values.get("tuner/trial_id")
        if earlier:
            self._load_weights(model, earlier)
        return model

    def _tell(self, trial: Trial, results: Any) -> None:
        objective = self.oracle.objective
        tuner_utils.validate_trial_results(results, objective, "Tuner.run_trial()")
        for history in results if isinstance(results, list) else [results]:
            if isinstance(history, keras.callbacks.History):
                refuse_unlogged(objective, history.history)
        self.oracle.update_trial(
            trial.trial_id,
            tuner_utils.convert_to_metrics_dict(results, objective),
            step=tuner_utils.get_best_step(results, objective),
        )


def override_compile_arguments(
    model: keras.Model, optimizer: Any = None, loss: Any = None, metrics: Any = None
) -> None:
    """Compile a model again with some arguments replaced and the others as the user gave them.

    keras-tuner takes the metrics to keep from `model.metrics`, which holds Keras' container of
    them: the model can then be neither saved nor read.
    Every model gets a copy of an optimizer that is one.
    """
    if optimizer is not None and not isinstance(optimizer, str):
        optimizer = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    given = {}
    if model.compiled:
        given = {**model._compile_config.config, "optimizer": model.optimizer}
    if loss:
        given["loss_weights"] = None
    new = {"optimizer": optimizer, "loss": loss, "metrics": metrics}
    model.compile(**given | {name: value for name, value in new.items() if value})
