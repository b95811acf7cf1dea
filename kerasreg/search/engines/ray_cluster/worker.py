"""What a worker of the cluster does: train a part of a task, and tell how far it is."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import ray
import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.population import MemberResult, TrainingPlan
from kerasreg.search.engines.population_engine import train_structure
from kerasreg.search.engines.ray_cluster.options import RayCluster
from kerasreg.search.engines.ray_cluster.reporter import Reporter


def train_part(
    task_and_rows: Sequence[ray.ObjectRef],
    indices: Sequence[int],
    wanted: Sequence[int],
    checkpoint: str | None,
    cluster: RayCluster,
    reporter: Reporter,
) -> tuple[dict[int, list[MemberResult]], float]:
    """Train the settings `wanted` of one structure.

    Args:
        task_and_rows: The `TrainingTask` and its `TaskRows`, in the object store: the arrays are
            mapped from there and not copied.
        indices: Every setting of the structure: they decide the program, see `TrainingTask.only`.
        checkpoint: A file to go on from, see `Population.train`.
        cluster: How many threads and GPUs there are for it.
        reporter: Is told the objective of the members, (members,), of every epoch.

    Returns:
        The members of each setting, and the seconds that it took.
    """
    started = time.monotonic()
    limit(cluster)
    reporter.send()
    task, rows = ray.get(list(task_and_rows))
    task = replace(task, only=frozenset(wanted))
    file = Path(checkpoint) if checkpoint else None
    if file:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"--ray-checkpoints: expected a folder that every node can write, got "
                f"{file.parent}, of which node {reporter.node} says: {error.strerror}."
            ) from None
    results: dict[int, list[MemberResult]] = {}
    train_structure(task, indices, rows, results.__setitem__, reporter.tell, file)
    # Waited for: whoever has the results has heard of every epoch.
    ray.get(reporter.send())
    return results, time.monotonic() - started


def train_members(
    stored: Sequence[ray.ObjectRef],
    plan: TrainingPlan,
    only: Sequence[int],
    floatx: str,
    cluster: RayCluster,
    reporter: Reporter,
) -> list[MemberResult]:
    """Train the members `only` of a stored `Population`; see `Population.train`.

    Args:
        stored: The population, its folds of rows and the followers of these members.
        floatx: Of Keras, in the process that made the population.
        cluster, reporter: As in `train_part`.
    """
    limit(cluster)
    reporter.send()
    keras.config.set_floatx(floatx)
    population, folds, followers = ray.get(list(stored))
    return population.train(folds, plan, only=only, follow=followers)


def limit(cluster: RayCluster) -> None:
    """Keep TensorFlow to the share of the machine that the task has; done once a process."""
    if tf.config.threading.get_intra_op_parallelism_threads() != cluster.threads:
        tf.config.threading.set_intra_op_parallelism_threads(cluster.threads)
        tf.config.threading.set_inter_op_parallelism_threads(cluster.threads)
        for gpu in tf.config.list_physical_devices("GPU"):
            # Without it the first task takes all the memory of a GPU that several share.
            tf.config.experimental.set_memory_growth(gpu, True)
