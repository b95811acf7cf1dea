"""How to train: one value, checked when it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kerasreg.errors import UserError, check_choice, check_whole
from kerasreg.objectives import Direction

KEEP = ("last", "best", "none")


@dataclass(frozen=True)
class TrainingPlan:
    """How members are trained, how long, and what of them is kept.

    Attributes:
        epochs: Most epochs that a member trains.
        batch_size: Rows a step; the last step of an epoch may have fewer.
        objective: What `halving` and `keep="best"` go by: a name of the curves.
        patience: Epochs without improvement of a group's mean `monitor` before the group ends;
            None for never.
        monitor: What `patience` goes by; None for the objective.
        direction, monitor_direction: `"min"` or `"max"`, which way objective and monitor are
            better; None for the metric's own.
        halving: `(epoch, share)` pairs: after that epoch only the best share of the groups goes
            on (successive halving, Jamieson and Talwalkar 2016, arXiv:1502.07943).
        keep: `"last"` or `"best"` weights, or `"none"`.
        horizon: Epochs over which a cosine schedule falls to 0; None for `epochs`.
        shuffle: Whether each epoch visits the rows in an order of its own.
        steps_per_epoch: Batches of an epoch; None for all.
        every: Epochs between two measurements; the last epoch is always measured. Patience counts
            epochs, and sees measured ones.

    Raises:
        UserError: A value out of range, by name.
    """

    epochs: int = 1
    batch_size: int = 32
    objective: str = "val_data_loss"
    patience: int | None = None
    monitor: str | None = None
    halving: tuple[tuple[int, float], ...] = ()
    keep: str = "last"
    every: int = 1
    horizon: int | None = None
    shuffle: bool = True
    steps_per_epoch: int | None = None
    direction: Direction | None = None
    monitor_direction: Direction | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "horizon", self.horizon or self.epochs)
        whole = ("epochs", "batch_size", "patience", "every", "horizon", "steps_per_epoch")
        for name in whole:
            value = getattr(self, name)
            if name in ("patience", "steps_per_epoch") and value is None:
                continue
            check_whole(name, value)
        check_choice("keep", self.keep, KEEP)
        object.__setattr__(self, "monitor", self.monitor or self.objective)
        object.__setattr__(self, "halving", tuple(map(tuple, self.halving)))
        previous = 0
        for epoch, share in self.halving:
            measured = isinstance(epoch, int) and epoch % self.every == 0
            if not measured or not previous < epoch < self.epochs or not 0 < share < 1:
                raise UserError(
                    f"halving: expected (epoch, share) pairs with rising, measured epochs below "
                    f"{self.epochs} and shares in (0, 1), got {list(self.halving)!r}."
                )
            previous = epoch

    def directed(self, known: Mapping[str, Direction | None]) -> "TrainingPlan":
        """This plan with both directions given.

        Args:
            known: The curves that may be objectives, and which way each is better; None where
                the metric does not say.

        Raises:
            UserError: Another curve, or a direction that is neither given nor known.
        """
        found = {}
        for name in ("objective", "monitor"):
            curve = getattr(self, name)
            if curve not in known:
                raise UserError(
                    f"{name}: expected a curve of one number ({', '.join(known)}), got {curve!r}."
                )
            field = "direction" if name == "objective" else "monitor_direction"
            found[field] = getattr(self, field) or known[curve]
            if name == "monitor" and curve == self.objective:
                found[field] = found["direction"]
            if found[field] is None:
                raise UserError(
                    f"{field}: expected 'min' or 'max' for {curve!r}, which does not say which way "
                    "it is better."
                )
        return replace(self, **found)

    def larger(self, name: str, value: float) -> float:
        """`value` of the curve `name`, the objective or the monitor, so that larger is better."""
        direction = self.direction if name == self.objective else self.monitor_direction
        return value if direction == "max" else -value

    def measured(self, epoch: int) -> bool:
        """Whether metrics are taken after this epoch (from 1)."""
        return epoch % self.every == 0 or epoch == self.epochs


def halving_rungs(epochs: int) -> tuple[tuple[int, float], ...]:
    """Keep the better half after an eighth, a quarter and half of the epochs."""
    rungs = dict.fromkeys(epochs // part for part in (8, 4, 2))
    return tuple((epoch, 0.5) for epoch in rungs if epoch)
