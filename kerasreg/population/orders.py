"""Who sees which rows when: batch orders that depend on the member's seed and nothing else."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from kerasreg.population.plan import TrainingPlan
from kerasreg.seeds import derive


def batch_order(seed: int, epoch: int, rows: int) -> np.ndarray:
    """The order in which a member visits its rows in one epoch (from 0).

    Returns:
        A permutation of `range(rows)`, shape (rows,), int32. Batches are consecutive slices of it;
        the last one is short when `rows` is no multiple of the batch size.
    """
    generator = np.random.Generator(np.random.PCG64(derive(seed, "order", epoch)))
    return generator.permutation(rows).astype(np.int32)


def batches_of_epoch(rows: int, epoch: int, plan: TrainingPlan) -> tuple[int, range]:
    """Which pass over the rows an epoch (from 0) belongs to, and which of its batches are used.

    With fewer steps an epoch than a pass has batches, a pass lasts several epochs, the last of
    which may be shorter: as in Keras, no epoch reaches into the next pass.
    """
    batches = math.ceil(rows / plan.batch_size)
    steps = min(plan.steps_per_epoch or batches, batches)
    number, part = divmod(epoch, math.ceil(batches / steps))
    return number, range(part * steps, min(batches, (part + 1) * steps))


def epoch_orders(
    streams: Sequence[tuple[int, int]],
    train: Sequence[np.ndarray],
    epoch: int,
    plan: TrainingPlan,
    steps_a_call: Callable[[], int],
) -> Iterator[np.ndarray]:
    """The rows of one epoch, one array a call of the compiled program.

    Args:
        streams: Seed and fold of each stream; their folds have equally many rows.
        train: By fold, indices of its training rows.
        plan: Of it, rows of a step (the last step of a pass may be short, and is a call alone),
            steps of an epoch, and whether rows are shuffled.
        steps_a_call: Asked before every call, since the time of a step is measured meanwhile.

    Yields:
        Indices of rows, shape (steps, streams, rows of a step).
    """
    rows, size = len(train[streams[0][1]]), plan.batch_size
    number, batches = batches_of_epoch(rows, epoch, plan)
    order = np.stack(
        [
            train[fold][batch_order(seed, number, rows)] if plan.shuffle else train[fold]
            for seed, fold in streams
        ]
    )
    start, full = batches.start, min(batches.stop, rows // size)
    while start < full:
        stop = min(full, start + steps_a_call())
        steps = order[:, start * size : stop * size]
        yield steps.reshape(len(order), stop - start, size).transpose(1, 0, 2)
        start = stop
    if full < batches.stop:
        yield order[None, :, full * size :]
