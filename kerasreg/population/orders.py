"""Who sees which rows when: batch orders that depend on the member's seed and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from kerasreg.seeds import derive


def batch_order(seed: int, epoch: int, rows: int) -> np.ndarray:
    """The order in which a member visits its rows in one epoch.

    Args:
        seed: The member's seed.
        epoch: Epoch, from 0.
        rows: How many training rows there are.

    Returns:
        A permutation of `range(rows)`, shape (rows,), int32. Batches are consecutive slices of it;
        the last one is short when `rows` is no multiple of the batch size.
    """
    generator = np.random.Generator(np.random.PCG64(derive(seed, "order", epoch)))
    return generator.permutation(rows).astype(np.int32)


def epoch_orders(
    streams: Sequence[tuple[int, int]],
    train: Sequence[np.ndarray],
    epoch: int,
    batch_size: int,
    steps_a_call: Callable[[], int],
) -> Iterator[np.ndarray]:
    """The rows of one epoch, one array a call of the compiled program.

    Args:
        streams: Seed and fold of each stream; their folds have equally many rows.
        train: By fold, indices of its training rows.
        epoch: Epoch, from 0.
        batch_size: Rows of a step; the last step of the epoch may be short, and is a call alone.
        steps_a_call: Asked before every call, since the time of a step is measured meanwhile.

    Yields:
        Indices of rows, shape (steps, streams, rows of a step).
    """
    order = np.stack(
        [train[fold][batch_order(seed, epoch, len(train[fold]))] for seed, fold in streams]
    )
    full = order.shape[1] // batch_size
    steps = order[:, : full * batch_size].reshape(len(order), full, batch_size).transpose(1, 0, 2)
    start = 0
    while start < full:
        stop = min(full, start + steps_a_call())
        yield steps[start:stop]
        start = stop
    if order.shape[1] % batch_size:
        yield order[None, :, full * batch_size :]
