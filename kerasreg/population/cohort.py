"""A cohort: whole groups of members that train in lockstep."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.population.chunk import Chunk
from kerasreg.population.memory import named_out_of_memory

if TYPE_CHECKING:
    from kerasreg.population.training import Training


class Cohort:
    """Whole groups that train in lockstep: one chunk for each number of rows among them."""

    def __init__(self, training: Training, numbers: Sequence[int]):
        self.training = training
        self.numbers = list(numbers)
        by_rows: dict[tuple[int, int], list[int]] = {}
        for number in numbers:
            by_rows.setdefault(training.row_counts(number), []).append(number)
        with named_out_of_memory():
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
            with named_out_of_memory():
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
