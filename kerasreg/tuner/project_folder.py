"""The project folder of a keras-tuner search: whole after a kill, and mended when reopened."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial

from kerasreg.errors import UserError
from kerasreg.files import atomic_write
from kerasreg.search.oracles import SeededOracle

_ENDED = ("COMPLETED", "FAILED")


def write_json(path: str | Path, value: Any) -> None:
    """Replace a file of the project at once: a kill leaves the old one or the new one."""
    atomic_write(path, json.dumps(value).encode())


def write_whole(oracle: keras_tuner.Oracle) -> None:
    """Let an oracle replace its files instead of writing into them.

    keras-tuner opens `oracle.json` and `trial.json` for writing: a kill leaves half of one, and
    the project does not open again. An oracle that overrides how it saves is left alone.
    """
    kind = type(oracle)
    if kind.save in (keras_tuner.Oracle.save, SeededOracle.save):
        oracle.save = partial(_save_oracle, oracle)
    if kind._save_trial in (keras_tuner.Oracle._save_trial, SeededOracle._save_trial):
        oracle._save_trial = partial(_save_trial, oracle)


def _save_oracle(oracle: keras_tuner.Oracle) -> None:
    write_json(oracle._get_oracle_fname(), oracle.get_state())


def _save_trial(oracle: keras_tuner.Oracle, trial: Trial) -> None:
    folder = oracle._get_trial_dir(trial.trial_id)
    write_json(os.path.join(folder, "trial.json"), trial.get_state())


def mend(oracle: keras_tuner.Oracle) -> None:
    """Put every trial that has not ended, and no other, up to be run again.

    A kill may come between the files of a trial and the oracle's: trials that have ended are in
    its queue then, or trials that have not are in none.
    """
    oracle.ongoing_trials = {}
    left = [key for key, trial in sorted(oracle.trials.items()) if trial.status not in _ENDED]
    # keras-tuner takes the last one first.
    oracle._retry_queue = left[::-1]
    for key, trial in sorted(oracle.trials.items()):
        if key not in oracle.start_order:
            oracle.start_order.append(key)
        if key in left:
            # What an interrupted run has told would be averaged into the next one.
            trial.metrics = type(trial.metrics)()
            trial.score = None
        elif key not in oracle.end_order:
            oracle.end_order.append(key)
        oracle._record_values(trial)
    # Read in the order of the folder; of equal scores the first trial is the best.
    oracle.trials = {key: oracle.trials[key] for key in oracle.start_order if key in oracle.trials}


def directions(oracle: keras_tuner.Oracle) -> dict[str, str]:
    """What an oracle scores by: each objective with its direction."""
    objective = oracle.objective
    one = {objective.name: objective.direction}
    return dict(getattr(objective, "name_to_direction", one))


def score_anew(oracle: keras_tuner.Oracle, folder: str) -> None:
    """Score the trials of a project that was searched by another objective from what they logged.

    Raises:
        UserError: A trial has not logged the objective.
    """
    for trial in oracle.trials.values():
        if trial.status == "COMPLETED":
            try:
                oracle.score_trial(trial)
            except ValueError:
                found = f"trials that did not log {oracle.objective.name!r}"
                raise ProjectError(folder, found) from None
            oracle._save_trial(trial)


class ProjectError(UserError, RuntimeError):
    """A project that does not open; keras-tuner raises a RuntimeError there."""

    def __init__(self, folder: str, found: str) -> None:
        super().__init__(
            f"{folder}: expected a whole project of the same kind of search, got {found}; "
            f"pass `overwrite=True` to start again, or another project_name."
        )
