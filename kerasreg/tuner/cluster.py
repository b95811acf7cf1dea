"""The populations of a round on a Ray cluster: sent, and what came of them taken in."""

import math
from collections.abc import Callable

import keras

from kerasreg.search.engines import WorkerLost
from kerasreg.search.engines.ray_cluster.parts import PART_MEMBERS
from kerasreg.search.engines.ray_cluster.workers import Work, Workers
from kerasreg.tuner.joint_training import JointTraining, Report


class Cluster:
    """Trains populations on a cluster, to the numbers that this process would give.

    What travels are the members' numbers, one model where they are no stacks, the rows once a
    search, and the callbacks that steer; never a hypermodel.

    Args:
        workers: Of the cluster.
        warn: Called with a sentence on what trains in this process all the same.
    """

    def __init__(self, workers: Workers, warn: Callable[[str], None]):
        self._workers, self._warn = workers, warn
        self._rows: dict = {}
        self._sent: dict[JointTraining, list[tuple[list[int], Work]]] = {}

    def send(self, training: JointTraining) -> None:
        """Have a training's trials wait for workers, in parts of some members."""
        if (callback := training.needs_models()) is not None:
            return self._stays(f"{callback}, which looks at the models")
        try:
            key = training.job.arguments, training.job.kind == "general"
            if key not in self._rows:
                self._rows[key] = self._workers.store(training.folds)
            stored = [self._workers.store(training.population), self._rows[key]]
            self._sent[training] = list(self._parts(training, stored))
        except Exception as error:
            self._stays(_said(error))
            return None
        for _, work in self._sent[training]:
            self._workers.add(work)

    def _parts(self, training: JointTraining, stored: list):
        from kerasreg.search.engines.ray_cluster.worker import train_members

        trials = training.prepared
        size = math.ceil(PART_MEMBERS / len(trials[0].built))
        for start in range(0, len(trials), size):
            part = range(start, min(start + size, len(trials)))
            only = [k for k, (of, _) in enumerate(training.members) if of in part]
            followers = {k: training.executions[k].steering() for k in only}
            names = ", ".join(f"trial {trials[of].trial.trial_id}" for of in part)
            parts = [*stored, self._workers.store(followers)]
            arguments = (parts, training.plan, only, keras.config.floatx())
            yield only, Work(names, train_members, arguments)

    def collect(self, training: JointTraining, report: Report) -> None:
        """Wait for what was sent of a training; what did not train there is left.

        Raises:
            WorkerLost: See there; after what other workers trained was taken in.
        """
        lost = None
        for only, work in self._sent.pop(training, []):
            try:
                results = self._workers.wait(work)
            except WorkerLost as error:
                lost = lost or error
                continue
            except Exception as error:
                self._stays(_said(error))
                continue
            for index, result in zip(only, results, strict=True):
                training.population.members[index].weights = result.weights
                training.executions[index].replay(result.curves, result.epochs)
            training.collect(report, list(zip(only, results, strict=True)))
        if lost:
            raise lost

    def _stays(self, reason: str) -> None:
        self._warn(f"Trained in this process, not on the cluster, because of {reason}.")


def _said(error: Exception) -> str:
    # Ray wraps what was met, here or on a node, in a page of advice.
    error = getattr(error, "cause", None) or error.__cause__ or error
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300].rstrip('.')}"
