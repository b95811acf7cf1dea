"""A cohort: whole groups of members that train at the same time."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kerasreg.population.chunk import Chunk
from kerasreg.population.members import Member
from kerasreg.population.memory import named_out_of_memory
from kerasreg.population.plan import TrainingPlan
from kerasreg.population.runs import Group, Run, runs_of

#: Makes the chunk of some members.
NewChunk = Callable[[Sequence[Member]], Chunk]
Arrays = dict[str, dict[str, np.ndarray]]


class Cohort:
    """Whole groups that train epoch by epoch: one chunk for each count of training rows among them.

    Attributes:
        groups: Whose training it is, those that have ended included.
        epoch: Epochs trained.
        parts: The chunks in training, each with its runs in the order of its arrays; None before
            the first epoch.
        told: Whether its results were told, so that nothing of it needs to be kept.
    """

    def __init__(self, groups: Sequence[Group], plan: TrainingPlan, new_chunk: NewChunk):
        self.groups = list(groups)
        self.epoch = 0
        self.parts: list[tuple[Chunk, list[Run]]] | None = None
        self.told = False
        self._plan, self._new_chunk = plan, new_chunk

    @property
    def live(self) -> list[Group]:
        """The groups that have not ended."""
        return [group for group in self.groups if not group.ended]

    @property
    def present(self) -> int:
        """How many members are in the arrays, or will be."""
        if self.parts is None:
            return len(runs_of(self.live))
        return sum(len(runs) for _, runs in self.parts)

    def begin(self) -> None:
        """Make the chunks, unless that has happened."""
        if self.parts is not None:
            return
        by_rows: dict[int, list[Run]] = {}
        for run in runs_of(self.live):
            by_rows.setdefault(run.rows, []).append(run)
        with named_out_of_memory():
            self.parts = [(self._chunk(runs), runs) for runs in by_rows.values()]

    def _chunk(self, runs: Sequence[Run]) -> Chunk:
        return self._new_chunk([run.member for run in runs])

    def train_epochs(self) -> dict[Run, tuple[dict[str, float], float]]:
        """Train up to the next measured epoch.

        Returns:
            By run in training: its metrics, and the seconds that are its share.
        """
        stop = self.epoch + 1
        while not self._plan.measured(stop):
            stop += 1
        measured = {}
        for chunk, runs in self.parts:
            started = time.perf_counter()
            with named_out_of_memory():
                for _ in range(self.epoch, stop):
                    chunk.train_epoch()
                metrics = chunk.evaluate()
            live = [(position, run) for position, run in enumerate(runs) if not run.ended]
            seconds = (time.perf_counter() - started) / len(live)
            for position, run in live:
                measured[run] = {name: float(v[position]) for name, v in metrics.items()}, seconds
        self.epoch = stop
        return measured

    def set_learning_rates(self, rates: Mapping[Run, float]) -> None:
        """Let runs go on with other learning rates."""
        for chunk, runs in self.parts:
            here = {position: rates[run] for position, run in enumerate(runs) if run in rates}
            if here:
                chunk.set_learning_rates(here)

    def weights(self, wanted: Sequence[Run]) -> dict[Run, list[np.ndarray]]:
        """The arrays of some runs in training now."""
        found: dict[Run, list[np.ndarray]] = {}
        wanted = set(wanted)
        for chunk, runs in self.parts:
            positions = [position for position, run in enumerate(runs) if run in wanted]
            if positions:
                here = [runs[position] for position in positions]
                found |= zip(here, chunk.weights(positions), strict=True)
        return found

    def drop_ended(self) -> None:
        """Take runs that have ended out of the arrays, where that pays."""
        parts = []
        for chunk, runs in self.parts:
            live = [position for position, run in enumerate(runs) if not run.ended]
            if live and chunk.compact(live, self._plan.epochs - self.epoch):
                runs = [runs[position] for position in live]
            if live:
                parts.append((chunk, runs))
        self.parts = parts

    def state(self, name: str) -> tuple[dict[str, Any], Arrays]:
        """Plain values, and arrays under names that begin with `name`, for `restore`."""
        values = {
            "epoch": self.epoch,
            "groups": [group.state() for group in self.groups],
            "parts": self.parts and [[run.id for run in runs] for _, runs in self.parts],
        }
        arrays = {
            f"{name}/{place}": chunk.state() for place, (chunk, _) in enumerate(self.parts or ())
        }
        return values, arrays

    def restore(self, values: Mapping[str, Any], arrays: Arrays, name: str) -> None:
        """Go on from a `state` that has these groups, already restored, and perhaps others."""
        self.epoch = values["epoch"]
        if values["parts"] is None:
            return
        here = {run.id: run for run in runs_of(self.groups)}
        self.parts = []
        for place, ids in enumerate(values["parts"]):
            positions = [position for position, run_id in enumerate(ids) if run_id in here]
            runs = [here[ids[position]] for position in positions]
            if all(run.ended for run in runs):
                continue
            chunk = self._chunk(runs)
            state = arrays[f"{name}/{place}"]
            state = {key: a[positions] if a.ndim else a for key, a in state.items()}
            chunk.restore(state, self.epoch)
            self.parts.append((chunk, runs))
