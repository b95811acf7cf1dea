"""What trained arms give back: curves as arrays, one row a seed."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kerasreg.evidence import Times

if TYPE_CHECKING:
    import keras

    from kerasreg.networks import Config
    from kerasreg.population import MemberResult, Population

#: Curve of an arm -> the population's name for it. Its "validation" rows are the test rows here.
CURVES = {
    "train_accuracy": "accuracy",
    "test_accuracy": "val_accuracy",
    "train_data_loss": "data_loss",
    "test_data_loss": "val_data_loss",
    "penalty": "penalty",
}


#: A run whose training accuracy never came to this one never trained.
TRAINED = 0.5


def times_to(accuracy: np.ndarray, updates: np.ndarray, level: float) -> Times:
    """Updates until an accuracy, from measurements (seeds, measurements) after `updates`."""
    arrived, index = _first_at(accuracy, level)
    return Times(np.asarray(updates)[index].astype(float), arrived)


def _first_at(accuracy: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Which runs ever had an accuracy, and at which measurement first: else at the last one."""
    there = accuracy >= level
    arrived = there.any(axis=1)
    return arrived, np.where(arrived, there.argmax(axis=1), there.shape[1] - 1)


@dataclass
class Arm:
    """The runs of one arm, one a seed.

    Everything is measured in inference mode, and the data loss has no penalty in it. From the
    measurement at which a run had a number that is not finite, it counts as knowing nothing:
    accuracy 1 / classes, data loss ln(classes), penalty as last measured.

    Attributes:
        epochs: Epochs after which was measured, (measurements,).
        updates: Updates made by then, (measurements,).
        train_accuracy, test_accuracy: (seeds, measurements), fractions.
        train_data_loss, test_data_loss: (seeds, measurements), nats.
        penalty: (seeds, measurements).
        diverged: Which runs broke, (seeds,).
    """

    config: "Config"
    epochs: np.ndarray
    updates: np.ndarray
    train_accuracy: np.ndarray
    test_accuracy: np.ndarray
    train_data_loss: np.ndarray
    test_data_loss: np.ndarray
    penalty: np.ndarray
    diverged: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """Training minus test accuracy, (seeds, measurements)."""
        return self.train_accuracy - self.test_accuracy

    def final(self, name: str) -> np.ndarray:
        """A curve's last measurement, (seeds,): `final("test_accuracy")`, `final("gap")`."""
        return getattr(self, name)[:, -1]

    def at(self, name: str, epoch: int) -> np.ndarray:
        """A curve after an epoch, or after the last one where a quick run ended before, (seeds,).

        Raises:
            ValueError: That epoch was passed and not measured.
        """
        epoch = min(epoch, int(self.epochs[-1]))
        index = np.flatnonzero(self.epochs == epoch)
        if not len(index):
            raise ValueError(f"expected one of the measured epochs {self.epochs}, got {epoch}.")
        return getattr(self, name)[:, index[0]]

    def converged(self, name: str, train_accuracy: float = 0.99) -> np.ndarray:
        """A curve at convergence, (seeds,).

        That is the first measurement with at least this training accuracy, and the last one for a
        run that never has it.
        """
        _, index = _first_at(self.train_accuracy, train_accuracy)
        return getattr(self, name)[np.arange(len(index)), index]

    def time_to(self, train_accuracy: float) -> Times:
        """Updates until this training accuracy; the whole budget for a run that never has it."""
        return times_to(self.train_accuracy, self.updates, train_accuracy)

    def at_train_loss(self, name: str, level: np.ndarray) -> np.ndarray:
        """A curve where the training loss first was as low as `level`, (seeds,), interpolated.

        Args:
            name: A curve.
            level: A loss for each seed, (seeds,), that its run came to.
        """
        falling = np.minimum.accumulate(self.train_data_loss, axis=1)
        runs = zip(level, falling, getattr(self, name), strict=True)
        return np.array([np.interp(-np.log(at), -np.log(own), values) for at, own, values in runs])

    @property
    def trained(self) -> np.ndarray:
        """Which runs trained at all, (seeds,): those that had `TRAINED` training accuracy."""
        return self.reached(TRAINED)

    def reached(self, train_accuracy: float) -> np.ndarray:
        """Which runs ever had this training accuracy, (seeds,)."""
        return _first_at(self.train_accuracy, train_accuracy)[0]


@dataclass
class Runs:
    """Arms by name, trained with the same seeds: `runs["dropout 0.2"].final("test_accuracy")`.

    Attributes:
        arms: Name -> `Arm`.
        seeds: The seeds, in the order of the arrays' first axis.
    """

    arms: dict[str, Arm]
    seeds: tuple[int, ...]
    # By arm: its population, and the index of its first member there.
    _members: "dict[str, tuple[Population, int]]" = field(default_factory=dict, repr=False)

    def __getitem__(self, arm: str) -> Arm:
        return self.arms[arm]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arms)

    def model(self, arm: str, seed: int = 0) -> "keras.Model":
        """The trained Keras model of an arm; `seed` counts along the arrays' first axis."""
        population, first = self._members[arm]
        return population.member(first + seed)

    def kernels(self, arm: str, seed: int = 0) -> list[np.ndarray]:
        """The trained kernels of a run, hidden ones in order, then the output's, (in, out) each.

        Much cheaper than the `model`.
        """
        population, first = self._members[arm]
        parameters = population.blueprint.parameters()
        weights = population.get_weights(first + seed)
        return [w for p, w in zip(parameters, weights, strict=True) if p.name == "kernel"]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Logits of all runs, (arms, seeds, rows, outputs), where all arms are one structure."""
        population, _ = next(iter(self._members.values()))
        logits = population.predict(x)
        return logits.reshape(len(self.arms), len(self.seeds), *logits.shape[1:])

    def per_run(self, arm: str, measure: Callable[[list[np.ndarray]], float]) -> np.ndarray:
        """A number of each run's kernels, (seeds,): `per_run(arm, squared_norm)`."""
        return np.array([measure(self.kernels(arm, index)) for index in range(len(self.seeds))])

    def stacked(self, name: str, arms: Sequence[str] | None = None) -> np.ndarray:
        """A curve's last measurement for several arms, (seeds, arms): what a trend is taken of."""
        return np.stack([self.arms[arm].final(name) for arm in arms or self.arms], axis=1)

    def diverged(self) -> str:
        """Which arms had runs that broke, and how many: `2 of 'dropout 0.2'`; else nothing."""
        counts = {name: int(arm.diverged.sum()) for name, arm in self.arms.items()}
        return ", ".join(f"{count} of {name!r}" for name, count in counts.items() if count)

    def table(self) -> list[dict[str, str]]:
        """One row an arm at the last measurement: mean ± standard deviation over seeds."""
        rows = []
        for name, arm in self.arms.items():
            row = {
                "arm": name,
                "train accuracy": spread(100 * arm.final("train_accuracy"), "%"),
                "test accuracy": spread(100 * arm.final("test_accuracy"), "%"),
                "gap": spread(100 * arm.final("gap"), "pp"),
                "test data loss": spread(arm.final("test_data_loss"), "", 3),
            }
            if any(other.diverged.any() for other in self.arms.values()):
                row["diverged"] = f"{int(arm.diverged.sum())} of {len(arm.diverged)}"
            rows.append(row)
        return rows


def squared_norm(kernels: Sequence[np.ndarray]) -> float:
    """Sum of squares over all kernels."""
    return float(sum(np.square(kernel, dtype=np.float64).sum() for kernel in kernels))


def spread(values: np.ndarray, unit: str = "", digits: int = 1) -> str:
    """`97.2 ± 0.4 %`: mean and standard deviation over seeds."""
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{np.mean(values):.{digits}f} ± {deviation:.{digits}f} {unit}".rstrip()


def arm_of_results(
    config: "Config",
    results: "Sequence[MemberResult]",
    epochs: np.ndarray,
    steps_per_epoch: int,
    classes: int,
) -> Arm:
    """Curves of an arm's members as arrays, broken runs counted as knowing nothing."""
    arrays = {name: np.empty((len(results), len(epochs))) for name in CURVES}
    worst = {"accuracy": 1 / classes, "data_loss": math.log(classes)}
    for index, result in enumerate(results):
        measured = {name: np.asarray(result.curves[source]) for name, source in CURVES.items()}
        finite = np.logical_and.reduce([np.isfinite(values) for values in measured.values()])
        whole = len(finite) if finite.all() else int(finite.argmin())
        for name, values in measured.items():
            filler = worst.get(name.split("_", 1)[-1], values[whole - 1] if whole else 0.0)
            arrays[name][index, :whole] = values[:whole]
            arrays[name][index, whole:] = filler
    diverged = np.array([result.status == "diverged" for result in results])
    return Arm(config, epochs, epochs * steps_per_epoch, **arrays, diverged=diverged)
