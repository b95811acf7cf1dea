"""The trial record: what one finished trial says, built from its members and checked."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from kerasreg.objectives import sign
from kerasreg.study._contract import checked
from kerasreg.study._units import scaled_record

_MAX_ERROR = 2000


class Member(Protocol):
    """What a record needs of a trained member (population members have it)."""

    seed: int
    fold: int | None
    status: str
    epochs: int
    curves: Mapping[str, np.ndarray]
    seconds: float


def _curves(member: Member) -> dict[str, np.ndarray]:
    """Return the member's curves as float64 arrays, shape (epochs,), checked against each other."""
    curves = {name: np.asarray(curve, dtype=np.float64) for name, curve in member.curves.items()}
    for name, curve in curves.items():
        if curve.shape != (member.epochs,):
            raise ValueError(
                f"Expected {member.epochs} epochs in the curve {name!r} of seed {member.seed}, "
                f"got shape {curve.shape}."
            )
    for twin in ("", "val_"):
        parts = [curves.get(twin + name) for name in ("loss", "data_loss", "penalty")]
        if any(part is None for part in parts):
            continue
        loss, data_loss, penalty = parts
        finite = np.isfinite(loss) & np.isfinite(data_loss) & np.isfinite(penalty)
        # The three are rounded to float32 apart from each other, hence the tolerance.
        scale = np.maximum(np.abs(data_loss[finite]), np.abs(penalty[finite]))
        error = np.abs(loss[finite] - data_loss[finite] - penalty[finite])
        if np.any(error > 1e-4 * scale + 1e-6):
            raise ValueError(
                f"Expected {twin}loss = {twin}data_loss + {twin}penalty for seed {member.seed}, "
                f"got differences up to {error.max():.3g}."
            )
    return curves


def _choose(curve: np.ndarray, objective: str, epoch_rule: str) -> int | None:
    """Return the chosen epoch, counted from 1; None when there is none to choose."""
    if epoch_rule == "last":
        return len(curve) or None
    signed = np.where(np.isfinite(curve), sign(objective) * curve, -np.inf)
    if not np.any(np.isfinite(signed)):
        return None
    return int(np.argmax(signed)) + 1  # the first of equals


def _status(members: Sequence[Member], curves: Sequence[Mapping[str, np.ndarray]]) -> str:
    """Return the trial's status: diverged before stopped before completed."""
    if any(member.status == "diverged" for member in members) or any(
        not np.all(np.isfinite(curve)) for own in curves for curve in own.values()
    ):
        return "diverged"
    return "stopped" if any(member.status == "stopped" for member in members) else "completed"


def trial_record(
    trial_id: str,
    hyperparameters: Mapping[str, Any],
    members: Sequence[Member],
    objective: str,
    epoch_rule: str = "best",
    engine: str = "population",
    target_scale: float = 1.0,
) -> dict[str, Any]:
    """Build the record of a trained trial from its members.

    Epochs are counted from 1, as a person reads them: `chosen_epoch` 3 is the third epoch,
    `curves["loss"][2]`. Curves are means over members, for the epochs that every member ran (the
    members keep whole curves). `score_std` is the sample standard deviation over members
    (ddof=1) and null for one member, because one number says nothing about a spread.

    The status is `diverged` when a member is, or ever had a number that is not finite; then
    `stopped` when a member is; else `completed`. A diverged trial has no score (null), whatever its
    finite epochs say, so that no ranking can pick it; its metrics and curves stay for the report.

    Args:
        trial_id: Letters, digits, `.`, `_` and `-`; unique in the study.
        hyperparameters: Flat: name -> number, string, bool or None.
        members: Trained members, at least one, each a (seed, fold) of its own.
        objective: One of `kerasreg.objectives.OBJECTIVES`.
        epoch_rule: `best` epoch of the mean objective curve (the first of equals), or `last`.
        engine: What trained it, `population` or `keras-tuner`.
        target_scale: Standard deviation of the target that was standardised for training: the
            members' absolute errors are multiplied by it, so that the record has the target's unit.

    Returns:
        A dict of plain JSON values without NaN, ready for `Study.append`.

    Raises:
        ValueError: Members that contradict each other or the contract (curves of unequal length,
            `loss` that is not `data_loss + penalty`, the objective's curve missing).
    """
    curves = [_curves(member) for member in members]
    names = list(curves[0])
    if objective not in names or any(set(own) != set(names) for own in curves):
        raise ValueError(
            f"Expected the same curves with {objective!r} in every member of trial {trial_id!r}, "
            f"got {[sorted(own) for own in curves]}."
        )
    epochs = min(member.epochs for member in members)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = {
            name: np.mean([own[name][:epochs] for own in curves], axis=0, dtype=np.float64)
            for name in names
        }
    chosen = _choose(mean[objective], objective, epoch_rule)
    # The means too: finite members near the largest float have an infinite one.
    status = _status(members, [*curves, mean])
    scores = [float(own[objective][chosen - 1]) if chosen else math.nan for own in curves]
    spread = math.nan
    if len(scores) > 1:
        with np.errstate(over="ignore", invalid="ignore"):
            spread = float(np.std(scores, ddof=1))
    scored = chosen is not None and status != "diverged"
    record = {
        "trial": trial_id,
        "hyperparameters": dict(hyperparameters),
        "status": status,
        "seeds": list(dict.fromkeys(member.seed for member in members)),
        "score": mean[objective][chosen - 1] if scored else None,
        "score_std": spread if scored else None,
        "metrics": {name: mean[name][chosen - 1] if chosen else None for name in names},
        "chosen_epoch": chosen,
        "epochs": epochs,
        "curves": mean,
        "members": [
            {
                "seed": member.seed,
                "fold": member.fold,
                "score": score,
                "curves": own,
                "status": _status([member], [own]),
            }
            for member, own, score in zip(members, curves, scores, strict=True)
        ],
        "seconds": sum(member.seconds for member in members),
        "engine": engine,
    }
    return checked(scaled_record(record, target_scale, objective))


def failed_record(
    trial_id: str,
    hyperparameters: Mapping[str, Any],
    error: str,
    *,
    seeds: Sequence[int] = (),
    engine: str = "population",
) -> dict[str, Any]:
    """Build the record of a trial that raised: status `failed`, the error's text, no curves.

    Args:
        error: What went wrong; cut after 2,000 characters.

    Raises:
        ValueError: Arguments outside the contract.
    """
    return checked(
        {
            "trial": trial_id,
            "hyperparameters": dict(hyperparameters),
            "status": "failed",
            "seeds": list(seeds),
            "score": None,
            "score_std": None,
            "metrics": {},
            "chosen_epoch": None,
            "epochs": 0,
            "curves": {},
            "members": [],
            "seconds": 0.0,
            "engine": engine,
            "error": str(error)[:_MAX_ERROR],
        }
    )
