"""keras-tuner's `Tuner` with a project folder that survives kills and keeps every curve."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import tensorflow as tf
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.engine.tuner import maybe_distribute

from kerasreg.errors import UserError
from kerasreg.tuner import project_folder
from kerasreg.tuner.trial_results import executions_of


class ProjectTuner(keras_tuner.Tuner):
    """Files are replaced as a whole, and open again after a kill and under any `tuner_id`.

    The `seed` of a `StackConfig`'s models, `seed + execution`, is kept with the project.
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
        #: Input shape, outputs and task of a `StackConfig`.
        self._geometry: tuple[tuple[int, ...], int, str] | None = None
        # keras-tuner looks for the file of the default id and then writes that of the given one.
        self._file_name = f"{tuner_id or os.environ.get('KERASTUNER_TUNER_ID', 'tuner0')}.json"
        project_folder.write_whole(oracle)
        super().__init__(oracle=oracle, hypermodel=hypermodel, tuner_id=tuner_id, **kwargs)

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

    def get_best_models(self, num_models: int = 1) -> list[keras.Model]:
        """As in keras-tuner, of completed trials only: the others have no weights.

        Raises:
            UserError: No trial has completed.
        """
        trials = self.oracle.get_best_trials(num_models)
        completed = [trial for trial in trials if trial.status == TrialStatus.COMPLETED]
        if not completed:
            said = f"; the first says: {trials[0].message}" if trials else ""
            raise UserError(
                f"get_best_models: expected a completed trial, got none among "
                f"{len(self.oracle.trials)}{said}"
            )
        return [self.load_model(trial) for trial in completed]

    def load_model(self, trial: Trial) -> keras.Model:
        """A trial's model with its weights, as in keras-tuner; subclassed ones are built too."""
        model = self._try_build(trial.hyperparameters)
        self._load_weights(model, trial.trial_id)
        return model

    def _load_weights(self, model: keras.Model, trial_id: str) -> None:
        if not model.built:
            config = json.loads(Path(self._get_build_config_fname(trial_id)).read_text())
            model.build_from_config(config)
            if not model.built:
                # Keras builds a subclassed model without a build() of its own by calling it.
                model(tf.zeros(config["input_shape"]))
        with maybe_distribute(self.distribution_strategy):
            model.load_weights(self._get_checkpoint_fname(trial_id))

    def get_state(self) -> dict[str, Any]:
        """What a project that is opened again has to know."""
        return {
            "seed": self.seed,
            "geometry": self._geometry,
            "oracle": type(self.oracle).__name__,
            "objective": project_folder.directions(self.oracle),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Take up what `get_state` gave; a project of a keras-tuner class has none of it.

        Raises:
            UserError: The project is another oracle's, or of another objective that its trials
                have not logged.
        """
        oracle = type(self.oracle).__name__
        if state.get("oracle", oracle) != oracle:
            found = f"one of {state['oracle']} for {oracle}"
            raise project_folder.ProjectError(self.project_dir, found)
        objective = project_folder.directions(self.oracle)
        if state.get("objective", objective) != objective:
            project_folder.score_anew(self.oracle, self.project_dir)
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
            UserError: A file is damaged, or of another oracle.
        """
        try:
            super().reload()
        except project_folder.ProjectError:
            raise
        except (ValueError, TypeError, KeyError, RuntimeError, tf.errors.OpError) as error:
            found = f"a damaged file ({error})"
            raise project_folder.ProjectError(self.project_dir, found) from error
        project_folder.mend(self.oracle)
        self._say_changed_ranges()

    def _say_changed_ranges(self) -> None:
        """Warn of hyperparameters whose ranges the project's stored ones overrule."""
        if self.hypermodel is None:
            return
        asked = keras_tuner.HyperParameters()
        try:
            self.hypermodel.build(asked)
        except (keras_tuner.errors.FailedTrialError, ValueError):
            return  # the first values need not build; a trial that does not is told when it runs
        stored = {hp.name: hp.get_config() for hp in self.oracle.hyperparameters.space}
        changed = [
            hp.name for hp in asked.space if stored.get(hp.name, hp.get_config()) != hp.get_config()
        ]
        if changed:
            warnings.warn(
                f"{self.project_dir}: {', '.join(changed)}: searched in the range that the project "
                "was begun with, not in the one given now; pass `overwrite=True` to start again, "
                "or another project_name.",
                stacklevel=2,
            )

    def _get_tuner_fname(self) -> str:
        return os.path.join(str(self.project_dir), self._file_name)
