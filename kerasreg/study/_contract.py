"""What a trial record must be, whoever wrote it."""

import re
import reprlib
from typing import Any

from kerasreg.files.strict_json import plain
from kerasreg.statuses import SCORED, TRIAL_STATUSES, UNSCORED

#: Entries of a kernel that are smaller in size count as near zero in a study's `inside.npz`.
NEAR_ZERO = 1e-3
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KEYS = {
    "trial": "a string",
    "hyperparameters": "an object",
    "status": "a string",
    "seeds": "a list",
    "score": "a number or null",
    "score_std": "a number or null",
    "metrics": "an object",
    "chosen_epoch": "an integer or null",
    "epochs": "an integer",
    "curves": "an object",
    "members": "a list",
    "seconds": "a number",
    "engine": "a string",
}
_MEMBER_KEYS = {
    "seed": "an integer",
    "fold": "an integer or null",
    "score": "a number or null",
    "curves": "an object",
    "status": "a string",
}
_EFFECT_KEYS = {"name": "a string", **dict.fromkeys(("gain", "low", "high"), "a number")}
_ENSEMBLE_KEYS = {
    "trials": "an object",
    "members": "an integer",
    "bytes": "an integer",
    "seconds_a_thousand_rows": "a number",
    "test": "an object",
}
_CALIBRATION_KEYS = {"temperature": "a number", "predicted": "a list", "observed": "a list"}
_CLUSTER_KEYS = {
    **dict.fromkeys(("nodes", "cores", "workers"), "an integer"),
    **dict.fromkeys(("wall_seconds", "training_seconds"), "a number"),
}
_KINDS = {
    "a string": (str,),
    "an object": (dict,),
    "a list": (list,),
    "an integer": (int,),
    "an integer or null": (int, type(None)),
    "a number": (int, float),
    "a number or null": (int, float, type(None)),
}


_REPR = reprlib.Repr()  # its arguments came with Python 3.12
_REPR.maxlevel, _REPR.maxlist, _REPR.maxdict, _REPR.maxstring = 2, 3, 3, 60
_short = _REPR.repr
# Whether it must be finite -> its kind.
_NUMBER = {True: "a number", False: "a number or null"}


def _check_keys(value: dict[str, Any], keys: dict[str, str], of: str = "") -> None:
    for key, kind in keys.items():
        if key not in value:
            raise ValueError(f"{key!r}{of} is missing")
        # `type`, because True is an int in Python and no number in JSON.
        if type(value[key]) not in _KINDS[kind]:
            raise ValueError(f"{key!r}{of} should be {kind}, got {_short(value[key])}")


def _check_curves(curves: dict[str, Any], epochs: int | None, finite: bool, of: str) -> int:
    """Check name -> list of numbers, one an epoch; return how many numbers there are."""
    number = _KINDS[_NUMBER[finite]]
    for name, curve in curves.items():
        if type(curve) is not list or not {type(value) for value in curve} <= set(number):
            what = "numbers" if finite else "numbers or nulls"
            raise ValueError(f"the curve {_short(name)}{of} should be a list of {what}")
        epochs = len(curve) if epochs is None else epochs
        if len(curve) != epochs:
            raise ValueError(
                f"the curve {_short(name)}{of} should have {epochs} epochs, got {len(curve)}"
            )
    return (epochs or 0) * len(curves)


def check(record: Any) -> int:
    """Check one record that came from JSON; return how many numbers its curves hold.

    Raises:
        ValueError: With what is wrong, in words that fit after "FILE, line N: ".
    """
    if type(record) is not dict:
        raise ValueError(f"a trial should be an object, got {_short(record)}")
    _check_keys(record, _KEYS)
    status = record["status"]
    # An id names folders below tensorboard/, so nothing that a path gives a meaning to.
    if not _ID.fullmatch(record["trial"]):
        raise ValueError(
            "'trial' should be 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter "
            f"or digit, got {_short(record['trial'])}"
        )
    if status not in TRIAL_STATUSES:
        raise ValueError(f"'status' should be one of {TRIAL_STATUSES}, got {_short(status)}")
    for name, value in record["hyperparameters"].items():
        if type(value) in (list, dict):
            raise ValueError(
                f"the hyperparameter {_short(name)} should be flat, got {_short(value)}"
            )
    if any(type(seed) is not int for seed in record["seeds"]):
        raise ValueError(f"'seeds' should be integers, got {_short(record['seeds'])}")
    if record["seconds"] < 0 or record["epochs"] < 0:
        raise ValueError("'seconds' and 'epochs' should not be negative")
    if (record["score_std"] or 0) < 0:
        raise ValueError(f"'score_std' should not be negative, got {record['score_std']}")
    chosen = record["chosen_epoch"]
    if chosen is not None and not 1 <= chosen <= record["epochs"]:
        raise ValueError(f"'chosen_epoch' should be in 1..{record['epochs']}, got {chosen}")
    if status == "completed" and (record["score"] is None or chosen is None):
        raise ValueError("a completed trial should have a score and a chosen epoch")
    if status in UNSCORED and record["score"] is not None:
        raise ValueError(f"a {status} trial has no score, got {record['score']}")
    if (type(record.get("error")) is str) != (status == "failed"):
        raise ValueError("'error' should be a string when the status is failed, and only then")
    finite = status in SCORED
    metrics = record["metrics"]
    empty = chosen is None  # stopped before its first epoch ended
    _check_keys(
        metrics, dict.fromkeys(metrics, _NUMBER[finite and not empty]), of=" of the metrics"
    )
    numbers = _check_curves(record["curves"], record["epochs"], finite, "")
    for member in record["members"]:
        if type(member) is not dict:
            raise ValueError(f"a member should be an object, got {_short(member)}")
        _check_keys(member, _MEMBER_KEYS, of=" of a member")
        if member["status"] not in TRIAL_STATUSES:
            raise ValueError(f"a member's status should be one of {TRIAL_STATUSES}")
        numbers += _check_curves(member["curves"], None, finite, " of a member")
    return numbers


def check_result(result: dict[str, Any]) -> None:
    """Check what readers rely on in a result that came from JSON.

    Raises:
        ValueError: With what is wrong, in words that fit after "FILE: ".
    """
    for name in ("best", "baseline"):
        side = result.get(name)
        if side is None:
            continue
        try:
            check(side)
        except ValueError as error:
            raise ValueError(f"in {name!r} {error}") from None
        _check_optional(side, "config", dict, f" of {name!r}")
        _check_optional(side, "test", dict, f" of {name!r}")
        test = side.get("test") or {}
        _check_optional(test, "seeds", list, f" of the test of {name!r}")
        for one in (test, *(test.get("seeds") or ())):
            if type(one) is not dict:
                raise ValueError(f"the test of a seed should be an object, got {_short(one)}")
            numbers = {key: one[key] for key in one if key != "seeds"}
            _check_keys(numbers, dict.fromkeys(numbers, "a number or null"), f" of {name!r}'s test")
    _check_optional(result, "baseline_candidates", list)
    _check_optional(result, "effects", list)
    for effect in result.get("effects") or ():
        if type(effect) is not dict or type(effect.get("chosen")) is not bool:
            raise ValueError(f"an effect should be an object, got {_short(effect)}")
        _check_keys(effect, _EFFECT_KEYS, " of an effect")
    _check_optional(result, "layers", list)
    for layer in result.get("layers") or ():
        if type(layer) is not dict:
            raise ValueError(f"a layer should be an object, got {_short(layer)}")
        _check_keys(layer, dict.fromkeys(("layer", "kind", "done"), "a string"), " of a layer")
    _check_optional(result, "ensemble", dict)
    if ensemble := result.get("ensemble"):
        _check_keys(ensemble, _ENSEMBLE_KEYS, " of the ensemble")
        _check_optional(ensemble, "calibration", dict, " of the ensemble")
        if calibration := ensemble.get("calibration"):
            _check_keys(calibration, _CALIBRATION_KEYS, " of the ensemble's calibration")
        numbers = ensemble["test"]
        _check_keys(numbers, dict.fromkeys(numbers, "a number or null"), " of the ensemble's test")
    _check_optional(result, "cluster", dict)
    if cluster := result.get("cluster"):
        _check_keys(cluster, _CLUSTER_KEYS, " of the cluster")
    if result.get("metric", "mae") not in ("accuracy", "mae"):
        raise ValueError(f"'metric' should be accuracy or mae, got {_short(result['metric'])}")
    if type(result.get("target_scale", 1.0)) not in (int, float):
        raise ValueError(f"'target_scale' should be a number, got {_short(result['target_scale'])}")


def _check_optional(value: dict[str, Any], key: str, kind: type, of: str = "") -> None:
    """Check the type of what may be null or missing."""
    if not isinstance(value.get(key), kind | None):
        what = "an object" if kind is dict else "a list"
        raise ValueError(f"{key!r}{of} should be {what}, got {_short(value[key])}")


def checked(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record as plain JSON values, checked.

    Raises:
        ValueError: It breaks the contract; a fault of the caller, not of the user.
        TypeError: It holds what JSON has no word for.
    """
    record = plain(record)
    try:
        check(record)
    except ValueError as error:
        raise ValueError(f"Expected a trial record, but {error}.") from None
    return record
