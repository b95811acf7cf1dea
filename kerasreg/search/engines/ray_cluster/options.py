"""Which cluster, and how much of it a population takes."""

import math
from dataclasses import dataclass

from kerasreg.errors import UserError


@dataclass(frozen=True)
class RayCluster:
    """A cluster of machines (https://docs.ray.io) to train on.

    Attributes:
        address: `"local"` starts Ray on this machine for the time of the search, reachable from
            this machine alone; `"auto"`, `"host:port"` or `"ray://host:10001"` joins a cluster.
        cpus: Cores of a population; TensorFlow has as many threads.
        gpus: GPUs of a population; several share one that they take a part of.
        checkpoints: A folder that every node can write, so that what was lost with a worker goes on
            from its last minute on any node; None for the study's on this machine, and for none on
            a cluster.

    Raises:
        UserError: A share that no population can have, by name.
    """

    address: str = "local"
    cpus: float = 1
    gpus: float = 0
    checkpoints: str | None = None

    def __post_init__(self) -> None:
        for name, least in (("cpus", 0.01), ("gpus", 0)):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not least <= value < math.inf or (value > 1 and value % 1):
                raise UserError(
                    f"--ray-{name}: expected a number from {least} to 1, or a whole number, got "
                    f"{value!r}."
                )

    @property
    def threads(self) -> int:
        """Of TensorFlow, in a worker."""
        return max(1, int(self.cpus))
