"""How a worker tells the driver where it is and how far."""

import time
from typing import Any

import numpy as np
import ray

#: Seconds between two reports of a worker.
INTERVAL = 0.5


class Reporter:
    """Sends plain values, for which Ray's queue imports nothing of ours.

    Args:
        number: Of the work.
        queue: The actor of a `ray.util.queue.Queue`. It gets the number, the node as a user knows
            it, and the objectives of members, an array for each epoch since the last report.
    """

    def __init__(self, number: int, queue: Any):
        self._number, self._queue = number, queue
        self._waiting: list[np.ndarray] = []
        self._sent = 0.0

    @property
    def node(self) -> str:
        """Where this worker is; several nodes may have one address."""
        node = ray.get_runtime_context().get_node_id()
        return f"{ray.util.get_node_ip_address()} ({node[:8]})"

    def tell(self, scores: np.ndarray) -> None:
        """Report an epoch, soon."""
        self._waiting.append(scores)
        if time.monotonic() - self._sent >= INTERVAL:
            # Not waited for: a report that is lost is no harm.
            self.send()

    def send(self) -> ray.ObjectRef:
        """Report what has not been reported yet."""
        report = (self._number, self.node, list(self._waiting))
        self._waiting.clear()
        self._sent = time.monotonic()
        return self._queue.put_nowait.remote(report)
