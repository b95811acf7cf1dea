"""Grid search in an order that makes every beginning of it a fair sample."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasreg.search.oracles.axes import Axes
from kerasreg.search.oracles.seeded import SeededOracle
from kerasreg.seeds import derive

# Largest grid whose order is drawn at once (8 bytes a cell).
_MOST_PERMUTED = 1_000_000


class GridOracle(SeededOracle):
    """Every combination of `hp.values`, once, in an order shuffled by the seed.

    Ranges without a step have ten evenly spaced values, as in keras-tuner, and zero where they
    have one. The grid of keras-tuner turns the last hyperparameter first, so that a budget below
    the whole grid never moves the others, and cannot propose a third trial before one has ended.
    See `SeededOracle` for arguments and guarantees.
    """

    def _propose(self, index: int) -> dict[str, Any] | None:
        grid = Axes(self.hyperparameters.space, grid=True)
        for cell in self._order(index, int(grid.size)):
            values = grid.nth(int(cell))
            if not self._duplicate(values):
                return values
        return None

    def _order(self, index: int, size: int) -> Iterator[int]:
        """Cells to try for trial `index`: one shuffled order, entered at its `index`-th cell."""
        if size <= _MOST_PERMUTED:
            order = np.random.default_rng(derive(self.seed, "grid order")).permutation(size)
            yield from np.roll(order, -index)
        else:
            rng = np.random.default_rng(derive(self.seed, "grid cell", index))
            # Too many cells to list are too many to have been tried: a free one is a draw away.
            while True:
                yield rng.integers(size)
