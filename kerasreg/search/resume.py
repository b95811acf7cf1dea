"""What a resumed search reads, in this order: its request, its rounds of proposals, its trials.

`study.json` says what was asked, `proposals.json` what was to be tried, `trials.jsonl` what was
finished. The difference between the last two is trained first.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasreg.errors import UserError
from kerasreg.files import atomic_write, read_json, write_json
from kerasreg.files.keras_model import open_model
from kerasreg.networks import Network, NetworkConfig
from kerasreg.search.proposer import Proposal
from kerasreg.search.request import Request
from kerasreg.study import Study

#: The user's network, of a search over one.
NETWORK = "network.keras"
_ROUNDS = "proposals.json"


def stored_request(study: Study, custom: Sequence[str] = ()) -> Request:
    """The request that a study was begun with.

    Args:
        custom: Classes of the user's in the network that the study is over, see `open_model`.

    Raises:
        UserError: study.json was edited or damaged.
    """
    fields = study.request
    fields.pop("dataset", None)
    network = None
    if "network" in (fields.get("base") or {}):
        network = Network(open_model(study.folder / NETWORK, custom))
    return Request.from_dict(fields, network)


def new_or_resumed(
    request: Request,
    fields: dict[str, Any],
    out: Path,
    resume: bool,
    given: bool,
    reread_test: bool,
) -> Study:
    """The study in `out`: a new one, or the one to go on with, which has to agree."""
    if not resume:
        request.space.check(request.base)
        study = Study.create(out, fields)
        if isinstance(request.base, NetworkConfig):
            # So that resuming needs nothing else.
            atomic_write(study.folder / NETWORK, request.base.network.model.save)
        return study
    study = Study.open(out)
    # What the version that began the study did not know, and is not asked for, is as before.
    fields = {key: value for key, value in fields.items() if value or key in study.request}
    _check_unit(study, request.trials)
    if given:
        # Data at hand is the same if its rows are, however it was found the first time.
        fields.pop("data", None)
    study.extend(fields, reread_test=reread_test)
    return study


def _check_unit(study: Study, trials: int) -> None:
    """Refuse to add trials to a study whose records have another unit.

    Raises:
        UserError: Version 0.1 recorded its errors in standard deviations of the target.
    """
    if study.is_readable_only and (study.result is None or trials > len(study.trials())):
        raise UserError(
            f"--resume: {study.folder} was begun by kerasreg 0.1, which recorded absolute errors "
            "in standard deviations of the target. It can be read and reported, but no trial can "
            "be added; begin a new study."
        )


def read_rounds(study: Study) -> list[list[Proposal]]:
    """The rounds of proposals recorded so far.

    Raises:
        UserError: The file is not what kerasreg writes.
    """
    path = study.folder / _ROUNDS
    if not path.exists():
        return []
    stored = read_json(path)
    try:
        rounds = stored["rounds"]
        return [[(str(trial), dict(values)) for trial, values in proposals] for proposals in rounds]
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{path}: expected the rounds of proposals that kerasreg writes; it was edited or "
            "damaged. Restore it from a copy, or begin a new study."
        ) from None


def write_rounds(study: Study, rounds: Sequence[Sequence[Proposal]]) -> None:
    """Record the rounds, the new one included, before it is trained."""
    write_json(study.folder / _ROUNDS, {"rounds": rounds})


def changed_versions(study: Study) -> str:
    """One sentence if the study was begun under other versions, else nothing; recorded once."""
    changes = study.note_versions()
    if not changes:
        return ""
    return (
        f"The study was begun under other versions ({'; '.join(changes)}): results of trials "
        "from now on may differ from what they would have been."
    )
