"""What a request leaves open, decided by the data: folds, ensemble, halving, encodings."""

import dataclasses
import math

import numpy as np

from kerasreg.data import Dataset
from kerasreg.errors import UserError
from kerasreg.networks import NetworkConfig
from kerasreg.search.request import Request
from kerasreg.search.space import Choice
from kerasreg.search.space.default_space import IMAGE_FIXED, IMAGE_SPACE, SMALL_FIXED

FOLDS = 5
PATIENCE = 10
#: With as many rows or more, one validation part tells settings apart.
ENOUGH_ROWS = 10_000
#: With fewer, cross-validation is repeated with another division of the rows.
FEW_ROWS = 500
ROWS_OF_WIDE_LAYERS = 1000
EPOCHS, MOST_EPOCHS = 50, 150
#: Few rows are few steps an epoch. Out of fold, 600 steps were better than 250 (new-thyroid), and
#: 960 no better than 400 (mpg) or 480 (wine).
LEAST_STEPS = 600
#: Height and width from which images are worth convolutions.
IMAGE_SIDE = 16


def settled(request: Request, dataset: Dataset) -> Request:
    """The request with nothing left open.

    Folds are 5 where training and validation have fewer than 10,000 rows and every class has 5,
    twice below 500 rows. Epochs are 50, and more where they are few steps. With folds, a search
    keeps an ensemble of their members, halves its random trials and has no patience. Encodings that
    the data cannot have are no choice. Images have convolutions and augmentation, unless space or
    base say otherwise; other data have layers of 64 units below 1,000 rows. What few rows change is
    measured on tables and left alone for images, which are slow.

    Raises:
        UserError: An ensemble without folds, or of another engine; label smoothing without labels;
            a network that does not fit the data or has no layer for what the space varies.
    """
    folds = default_folds(dataset) if request.folds is None else request.folds
    able = bool(folds) and request.engine == "population" and request.command == "search"
    if request.ensemble and not able:
        raise UserError(
            "--ensemble: expected a search with folds and --engine population, whose members of "
            f"the folds it joins, got --folds {folds} --engine {request.engine}."
        )
    dataset.encoded(request.base.encoding)  # refuses what the data cannot have
    space = request.space
    if isinstance(request.base, NetworkConfig):
        request.base.check_takes([*space, *space.fixed])
        # Refuses data that the network does not fit.
        request.base.build_template(dataset.input_shape, dataset.outputs, dataset.task)
    elif are_images(dataset.input_shape):
        if space.fixed.get("filters") != ():
            space = space.completed(IMAGE_SPACE, IMAGE_FIXED)
    elif _rows(dataset) < ROWS_OF_WIDE_LAYERS:
        space = space.completed({}, SMALL_FIXED)
    if dataset.task == "regression":
        space = space.completed({}, {"label_smoothing": 0.0})
        if "label_smoothing" in space:
            raise UserError(
                "--space: expected no label_smoothing, for the target is a quantity; leave it out."
            )
    varied = space.get("encoding")
    if varied:
        possible = [name for name in varied.values if name in dataset.encodings]
        space = type(space).from_dict(space.to_dict())
        if len(possible) > 1:
            space["encoding"] = Choice(*possible)
        else:
            space.fix("encoding", *(possible or ["standard"]))
    return dataclasses.replace(
        request,
        space=space,
        epochs=default_epochs(request, dataset, folds)
        if request.epochs is None
        else request.epochs,
        seeds=default_seeds(dataset, folds) if request.seeds is None else request.seeds,
        folds=folds,
        patience=(0 if folds else PATIENCE) if request.patience is None else request.patience,
        ensemble=able if request.ensemble is None else request.ensemble,
        halving=able and request.searcher == "random"
        if request.halving is None
        else request.halving,
    )


def are_images(shape: tuple[int, ...]) -> bool:
    """Whether rows of this shape are images large enough for convolutions by default."""
    channels = shape[2] if len(shape) == 3 else 1
    return len(shape) in (2, 3) and min(shape[:2]) >= IMAGE_SIDE and channels in (1, 3, 4)


def default_folds(dataset: Dataset) -> int:
    """How many folds a data set has unless asked for otherwise; 0 for none."""
    if not 2 * FOLDS <= _rows(dataset) < ENOUGH_ROWS:
        return 0
    if dataset.class_names is not None and np.bincount(dataset.refit.y).min() < FOLDS:
        return 0
    return FOLDS


def default_seeds(dataset: Dataset, folds: int) -> int:
    """How many members a setting and fold has unless asked for otherwise."""
    few = folds and _rows(dataset) < FEW_ROWS and not are_images(dataset.input_shape)
    return 2 if few else 1


def default_epochs(request: Request, dataset: Dataset, folds: int) -> int:
    """How many epochs a search has unless asked for otherwise."""
    if are_images(dataset.input_shape):
        return EPOCHS
    rows = _rows(dataset) * (folds - 1) // folds if folds else len(dataset.train)
    steps = math.ceil(rows / (request.batch_size or dataset.default_batch_size))
    return max(EPOCHS, min(MOST_EPOCHS, math.ceil(LEAST_STEPS / steps)))


def _rows(dataset: Dataset) -> int:
    """Rows of training and validation."""
    return len(dataset.rows["train"]) + len(dataset.rows["validation"])
