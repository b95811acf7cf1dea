"""What the three oracles share: seeds that are seeds, no duplicates, only finite scores."""

from typing import Any

import keras_tuner
import numpy as np

from kerasreg.search.oracles.axes import Axes
from kerasreg.seeds import derive

# Draws before a finite space is looked through for what is left; then at most 2 % of it is.
_DRAWS = 200
_MOST_LISTED = 200_000


class SeededOracle(keras_tuner.Oracle):
    """A keras-tuner oracle whose proposals depend on the seed, the trial's index and the results.

    They do not depend on a generator's state, so an interrupted search proposes what an
    uninterrupted one does. Subclasses say what to propose in `_propose(index)`.

    Differences from keras-tuner's oracles: `seed=0` is a seed; no setting is proposed twice while
    others remain; a score that is not finite is a failed trial; three failures in a row do not end
    the search; nothing is written unless a tuner gave the oracle a folder.

    Args:
        objective: keras-tuner's objective, `keras_tuner.Objective("val_data_loss", "min")`.
        max_trials: Most trials, `None` for no bound but the space.
        seed: Any integer.
        hyperparameters: The space; more may be found by a tuner's hypermodel.
        allow_new_entries, tune_new_entries, max_retries_per_trial, max_consecutive_failed_trials:
            As in keras-tuner; failures never end the search by default.
    """

    def __init__(
        self,
        objective: keras_tuner.Objective | str | list | None = None,
        max_trials: int | None = None,
        seed: int = 0,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int | None = None,
    ) -> None:
        super().__init__(
            objective=objective,
            max_trials=max_trials,
            hyperparameters=hyperparameters,
            allow_new_entries=allow_new_entries,
            tune_new_entries=tune_new_entries,
            seed=1,  # keras-tuner would replace 0 by a draw from the global generator.
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        self.seed = self._seed_state = int(seed)
        self._directory = None

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose one setting, as keras-tuner asks for it.

        Returns:
            `{"status": "RUNNING", "values": {...}}`, or status `"STOPPED"` when every setting of
            the space has been tried.
        """
        values = self._propose(len(self.trials))
        if values is None:
            return {"status": "STOPPED", "values": None}
        return {"status": "RUNNING", "values": values}

    def _propose(self, index: int) -> dict[str, Any] | None:
        raise NotImplementedError

    def _draw(self, index: int) -> dict[str, Any] | None:
        """A random setting not tried before, `None` if there is none."""
        axes = Axes(self.hyperparameters.space)
        rng = np.random.default_rng(derive(self.seed, "random setting", index))
        for _ in range(_DRAWS if axes.dimensions else 1):
            values = axes.values(rng.random(axes.dimensions))
            if not self._duplicate(values):
                return values
        if axes.size > _MOST_LISTED:
            return None
        left = [v for v in map(axes.nth, range(int(axes.size))) if not self._duplicate(v)]
        return left[rng.integers(len(left))] if left else None

    def score_trial(self, trial: keras_tuner.engine.trial.Trial) -> None:
        """Score as keras-tuner does, and NaN if any observation is not finite."""
        super().score_trial(trial)
        names = getattr(self.objective, "name_to_direction", [self.objective.name])
        seen = [o.value for name in names for o in trial.metrics.get_history(name)]
        if not all(np.isfinite(value).all() for value in seen):
            trial.score = float("nan")  # keras-tuner's sign of an invalid trial.

    @keras_tuner.synchronized
    def end_trial(self, trial: keras_tuner.engine.trial.Trial) -> None:
        """End a trial; without a finite score it has failed, or waits for its retry."""
        super().end_trial(trial)
        stored = self.trials[trial.trial_id]
        if stored.status != "COMPLETED":
            stored.score = None
            if stored.trial_id in self._retry_queue:
                # keras-tuner would average the failed run into the next one.
                stored.metrics = type(stored.metrics)()
            self._save_trial(stored)

    def save(self) -> None:
        if self._directory is not None:
            super().save()

    def _save_trial(self, trial: keras_tuner.engine.trial.Trial) -> None:
        if self._directory is not None:
            super()._save_trial(trial)
