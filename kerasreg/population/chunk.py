"""What a training needs of the arrays that it trains: the contract of every kind of chunk."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np


class Chunk(Protocol):
    """Members with equally many training rows, side by side in one set of arrays and one program.

    A chunk is made before its members' first step. It knows positions in its arrays only; the
    cohort knows which member stands where and whether its training has ended. Members that have
    ended stay in the arrays, and train on unread, until `compact` drops them. A member's results
    do not depend on which others are in the arrays.
    """

    def train_epoch(self) -> None:
        """One pass of every member over the training rows of its fold."""

    def evaluate(self) -> dict[str, np.ndarray]:
        """Every metric now, in inference mode: name -> (members,).

        `loss`, `data_loss`, `penalty` and the metrics, each with a `val_` twin.
        """

    def set_learning_rates(self, rates: Mapping[int, float]) -> None:
        """Let the members at these positions go on with other learning rates.

        `state` of stacks does not hold them: whoever sets them again goes without checkpoints.
        """

    def weights(self, positions: Sequence[int]) -> list[list[np.ndarray]]:
        """The arrays of some members now, of each a list."""

    def compact(self, keep: Sequence[int], epochs_left: int) -> bool:
        """Drop all but the positions `keep` if that pays; whether it did.

        What pays is a function of sizes, not of the clock, so that two runs do the same.
        """

    def state(self) -> dict[str, np.ndarray]:
        """Everything that changes in training: arrays (members, ...), or scalars for all."""

    def restore(self, state: Mapping[str, np.ndarray], epoch: int) -> None:
        """Go on from a `state` of the same members, taken after `epoch` epochs."""


def padded_rows(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Row indices by fold, shape (folds, longest), filled up with -1."""
    rows = np.full((len(parts), max(map(len, parts))), -1, np.int32)
    for fold, part in zip(rows, parts, strict=True):
        fold[: len(part)] = part
    return rows


def rounded(values: np.ndarray) -> np.ndarray:
    """To 8 significant digits: further ones vary with the order in which threads add."""
    return np.array([float(f"{value:.8g}") for value in values])
