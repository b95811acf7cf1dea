"""What a population gives back: one result a member."""

from dataclasses import dataclass, field

import numpy as np

from kerasreg.networks import Config


@dataclass
class MemberResult:
    """How one member's training went.

    Attributes:
        config: Its setting; None for a member lifted from a model.
        seed: Its seed.
        fold: Index of its cross-validation fold, or None.
        status: `"completed"` (patience included), `"stopped"` (by halving, before its time) or
            `"diverged"` (something measured was not finite).
        epochs: Epochs trained.
        curves: One value a measured epoch (every one, unless `fit(every=...)`): `loss`,
            `data_loss`, `penalty` and `accuracy` or `mae`, each with a `val_` twin; training rows
            in inference mode; `loss = data_loss + penalty`.
        best_epoch: Epoch of the best objective, from 1; 0 when there is none.
        seconds: Its share of the population's time.
        weights: The arrays that were kept, in the path's order; None where none were.
        outputs: What they give for the validation rows, (rows, outputs); None unless a search
            asks for it.
    """

    config: Config | None
    seed: int
    fold: int | None = None
    status: str = "completed"
    epochs: int = 0
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    best_epoch: int = 0
    seconds: float = 0.0
    weights: list[np.ndarray] | None = None
    outputs: np.ndarray | None = None


@dataclass(frozen=True)
class EpochReport:
    """What `Population.fit` tells after every measured epoch of a cohort.

    Attributes:
        epoch, epochs: Epochs done (from 1) and planned.
        cohort, cohorts: Which cohort (from 1), and how many.
        members: Indices of the members that trained in it.
        logs: By metric, one value for each of `members`.
        seconds: Since `fit` began.
    """

    epoch: int
    epochs: int
    cohort: int
    cohorts: int
    members: tuple[int, ...]
    logs: dict[str, np.ndarray]
    seconds: float
