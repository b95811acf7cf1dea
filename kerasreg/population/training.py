"""How a population is trained: cohorts, patience, culling, what is kept and what is told."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.objectives import sign
from kerasreg.population.checkpoint import Checkpoint
from kerasreg.population.cohort import Cohort
from kerasreg.population.memory import REMEDY, OutOfMemory
from kerasreg.population.plan import TrainingPlan
from kerasreg.population.results import EpochReport, MemberResult
from kerasreg.population.resuming import restore_progress, save_progress
from kerasreg.population.rows import Rows
from kerasreg.population.sizes import split
from kerasreg.population.watching import Watched

if TYPE_CHECKING:
    import keras

    from kerasreg.population.engine import Population


class Training:
    """One call of `Population.fit`."""

    def __init__(
        self,
        population: Population,
        rows: Rows,
        plan: TrainingPlan,
        chosen: Sequence[int],
        watch: Mapping[int, Sequence[keras.callbacks.Callback]],
        checkpoint: Checkpoint | None,
        on_epoch: Callable[[EpochReport], None] | None,
        on_results: Callable[[list[tuple[int, MemberResult]]], None] | None,
    ):
        self.population = population
        self.rows = rows
        self.plan = plan
        self.checkpoint = checkpoint
        self.on_epoch = on_epoch
        self.on_results = on_results
        members = population.members
        folded = len(rows.train) > 1
        self.results = [MemberResult(m.config, m.seed, m.fold if folded else None) for m in members]
        self.curves: list[dict[str, list[float]]] = [{} for _ in members]
        self.trained = [0] * len(members)
        self.chosen = list(chosen)
        self.groups: dict[int, list[int]] = {}
        for number in self.chosen:
            self.groups.setdefault(members[number].group, []).append(number)
        self.best = dict.fromkeys(self.groups, -math.inf)
        self.best_epoch = dict.fromkeys(self.groups, 0)
        self.last = dict.fromkeys(self.groups, -math.inf)
        # What patience goes by: its best value, and when.
        self.awaited = {group: (-math.inf, 0) for group in self.groups}
        self.ended: set[int] = set()
        self.kept: set[int] = set()
        self.watched = {n: Watched(population, n, callbacks) for n, callbacks in watch.items()}
        self.started = time.perf_counter()

    def row_counts(self, number: int) -> tuple[int, int]:
        """Training and validation rows of a member."""
        fold = self.population.members[number].fold
        return len(self.rows.train[fold]), len(self.rows.validation[fold])

    def run(self, chunk_size: int, stop: Callable[[], bool] | None) -> list[MemberResult]:
        """Train everything that was chosen, until `stop` says so; one result a member."""
        self.rung, self.todo, self.cohorts = 0, [], {}
        restore_progress(self)
        known = {n for numbers in self.todo for n in numbers}
        self.todo += split([g for g in self.groups.values() if g[0] not in known], chunk_size)
        rungs = [*self.plan.halving, (self.plan.epochs, 1.0)]
        try:
            while self.rung < len(rungs):
                epoch, share = rungs[self.rung]
                index = 0
                while index < len(self.todo):
                    self._advance(index, epoch)
                    if epoch == self.plan.epochs:
                        if self.checkpoint and len(self.todo[index]) > 1:
                            # Whoever is told records them one by one and may be killed between:
                            # the others are then told again, not trained again.
                            save_progress(self)
                        self.cohorts.pop(index)
                        self._report(self.todo[index])
                        if stop and index + 1 < len(self.todo) and stop():
                            return self._chosen_results()
                    index += 1
                if share < 1:
                    self._cull(share)
                self.rung += 1
        finally:
            for watched in self.watched.values():
                watched.end()
        if self.checkpoint:
            self.checkpoint.remove()
        return self._chosen_results()

    def _chosen_results(self) -> list[MemberResult]:
        return [self.results[number] for number in self.chosen]

    def _advance(self, index: int, epoch: int) -> None:
        """Train cohort `index` up to `epoch`; on too little memory, in two halves."""
        try:
            if index not in self.cohorts:
                live = [n for n in self.todo[index] if n not in self.ended]
                self.cohorts[index] = Cohort(self, live)
            cohort = self.cohorts[index]
            while cohort.epoch < epoch and cohort.parts:
                self._epoch(cohort, index)
                if self.checkpoint and self.checkpoint.due():
                    save_progress(self)
        except OutOfMemory:
            self._halve(index)
            self._advance(index, epoch)

    def _halve(self, index: int) -> None:
        """Replace cohort `index` by two that begin anew, of those who are still in training.

        Who has ended (culled, out of patience, diverged) keeps what it has, and is told of with
        the first half.
        """
        numbers, members = self.todo[index], self.population.members
        live = [n for n in numbers if n not in self.ended]
        groups = list(dict.fromkeys(members[n].group for n in live))
        cohort = self.cohorts.get(index)
        # Members that have ended may still be in the arrays: without them it may be enough.
        present = sum(len(own) for _, own in cohort.parts) if cohort else len(live)
        if len(groups) < 2 and len(live) == present:
            raise OutOfMemory(f"Out of memory with a single trial: {REMEDY}.") from None
        half = set(groups[: max(1, len(groups) // 2)])
        first = [n for n in live if members[n].group in half]
        second = [n for n in live if members[n].group not in half]
        them = "them" if len(live) == present else f"the {len(live)} still in training"
        sizes = f"{len(first)} and {len(second)}" if second else f"{len(first)}"
        warnings.warn(
            f"Out of memory with {present} members at once: starting {them} again as {sizes}.",
            stacklevel=2,
        )
        self._forget(live)
        self.cohorts.pop(index, None)
        parts = [first + [n for n in numbers if n in self.ended], *([second] if second else [])]
        self.cohorts = {
            i + (len(parts) - 1) * (i > index): cohort for i, cohort in self.cohorts.items()
        }
        self.todo[index : index + 1] = parts

    def _forget(self, numbers: Sequence[int]) -> None:
        """As if these, none of which has ended, had not begun."""
        for number in numbers:
            self.curves[number] = {}
            group = self.population.members[number].group
            self.best[group] = self.last[group] = -math.inf
            self.best_epoch[group] = 0
            self.awaited[group] = (-math.inf, 0)

    def _epoch(self, cohort: Cohort, index: int) -> None:
        logs = cohort.train_epochs()
        for number, values in logs.items():
            self.trained[number] = cohort.epoch
            for name, value in values.items():
                self.curves[number].setdefault(name, []).append(value)
        ending: set[int] = set()
        improved: list[int] = []
        members = self.population.members
        for group in dict.fromkeys(members[n].group for n in logs):
            own = self.groups[group]
            broken = [n for n in own if not all(map(math.isfinite, logs[n].values()))]
            for number in broken:
                self.results[number].status = "diverged"
            if broken:
                for number in set(own) - set(broken):
                    self.results[number].status = "stopped"
                ending.update(own)
                self.last[group] = -math.inf
                continue
            mean = float(np.mean([logs[n][self.plan.objective] for n in own]))
            score = sign(self.plan.objective) * mean
            self.last[group] = score
            if score > self.best[group]:
                self.best[group], self.best_epoch[group] = score, cohort.epoch
                improved += own
            seen = [logs[n][self.plan.monitor] for n in own]
            if self._out_of_patience(group, float(np.mean(seen)), cohort.epoch):
                ending.update(own)
        if self.plan.keep == "best":
            self._keep(cohort, improved)
        for number, watched in self.watched.items():
            if number in logs:
                watched.epoch(cohort, logs[number])
        finished = set(logs) if cohort.epoch == self.plan.epochs else ending
        if self.plan.keep == "last":
            self._keep(cohort, sorted(finished))
        self.ended |= finished
        cohort.end(finished)
        if self.on_epoch is not None:
            self._tell(cohort, index, logs)

    def _out_of_patience(self, group: int, value: float, epoch: int) -> bool:
        best, when = self.awaited[group]
        value *= sign(self.plan.monitor)
        if value > best:
            self.awaited[group] = (value, epoch)
            return False
        return self.plan.patience is not None and epoch - when >= self.plan.patience

    def _keep(self, cohort: Cohort, numbers: Sequence[int]) -> None:
        for number in numbers:
            chunk, position = cohort.where(number)
            # A copy: the arrays are views of tensors that the next step frees.
            weights = [array.copy() for array in chunk.weights(position)]
            self.set_kept(number, weights)

    def set_kept(self, number: int, weights: list[np.ndarray]) -> None:
        """Keep these arrays of a member."""
        self.population.set_weights(number, weights)
        self.kept.add(number)

    def _tell(self, cohort: Cohort, index: int, logs: dict[int, dict[str, float]]) -> None:
        names = next(iter(logs.values()))
        self.on_epoch(
            EpochReport(
                epoch=cohort.epoch,
                epochs=self.plan.epochs,
                chunk=index + 1,
                chunks=len(self.todo),
                members=tuple(logs),
                logs={name: np.array([v[name] for v in logs.values()]) for name in names},
                seconds=time.perf_counter() - self.started,
            )
        )

    def _cull(self, share: float) -> None:
        """Keep the best `share` of the groups still in training, by their best objective."""
        live = [g for g, own in self.groups.items() if not self.ended & set(own)]
        ranked = sorted(live, key=lambda group: (-self.best[group], group))
        out = ranked[max(1, math.ceil(len(live) * share)) :]
        numbers = {n for group in out for n in self.groups[group]}
        for number in numbers:
            self.results[number].status = "stopped"
        for cohort in self.cohorts.values():
            own = {n for n in numbers if n in set(cohort.numbers)}
            if self.plan.keep == "last":
                self._keep(cohort, sorted(own))
            cohort.end(own)
        self.ended |= numbers

    def _report(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            result, curves = self.results[number], self.curves[number]
            result.curves = {name: np.array(values) for name, values in curves.items()}
            result.epochs = self.trained[number]
            result.best_epoch = self.best_epoch[self.population.members[number].group]
        if self.on_results is not None:
            self.on_results([(number, self.results[number]) for number in numbers])
