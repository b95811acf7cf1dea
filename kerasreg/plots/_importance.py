"""How much each hyperparameter mattered, with an uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from kerasreg.plots._records import Scale, Trial, scored, scores, varied
from kerasreg.plots._style import BEST, MUTED, label, new_figure, styled
from kerasreg.seeds import derive


@dataclass(frozen=True)
class Importance:
    """What permuting each hyperparameter costs a forest that predicts the rank of the score.

    Attributes:
        names: Hyperparameters, most important first.
        mean: Mean loss of R² on held-out trials, shape (names,).
        low, high: 5 % and 95 % quantiles over folds and repetitions, shape (names,).
        r2: Mean R² of the forest on held-out trials; at or below 0 the forest predicts nothing and
            its importances mean nothing.
        trials: How many trials it was fitted to.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    r2: float
    trials: int


def enough_for_importance(trials: Sequence[Trial]) -> int:
    """How many scored trials `importance` asks for: 20, or 5 a varied hyperparameter."""
    return max(20, 5 * len(varied(trials)))


def importance(trials: Sequence[Trial], seed: int) -> Importance | None:
    """Estimate permutation importance with a random forest, or None with too few trials.

    The forest predicts the rank of the score (0 the lowest, 1 the highest), so that a few terrible
    trials do not decide; it is judged on held-out trials in 5-fold cross-validation, done
    twice with other folds, forests and permutations. Correlated hyperparameters share importance.
    Same seed, same numbers.

    Source: L. Breiman, "Random Forests" (2001); scikit-learn's `permutation_importance`.
    """
    done = scored(trials)
    names = varied(done)
    if not names or len(done) < enough_for_importance(done):
        return None
    from scipy.stats import rankdata
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import KFold

    x = np.stack([Scale.of(name, done).positions(done) for name in names], axis=1)
    y = (rankdata(scores(done)) - 1) / (len(done) - 1)
    losses, r2 = [], []
    for repeat in range(2):
        folds = KFold(5, shuffle=True, random_state=derive(seed, "importance folds", repeat))
        for fold, (train, held_out) in enumerate(folds.split(x)):
            forest = RandomForestRegressor(
                40, min_samples_leaf=2, random_state=derive(seed, "forest", repeat, fold)
            ).fit(x[train], y[train])
            r2.append(forest.score(x[held_out], y[held_out]))
            result = permutation_importance(
                forest,
                x[held_out],
                y[held_out],
                n_repeats=3,
                random_state=derive(seed, "permutation", repeat, fold),
            )
            losses.append(result.importances_mean)
    table = np.array(losses)
    order = np.argsort(-table.mean(axis=0), kind="stable")
    low, high = np.quantile(table[:, order], [0.05, 0.95], axis=0)
    return Importance(
        names=tuple(names[index] for index in order),
        mean=table.mean(axis=0)[order],
        low=low,
        high=high,
        r2=float(np.mean(r2)),
        trials=len(done),
    )


@styled
def importance_figure(result: Importance) -> Figure:
    """Draw importances as dots with their 5–95 % ranges, the most important on top."""
    count = len(result.names)
    figure = new_figure(9, 1.0 + 0.36 * count)
    axes = figure.subplots()
    y = np.arange(count)[::-1]
    axes.hlines(y, result.low, result.high, color=BEST, linewidth=5, alpha=0.3)
    axes.plot(result.mean, y, "o", color=BEST, markersize=7)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.set_yticks(y, [label(name) for name in result.names])
    axes.set_ylim(-0.6, count - 0.4)
    axes.set_xlabel("held-out R² lost when the hyperparameter is shuffled (bar: 5–95 %)")
    axes.set_title(f"Held-out R² of the forest: {result.r2:.2f}, {result.trials} trials")
    axes.grid(axis="y", visible=False)
    return figure
