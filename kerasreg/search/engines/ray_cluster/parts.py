"""How a task is cut into parts, each a population of its own: as the task says, nothing else."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from kerasreg.search.engines.task import TrainingTask, structures_of

#: Members of a part: enough to train side by side, few enough for many workers.
PART_MEMBERS = 16
_NUMBERS = itertools.count()


@dataclass(eq=False)
class Part:
    """Settings of one structure that train in one worker.

    Attributes:
        structure: Indices of every setting of the structure.
        all, left: Those of this part, and of these the ones to train.
        number: No other part of this process has it.
        node: The last one that said it trains this; empty before.
        losses: How often its worker was lost.
    """

    structure: list[int]
    all: list[int]
    left: list[int]
    number: int = field(default_factory=_NUMBERS.__next__)
    node: str = ""
    losses: int = 0


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
