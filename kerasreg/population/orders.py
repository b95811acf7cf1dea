"""Who sees which rows when: batch orders that depend on the member's seed and nothing else."""

from __future__ import annotations

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
