"""The rows of a lesson: a pool that seeds draw from, rows to tune on, and rows for the verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kerasreg.data import Split, load, subset_rows
from kerasreg.errors import UserError
from kerasreg.seeds import derive

#: Shares of the pool, the tuning rows and the test rows where a set has no test part of its own.
FRACTIONS = (0.56, 0.14, 0.30)
#: Most rows that verdicts are measured on: their noise is then below one point of accuracy.
MOST_TEST_ROWS = 2000
#: Most rows that learning rates are tuned on.
MOST_TUNING_ROWS = 1000


@dataclass(frozen=True)
class LessonData:
    """What a lesson trains on, tunes on and is judged by: three sets of rows without overlap.

    Attributes:
        name: Name or file name of the data.
        train_size: Rows of one draw.
        pool: Rows that the draws come from.
        tuning: Rows that choose learning rates, and nothing else.
        test: Rows never used to choose anything; at most `MOST_TEST_ROWS`.
        input_shape: Shape of one row, `(features,)`.
        outputs: Outputs of a stack.
        class_names: Name of each class.
        fingerprint: SHA-256 (hex) of the data that was loaded.
    """

    name: str
    train_size: int
    pool: Split
    tuning: Split
    test: Split
    input_shape: tuple[int]
    outputs: int
    class_names: tuple[str, ...]
    fingerprint: str

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def draw(self, seed: int) -> Split:
        """The training rows of one seed: `train_size` of the pool, stratified, in all arms alike.

        Each seed has rows of its own, so that a verdict is about small training sets of this kind
        and not about one of them.
        """
        rows = subset_rows(
            self.pool.y, self.train_size, derive(seed, "lesson rows"), self.class_names
        )
        return Split(self.pool.x[rows], self.pool.y[rows])

    def resized(self, train_size: int) -> LessonData:
        """The same pool, tuning and test rows with draws of another size.

        Raises:
            UserError: The pool has fewer rows.
        """
        if train_size > len(self.pool):
            raise UserError(
                f"data: {self.name} has {len(self.pool)} rows to draw training sets from, this "
                f"lesson needs {train_size}; bring a larger set."
            )
        return replace(self, train_size=train_size)

    def describe(self) -> dict:
        """Plain values for results.json."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "rows": {
                "train, drawn anew for each seed": self.train_size,
                "pool": len(self.pool),
                "tuning": len(self.tuning),
                "test": len(self.test),
            },
            "features": self.input_shape[0],
            "classes": self.classes,
        }


def load_lesson_data(name: str, train_size: int | None) -> LessonData:
    """Load a set for a lesson.

    Args:
        name: As `kerasreg.data.load` takes it.
        train_size: Rows of one draw; None for the whole pool.

    Raises:
        UserError: An unknown or unreadable set, one that has no classes, or one that is too small.
    """
    dataset = load(name, fractions=FRACTIONS)
    if dataset.task != "classification":
        raise UserError(
            f"data: expected a set with classes, got {dataset.name!r}, whose target "
            f"{dataset.target_name!r} is a quantity; use digits, mnist or fashion_mnist."
        )
    test = _at_most(dataset.read_test(), MOST_TEST_ROWS, dataset.class_names)
    data = LessonData(
        name=dataset.name,
        train_size=len(dataset.train),
        pool=dataset.train,
        tuning=_at_most(dataset.validation, MOST_TUNING_ROWS, dataset.class_names),
        test=test,
        input_shape=dataset.input_shape,
        outputs=dataset.outputs,
        class_names=dataset.class_names,
        fingerprint=dataset.fingerprint,
    )
    return data if train_size is None else data.resized(train_size)


def _at_most(split: Split, size: int, class_names: tuple[str, ...]) -> Split:
    if len(split) <= size:
        return split
    rows = subset_rows(split.y, size, 0, class_names)
    return Split(split.x[rows], split.y[rows])
