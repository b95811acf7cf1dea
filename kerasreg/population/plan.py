"""How to train a population, as checked values."""

from __future__ import annotations

from dataclasses import dataclass

from kerasreg.errors import UserError

KEEP = ("last", "best", "none")


@dataclass(frozen=True)
class Plan:
    """How to train, checked; see `Population.fit` for the meanings."""

    epochs: int
    batch_size: int
    objective: str
    sign: int
    monitor: str
    monitor_sign: int
    patience: int | None = None
    halving: tuple[tuple[int, float], ...] = ()
    keep: str = "last"
    every: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "every"):
            value = getattr(self, name)
            if name == "patience" and value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name}: expected a whole number of at least 1, got {value!r}.")
        if self.keep not in KEEP:
            raise UserError(f"keep: expected one of {', '.join(KEEP)}, got {self.keep!r}.")
        previous = 0
        for epoch, share in self.halving:
            measured = isinstance(epoch, int) and epoch % self.every == 0
            if not measured or not previous < epoch < self.epochs or not 0 < share < 1:
                raise UserError(
                    f"halving: expected (epoch, share) pairs with rising, measured epochs below "
                    f"{self.epochs} and shares in (0, 1), got {list(self.halving)!r}."
                )
            previous = epoch

    def measured(self, epoch: int) -> bool:
        """Whether metrics are taken after this epoch (from 1)."""
        return epoch % self.every == 0 or epoch == self.epochs
