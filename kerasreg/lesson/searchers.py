"""Ways to search a table of two hyperparameters, each a few lines, and kerasreg's Bayesian oracle.

Every searcher takes `scores`, an array (first levels, second levels) of which it may look at one
cell a trial, and gives back the cells it looked at, in order, none twice.
"""

import itertools

import numpy as np

from kerasreg.search import Space

Cell = tuple[int, int]


def random(scores: np.ndarray, trials: int, seed: int) -> list[Cell]:
    """Cells drawn evenly."""
    order = np.random.default_rng(seed).permutation(scores.size)[:trials]
    return [_cell(scores, index) for index in order]


def grid(scores: np.ndarray, side: int, seed: int) -> list[Cell]:
    """A `side` × `side` grid, at an offset drawn evenly.

    A fixed grid is as good as where its lines happen to lie beside the optimum.

    Args:
        side: Levels of each axis, one in each of `side` equal parts of the range.
        seed: Of the offset in these parts, one for each axis.
    """
    offsets = np.random.default_rng(seed).random(len(scores.shape))
    levels = [
        ((np.arange(side) + offset) / side * length).astype(int).tolist()
        for offset, length in zip(offsets, scores.shape, strict=True)
    ]
    return list(itertools.product(*levels))


def manual(scores: np.ndarray, trials: int) -> list[Cell]:
    """One hyperparameter at a time, as a person does it.

    From the middle of the table the first one moves to the better side until neither is better,
    then by half the step; then the second one.
    """
    at = tuple(length // 2 for length in scores.shape)
    tried = [at]
    for axis, length in enumerate(scores.shape):
        step = length // 3
        while step:
            sides = []
            for move in (-step, step):
                side = list(at)
                side[axis] += move
                if 0 <= side[axis] < length and tuple(side) not in tried:
                    sides.append(tuple(side))
            tried += sides
            best = max([at, *sides], key=lambda cell: scores[cell])
            step = step if best != at else step // 2
            at = best
    return tried[:trials]


def narrowing(scores: np.ndarray, trials: int, seed: int) -> list[Cell]:
    """Half of the trials at random, half between the two best of them or a level beyond.

    Where that are too few cells (the two best lie in one corner), more levels beyond.
    """
    tried = random(scores, trials // 2, seed)
    top = np.array(sorted(tried, key=lambda cell: -scores[cell])[:2])
    left: list[Cell] = []
    beyond = 0
    while len(left) < trials - len(tried) and beyond < max(scores.shape):
        beyond += 1
        low = np.maximum(top.min(axis=0) - beyond, 0)
        high = np.minimum(top.max(axis=0) + beyond, np.array(scores.shape) - 1)
        inside = itertools.product(*(range(a, b + 1) for a, b in zip(low, high, strict=True)))
        left = [cell for cell in inside if cell not in tried]
    order = np.random.default_rng([seed, 1]).permutation(len(left))
    return tried + [left[index] for index in order[: trials - len(tried)]]


def bayesian(
    scores: np.ndarray, space: Space, trials: int, seed: int, initial: int = 4
) -> list[Cell]:
    """`kerasreg.search.BayesianOracle`, one trial at a time.

    Args:
        scores: See the module; high is good.
        space: Two logarithmic ranges, whose ends are the outermost levels of the table.
        initial: Trials of the design that the search starts from.
    """
    from kerasreg.search import Proposer, make_oracle

    levels = [
        np.geomspace(space[name].low, space[name].high, length)
        for name, length in zip(space, scores.shape, strict=True)
    ]
    oracle = make_oracle("bayesian", space.hyperparameters(), "val_accuracy", seed, trials)
    oracle.initial_points = initial
    proposer = Proposer(oracle)
    tried = []
    while len(tried) < trials and (proposals := proposer.propose(1)):
        ((trial, values),) = proposals
        cell = tuple(
            int(np.abs(np.log(scale / values[name])).argmin())
            for name, scale in zip(space, levels, strict=True)
        )
        tried.append(cell)
        proposer.tell({"trial": trial, "status": "completed", "score": float(scores[cell])})
    return tried


def _cell(scores: np.ndarray, index: int) -> Cell:
    return tuple(int(level) for level in np.unravel_index(index, scores.shape))
