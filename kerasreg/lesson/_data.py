"""The rows of a lesson: a pool that seeds draw from, rows to tune on, and rows for the verdict."""

import math
from dataclasses import dataclass, replace

import numpy as np

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
        train_size: Rows of one draw.
        pool: Rows that the draws come from.
        tuning: Rows that choose learning rates, and nothing else.
        test: Rows never used to choose anything; at most `MOST_TEST_ROWS`.
        own_test_part: Whether the set came with its test rows. If not, each seed splits pool and
            test rows anew: a pool that is hardly larger than a draw would give all seeds the same
            training rows.
        input_shape: Shape of one row, `(features,)`.
        fingerprint: SHA-256 (hex) of the data that was loaded.
        wrong_labels: Share of a draw's rows whose label is replaced by another one.
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
    own_test_part: bool = True
    wrong_labels: float = 0.0

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a row that is a square grey image.

        Raises:
            UserError: Rows are none.
        """
        side = math.isqrt(self.input_shape[0])
        if side**2 != self.input_shape[0]:
            raise UserError(
                f"data: expected square grey images, got {self.name}, whose rows have "
                f"{self.input_shape[0]} values; use digits, mnist or fashion_mnist."
            )
        return side, side, 1

    def draw(self, seed: int) -> Split:
        """The training rows of one seed: `train_size`, stratified, in all arms alike.

        Each seed draws anew, so that a verdict is about small training sets of this kind and not
        about one of them. Where a set has no test part of its own, the rows are drawn from pool and
        test rows together, and `judging` gives the seed's test rows.
        """
        rows, drawn = self.candidates(), self._drawn(seed)
        draw = Split(rows.x[drawn], rows.y[drawn])
        if not self.wrong_labels:
            return draw
        random = np.random.default_rng(derive(seed, "wrong labels"))
        wrong = random.permutation(len(draw))[: round(self.wrong_labels * len(draw))]
        y = draw.y.copy()
        y[wrong] = (y[wrong] + random.integers(1, self.classes, len(wrong))) % self.classes
        return Split(draw.x, y)

    def judging(self, seed: int) -> Split:
        """The test rows that a seed's runs are measured on; none of them is in its draw."""
        if self.own_test_part:
            return self.test
        rows, chosen = self.candidates(), self.judging_rows(seed)
        return Split(rows.x[chosen], rows.y[chosen])

    def judging_rows(self, seed: int) -> np.ndarray:
        """Which of the `candidates` are a seed's test rows, sorted.

        Raises:
            ValueError: The set came with its test rows, which are all seeds'.
        """
        if self.own_test_part:
            raise ValueError(f"{self.name} has test rows of its own: use `test`.")
        rows = self.candidates()
        left = np.setdiff1d(np.arange(len(rows)), self._drawn(seed))
        if len(left) <= len(self.test):
            return left
        size = len(self.test)
        return left[subset_rows(rows.y[left], size, derive(seed, "test rows"), self.class_names)]

    def candidates(self) -> Split:
        """What a seed's draw comes from: the pool, with the test rows where they are split anew."""
        if self.own_test_part:
            return self.pool
        x = np.concatenate([self.pool.x, self.test.x])
        return Split(x, np.concatenate([self.pool.y, self.test.y]))

    def _drawn(self, seed: int) -> np.ndarray:
        return subset_rows(
            self.candidates().y, self.train_size, derive(seed, "lesson rows"), self.class_names
        )

    def resized(self, train_size: int) -> "LessonData":
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

    def mislabelled(self, share: float) -> "LessonData":
        """The same rows, where a share of each draw has a wrong label, drawn evenly.

        Raises:
            UserError: The share is none, or leaves no right label.
        """
        if not 0 < share < 1:
            raise UserError(f"Expected a share of wrong labels between 0 and 1, got {share!r}.")
        return replace(self, wrong_labels=share)

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
            "split anew for each seed": not self.own_test_part,
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
    test = _at_most(_flat(dataset.read_test()), MOST_TEST_ROWS, dataset.class_names)
    data = LessonData(
        name=dataset.name,
        train_size=len(dataset.train),
        pool=_flat(dataset.train),
        tuning=_at_most(_flat(dataset.validation), MOST_TUNING_ROWS, dataset.class_names),
        test=test,
        input_shape=(len(dataset.feature_names),),
        outputs=dataset.outputs,
        class_names=dataset.class_names,
        fingerprint=dataset.fingerprint,
        own_test_part=dataset.describe()["split"]["own_test_part"],
    )
    return data if train_size is None else data.resized(train_size)


def _flat(split: Split) -> Split:
    """Images as rows of pixels."""
    return Split(split.x.reshape(len(split), -1), split.y)


def _at_most(split: Split, size: int, class_names: tuple[str, ...]) -> Split:
    if len(split) <= size:
        return split
    rows = subset_rows(split.y, size, 0, class_names)
    return Split(split.x[rows], split.y[rows])
