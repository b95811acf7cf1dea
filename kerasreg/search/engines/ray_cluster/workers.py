"""The workers of a cluster: what waits for one, what runs, what begins again when one is lost."""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kerasreg.errors import UserError
from kerasreg.search.engines.ray_cluster.joining import alive, check_versions, joined, places
from kerasreg.search.engines.ray_cluster.options import RayCluster
from kerasreg.search.engines.task import WorkerLost

if TYPE_CHECKING:
    import numpy as np
    import ray

#: How often work whose worker is lost is begun again.
RETRIES = 3
#: Seconds after which the driver looks up from waiting.
PAUSE = 0.3
_NUMBERS = itertools.count()
# Ray's exceptions in words.
_REASONS = {
    "NodeDiedError": "the node is gone",
    "ObjectLostError": "the results were lost with the node",
    "OutOfMemoryError": "out of memory",
    "WorkerCrashedError": "the process ended",
}


@dataclass(eq=False)
class Work:
    """What one worker does at a time.

    Attributes:
        names: What messages call it: its trials.
        function, arguments: The worker calls `function(*arguments, cluster, reporter)`. References
            to stored objects travel as they are inside a list; others Ray resolves.
        alone: Whether it has a process of its own; else the workers do one after the other.
        number: No other work of this process has it.
        node: The last one that said it does this; empty before.
        losses: How often its worker was lost.
        result: What the function returned.
        error: What it raised, or that its workers were lost; None where it has a result.
    """

    names: str
    function: Callable[..., Any]
    arguments: tuple
    alone: bool = False
    number: int = field(default_factory=_NUMBERS.__next__)
    node: str = ""
    losses: int = 0
    result: Any = None
    error: Exception | None = None


class Workers:
    """Has work done by the processes of a cluster; made by `workers_on`.

    Attributes:
        cluster: Which, and how much of it a worker takes.
        usage: The most nodes, cores and workers that were there at a time.
        running: Work by what Ray will give of it.
        told: Objectives of members that running work told of before the last `done`, an array for
            each epoch.

    Raises:
        UserError: The nodes have other versions than this one, or no room for a single worker.
    """

    def __init__(self, cluster: RayCluster, say: Callable[[str], None]):
        import ray
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self.cluster, self._say = cluster, say
        self.usage = {"nodes": 0, "cores": 0, "workers": 0}
        self.running: dict[ray.ObjectRef, Work] = {}
        self.told: list[np.ndarray] = []
        self._waiting: deque[Work] = deque()
        self._nodes: set[str] = set()
        # On this node: a queue of another node would be lost with it.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        always = {"max_restarts": -1, "max_task_retries": -1}
        self._reports = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here, **always})
        if not self.places():
            raise UserError(
                f"--ray-cpus, --ray-gpus: expected no more than a node of the cluster has, got "
                f"{cluster.cpus:g} cores and {cluster.gpus:g} GPUs for a population."
            )

    def places(self) -> int:
        """How many workers there is room for, on the nodes that are there now.

        Raises:
            UserError: A node has other versions.
        """
        nodes = alive()
        check_versions({name: node for name, node in nodes.items() if name not in self._nodes})
        self._nodes = set(nodes)
        room = sum(places(node, self.cluster) for node in nodes.values())
        cores = int(sum(node["Resources"].get("CPU", 0) for node in nodes.values()))
        for name, now in (("nodes", len(nodes)), ("cores", cores), ("workers", room)):
            self.usage[name] = max(self.usage[name], now)
        return room

    def store(self, value: Any) -> ray.ObjectRef:
        """Put a value where every node takes it from, once."""
        import ray

        return ray.put(value)

    def add(self, work: Work) -> None:
        """Have work wait for its turn."""
        self._waiting.append(work)

    def begin(self) -> None:
        """Begin what waits, as far as there is room."""
        import ray

        from kerasreg.search.engines.ray_cluster.reporter import Reporter

        for _ in range(min(max(1, self.places()) - len(self.running), len(self._waiting))):
            work = self._waiting.popleft()
            # Work whose worker is lost is counted and begun again here, not inside Ray.
            options = {"max_retries": 0, "max_calls": int(work.alone)}
            remote = ray.remote(**options)(work.function).options(
                num_cpus=self.cluster.cpus, num_gpus=self.cluster.gpus
            )
            reporter = Reporter(work.number, self._reports.actor)
            self.running[remote.remote(*work.arguments, self.cluster, reporter)] = work

    def drop_waiting(self) -> None:
        """Begin no more of what waits."""
        self._waiting.clear()

    def done(self) -> list[Work]:
        """What has ended, after a short wait for it; a lost worker's waits for its turn again."""
        import ray

        ended = []
        finished, _ = ray.wait(list(self.running), timeout=PAUSE)
        self._hear()
        for reference in finished:
            work = self.running.pop(reference)
            try:
                work.result = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                work.error = error.cause if isinstance(error.cause, UserError) else error
            except ray.exceptions.RayError as error:
                if (lost := self._lost(work, error)) is None:
                    self._waiting.appendleft(work)
                    continue
                work.error = lost
            ended.append(work)
        return ended

    def wait(self, work: Work) -> Any:
        """What one of the added works gives; the others go on meanwhile.

        Raises:
            Exception: What it met.
        """
        while work in self._waiting or work in self.running.values():
            self.begin()
            self.done()
        if work.error is not None:
            raise work.error
        return work.result

    def _hear(self) -> None:
        count = self._reports.qsize()
        reports = self._reports.get_nowait_batch(count) if count else []
        nodes = {number: node for number, node, _ in reports}
        for work in self.running.values():
            work.node = nodes.get(work.number, work.node)
        self.told = [scores for *_, epochs in reports for scores in epochs]

    def cancel(self) -> None:
        """End what runs, and forget what waits."""
        import ray

        self.drop_waiting()
        for reference in self.running:
            ray.cancel(reference, force=True)
        self.running.clear()

    def _lost(self, work: Work, error: ray.exceptions.RayError) -> WorkerLost | None:
        """What work whose worker is gone has failed of; None if it is to begin again."""
        work.losses += 1
        kind = type(error).__name__
        # A worker that has not told anything yet may be anywhere.
        why = (f" on node {work.node}" if work.node else "") + f": {_REASONS.get(kind, kind)}"
        if work.losses > RETRIES:
            return WorkerLost(
                f"The worker of {work.names} was lost {work.losses} times, the last time{why}."
            )
        self._say(f"The worker of {work.names} was lost{why}. They begin again.")
        return None


@contextlib.contextmanager
def workers_on(
    cluster: RayCluster, say: Callable[[str], None] = warnings.warn
) -> Iterator[Workers]:
    """The workers of a cluster, which is left again after the block.

    Args:
        cluster: Which.
        say: Called with a sentence on every worker that was lost.

    Raises:
        UserError: There is no such cluster, no Ray, or see `Workers`.
    """
    with joined(cluster):
        workers = Workers(cluster, say)
        try:
            yield workers
        finally:
            workers.cancel()
