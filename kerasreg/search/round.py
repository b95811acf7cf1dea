"""One round of proposals: trained, and each setting recorded as soon as it is finished."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasreg.errors import UserError
from kerasreg.networks import Config
from kerasreg.search import tensorboard
from kerasreg.search.context import SearchContext
from kerasreg.search.engines import OutOfMemory, WorkerLost
from kerasreg.search.ensemble.members import save_members
from kerasreg.search.progress import Counter
from kerasreg.search.proposer import Proposal
from kerasreg.study import failed_record


class RoundTrainer:
    """Trains the rounds of one study; use as a context manager.

    A setting that cannot be built, that does not fit into memory even alone, or whose worker is
    lost again and again, is a result of the search like any other: it is recorded as `failed`, and
    the search goes on.

    Args:
        deadline: No training begins after this moment of `time.monotonic`; None for no limit.
    """

    def __init__(self, context: SearchContext, counter: Counter, deadline: float | None):
        self._context, self._counter, self._deadline = context, counter, deadline
        self._live = tensorboard.Live(context.study.tensorboard, context.request.objective)
        self._said_late = False

    def __enter__(self) -> "RoundTrainer":
        return self

    def __exit__(self, *_: object) -> None:
        self._live.close()

    def late(self) -> bool:
        """Whether no more training may begin."""
        return self._deadline is not None and time.monotonic() > self._deadline

    def train(self, proposals: Sequence[Proposal]) -> dict[str, dict[str, Any]]:
        """Train and record those of a round that are not recorded yet.

        What trains together when time is up is finished and recorded; nothing more is begun.

        Returns:
            The new records by trial.
        """
        self._recorded = {record["trial"] for record in self._context.study.trials()}
        self._new: dict[str, dict[str, Any]] = {}
        built = [
            (proposal, config)
            for proposal in proposals
            if (config := self._config(proposal)) is not None
        ]
        # With successive halving, finished trials train again: they decide which others stop.
        halving = self._context.request.halving
        self._train_in_memory(built, range(len(built)) if halving else self._left(built))
        return self._new

    def _train_in_memory(
        self, built: Sequence[tuple[Proposal, Config]], indices: Sequence[int]
    ) -> None:
        """Train together; where memory does not suffice, train what is left in two halves.

        Which setting needs too much is known only once it does not fit alone: that trial failed.
        """
        if not indices:
            return
        context = self._context
        settings = {proposal[0]: config for proposal, config in built}

        def on_setting(index: int, members: list) -> None:
            proposal = built[index][0]
            # With halving, recorded settings of a resumed round train again.
            if not self._is_recorded(proposal):
                record = context.record(*proposal, members)
                if context.request.ensemble and record["status"] == "completed":
                    # Before the record, so that whoever finds it finds them.
                    save_members(context, proposal[0], members)
                self._append(record)

        try:
            context.engine.train(
                context.task(
                    settings, indices, context.request.halving, keep=context.request.ensemble
                ),
                context.dataset,
                self._on_epoch,
                on_setting,
                context.study.checkpoints,
                self.late,
            )
        except (OutOfMemory, WorkerLost) as error:
            left = [k for k in self._left(built) if k in indices]
            if len(left) == 1:
                self._fail(built[left[0]][0], error)
                return
            # Settings of one structure train as one program: a half keeps them side by side.
            left.sort(key=lambda k: repr(built[k][1].structure()))
            half = len(left) // 2
            for part in (left[:half], left[half:]):
                if not self.late():
                    self._train_in_memory(built, part)

    def _config(self, proposal: Proposal) -> Config | None:
        """The stack of a proposal; None, and a failed trial, if it cannot be built."""
        try:
            return self._context.request.config(proposal[1])
        except UserError as error:
            if not self._is_recorded(proposal):
                self._fail(proposal, error)
            return None

    def _left(self, built: Sequence[tuple[Proposal, Config]]) -> list[int]:
        """Indices of the settings that are not recorded yet."""
        return [k for k, (proposal, _) in enumerate(built) if not self._is_recorded(proposal)]

    def _is_recorded(self, proposal: Proposal) -> bool:
        return proposal[0] in self._recorded or proposal[0] in self._new

    def _on_epoch(self, scores: np.ndarray) -> None:
        if len(scores):
            self._live.epoch(scores * self._context.objective_scale)
        self._counter.epochs(len(scores))
        if self.late() and not self._said_late:
            self._said_late = True
            self._context.notice("Time is up: what is in training is finished, no more is begun.")

    def _fail(self, proposal: Proposal, error: UserError) -> None:
        seeds, engine = self._context.request.member_seeds, self._context.engine.name
        self._append(failed_record(*proposal, str(error), seeds=seeds, engine=engine))

    def _append(self, record: dict[str, Any]) -> None:
        study = self._context.study
        study.append(record)
        if not any(study.tensorboard.glob("events.*")):
            tensorboard.write_study(study.tensorboard, study.request, record)
        tensorboard.write_trial(study.tensorboard, record)
        self._new[record["trial"]] = record
        self._counter.setting(record)
