"""Copies of a network, trained as one population: folds, shares of the rows, learning rates."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from kerasreg.diagnosis.rows import Rows
from kerasreg.layers import clone
from kerasreg.population import Population, TrainingPlan
from kerasreg.population.general.optimizer import copy_of
from kerasreg.population.general.rows import NestedRows
from kerasreg.seeds import derive, initial_draws

#: Shares of a fold's training rows, for the learning curve.
SHARES = (0.25, 0.5, 1.0)
#: Learning rates of the range test, as multiples of the network's own (Smith 2017,
#: arXiv:1506.01186, here side by side instead of one after the other).
FACTORS = (1e-3, 1e-2, 1e-1, 10**-0.5, 10**0.5, 1e1, 1e2, 1e3)
# Where an optimiser keeps the rate that others can be multiples of.
_RATES = ("optimizer/learning_rate", "schedule/initial_learning_rate")
# A training's curves have about as many points.
_POINTS = 10


@dataclass(frozen=True)
class Copies:
    """How copies of one network trained.

    Errors are those of `Rows.errors`. S shares, U used rows, R rates.

    Attributes:
        models: Their population; the copies of all folds on all their rows come first.
        epochs, batch_size: How they trained.
        broken: Whether the loss of a copy on all rows of a fold was not finite.
        seen: Of each row, the mean error of the copies that trained on it, (S, U), in the order of
            `SHARES`; NaN where there is none.
        unseen: The error of the copy of whose fold it is a validation row, likewise.
        rates: Learning rates of the range test, rising, the network's own among them, (R,); empty
            without one.
        rate_errors: Error on training rows at each, (R,); NaN where training broke.
        own_rate: The network's own; NaN where it has none that can be changed.
        data_loss, penalty: Of the training rows in the end, mean over the folds.
        outputs: For each row, that of the copy that did not train on it, (U, outputs).
    """

    models: Population
    epochs: int
    batch_size: int
    broken: bool
    seen: np.ndarray
    unseen: np.ndarray
    rates: np.ndarray
    rate_errors: np.ndarray
    own_rate: float
    data_loss: float
    penalty: float
    outputs: np.ndarray


def fresh_copy(model: keras.Model, seed: int, keep: bool) -> keras.Model:
    """An untrained model of the same structure, compiled with the same loss and optimiser.

    Args:
        model: Compiled.
        seed: Of the initial weights, where an initialiser has none of its own.
        keep: Whether to keep all weights, or only those that training does not change.

    Raises:
        UserError: A model that Keras cannot clone.
    """
    with initial_draws(derive(seed, "initial")):
        copy = clone(model)
    for new, old in zip(copy.weights, model.weights, strict=True):
        if keep or not old.trainable:
            new.assign(old)
    # An empty list: Keras' clone is compiled, and None would keep its metrics.
    weights = model._compile_loss._user_loss_weights
    copy.compile(copy_of(model.optimizer), model.loss, loss_weights=weights, metrics=[])
    return copy


def train_copies(
    model: keras.Model,
    rows: Rows,
    epochs: int,
    batch_size: int,
    seed: int,
    progress: Callable[[float], None],
    full: bool = True,
) -> Copies:
    """Train copies of an untrained model from its weights.

    Copies of smaller shares see their rows several times an epoch, so that all take equally many
    steps.

    Args:
        model: Compiled; it is not changed.
        rows: What to train on.
        epochs, batch_size: How long, and rows a step.
        seed: Of the choice of rows, batches and masks, which differ from fold to fold.
        progress: Called with the fraction that is done.
        full: Whether to train on smaller shares and at other learning rates, too.

    Raises:
        UserError: A model that no population can hold; it says why.
    """
    folds, shares = len(rows.folds), SHARES if full else (1.0,)
    factors = FACTORS if full else ()
    most = max(len(train) for train, _ in rows.folds)
    fewest = min(len(validation) for _, validation in rows.folds)
    parts, indices = [], []
    for share in reversed(shares):
        for fold, (train, validation) in enumerate(rows.folds):
            order = np.random.default_rng(derive(seed, "share", fold)).permutation(train)
            parts.append((order[: max(1, round(share * len(order)))], validation))
            # Members with equally many rows are computed together.
            indices.append((np.resize(parts[-1][0], most), validation[:fewest]))
    places = [*range(len(parts)), *([0] * len(factors))]
    seeds = [derive(seed, "fold", place % folds) for place in places]
    models = Population.from_models([model] * len(places), seeds, folds=places, general=True)
    key = next((key for key in _RATES if key in models.members[0].values), None)
    own = models.members[0].values[key] if key else math.nan
    for place, factor in enumerate(factors if key else (), start=len(parts)):
        models.members[place].values[key] = own * factor
    results = models.train(
        NestedRows.of_indices(rows.x, rows.y, indices),
        TrainingPlan(epochs, batch_size, every=max(1, epochs // _POINTS)),
        on_epoch=lambda report: progress(report.epoch / report.epochs),
    )
    broken = np.array([result.status == "diverged" for result in results])
    outputs = models.predict(rows.inputs(rows.used))
    outputs[broken] = np.nan
    errors = rows.errors(outputs, rows.used)
    seen, unseen = (np.array([np.isin(rows.used, part[side]) for part in parts]) for side in (0, 1))
    count, by_share = len(parts), (len(shares), folds, len(rows.used))
    tested = [*range(count, len(places)), 0] if key and full else []
    rates = np.array([models.members[member].values[key] for member in tested])
    order = np.argsort(rates)
    curves = [] if broken[:folds].any() else [result.curves for result in results[:folds]]
    return Copies(
        models,
        epochs,
        batch_size,
        bool(broken[:folds].any()),
        seen=_mean(errors[:count].reshape(by_share), seen.reshape(by_share), 1)[::-1],
        unseen=_mean(errors[:count].reshape(by_share), unseen.reshape(by_share), 1)[::-1],
        rates=rates[order],
        rate_errors=np.array([errors[member][seen[0]].mean() for member in tested])[order],
        own_rate=own,
        data_loss=_end(curves, "data_loss"),
        penalty=_end(curves, "penalty"),
        outputs=_mean(outputs[:folds], unseen[:folds, :, None], 0),
    )


def _mean(values: np.ndarray, chosen: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the chosen values along an axis, NaN where none is chosen."""
    total, count = np.where(chosen, values, 0.0).sum(axis), chosen.sum(axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _end(curves: list, name: str) -> float:
    return float(np.mean([curve[name][-1] for curve in curves])) if curves else math.nan
