"""keras-tuner's `Tuner` with its measured defects mended: what trains a trial the plain way."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import tensorflow as tf
from keras_tuner import errors
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src.engine import tuner_utils

from kerasreg.errors import UserError
from kerasreg.stacks import StackConfig, build_stack
from kerasreg.tuner import project_folder
from kerasreg.tuner.joint_training import execution_seed
from kerasreg.tuner.trial_results import DIVERGED, all_finite, executions_of


class PlainTuner(keras_tuner.Tuner):
    """Trains trials one by one as keras-tuner does, with these differences.

    Hypermodels may return a `StackConfig`. A trial with a loss or metric that was ever not finite
    has failed; failures do not end the search; an exception that is neither `FailedTrialError` nor
    a lack of memory reaches the user. Curves are kept. The project's files are replaced as a whole,
    exist before the first trial, and open again after a kill and under any `tuner_id`. Hyperband's
    oracle works without keras-tuner's class `Hyperband`.

    Args:
        oracle, hypermodel, tuner_id, kwargs: As in `keras_tuner.Tuner`.
        seed: Of a `StackConfig`'s models: `seed + execution`, as in a population.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        hypermodel: Any,
        seed: int,
        tuner_id: str | None,
        **kwargs: Any,
    ):
        self.seed = seed
        # Of the executions of the trial under way; None for a model that the user builds.
        self._seeds: list[int | None] = []
        #: Input shape, outputs and task of a `StackConfig`.
        self._geometry: tuple[tuple[int, ...], int, str] | None = None
        # keras-tuner looks for the file of the default id and then writes that of the given one.
        self._file_name = f"{tuner_id or os.environ.get('KERASTUNER_TUNER_ID', 'tuner0')}.json"
        project_folder.write_whole(oracle)
        super().__init__(oracle=oracle, hypermodel=hypermodel, tuner_id=tuner_id, **kwargs)
        oracle.max_consecutive_failed_trials = None

    def run_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> Any:
        """Train one trial the plain way, as keras-tuner does."""
        self._seeds = []
        values = trial.hyperparameters.values
        if "tuner/epochs" in values:
            fit_kwargs |= {
                "epochs": values["tuner/epochs"],
                "initial_epoch": values["tuner/initial_epoch"],
            }
        return super().run_trial(trial, *fit_args, **fit_kwargs)

    def _build_and_fit_model(self, trial: Trial, *args: Any, **kwargs: Any) -> Any:
        self._seeds.append(None)
        return super()._build_and_fit_model(trial, *args, **kwargs)

    def _try_run_and_update_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> None:
        """keras-tuner's, but the user's mistakes are not failed trials."""
        started = time.perf_counter()
        try:
            results = self.run_trial(trial, *fit_args, **fit_kwargs)
        except errors.FailedTrialError as error:
            trial.status, trial.message = TrialStatus.FAILED, str(error)
            return
        except tf.errors.ResourceExhaustedError as error:
            trial.status, trial.message = TrialStatus.INVALID, str(error)
            return
        histories = results if isinstance(results, list) else [results]
        finite = [all_finite(history) for history in histories]
        seconds = (time.perf_counter() - started) / len(histories)
        if all(isinstance(history, keras.callbacks.History) for history in histories):
            status = ["completed" if whole else "diverged" for whole in finite]
            seeds = self._seeds if len(self._seeds) == len(status) else [None] * len(status)
            runs = [(seed, word, seconds) for seed, word in zip(seeds, status, strict=True)]
            self._keep(trial, histories, runs)
        if not all(finite):
            trial.status, trial.message = TrialStatus.INVALID, DIVERGED
            return
        self._tell(trial, results)
        trial.status = TrialStatus.COMPLETED

    def _built(self, hp: keras_tuner.HyperParameters) -> keras.Model | StackConfig:
        """What the hypermodel returns, its compile arguments overridden as the tuner was told."""
        built = super()._build_hypermodel(hp)
        if not isinstance(built, keras.Model | StackConfig):
            raise errors.FatalTypeError(
                f"Expected the hypermodel to return a compiled Keras model or a StackConfig, "
                f"received {built!r}."
            )
        return built

    def _override_compile_args(self, model: keras.Model | StackConfig) -> None:
        if not isinstance(model, StackConfig):
            super()._override_compile_args(model)
        elif self.optimizer or self.loss or self.metrics:
            raise UserError(
                "optimizer, loss, metrics: a StackConfig says how it is trained; set its fields."
            )

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
            if not model.built:
                path = Path(self._get_build_config_fname(earlier))
                model.build_from_config(json.loads(path.read_text()))
            model.load_weights(self._get_checkpoint_fname(earlier))
        return model

    def _tell(self, trial: Trial, results: Any) -> None:
        objective = self.oracle.objective
        tuner_utils.validate_trial_results(results, objective, "Tuner.run_trial()")
        self.oracle.update_trial(
            trial.trial_id,
            tuner_utils.convert_to_metrics_dict(results, objective),
            step=tuner_utils.get_best_step(results, objective),
        )

    def _end(self, trial: Trial, status: str, message: str | None) -> None:
        trial.status, trial.message = status, message
        self.on_trial_end(trial)

    def _keep(self, trial: Trial, histories: list, runs: list[tuple]) -> None:
        path = Path(self.get_trial_dir(trial.trial_id)) / "executions.json"
        project_folder.write_json(path, executions_of(histories, runs))

    def executions(self, trial_id: str) -> list[dict[str, Any]]:
        """What each execution of a trial was: `seed`, `status`, `seconds` and `history`.

        The history is that of `model.fit`, one value an epoch, None where it was not finite. A
        model that the user built and that was trained the plain way has no seed; that of a
        `StackConfig` is of its initial weights and masks, and Keras then draws the batch order.
        """
        path = Path(self.get_trial_dir(trial_id)) / "executions.json"
        return json.loads(path.read_text()) if path.exists() else []

    # The project folder.

    def get_state(self) -> dict[str, Any]:
        """What a project that is opened again has to know."""
        return {"seed": self.seed, "geometry": self._geometry}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take up what `get_state` gave; a project of a keras-tuner class has none of it."""
        self.seed = state.get("seed", self.seed)
        if state.get("geometry"):
            shape, outputs, task = state["geometry"]
            self._geometry = (tuple(shape), outputs, task)

    def save(self) -> None:
        """Write the project's state."""
        if "KERASTUNER_ORACLE_IP" in os.environ:
            super().save()
            return
        self.oracle.save()
        project_folder.write_json(self._get_tuner_fname(), self.get_state())

    def reload(self) -> None:
        """Read the project's state; trials that were under way are run again.

        Raises:
            UserError: A file is damaged.
        """
        try:
            super().reload()
        except (ValueError, TypeError, KeyError, RuntimeError, tf.errors.OpError) as error:
            raise project_folder.damaged(self.project_dir, error) from error
        project_folder.mend(self.oracle)

    def _get_tuner_fname(self) -> str:
        return os.path.join(str(self.project_dir), self._file_name)
