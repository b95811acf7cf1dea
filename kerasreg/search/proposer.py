"""Asks a keras-tuner oracle what to try and tells it the results.

A study asks for settings in rounds, records each round before it trains it, and tells every
result. What an oracle proposes then follows from its seed and the recorded rounds and results, so
that a resumed study goes on as if it had not been interrupted.
"""

import math
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial

from kerasreg.errors import UserError
from kerasreg.search.oracles.seeded import SeededOracle
from kerasreg.statuses import SCORED

Proposal = tuple[str, dict[str, Any]]


class Proposer:
    """Drives any keras-tuner oracle: settings out, trial records in.

    Args:
        oracle: An oracle with its hyperparameters; not to be used elsewhere from here on.
        queue: Complete settings (`Space.setting`) to try before the oracle's proposals.
    """

    def __init__(self, oracle: keras_tuner.Oracle, queue: Iterable[Mapping[str, Any]] = ()) -> None:
        self.oracle = oracle
        oracle.verbose = 0
        # A failed trial is a result of the study; the oracle shall not end it by an exception.
        oracle.max_consecutive_failed_trials = None
        if not isinstance(oracle, SeededOracle):
            # keras-tuner's oracles write files at every step, which a study does not need.
            folder = tempfile.mkdtemp(prefix="kerasreg-oracle-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            oracle._set_project_dir(folder, "oracle")
        self._queue = [dict(values) for values in queue]

    def propose(self, count: int) -> list[Proposal]:
        """Ask for a round of up to `count` pairs (trial id, values), the queue first.

        Fewer come when the oracle must see results before it can go on; none when, besides, nothing
        is pending: the space is exhausted.
        """
        proposals: list[Proposal] = []
        while len(proposals) < count:
            proposal = self._from_queue() or self._from_oracle()
            if proposal is None:
                break
            proposals.append(proposal)
        return proposals

    def tell(self, record: Mapping[str, Any]) -> None:
        """Report a finished trial.

        Args:
            record: A trial record; its `trial`, `status` and `score` are read. A trial that
                diverged or failed counts as tried and has no score.

        Raises:
            KeyError: The trial was not proposed here.
        """
        trial = self.oracle.trials[record["trial"]]
        score = record.get("score")
        scored = record["status"] in SCORED and score is not None and math.isfinite(score)
        if scored:
            self.oracle.update_trial(trial.trial_id, {self.oracle.objective.name: score})
        trial.status = "COMPLETED" if scored else "FAILED"
        self.oracle.end_trial(trial)

    def replay(
        self, rounds: Sequence[Sequence[Proposal]], records: Iterable[Mapping[str, Any]]
    ) -> list[Proposal]:
        """Bring a new `Proposer` to where an interrupted study stood.

        Args:
            rounds: The rounds as they were proposed and recorded, in order.
            records: The finished trials, in any order.

        Returns:
            The proposals that have no record: train these before asking for more.
        """
        finished = {record["trial"]: record for record in records}
        pending: list[Proposal] = []
        for proposals in rounds:
            for trial_id, values in proposals:
                self._repeat(trial_id, dict(values))
            for trial_id, values in proposals:
                if trial_id in finished:
                    self.tell(finished[trial_id])
                else:
                    pending.append((trial_id, dict(values)))
        return pending

    def _from_queue(self) -> Proposal | None:
        while self._queue:
            values = self._queue.pop(0)
            if not self.oracle._duplicate(values):
                return self._adopt(values)
        return None

    def _from_oracle(self) -> Proposal | None:
        # One name a trial: keras-tuner repeats the ongoing trial of a name it knows.
        trial = self.oracle.create_trial(f"proposal {len(self.oracle.trials)}")
        if trial.status != "RUNNING":
            return None
        return trial.trial_id, dict(trial.hyperparameters.values)

    def _adopt(self, values: dict[str, Any], trial_id: str | None = None) -> Proposal:
        """Start a trial of given values, as `Oracle.create_trial` does."""
        oracle = self.oracle
        trial_id = trial_id or f"{len(oracle.trials):0{len(str(oracle.max_trials))}d}"
        hyperparameters = oracle.get_space()
        hyperparameters.values = dict(values)
        trial = Trial(hyperparameters=hyperparameters, trial_id=trial_id)
        oracle._record_values(trial)
        oracle.trials[trial_id] = trial
        oracle.start_order.append(trial_id)
        oracle.ongoing_trials[trial_id] = trial
        return trial_id, dict(values)

    def _repeat(self, trial_id: str, values: dict[str, Any]) -> None:
        """Propose once more what was proposed and recorded."""
        if values in self._queue:
            del self._queue[: self._queue.index(values) + 1]
            self._adopt(values, trial_id)
        elif isinstance(self.oracle, SeededOracle):
            self._adopt(values, trial_id)
        elif (again := self._from_oracle()) != (trial_id, values):
            # keras-tuner's oracles carry state that only proposing moves on.
            raise UserError(
                f"the search cannot be resumed: trial {trial_id} was {values}, the oracle now "
                f"proposes {again}. Use the space, seed and versions of the first run."
            )
