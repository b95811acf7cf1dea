"""The population engine on a Ray cluster: a task is cut into populations, trained anywhere.

How a task is cut follows from the task alone, and a part's program is that of the whole task
(`TrainingTask.only`): neither the number of workers nor who trains what changes a result.
"""

from __future__ import annotations

import contextlib
import itertools
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.errors import UserError
from kerasreg.population import MemberResult
from kerasreg.search.engines.population_engine import PopulationEngine, checkpoint_name
from kerasreg.search.engines.ray_cluster.joining import alive, check_versions, joined, places
from kerasreg.search.engines.ray_cluster.options import RayCluster
from kerasreg.search.engines.ray_cluster.parts import Part, cut
from kerasreg.search.engines.task import TrainingTask, WorkerLost, rows_of

if TYPE_CHECKING:
    import ray

    from kerasreg.data import Dataset

#: How often a part whose worker is lost is trained again.
RETRIES = 3
#: Seconds after which the driver looks up from waiting.
PAUSE = 0.3
# Ray's exceptions in words.
_REASONS = {
    "NodeDiedError": "the node is gone",
    "ObjectLostError": "the results were lost with the node",
    "OutOfMemoryError": "out of memory",
    "WorkerCrashedError": "the process ended",
}


class RayEngine(PopulationEngine):
    """Trains the populations of a task as Ray tasks; made by `on_cluster`.

    The object store holds each encoding of the data once a node. Single stacks (`fit`) train in
    this process.
    """

    def __init__(self, cluster: RayCluster, say: Callable[[str], None]):
        import ray
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from kerasreg.search.engines.ray_cluster.worker import train_part

        self._cluster, self._say = cluster, say
        self._nodes: set[str] = set()
        self._stored: dict[tuple, ray.ObjectRef] = {}
        self._numbers = itertools.count()
        # On this node: a queue of another node would be lost with it.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        always = {"max_restarts": -1, "max_task_retries": -1}
        self._reports = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here, **always})
        # A part whose worker is lost is counted and begun again here, not inside Ray.
        self._train_part = ray.remote(max_retries=0, max_calls=0)(train_part).options(
            num_cpus=cluster.cpus, num_gpus=cluster.gpus
        )
        self.workers, self._said = 0, False
        self._used = {"nodes": 0, "cores": 0, "workers": 0}
        self._used |= {"wall_seconds": 0.0, "training_seconds": 0.0}
        if not self._places():
            raise UserError(
                f"--ray-cpus, --ray-gpus: expected no more than a node of the cluster has, got "
                f"{cluster.cpus:g} cores and {cluster.gpus:g} GPUs for a population."
            )

    @property
    def usage(self) -> dict[str, float]:
        """See `Engine`: most nodes, cores and workers at a time; the workers' seconds and ours."""
        return dict(self._used)

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
        waiting = deque(cut(task))
        stored = ray.put(task)
        running: dict[ray.ObjectRef, Part] = {}
        failure: UserError | None = None
        folder = self._cluster.checkpoints
        if folder is None and self._cluster.address == "local":
            folder = checkpoints

        def begin() -> None:
            if stop and any(results) and stop():
                waiting.clear()
            free = max(1, self._places()) - len(running)
            for part in [waiting.popleft() for _ in range(min(free, len(waiting)))]:
                rows = self._rows(task, dataset, task.settings[part.all[0]].encoding)
                running[self._begin(part, [stored, rows], task, folder)] = part
            self.workers = len(running)

        if task.plan.halving and len(waiting) < self._places() and not self._said:
            self._said = True
            self._say(
                f"Of {self._places()} workers {len(waiting)} can be used: with halving the trials "
                "of one structure train together. --no-halving uses all."
            )
        try:
            begin()
            while running:
                done, _ = ray.wait(list(running), timeout=PAUSE)
                self._tell_epochs(running.values(), on_epoch)
                finished: dict[int, list[MemberResult]] = {}
                for part, reference in [(running.pop(one), one) for one in done]:
                    try:
                        members, seconds = ray.get(reference)
                        finished |= members
                        self._used["training_seconds"] += seconds
                    except ray.exceptions.RayTaskError as error:
                        if not isinstance(error.cause, UserError):
                            raise
                        failure = error.cause
                    except ray.exceptions.RayError as error:
                        if (lost := self._lost(part, error, task.names)) is None:
                            waiting.appendleft(part)
                        failure = lost or failure
                for index, members in finished.items():
                    results[index] = members
                # The next ones train while these are recorded.
                begin()
                for index, members in finished.items():
                    if on_setting:
                        on_setting(index, members)
        finally:
            self.workers = 0
            self._used["wall_seconds"] += time.monotonic() - started
            for reference in running:
                ray.cancel(reference, force=True)
        if failure:
            raise failure
        return results

    def _rows(self, task: TrainingTask, dataset: Dataset, encoding: str) -> ray.ObjectRef:
        import ray

        key = dataset, encoding, task.folds, task.fold_seed, task.balance
        if key not in self._stored:
            self._stored[key] = ray.put(rows_of(task, dataset.encoded(encoding)))
        return self._stored[key]

    def _begin(
        self, part: Part, data: list[ray.ObjectRef], task: TrainingTask, folder: str | Path | None
    ) -> ray.ObjectRef:
        checkpoint = None
        if folder is not None:
            settings = [task.settings[index] for index in part.all]
            checkpoint = str(Path(folder).resolve() / checkpoint_name(settings))
        # In a list Ray hands on references as they are, and the worker maps what they refer to.
        return self._train_part.remote(
            part.number,
            data,
            part.structure,
            part.left,
            self._cluster,
            checkpoint,
            self._reports.actor,
        )

    def _places(self) -> int:
        """How many parts can train at the same time, on the nodes that are there now.

        Raises:
            UserError: A node has other versions.
        """
        nodes = alive()
        check_versions({name: node for name, node in nodes.items() if name not in self._nodes})
        self._nodes = set(nodes)
        room = sum(places(node, self._cluster) for node in nodes.values())
        cores = int(sum(node["Resources"].get("CPU", 0) for node in nodes.values()))
        for name, now in (("nodes", len(nodes)), ("cores", cores), ("workers", room)):
            self._used[name] = max(self._used[name], now)
        return room

    def _tell_epochs(
        self, parts: Iterable[Part], on_epoch: Callable[[np.ndarray], None] | None
    ) -> None:
        """Pass on what the workers have told since the last time."""
        count = self._reports.qsize()
        reports = self._reports.get_nowait_batch(count) if count else []
        nodes = {number: node for number, node, _ in reports}
        for part in parts:
            part.node = nodes.get(part.number, part.node)
        if on_epoch:
            told = [scores for *_, epochs in reports for scores in epochs]
            for scores in told or [np.empty(0)]:
                on_epoch(scores)

    def _lost(
        self, part: Part, error: ray.exceptions.RayError, names: Sequence[str]
    ) -> WorkerLost | None:
        """What a part whose worker is gone has failed of; None if it is to be trained again."""
        part.losses += 1
        kind = type(error).__name__
        # A worker that has not told anything yet may be anywhere.
        why = (f" on node {part.node}" if part.node else "") + f": {_REASONS.get(kind, kind)}"
        trials = ", ".join(names[index] for index in part.left) or "some"
        if part.losses > RETRIES:
            return WorkerLost(
                f"The worker of {trials} was lost {part.losses} times, the last time{why}."
            )
        self._say(f"The worker of {trials} was lost{why}. They begin again.")
        return None


@contextlib.contextmanager
def on_cluster(
    cluster: RayCluster, say: Callable[[str], None] = warnings.warn
) -> Iterator[RayEngine]:
    """The engine of a cluster, which is left again after the block.

    Args:
        cluster: Which.
        say: Called with a sentence on every worker that was lost.

    Raises:
        UserError: There is no such cluster, no Ray, or the nodes have other versions than this one.
    """
    with joined(cluster):
        yield RayEngine(cluster, say)
