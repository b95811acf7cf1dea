"""A table of all settings of a grid, trained beforehand: what searchers are compared on.

A search on the table costs nothing, so each can be repeated, and all see the same trials.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from kerasreg.data import Split
from kerasreg.lesson._data import LessonData
from kerasreg.lesson._progress import Progress
from kerasreg.lesson._training import train_arms
from kerasreg.seeds import derive
from kerasreg.stacks import StackConfig

#: Scores of a table and a seed -> the cells that a searcher looks at, in order.
Searcher = Callable[[np.ndarray, int], Sequence[tuple[int, ...]]]


@dataclass(frozen=True)
class TrialTable:
    """Accuracies after the last epoch of every setting and seed.

    Attributes:
        validation: On the rows that a search chooses by, (seeds, levels, levels).
        test: On rows that choose nothing, of the same shape.
        validation_data_loss: Of the same shape; infinite for what diverged.
    """

    validation: np.ndarray
    test: np.ndarray
    validation_data_loss: np.ndarray

    def part(self, *levels: slice) -> "TrialTable":
        """The table of some levels of each axis only: another range of the same settings."""
        tables = self.validation, self.test, self.validation_data_loss
        return TrialTable(*(scores[:, *levels] for scores in tables))

    def search(self, searcher: Searcher, repeats: int) -> "Searches":
        """Search each seed's table `repeats` times, each time with a seed of its own."""
        cells = [
            [searcher(scores, repeats * index + repeat) for repeat in range(repeats)]
            for index, scores in enumerate(self.validation)
        ]
        return Searches(self, cells)

    def best_fifth(self) -> np.ndarray:
        """Which settings are the best fifth, for each seed by what the other seeds measured.

        By mean validation accuracy; ties, which few validation rows make common, are broken by
        the mean validation data loss. A seed's own scores are left out: a search that chases their
        noise must not be credited for it.

        Returns:
            Booleans, (seeds, levels, levels).
        """
        regions = np.zeros(self.validation.shape, bool)
        for seed, region in enumerate(regions):
            others = np.arange(len(regions)) != seed if len(regions) > 1 else [True]
            accuracy = self.validation[others].mean(axis=0).ravel()
            loss = self.validation_data_loss[others].mean(axis=0).ravel()
            order = np.lexsort((-loss, accuracy))
            region.flat[order[-round(accuracy.size / 5) :]] = True
        return regions


@dataclass(frozen=True)
class Searches:
    """Repeated searches of every seed's table.

    Attributes:
        table: Where they searched.
        cells: Cells looked at, in order: seeds, repeats, trials.
    """

    table: TrialTable
    cells: Sequence[Sequence[Sequence[tuple[int, ...]]]]

    def found(self, trials: int | None = None) -> np.ndarray:
        """Test accuracy of what the first `trials` of a search would choose, (seeds,).

        It chooses the best validation accuracy, the earliest of equals. Repeats are averaged.
        """
        by_seed = zip(self.cells, self.table.validation, self.table.test, strict=True)
        return np.array(
            [
                np.mean([test[max(cells[:trials], key=scores.__getitem__)] for cells in repeats])
                for repeats, scores, test in by_seed
            ]
        )

    def path(self, trials: int) -> np.ndarray:
        """`found` after each of the first trials, (seeds, trials)."""
        return np.stack([self.found(count) for count in range(1, trials + 1)], axis=1)

    def share_in(self, region: np.ndarray, after: int) -> np.ndarray:
        """Share of the trials after the first `after` that lie in a seed's region, (seeds,)."""
        return np.array(
            [
                np.mean([inside[cell] for cells in repeats for cell in cells[after:]])
                for repeats, inside in zip(self.cells, region, strict=True)
            ]
        )


def train_trials(
    configs: Sequence[Sequence[StackConfig]],
    data: LessonData,
    seeds: Sequence[int],
    *,
    validation: float,
    epochs: int,
    batch_size: int,
) -> TrialTable:
    """Train every setting with every seed as one population.

    Args:
        configs: The table of settings, rows of equal length, all of one structure.
        validation: Share of each draw that is kept back for validation.
    """
    folds = [_halves(data.draw(seed), validation, seed) for seed in seeds]
    flat = {str(index): config for index, config in enumerate(chain.from_iterable(configs))}
    with Progress(f"trials: {len(flat)} settings × {len(seeds)} seeds") as progress:
        runs = train_arms(
            flat,
            data,
            folds,
            seeds,
            epochs=epochs,
            batch_size=batch_size,
            every=epochs,
            progress=progress,
        )
    rows = data.test if data.own_test_part else data.candidates()
    right = runs.predict(rows.x).argmax(axis=-1) == rows.y
    judged = [slice(None) if data.own_test_part else data.judging_rows(seed) for seed in seeds]
    hits = np.stack([right[:, index, own].mean(axis=-1) for index, own in enumerate(judged)])
    broken = np.stack([arm.diverged for arm in runs.arms.values()], axis=1)
    values = (
        runs.stacked("test_accuracy"),
        np.where(broken, 1 / data.classes, hits),  # a run that diverged knows nothing
        np.where(broken, np.inf, runs.stacked("test_data_loss")),
    )
    shape = (len(seeds), len(configs), -1)
    return TrialTable(*(scores.reshape(shape) for scores in values))


def _halves(draw: Split, share: float, seed: int) -> tuple[Split, Split]:
    """Training and validation rows of a draw."""
    order = np.random.default_rng(derive(seed, "validation rows")).permutation(len(draw))
    kept, rest = np.split(order, [round(share * len(draw))])
    return Split(draw.x[rest], draw.y[rest]), Split(draw.x[kept], draw.y[kept])
