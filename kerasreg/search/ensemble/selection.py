"""Greedy selection of an ensemble from out-of-fold predictions.

Caruana et al. (2004), "Ensemble selection from libraries of models": again and again, with
replacement, the candidate that improves the mean prediction most. Bags of candidates keep the
selection from fitting the rows that it is made on.
"""

import math
from collections.abc import Callable

import numpy as np

from kerasreg.seeds import derive

BAGS = 20
#: Share of the candidates that a bag may choose from.
SHARE = 0.5
STEPS = 25
#: Least improvement of the loss that another choice must bring, as a share of it.
LEAST_GAIN = 1e-3
#: Candidates with less weight are left out.
LEAST_WEIGHT = 0.03


def select(values: np.ndarray, loss: Callable[[np.ndarray], np.ndarray], seed: int) -> np.ndarray:
    """The weight of each candidate in the mean.

    Args:
        values: (candidates, rows) of what is averaged: the probability of the row's own class, or
            the predicted target.
        loss: From mean values (..., rows) to losses (...).
        seed: Of the bags.

    Returns:
        Weights (candidates,) of at least 0 that sum to 1.
    """
    draw = np.random.default_rng(derive(seed, "ensemble"))
    total = np.zeros(len(values))
    for _ in range(BAGS):
        bag = draw.permutation(len(values))[: math.ceil(SHARE * len(values))]
        counts = _greedy(values[bag], loss)
        total[bag] += counts / counts.sum()
    weights = total / total.sum()
    weights[weights < min(LEAST_WEIGHT, weights.max())] = 0
    return weights / weights.sum()


def _greedy(values: np.ndarray, loss: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """How often each candidate is chosen until no choice helps."""
    counts, total, reached = np.zeros(len(values)), np.zeros(values.shape[1]), math.inf
    for step in range(1, STEPS + 1):
        losses = loss((total + values) / step)
        chosen = int(np.argmin(losses))
        if not losses[chosen] < reached * (1 - LEAST_GAIN):
            break
        reached = losses[chosen]
        counts[chosen] += 1
        total += values[chosen]
    return counts
