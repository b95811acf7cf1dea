"""How members are computed: the contract of the path of stacks and of the general path."""

from collections.abc import Mapping, Sequence
from pathlib import Path as File
from typing import Any, Protocol

import keras
import numpy as np

from kerasreg.objectives import Direction
from kerasreg.population.chunk import Chunk
from kerasreg.population.members import Member
from kerasreg.population.plan import TrainingPlan


class FoldedRows(Protocol):
    """All rows of a training, and by fold the indices of those it trains and validates on."""

    train: Sequence[np.ndarray]
    validation: Sequence[np.ndarray]

    def arrays(self) -> Sequence[np.ndarray]:
        """Everything that training's numbers depend on."""


class Path(Protocol):
    """What a population needs to know of the models that its members are.

    Members' weights are lists of arrays in an order of the path's own.

    Attributes:
        structure: Equal for members that may train together; its `repr` names it.
        dtype: Of the weights.
    """

    structure: Any
    dtype: str

    def gather(self, folds: Sequence[tuple[tuple, tuple]]) -> FoldedRows:
        """Check the folds' rows and lay them out.

        Raises:
            UserError: Rows that the models cannot train on.
        """

    def objectives(self, rows: FoldedRows) -> Mapping[str, Direction | None]:
        """Which way every curve that may be an objective is better; None where unknown."""

    def new_chunk(self, members: Sequence[Member], rows: FoldedRows, plan: TrainingPlan) -> Chunk:
        """Some members before their first step."""

    def cohort_size(self, plan: TrainingPlan, rows: int, members: int) -> int:
        """How many of `members` members may train at once on `rows` rows, by memory."""

    def initial(self, member: Member) -> list[np.ndarray]:
        """A member's weights before its first step."""

    def build(self, member: Member) -> keras.Model:
        """A compiled model with a member's hyperparameters and any weights."""

    def write(self, weights: Sequence[np.ndarray], model: keras.Model) -> None:
        """Copy a member's weights into a model of `build`."""

    def save(self, member: Member, weights: Sequence[np.ndarray], file: str | File) -> None:
        """Write weights as a `.weights.h5` file that loads into a model of `build`."""

    def load(self, member: Member, file: str | File) -> list[np.ndarray]:
        """The weights in a file of `save`."""

    def predict(
        self, members: Sequence[Member], weights: Sequence[Sequence[np.ndarray]], x: Any
    ) -> Any:
        """Outputs (members, rows, ...) in inference mode."""
