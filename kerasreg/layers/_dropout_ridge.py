"""Dropout on the inputs of linear regression is ridge regression, in closed form."""

import numpy as np
from numpy.typing import ArrayLike

from kerasreg.errors import UserError


def dropout_penalty(x: ArrayLike, keep: ArrayLike) -> np.ndarray:
    """Return the matrix P such that dropout adds the penalty w' P w to the squared error.

    For inverted dropout with probability `keep` of keeping an input,

        E ||y - (x * mask / keep) w||^2 = ||y - x w||^2 + w' P w,
        P = (1 - keep) / keep * diag(x' x),

    so the penalty of a weight grows with the squared length of its column of x: an L2 penalty
    adapted to the data, plain ridge if the columns are standardised. Sums, not means, over rows.
    Source: Srivastava et al. (2014), JMLR 15, section 9.1; Wager, Wang and Liang (2013).

    Args:
        x: Inputs, shape (rows, features).
        keep: Probability of keeping, in (0, 1]: one for all or one per feature.

    Returns:
        A diagonal matrix, shape (features, features).

    Raises:
        UserError: `x` is not a finite matrix, or `keep` is out of range or of the wrong length.
    """
    x = _matrix(x)
    keep = np.asarray(keep, dtype=np.float64)
    if keep.shape not in ((), (x.shape[1],)):
        raise UserError(
            f"keep: expected one probability or one for each of {x.shape[1]} features, "
            f"got the shape {keep.shape}."
        )
    if not np.all((keep > 0) & (keep <= 1)):
        raise UserError(
            f"keep: expected the probability of keeping an input, in (0, 1], got {keep.tolist()!r}."
        )
    return np.diag((1 - keep) / keep * np.einsum("ij,ij->j", x, x))


def dropout_ridge(x: ArrayLike, y: ArrayLike, keep: ArrayLike) -> np.ndarray:
    """Return the weights that linear regression trained with dropout on its inputs converges to.

    The minimiser of E ||y - (x * mask / keep) w||^2 over the masks, which is

        w = (x' x + P)^-1 x' y    with P = dropout_penalty(x, keep).

    There is no intercept: centre x and y first if one is wanted.

    Args:
        x: Inputs, shape (rows, features).
        y: Targets, shape (rows,) or (rows, outputs).
        keep: Probability of keeping, in (0, 1]: one for all or one per feature.

    Returns:
        Weights, shape (features,) or (features, outputs).

    Raises:
        UserError: As `dropout_penalty`; y of another length or not finite; or a system without a
            unique solution (with keep = 1 and dependent columns, or a column of zeros).
    """
    x, y = _matrix(x), np.asarray(y, dtype=np.float64)
    if y.ndim not in (1, 2) or len(y) != len(x) or not np.all(np.isfinite(y)):
        raise UserError(
            f"y: expected finite targets of shape ({len(x)},) or ({len(x)}, outputs), "
            f"got the shape {y.shape}."
        )
    system = x.T @ x + dropout_penalty(x, keep)
    if np.linalg.matrix_rank(system, hermitian=True) < len(system):
        raise UserError(
            "x: expected columns that give one solution, got linearly dependent ones, which "
            "dropout does not resolve; remove the zero or repeated ones."
        )
    return np.linalg.solve(system, x.T @ y)


def _matrix(x: ArrayLike) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or not x.size or not np.all(np.isfinite(x)):
        raise UserError(
            "x: expected finite inputs of shape (rows, features), "
            f"got the shape {x.shape}{'' if np.all(np.isfinite(x)) else ' with NaN or inf'}."
        )
    return x
