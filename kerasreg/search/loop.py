"""The trials of a study: proposed in rounds, recorded, trained, told to the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasreg.errors import UserError
from kerasreg.files import read_json, write_json
from kerasreg.search import tensorboard
from kerasreg.search.answer import Work
from kerasreg.search.oracles import make_oracle
from kerasreg.search.proposer import Proposal, Proposer
from kerasreg.search.request import Request
from kerasreg.search.round import Rounds
from kerasreg.stacks import StackConfig
from kerasreg.study import Study

# How many settings are proposed together. Fixed, so that neither speed nor chunking can change
# what is proposed. Bayesian proposals learn from finished trials, hence the smaller rounds.
_ROUND = {"random": 64, "grid": 64, "bayesian": 8}

# What `train` records as hyperparameters, where it is one value and not one a layer.
_TRAINED = (
    "dropout",
    "input_dropout",
    "l1",
    "l2",
    "weight_decay",
    "label_smoothing",
    "normalization",
    "learning_rate",
)


def make_proposer(request: Request) -> Proposer:
    """The proposer of a request, with its oracle and what is to be tried first.

    Raises:
        UserError: Nothing varies, or a setting to try is outside the space.
    """
    space, base = request.parsed_space, StackConfig.from_dict(request.base)
    if not list(space):
        raise UserError("--space: expected at least one name that varies, got none.")
    queue = [space.setting(values, base) for values in request.try_first]
    hyperparameters = space.hyperparameters(base)
    return Proposer(
        make_oracle(request.searcher, hyperparameters, request.objective, request.seed), queue
    )


def run_trials(
    work: Work, proposer: Proposer | None, deadline: float | None, reread_test: bool
) -> bool:
    """Propose, record the proposals, train, record the results, tell; until enough or no time.

    Returns:
        Whether any trial was trained.
    """
    study, request = work.study, work.request
    path = study.folder / "proposals.json"
    rounds = _read_rounds(path)
    records = study.trials()
    counter = work.counter("searching", request.trials)
    for record in records:
        counter.setting(record, new=False)
        # A kill between the two writes leaves a trial without its event file.
        if not tensorboard.trial_folder(study.tensorboard, record).exists():
            tensorboard.write_trial(study.tensorboard, record)
    if proposer:
        pending = proposer.replay(rounds, records)
    else:
        pending = [] if records else [("0000", _hyperparameters(request))]
    answered = study.result is not None and study.test_reads > 0
    with Rounds(work, counter, deadline) as training:
        while True:
            if not pending:
                size = min(_ROUND[request.searcher], request.trials - sum(map(len, rounds)))
                pending = proposer.propose(size) if proposer and size > 0 else []
                if not pending:
                    break
                _refuse_if(answered and not reread_test, study)
                rounds.append(pending)
                write_json(path, {"rounds": rounds})
            _refuse_if(answered and not reread_test, study)
            study.retire_result()
            proposals = rounds[-1] if rounds else pending
            new = training.train(proposals)
            # Told in the order of the proposals, whatever the order they were finished in.
            for trial, _ in proposals:
                if proposer and trial in new:
                    proposer.tell(new[trial])
            if training.late() and counter.done < request.trials:
                done = f"{counter.done} of {request.trials} trials"
                counter.notice(f"Time is up: {done} are finished.")
                return True
            pending = []
    if counter.done < request.trials:
        counter.notice(f"The space has no more than {counter.done} different settings.")
    return counter.done > len(records)


def _refuse_if(refused: bool, study: Study) -> None:
    if refused:
        raise UserError(
            f"{study.folder} has its result and its test rows were read, so more trials would "
            "choose with the answer known; begin a new study, or pass --reread-test."
        )


def _hyperparameters(request: Request) -> dict[str, Any]:
    values = {name: request.base[name] for name in _TRAINED}
    return {name: value for name, value in values.items() if not isinstance(value, list)}


def _read_rounds(path: Path) -> list[list[Proposal]]:
    """The rounds of proposals recorded so far.

    Raises:
        UserError: The file is not what kerasreg writes.
    """
    if not path.exists():
        return []
    try:
        rounds = read_json(path)["rounds"]
        return [[(str(trial), dict(values)) for trial, values in proposals] for proposals in rounds]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{path}: expected the rounds of proposals that kerasreg writes; it was edited or "
            "damaged. Restore it from a copy, or begin a new study."
        ) from None
