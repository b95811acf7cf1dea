"""How a task is cut into parts, each a population of its own: as the task says, nothing else."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from kerasreg.search.engines.task import TrainingTask, structures_of

#: Members of a part: enough to train side by side, few enough for many workers.
PART_MEMBERS = 16


@dataclass(frozen=True)
class Part:
    """Settings of one structure that train in one worker.

    Attributes:
        structure: Indices of every setting of the structure.
        all, left: Those of this part, and of these the ones to train.
    """

    structure: list[int]
    all: list[int]
    left: list[int]


def cut(task: TrainingTask) -> Iterator[Part]:
    """The parts of a task; settings that halve together stay together."""
    members = len(task.seeds) * max(1, task.folds)
    size = len(task.settings) if task.plan.halving else math.ceil(PART_MEMBERS / members)
    wanted = set(task.wanted)
    for structure in structures_of(task):
        for start in range(0, len(structure), size):
            part = structure[start : start + size]
            if left := [index for index in part if index in wanted]:
                yield Part(structure, part, left)
