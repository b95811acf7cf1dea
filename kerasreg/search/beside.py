"""Settings trained for the answer, beside the trials: the baseline's and the ablation's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasreg.errors import UserError
from kerasreg.files import read_json, write_json
from kerasreg.networks import Config
from kerasreg.search.context import SearchContext
from kerasreg.study import checked_record


def train_beside(
    context: SearchContext,
    phase: str,
    base: Config,
    changes: Sequence[Mapping[str, Any]],
    halving: bool = False,
) -> list[dict[str, Any]]:
    """Train `base` with each of the changes, with the study's seeds and folds.

    Finished ones are kept in the study's checkpoints, so an interruption repeats only one; those of
    another base, which won before the study was extended, are trained anew.

    Args:
        phase: What the terminal calls it, and the name of the file.
        base: A stack.
        changes: Fields of it and their values.
        halving: Whether the worse half stops early, as trials do; then all are trained together,
            since finished ones decide which others stop.

    Returns:
        One trial record a change, whose `hyperparameters` are the change.

    Raises:
        UserError: The file of finished ones was edited or damaged.
    """
    path = context.study.checkpoints / f"{phase}.json"
    records = _read(path, base)[: len(changes)]
    if halving and len(records) < len(changes):
        records = []
    counter = context.counter(phase, len(changes))
    for record in records:
        counter.setting(record, new=False)
    begun, waiting = len(records), {}

    def on_setting(index: int, members: list) -> None:
        number = begun + index
        waiting[number] = context.record(f"{phase}-{number}", changes[number], members)
        counter.setting(waiting[number])
        # Kept in the order of the changes, whatever the order they are finished in.
        while len(records) in waiting:
            records.append(waiting[len(records)])
        write_json(path, {"config": base.to_dict(), "candidates": records})

    remaining = changes[begun:]
    if remaining:
        context.engine.train(
            context.task(
                {
                    f"{phase}-{number}": base.replace(**change)
                    for number, change in enumerate(remaining, begun)
                },
                halving=halving,
            ),
            context.dataset,
            lambda scores: counter.epochs(len(scores)),
            on_setting,
            context.study.checkpoints,
        )
    return records


def _read(path: Path, base: Config) -> list[dict[str, Any]]:
    """The finished candidates of this base.

    Raises:
        UserError: The file is not what kerasreg writes.
    """
    if not path.exists():
        return []
    stored = read_json(path)
    try:
        candidates = [checked_record(dict(record)) for record in stored["candidates"]]
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{path}: expected the {path.stem}'s candidates that kerasreg writes; it was edited or "
            "damaged. Delete it, and they are trained again."
        ) from None
    return candidates if stored.get("config") == base.to_dict() else []
