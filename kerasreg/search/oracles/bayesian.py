"""Bayesian search: propose where a Gaussian process thinks the best score possible."""

import functools
import math
from typing import Any

import numpy as np
from scipy.stats import qmc
from threadpoolctl import ThreadpoolController

from kerasreg.search.oracles.axes import Axes
from kerasreg.search.oracles.seeded import SeededOracle
from kerasreg.search.oracles.surrogate import Surrogate, standardise
from kerasreg.seeds import derive

# Candidates of one proposal: everywhere, around the best trials, then around the best candidates
# in ever smaller steps.
_EVERYWHERE = 1000
_STARTS = 5
_AROUND_TRIALS = ((0.1, 40), (0.02, 40))
_AROUND_CANDIDATES = ((0.05, 20), (0.02, 20), (0.005, 20))


class BayesianOracle(SeededOracle):
    """Bayesian search for batches; see `SeededOracle` for the other arguments and guarantees.

    The first trials are a scrambled Sobol sequence. After them each proposal minimises the lower
    confidence bound of a Gaussian process of the finished trials. Trials still pending are believed
    to give what the process expects of them, which moves the next proposal elsewhere. Trials
    without a finite score stand at the worst score seen: not information about the objective, but
    about where not to go.

    Proposals are functions of the seed, the trial's index, and the finished and pending trials.

    Args:
        initial_points: Length of the Sobol sequence; `None`: twice the hyperparameters that have
            more than one value, at least 8.
    """

    def __init__(self, *arguments: Any, initial_points: int | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.initial_points = initial_points
        # What the surrogate was last fitted to, and the surrogate: one fit serves a whole batch.
        self._fitted: tuple[Any, Surrogate | None] = (None, None)

    def _propose(self, index: int) -> dict[str, Any] | None:
        axes = Axes(self.hyperparameters.space)
        trials = [self.trials[trial_id] for trial_id in sorted(self.trials)]
        scored = [trial for trial in trials if trial.status == "COMPLETED"]
        initial = self.initial_points or max(8, 2 * axes.dimensions)
        if not axes.dimensions:
            return self._draw(index)
        if index < initial or len(scored) < 3:
            return self._design(axes, index)
        failed = [trial for trial in trials if trial.status in ("FAILED", "INVALID")]
        pending = [trial for trial in trials if trial.status == "RUNNING"]
        # One thread: the matrices are small, and results must not depend on the number of cores.
        with _threads().limit(limits=1, user_api="blas"):
            return self._improve(axes, index, scored, failed, pending)

    def _design(self, axes: Axes, index: int) -> dict[str, Any] | None:
        """Point `index` of the Sobol sequence, or a random one if it has been tried."""
        sequence = qmc.Sobol(axes.dimensions, rng=derive(self.seed, "design"))
        length = max(3, math.ceil(math.log2(index + 1)))
        values = axes.values(sequence.random_base2(length)[index])
        return self._draw(index) if self._duplicate(values) else values

    def _improve(self, axes: Axes, index: int, scored: list, failed: list, pending: list):
        sign = -1.0 if self.objective.direction == "max" else 1.0
        scores = np.array([sign * trial.score for trial in scored])
        scores = standardise(np.append(scores, np.full(len(failed), scores.max())))
        tried = self._points(axes, scored + failed)
        surrogate = self._fit(axes.features(tried), scores)
        if pending:
            surrogate = surrogate.believing(axes.features(self._points(axes, pending)))

        rng = np.random.default_rng(derive(self.seed, "candidates", index))
        best = tried[np.argsort(scores, kind="stable")[:_STARTS]]
        points = [rng.random((_EVERYWHERE, axes.dimensions))]
        points += [_around(rng, best, scale, n) for scale, n in _AROUND_TRIALS]
        candidates = axes.canonical(np.concatenate(points))
        bounds = surrogate.lower_bound(axes.features(candidates))
        for scale, n in _AROUND_CANDIDATES:
            top = np.argsort(bounds, kind="stable")[:_STARTS]
            near = axes.canonical(_around(rng, candidates[top], scale, n))
            bounds = np.append(bounds, surrogate.lower_bound(axes.features(near)))
            candidates = np.append(candidates, near, axis=0)
        for k in np.argsort(bounds, kind="stable"):
            values = axes.values(candidates[k])
            if not self._duplicate(values):
                return values
        return self._draw(index)

    def _points(self, axes: Axes, trials: list) -> np.ndarray:
        return axes.canonical(np.array([axes.point(t.hyperparameters.values) for t in trials]))

    def _fit(self, x: np.ndarray, y: np.ndarray) -> Surrogate:
        key = (x.shape, x.tobytes(), y.tobytes())
        if self._fitted[0] != key:
            self._fitted = (key, Surrogate.fit(x, y))
        return self._fitted[1]


def _around(rng: np.random.Generator, points: np.ndarray, scale: float, n: int) -> np.ndarray:
    """`n` neighbours of each point: about half of the coordinates moved, sometimes one redrawn."""
    near = np.repeat(points, n, axis=0)
    near = near + (rng.random(near.shape) < 0.5) * rng.normal(0, scale, near.shape)
    redrawn = rng.random(near.shape) < 0.5 / near.shape[1]
    near = np.where(redrawn, rng.random(near.shape), near)
    return np.clip(near, 0, 1 - 1e-9)


@functools.cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()
