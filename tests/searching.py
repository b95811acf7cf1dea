"""Small data, a small space and a small search, for the tests of the search."""

import numpy as np

from kerasreg.data import Dataset, from_arrays
from kerasreg.search.run import search
from kerasreg.search.space import Range, Space
from kerasreg.stacks import StackConfig
from kerasreg.study import Study

SMALL = StackConfig(units=(6,))
_GENERATOR = np.random.default_rng(0)
_CENTRES = _GENERATOR.normal(0, 2, (3, 5))
_Y = np.arange(150) % 3
_X = (_CENTRES[_Y] + _GENERATOR.normal(0, 1.5, (150, 5))).astype(np.float32)
X_TEST, Y_TEST, X, Y = _X[:45], _Y[:45], _X[45:], _Y[45:]


def blobs() -> Dataset:
    """Three classes in five dimensions."""
    return from_arrays(X, Y, x_test=X_TEST, y_test=Y_TEST, name="blobs")


def line_target(x: np.ndarray) -> np.ndarray:
    """A linear target whose unit is far from its standard deviation."""
    return (100 * (x @ _CENTRES[0]) + 7).astype(np.float32)


def line() -> Dataset:
    """The rows of `blobs` with `line_target`."""
    return from_arrays(
        X, line_target(X), x_test=X_TEST, y_test=line_target(X_TEST), name="line",
        task="regression",
    )  # fmt: skip


def small_space() -> Space:
    """Continuous fields only: one structure, so one compilation."""
    space = Space(
        {"dropout": Range(0.1, 0.5, zero=True), "learning_rate": Range(1e-3, 1e-1, log=True)}
    )
    space.fix("l2", 1e-4)
    return space


def small_search(out, data=None, **options) -> Study:
    """A search of three trials and two epochs without folds, but for what `options` say."""
    defaults = {"space": small_space(), "base": SMALL, "trials": 3, "epochs": 2, "folds": 0}
    defaults |= {"seeds": 1, "out": out}
    return search(data or blobs(), **{**defaults, **options})


def timeless(study: Study) -> list[dict]:
    """Records without what depends on the clock."""
    return [{k: v for k, v in record.items() if k != "seconds"} for record in study.trials()]


class Stop(Exception):
    """Ends a search from its progress, as an interruption does."""


def stop_after(trials: int):
    """A progress that ends the search when `trials` more are finished."""
    finished = []

    def progress(event):
        if event.finished and event.phase == "searching":
            finished.append(event)
            if len(finished) == trials:
                raise Stop

    return progress


def stop_at(phase: str):
    """A progress that ends the search when `phase` begins."""

    def progress(event):
        if event.phase == phase:
            raise Stop

    return progress
