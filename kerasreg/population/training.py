"""How a population is trained: one cohort after the other, patience, halving, what is told."""

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kerasreg.population.checkpoint import Checkpoint
from kerasreg.population.cohort import Cohort, NewChunk
from kerasreg.population.memory import REMEDY, OutOfMemory
from kerasreg.population.plan import TrainingPlan
from kerasreg.population.results import EpochReport, MemberResult
from kerasreg.population.resuming import load_progress, save_progress
from kerasreg.population.runs import Group, Run, group_runs, runs_of
from kerasreg.population.sizes import split
from kerasreg.population.watching import Follower


class Training:
    """The training of some members of a population.

    Args:
        new_chunk: Makes the arrays of some members and their program.
        followers: Who hears of a member's epochs, by index.
        checkpoint: Where to go on from, and to write progress to.
        on_epoch, on_results: See `Population.train`.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        plan: TrainingPlan,
        new_chunk: NewChunk,
        followers: Mapping[int, Sequence[Follower]],
        checkpoint: Checkpoint | None,
        on_epoch: Callable[[EpochReport], None] | None,
        on_results: Callable[[list[tuple[int, MemberResult]]], None] | None,
    ):
        self._runs, self._plan, self._new_chunk = runs, plan, new_chunk
        self._followers, self._checkpoint = followers, checkpoint
        self._on_epoch, self._on_results = on_epoch, on_results
        self._groups = group_runs(runs)
        self._cohorts: list[Cohort] = []
        self._rung = 0
        self._started = time.perf_counter()

    def run(self, cohort_size: int, stop: Callable[[], bool] | None) -> list[MemberResult]:
        """Train until all is done or `stop` says so; one result a run."""
        if self._checkpoint:
            self._rung, self._cohorts = load_progress(
                self._checkpoint, self._groups, bool(self._plan.halving), self._cohort
            )
        known = {group for cohort in self._cohorts for group in cohort.groups}
        fresh = [group for group in self._groups if group not in known]
        self._cohorts += map(self._cohort, split(fresh, cohort_size))
        rungs = [*self._plan.halving, (self._plan.epochs, 1.0)]
        while self._rung < len(rungs):
            epoch, share = rungs[self._rung]
            index = 0
            while index < len(self._cohorts):
                self._advance(index, epoch)
                index += 1
                if epoch == self._plan.epochs:
                    self._tell_results(self._cohorts[index - 1])
                    if stop and index < len(self._cohorts) and stop():
                        return [run.result for run in self._runs]
            if share < 1:
                self._stop_at_rung(share)
            self._rung += 1
        if self._checkpoint:
            self._checkpoint.remove()
        return [run.result for run in self._runs]

    def _cohort(self, groups: Sequence[Group]) -> Cohort:
        return Cohort(groups, self._plan, self._new_chunk)

    def _advance(self, index: int, epoch: int) -> None:
        """Train cohort `index` up to `epoch`; on too little memory, in two halves."""
        while True:
            try:
                return self._train(index, epoch)
            except OutOfMemory:
                self._halve(index)

    def _train(self, index: int, epoch: int) -> None:
        cohort = self._cohorts[index]
        cohort.begin()
        while cohort.epoch < epoch and cohort.parts:
            self._epoch(cohort, index)
            if self._checkpoint and self._checkpoint.due():
                self._save()

    def _halve(self, index: int) -> None:
        """Replace cohort `index` by two that begin anew with the groups still in training.

        Groups that have ended (stopped at a rung, out of patience, diverged) keep what they have,
        and are told with the first half.
        """
        cohort = self._cohorts[index]
        live, members = cohort.live, len(runs_of(cohort.live))
        # Members that have ended may still be in the arrays: without them it may be enough.
        if len(live) < 2 and members == cohort.present:
            raise OutOfMemory(f"Out of memory with a single trial: {REMEDY}.") from None
        half = max(1, len(live) // 2)
        first, second = live[:half], live[half:]
        them = "them" if members == cohort.present else f"the {members} still in training"
        sizes = " and ".join(str(len(runs_of(part))) for part in (first, second) if part)
        warnings.warn(
            f"Out of memory with {cohort.present} members at once: starting {them} again "
            f"as {sizes}.",
            stacklevel=2,
        )
        for group in live:
            group.forget()
        ended = [group for group in cohort.groups if group.ended]
        parts = [first + ended, *([second] if second else [])]
        self._cohorts[index : index + 1] = map(self._cohort, parts)

    def _epoch(self, cohort: Cohort, index: int) -> None:
        """Train a cohort up to its next measured epoch, and do what follows from the metrics."""
        rates = {
            run: rate
            for run in runs_of(cohort.live)
            for follower in self._followers.get(run.index, ())
            if (rate := follower.epoch_begin(cohort.epoch)) is not None
        }
        if rates:
            cohort.set_learning_rates(rates)
        measured = cohort.train_epochs()
        logs = {run: metrics for run, (metrics, _) in measured.items()}
        for run, (metrics, seconds) in measured.items():
            run.add(cohort.epoch, metrics, seconds)
        stopped = {run for run, metrics in logs.items() if self._told(cohort, run, metrics)}
        ending, improved = [], []
        for group in cohort.live:
            is_better, ends = group.measure(cohort.epoch, logs, self._plan)
            if is_better:
                improved.append(group)
            if ends or stopped.intersection(group.runs) or cohort.epoch == self._plan.epochs:
                ending.append(group)
        if self._plan.keep == "best":
            self._keep(cohort, improved)
        self._end(cohort, ending)
        if self._on_epoch is not None:
            self._tell_epoch(cohort, index, logs)

    def _told(self, cohort: Cohort, run: Run, metrics: Mapping[str, float]) -> bool:
        """Tell a run's followers of an epoch; whether one of them ends its training."""

        def weights() -> list[np.ndarray]:
            return cohort.weights([run])[run]

        followers = self._followers.get(run.index, ())
        return any([f.epoch_end(cohort.epoch - 1, metrics, weights) for f in followers])

    def _end(self, cohort: Cohort, groups: Sequence[Group]) -> None:
        if self._plan.keep == "last":
            self._keep(cohort, groups)
        for group in groups:
            group.end()
        cohort.drop_ended()

    def _keep(self, cohort: Cohort, groups: Sequence[Group]) -> None:
        for run, weights in cohort.weights(runs_of(groups)).items():
            run.member.weights = weights

    def _stop_at_rung(self, share: float) -> None:
        """Stop the groups that do not belong to the best `share`, by their best objective."""
        live = [group for group in self._groups if not group.ended]
        ranked = sorted(live, key=lambda group: -group.best)
        stopped = set(ranked[max(1, math.ceil(len(live) * share)) :])
        for run in runs_of(list(stopped)):
            run.result.status = "stopped"
        for cohort in self._cohorts:
            self._end(cohort, [group for group in cohort.groups if group in stopped])

    def _tell_epoch(
        self, cohort: Cohort, index: int, logs: Mapping[Run, Mapping[str, float]]
    ) -> None:
        names = next(iter(logs.values()))
        self._on_epoch(
            EpochReport(
                epoch=cohort.epoch,
                epochs=self._plan.epochs,
                cohort=index + 1,
                cohorts=len(self._cohorts),
                members=tuple(run.index for run in logs),
                logs={name: np.array([v[name] for v in logs.values()]) for name in names},
                seconds=time.perf_counter() - self._started,
            )
        )

    def _tell_results(self, cohort: Cohort) -> None:
        if self._checkpoint and len(runs_of(cohort.groups)) > 1:
            # The listener records results one by one and may be killed between two of them: the
            # others are then told again, not trained again.
            self._save()
        cohort.told, cohort.parts = True, []
        results = [pair for group in cohort.groups for pair in group.results()]
        if self._on_results is not None:
            self._on_results(results)

    def _save(self) -> None:
        save_progress(self._checkpoint, self._rung, self._cohorts)
