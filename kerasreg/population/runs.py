"""What is known of members in training: a run for each, and groups of runs that stop together."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerasreg.population.checkpoint import identities
from kerasreg.population.members import Member
from kerasreg.population.path import FoldedRows
from kerasreg.population.plan import TrainingPlan
from kerasreg.population.results import MemberResult


@dataclass(eq=False)
class Run:
    """One member in training.

    Attributes:
        index: Its index in the population.
        member: It receives the weights that are kept.
        result: What is told of it in the end.
        rows: Training rows of its fold.
        id: Its name in a checkpoint.
        curves: By metric, one value a measured epoch.
        ended: Whether it trains no more: through, stopped at a rung, out of patience or diverged.
    """

    index: int
    member: Member
    result: MemberResult
    rows: int
    id: str = ""
    curves: dict[str, list[float]] = field(default_factory=dict)
    ended: bool = False

    def add(self, epoch: int, metrics: Mapping[str, float], seconds: float) -> None:
        """Take in what was measured after `epoch` epochs."""
        self.result.epochs = epoch
        self.result.seconds += seconds
        for name, value in metrics.items():
            self.curves.setdefault(name, []).append(value)

    def state(self) -> dict[str, Any]:
        """Plain values for `restore`; the weights that are kept are not among them."""
        result = self.result
        return {
            "curves": self.curves,
            "ended": self.ended,
            "result": [result.status, result.epochs, result.seconds],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.curves, self.ended = state["curves"], state["ended"]
        self.result.status, self.result.epochs, self.result.seconds = state["result"]


@dataclass(eq=False)
class Group:
    """Runs that stop together, a trial's: judged by the means of what is measured of them.

    Attributes:
        runs: At least one.
        best, best_epoch: The best objective so far, larger being better, and after which epoch.
        awaited, awaited_epoch: The same of what patience goes by.
    """

    runs: list[Run] = field(default_factory=list)
    best: float = -math.inf
    best_epoch: int = 0
    awaited: float = -math.inf
    awaited_epoch: int = 0

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def ended(self) -> bool:
        """Whether it trains no more."""
        return self.runs[0].ended

    def measure(
        self, epoch: int, logs: Mapping[Run, Mapping[str, float]], plan: TrainingPlan
    ) -> tuple[bool, bool]:
        """Judge an epoch.

        Returns:
            Whether the objective is the best so far, and whether the group's training ends: a
            value is not finite, or patience is at its end.
        """
        broken = {run for run in self.runs if not all(map(math.isfinite, logs[run].values()))}
        if broken:
            for run in self.runs:
                run.result.status = "diverged" if run in broken else "stopped"
            return False, True
        score, value = (
            plan.larger(name, float(np.mean([logs[run][name] for run in self.runs])))
            for name in (plan.objective, plan.monitor)
        )
        improved = score > self.best
        if improved:
            self.best, self.best_epoch = score, epoch
        if value > self.awaited:
            self.awaited, self.awaited_epoch = value, epoch
            return improved, False
        late = plan.patience is not None and epoch - self.awaited_epoch >= plan.patience
        return improved, late

    def forget(self) -> None:
        """As if its training, which has not ended, had not begun."""
        self.best, self.best_epoch = -math.inf, 0
        self.awaited, self.awaited_epoch = -math.inf, 0
        for run in self.runs:
            run.curves = {}

    def end(self) -> None:
        """Its runs train no more."""
        for run in self.runs:
            run.ended = True

    def results(self) -> list[tuple[int, MemberResult]]:
        """Index and result of each run, complete."""
        for run in self.runs:
            run.result.curves = {name: np.array(curve) for name, curve in run.curves.items()}
            run.result.best_epoch = self.best_epoch
            run.result.weights = run.member.weights
        return [(run.index, run.result) for run in self.runs]

    def state(self) -> dict[str, Any]:
        """Plain values for `restore`."""
        return {
            "runs": {run.id: run.state() for run in self.runs},
            "best": [self.best, self.best_epoch],
            "awaited": [self.awaited, self.awaited_epoch],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state` that has these runs, and perhaps others."""
        self.best, self.best_epoch = state["best"]
        self.awaited, self.awaited_epoch = state["awaited"]
        for run in self.runs:
            run.restore(state["runs"][run.id])


def new_runs(members: Sequence[Member], rows: FoldedRows, indices: Sequence[int]) -> list[Run]:
    """Runs of the members `indices`, which begin with their initial weights."""
    runs = []
    for index in indices:
        member = members[index]
        member.weights = None
        fold = member.fold if len(rows.train) > 1 else None
        result = MemberResult(member.config, member.seed, fold)
        runs.append(Run(index, member, result, len(rows.train[member.fold])))
    return runs


def name_runs(runs: Sequence[Run], members: Sequence[Member]) -> None:
    """Give each run its name in a checkpoint; the names follow from all members."""
    names = identities(members)
    for run in runs:
        run.id = names[run.index]


def group_runs(runs: Iterable[Run]) -> list[Group]:
    """Groups of the runs whose members have the same `group`, in order of appearance."""
    groups: dict[int, Group] = {}
    for run in runs:
        groups.setdefault(run.member.group, Group()).runs.append(run)
    return list(groups.values())


def runs_of(groups: Sequence[Group]) -> list[Run]:
    """Every run of some groups."""
    return [run for group in groups for run in group.runs]
