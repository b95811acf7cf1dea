"""How a population is trained: cohorts, patience, culling, what is kept and what is told."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.population.checkpoint import Checkpoint
from kerasreg.population.chunk import Chunk
from kerasreg.population.keras_weights import write_weights
from kerasreg.population.results import EpochReport, MemberResult
from kerasreg.population.rows import Rows

if TYPE_CHECKING:
    import keras

    from kerasreg.population.engine import Population

KEEP = ("last", "best", "none")


@dataclass(frozen=True)
class Plan:
    """How to train, checked; see `Population.fit` for the meanings."""

    epochs: int
    batch_size: int
    objective: str
    sign: int
    monitor: str
    monitor_sign: int
    patience: int | None = None
    halving: tuple[tuple[int, float], ...] = ()
    keep: str = "last"
    every: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "every"):
            value = getattr(self, name)
            if name == "patience" and value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name}: expected a whole number of at least 1, got {value!r}.")
        if self.keep not in KEEP:
            raise UserError(f"keep: expected one of {', '.join(KEEP)}, got {self.keep!r}.")
        previous = 0
        for epoch, share in self.halving:
            measured = isinstance(epoch, int) and epoch % self.every == 0
            if not measured or not previous < epoch < self.epochs or not 0 < share < 1:
                raise UserError(
                    f"halving: expected (epoch, share) pairs with rising, measured epochs below "
                    f"{self.epochs} and shares in (0, 1), got {list(self.halving)!r}."
                )
            previous = epoch

    def measured(self, epoch: int) -> bool:
        """Whether metrics are taken after this epoch (from 1)."""
        return epoch % self.every == 0 or epoch == self.epochs


class Cohort:
    """Whole groups that train in lockstep: one chunk for each number of rows among them."""

    def __init__(self, training: Training, numbers: Sequence[int]):
        self.training = training
        self.numbers = list(numbers)
        by_rows: dict[tuple[int, int], list[int]] = {}
        for number in numbers:
            by_rows.setdefault(training.row_counts(number), []).append(number)
        self.parts: list[tuple[Chunk, list[int]]] = [
            (training.population.new_chunk(own, training.rows, training.plan.batch_size), own)
            for own in by_rows.values()
        ]
        self.epoch = 0

    def train_epochs(self) -> dict[int, dict[str, float]]:
        """Train up to the next measured epoch; metrics by member still in training."""
        stop = self.epoch + 1
        while not self.training.plan.measured(stop):
            stop += 1
        logs: dict[int, dict[str, float]] = {}
        for chunk, own in self.parts:
            started = time.perf_counter()
            for _ in range(self.epoch, stop):
                chunk.train_epoch()
            metrics = chunk.evaluate()
            seconds = (time.perf_counter() - started) / max(int(chunk.alive.sum()), 1)
            for position, number in enumerate(own):
                if chunk.alive[position]:
                    logs[number] = {name: float(v[position]) for name, v in metrics.items()}
                    self.training.results[number].seconds += seconds
        self.epoch = stop
        return logs

    def where(self, number: int) -> tuple[Chunk, int]:
        """The chunk that holds a member, and its position there."""
        for chunk, own in self.parts:
            if number in own:
                return chunk, own.index(number)
        raise KeyError(number)

    def end(self, numbers: set[int]) -> None:
        """Take members out of training; drop them from the arrays where that pays."""
        parts = []
        for chunk, own in self.parts:
            chunk.finish(np.array([n in numbers for n in own]))
            if not chunk.alive.any():
                continue
            if chunk.worth_compacting(self.training.plan.epochs - self.epoch):
                own = [n for n, alive in zip(own, chunk.alive, strict=True) if alive]
                chunk.compact()
            parts.append((chunk, own))
        self.parts = parts


class Training:
    """One call of `Population.fit`."""

    def __init__(
        self,
        population: Population,
        rows: Rows,
        plan: Plan,
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
        self.groups: dict[int, list[int]] = {}
        for number, member in enumerate(members):
            self.groups.setdefault(member.group, []).append(number)
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

    def run(self, chunk_size: int) -> list[MemberResult]:
        """Train everything; one result a member."""
        self.rung, self.todo, self.cohorts = 0, [], {}
        self._restore()
        known = {n for numbers in self.todo for n in numbers}
        self.todo += self._split([g for g in self.groups.values() if g[0] not in known], chunk_size)
        rungs = [*self.plan.halving, (self.plan.epochs, 1.0)]
        try:
            while self.rung < len(rungs):
                epoch, share = rungs[self.rung]
                index = 0
                while index < len(self.todo):
                    self._advance(index, epoch)
                    if epoch == self.plan.epochs:
                        self.cohorts.pop(index)
                        self._report(self.todo[index])
                    index += 1
                if share < 1:
                    self._cull(share)
                self.rung += 1
        finally:
            for watched in self.watched.values():
                watched.end()
        if self.checkpoint:
            self.checkpoint.remove()
        return self.results

    def _save(self) -> None:
        """Write the cohorts in training, and what is known of their members."""
        ids, members = self.checkpoint.ids, self.population.members
        states, cohorts = {}, []
        for index, cohort in self.cohorts.items():
            parts = []
            for place, (chunk, own) in enumerate(cohort.parts):
                states[f"{index}/{place}"] = chunk.state()
                parts.append([ids[n] for n in own])
            cohorts.append(
                {
                    "index": index,
                    "members": [ids[n] for n in cohort.numbers],
                    "epoch": cohort.epoch,
                    "parts": parts,
                }
            )
        progress = {}
        for number in (n for cohort in self.cohorts.values() for n in cohort.numbers):
            group, result = members[number].group, self.results[number]
            progress[ids[number]] = {
                "curves": self.curves[number],
                "trained": self.trained[number],
                "status": result.status,
                "seconds": result.seconds,
                "ended": number in self.ended,
                "best": [self.best[group], self.best_epoch[group], self.last[group]],
                "awaited": self.awaited[group],
            }
            if number in self.kept:
                weights = self.population.get_weights(number)
                states[f"kept/{ids[number]}"] = {str(i): a for i, a in enumerate(weights)}
        self.checkpoint.save({"rung": self.rung, "cohorts": cohorts, "progress": progress}, states)

    def _restore(self) -> None:
        """Go on from the checkpoint, if its members are all here."""
        loaded = self.checkpoint.load() if self.checkpoint else None
        if loaded is None:
            return
        header, states = loaded
        numbers = {name: number for number, name in enumerate(self.checkpoint.ids)}
        known = header["progress"]
        # With culling the members decide about each other: all or nothing.
        if not known.keys() <= numbers.keys() or (self.plan.halving and len(known) < len(numbers)):
            return
        self.rung = header["rung"]
        for name, values in known.items():
            number = numbers[name]
            group, result = self.population.members[number].group, self.results[number]
            self.curves[number] = values["curves"]
            self.trained[number] = values["trained"]
            result.status, result.seconds = values["status"], values["seconds"]
            if values["ended"]:
                self.ended.add(number)
            self.best[group], self.best_epoch[group], self.last[group] = values["best"]
            self.awaited[group] = tuple(values["awaited"])
            kept = states.get(f"kept/{name}")
            if kept is not None:
                self._set_kept(number, [kept[str(i)] for i in range(len(kept))])
        for saved in header["cohorts"]:
            cohort = Cohort(self, [numbers[name] for name in saved["members"]])
            cohort.epoch = saved["epoch"]
            cohort.parts = []
            for place, names in enumerate(saved["parts"]):
                own = [numbers[name] for name in names]
                chunk = self.population.new_chunk(own, self.rows, self.plan.batch_size)
                chunk.restore(states[f"{saved['index']}/{place}"], cohort.epoch)
                cohort.parts.append((chunk, own))
            self.cohorts[len(self.todo)] = cohort
            self.todo.append(cohort.numbers)

    @staticmethod
    def _split(groups: Sequence[list[int]], chunk_size: int) -> list[list[int]]:
        """Member numbers by cohort: whole groups, equal sizes (a small rest would be slow)."""
        total = sum(len(group) for group in groups)
        count = max(1, math.ceil(total / chunk_size))
        size = math.ceil(total / count)
        cohorts: list[list[int]] = []
        for group in groups:
            if not cohorts or len(cohorts[-1]) + len(group) > size:
                cohorts.append([])
            cohorts[-1] += group
        return cohorts

    def _advance(self, index: int, epoch: int) -> None:
        """Train cohort `index` up to `epoch`; on too little memory, in two halves."""
        try:
            if index not in self.cohorts:
                self.cohorts[index] = Cohort(self, self.todo[index])
            cohort = self.cohorts[index]
            while cohort.epoch < epoch and cohort.parts:
                self._epoch(cohort, index)
                if self.checkpoint and self.checkpoint.due():
                    self._save()
        except tf.errors.ResourceExhaustedError:
            self._halve(index)
            self._advance(index, epoch)

    def _halve(self, index: int) -> None:
        """Replace cohort `index` by two that begin anew."""
        numbers, members = self.todo[index], self.population.members
        groups = list(dict.fromkeys(members[n].group for n in numbers))
        if len(groups) < 2:
            raise UserError(
                "Out of memory with a single trial: use a smaller batch_size or fewer units."
            ) from None
        half = set(groups[: len(groups) // 2])
        first = [n for n in numbers if members[n].group in half]
        second = [n for n in numbers if members[n].group not in half]
        warnings.warn(
            f"Out of memory with {len(numbers)} members at once: starting them again as "
            f"{len(first)} and {len(second)}.",
            stacklevel=2,
        )
        self._forget(numbers)
        self.cohorts.pop(index, None)
        self.cohorts = {i + (i > index): cohort for i, cohort in self.cohorts.items()}
        self.todo[index : index + 1] = [first, second]

    def _forget(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.curves[number] = {}
            self.ended.discard(number)
            group = self.population.members[number].group
            self.best[group] = self.last[group] = -math.inf
            self.best_epoch[group] = 0
            self.awaited[group] = (-math.inf, 0)
            self.results[number].status = "completed"

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
            score = self.plan.sign * float(np.mean([logs[n][self.plan.objective] for n in own]))
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
        if self.plan.monitor_sign * value > best:
            self.awaited[group] = (self.plan.monitor_sign * value, epoch)
            return False
        return self.plan.patience is not None and epoch - when >= self.plan.patience

    def _keep(self, cohort: Cohort, numbers: Sequence[int]) -> None:
        for number in numbers:
            chunk, position = cohort.where(number)
            # A copy: the arrays are views of tensors that the next step frees.
            weights = [array.copy() for array in chunk.weights(position)]
            self._set_kept(number, weights)

    def _set_kept(self, number: int, weights: list[np.ndarray]) -> None:
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


class Watched:
    """A member's Keras model, kept in step with the population for ordinary callbacks."""

    def __init__(
        self, population: Population, number: int, callbacks: Sequence[keras.callbacks.Callback]
    ):
        self._population = population
        self._number = number
        self._callbacks = list(callbacks)
        self._model: keras.Model | None = None

    def epoch(self, cohort: Cohort, logs: dict[str, float]) -> None:
        """Bring the model up to date and call the callbacks."""
        if self._model is None:
            self._model = self._population.member(self._number)
            for callback in self._callbacks:
                callback.set_model(self._model)
                callback.on_train_begin()
        chunk, position = cohort.where(self._number)
        write_weights(self._population.blueprint, chunk.weights(position), self._model)
        for callback in self._callbacks:
            callback.on_epoch_end(cohort.epoch - 1, dict(logs))

    def end(self) -> None:
        """Close the callbacks."""
        if self._model is not None:
            for callback in self._callbacks:
                callback.on_train_end()
