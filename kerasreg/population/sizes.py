"""How many members train side by side: as memory allows, in arrays of few lengths."""

import math
from collections.abc import Sequence, Sized

import numpy as np

from kerasreg.population.blueprint import Blueprint
from kerasreg.population.optimizers import SLOTS

#: Memory that a cohort may take, padding included; beyond this, larger ones were not faster either.
COHORT_BYTES = 768 * 2**20
#: Arithmetic that is worth one compilation by XLA.
COMPILATION_FLOPS = 1e11
# Steps by which a cohort may be longer than an equal share, so that less of it is padding: lengths
# of arrays are at most 8 apart.
_LONGER = 16
# Share of the memory that a cohort may take however much is taken by cohorts that wait.
_LEAST = 1 / 8


def training_flops(blueprint: Blueprint, rows: int, epochs: int) -> float:
    """Arithmetic of a member's training: two products backward for every one forward."""
    return 6.0 * rows * blueprint.member_size() * epochs


def worth_compiling(flops: float, halvings: int = 0) -> bool:
    """Whether XLA's compilation of a program takes less time than it saves on this arithmetic.

    After each of the `halvings` half of the members goes on, in arrays of another length: in
    another program.
    """
    return flops > COMPILATION_FLOPS * 2**halvings


def padded_size(count: int) -> int:
    """Length of the arrays of `count` members: one of few, at most a third more.

    XLA compiles a program for every length that it meets, for a second or two, and keeps it for
    the process (5 to 15 MB for a small stack): the rounds of a long search would meet dozens.
    Measured over 1,000 trials on digits: 40 MB of growth with these lengths, 125 MB without.
    """
    step = 1 if count <= 4 else 2 if count <= 8 else 4 if count <= 24 else 8
    return -(-count // step) * step


def padded(positions: Sequence[int]) -> list[int]:
    """Positions, the last one repeated up to `padded_size`."""
    positions = list(positions)
    return positions + positions[-1:] * (padded_size(len(positions)) - len(positions))


def largest_cohort(state: int, training: int, waiting: int = 0) -> int:
    """Members that may train at the same time in `COHORT_BYTES`, at least one.

    Args:
        state: Bytes that a member keeps between two steps.
        training: Bytes that a member needs while it trains, its state included.
        waiting: How many members' state stays in memory until the last cohort is through; 0 where a
            cohort is through before the next begins.
    """
    count = COHORT_BYTES // training
    if waiting:
        left = (COHORT_BYTES - waiting * state) // (training - state)
        count = max(min(count, left), int(COHORT_BYTES * _LEAST) // training)
    length = max(1, count)
    while padded_size(length) > max(1, count):
        length -= 1
    return length


def split(groups: Sequence[Sized], largest: int) -> list[list[Sized]]:
    """Groups by cohort, of nearly as many members each (a small rest would be slow).

    Of as few cohorts as hold them, those whose arrays are shortest in all: 50 members, at most 32
    at once, are 30 and 20 in arrays of 32 and 20, not 25 and 25 in two of 32.
    """
    total = sum(len(group) for group in groups)
    count = max(1, math.ceil(total / largest))
    equal = math.ceil(total / count)
    sizes = range(equal, max(equal, min(largest, equal + _LONGER)) + 1)
    ways = [_packed(groups, size) for size in sizes]
    fewest = min(map(len, ways))
    return min(
        (way for way in ways if len(way) == fewest),
        key=lambda way: sum(padded_size(_size(cohort)) for cohort in way),
    )


def _packed(groups: Sequence[Sized], size: int) -> list[list[Sized]]:
    cohorts: list[list[Sized]] = []
    for group in groups:
        if not cohorts or _size(cohorts[-1]) + len(group) > size:
            cohorts.append([])
        cohorts[-1].append(group)
    return cohorts


def _size(cohort: Sequence[Sized]) -> int:
    return sum(map(len, cohort))


def state_bytes(blueprint: Blueprint, dtype: str) -> int:
    """Memory that a member keeps between two steps: its arrays and the optimiser's."""
    copies = 1 + len(SLOTS[blueprint.optimizer])
    return copies * blueprint.member_size() * np.dtype(dtype).itemsize


def training_bytes(blueprint: Blueprint, batch_size: int, dtype: str) -> int:
    """Memory that a member needs while it trains: arrays, gradients, slots, activations."""
    width = sum(blueprint.widths()) + blueprint.outputs
    copies = 4 + 2 * len(SLOTS[blueprint.optimizer])
    floats = copies * blueprint.member_size() + 4 * batch_size * width
    return floats * np.dtype(dtype).itemsize
