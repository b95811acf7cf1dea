"""The population engine on a Ray cluster: a task is cut into populations, trained anywhere.

How a task is cut follows from the task alone, and a part's program is that of the whole task
(`TrainingTask.only`): neither the number of workers nor who trains what changes a result.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.errors import UserError
from kerasreg.population import MemberResult
from kerasreg.search.engines.population_engine import PopulationEngine, checkpoint_name
from kerasreg.search.engines.ray_cluster.options import RayCluster
from kerasreg.search.engines.ray_cluster.parts import Part, cut
from kerasreg.search.engines.ray_cluster.workers import Work, Workers, workers_on
from kerasreg.search.engines.task import TrainingTask, rows_of

if TYPE_CHECKING:
    import ray

    from kerasreg.data import Dataset


class RayEngine(PopulationEngine):
    """Trains the populations of a task as Ray tasks; made by `on_cluster`.

    The object store holds each encoding of the data once a node. Single stacks (`fit`) train in
    this process.
    """

    def __init__(self, workers: Workers, say: Callable[[str], None]):
        self._workers, self._say = workers, say
        self._stored: dict[tuple, ray.ObjectRef] = {}
        self._said = False
        self._seconds = {"wall_seconds": 0.0, "training_seconds": 0.0}

    @property
    def workers(self) -> int:
        """See `Engine`."""
        return len(self._workers.running)

    @property
    def usage(self) -> dict[str, float]:
        """See `Engine`: most nodes, cores and workers at a time; the workers' seconds and ours."""
        return self._workers.usage | self._seconds

    def train(
        self,
        task: TrainingTask,
        dataset: Dataset,
        on_epoch: Callable[[np.ndarray], None] | None = None,
        on_setting: Callable[[int, list[MemberResult]], None] | None = None,
        checkpoints: Path | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> list[list[MemberResult]]:
        """See `Engine.train`; a setting is told as soon as its part is through."""
        import ray

        started = time.monotonic()
        if checkpoints:
            checkpoints.mkdir(exist_ok=True)
        results: list[list[MemberResult]] = [[] for _ in task.settings]
        workers, cluster = self._workers, self._workers.cluster
        folder = cluster.checkpoints
        if folder is None and cluster.address == "local":
            folder = checkpoints
        parts = list(cut(task))
        if task.plan.halving and len(parts) < workers.places() and not self._said:
            self._said = True
            self._say(
                f"Of {workers.places()} workers {len(parts)} can be used: with halving the trials "
                "of one structure train together. --no-halving uses all."
            )
        stored = ray.put(task)
        for part in parts:
            workers.add(self._work(part, stored, task, dataset, folder))
        failure: UserError | None = None
        try:
            workers.begin()
            while workers.running:
                ended = workers.done()
                if on_epoch:
                    for scores in workers.told or [np.empty(0)]:
                        on_epoch(scores)
                finished: dict[int, list[MemberResult]] = {}
                for work in ended:
                    if work.error is None:
                        members, seconds = work.result
                        finished |= members
                        self._seconds["training_seconds"] += seconds
                    elif isinstance(work.error, UserError):
                        failure = work.error
                    else:
                        raise work.error
                for index, members in finished.items():
                    results[index] = members
                # The next ones train while these are recorded.
                if stop and any(results) and stop():
                    workers.drop_waiting()
                workers.begin()
                for index, members in finished.items():
                    if on_setting:
                        on_setting(index, members)
        finally:
            self._seconds["wall_seconds"] += time.monotonic() - started
            workers.cancel()
        if failure:
            raise failure
        return results

    def _work(
        self,
        part: Part,
        stored: ray.ObjectRef,
        task: TrainingTask,
        dataset: Dataset,
        folder: str | Path | None,
    ) -> Work:
        from kerasreg.search.engines.ray_cluster.worker import train_part

        checkpoint = None
        if folder is not None:
            settings = [task.settings[index] for index in part.all]
            checkpoint = str(Path(folder).resolve() / checkpoint_name(settings))
        rows = self._rows(task, dataset, task.settings[part.all[0]].encoding)
        names = ", ".join(task.names[index] for index in part.left) if task.names else "some"
        # Of a stored object in a list the worker maps the arrays; else Ray would copy them.
        arguments = ([stored, rows], part.structure, part.left, checkpoint)
        return Work(names, train_part, arguments)

    def _rows(self, task: TrainingTask, dataset: Dataset, encoding: str) -> ray.ObjectRef:
        import ray

        key = dataset, encoding, task.folds, task.seeds, task.balance
        if key not in self._stored:
            self._stored[key] = ray.put(rows_of(task, dataset.encoded(encoding)))
        return self._stored[key]


@contextlib.contextmanager
def on_cluster(
    cluster: RayCluster, say: Callable[[str], None] = warnings.warn
) -> Iterator[RayEngine]:
    """The engine of a cluster; see `workers_on`."""
    with workers_on(cluster, say) as workers:
        yield RayEngine(workers, say)
