"""What a worker of the cluster does: train a part of a task, and tell how far it is."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.population import MemberResult
from kerasreg.search.engines.population_engine import train_structure
from kerasreg.search.engines.ray_cluster.options import RayCluster

#: Seconds between two reports of a worker.
INTERVAL = 0.5


def train_part(
    number: int,
    task_and_rows: Sequence[ray.ObjectRef],
    indices: Sequence[int],
    wanted: Sequence[int],
    cluster: RayCluster,
    checkpoint: str | None,
    reports: Any,
) -> tuple[dict[int, list[MemberResult]], float]:
    """Train the settings `wanted` of one structure.

    Args:
        number: Of the part, for its reports.
        task_and_rows: The `TrainingTask` and its `TaskRows`, in the object store: the arrays are
            mapped from there and not copied.
        indices: Every setting of the structure: they decide the program, see `TrainingTask.only`.
        cluster: How many threads and GPUs there are for it.
        checkpoint: A file to go on from, see `Population.train`.
        reports: The actor of a `ray.util.queue.Queue`. It gets the number of the part, the node as
            a user knows it, and the objective of the members, an array (members,) for each epoch
            since the last report: plain values, for which the actor imports nothing of ours.

    Returns:
        The members of each setting, and the seconds that it took.
    """
    started = time.monotonic()
    _limit(cluster)
    task, rows = ray.get(list(task_and_rows))
    task = replace(task, only=frozenset(wanted))
    node = node_name(ray.util.get_node_ip_address(), ray.get_runtime_context().get_node_id())
    file = Path(checkpoint) if checkpoint else None
    if file:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"--ray-checkpoints: expected a folder that every node can write, got "
                f"{file.parent}, of which node {node} says: {error.strerror}."
            ) from None
    waiting: list[np.ndarray] = []
    sent = -INTERVAL

    def tell(scores: Sequence[np.ndarray]) -> None:
        nonlocal sent
        waiting.extend(scores)
        if time.monotonic() - sent >= INTERVAL:
            # Not waited for: a report that is lost is no harm.
            reports.put_nowait.remote((number, node, list(waiting)))
            waiting.clear()
            sent = time.monotonic()

    tell([])
    results: dict[int, list[MemberResult]] = {}
    train_structure(task, indices, rows, results.__setitem__, lambda scores: tell([scores]), file)
    return results, time.monotonic() - started


def node_name(address: str, node_id: str) -> str:
    """A node as messages name it: several may have one address."""
    return f"{address} ({node_id[:8]})"


def _limit(cluster: RayCluster) -> None:
    """Keep TensorFlow to the share of the machine that the task has; done once a process."""
    if tf.config.threading.get_intra_op_parallelism_threads() != cluster.threads:
        tf.config.threading.set_intra_op_parallelism_threads(cluster.threads)
        tf.config.threading.set_inter_op_parallelism_threads(cluster.threads)
        for gpu in tf.config.list_physical_devices("GPU"):
            # Without it the first task takes all the memory of a GPU that several share.
            tf.config.experimental.set_memory_growth(gpu, True)
