"""The trials of a study: proposed in rounds, recorded, trained, told to the oracle."""

from typing import Any

from kerasreg.errors import UserError
from kerasreg.search import tensorboard
from kerasreg.search.context import SearchContext
from kerasreg.search.oracles import make_oracle
from kerasreg.search.progress import Counter
from kerasreg.search.proposer import Proposer
from kerasreg.search.request import Request
from kerasreg.search.resume import read_rounds, write_rounds
from kerasreg.search.round import RoundTrainer
from kerasreg.stacks import AUGMENTATIONS

# How many settings are proposed together. Fixed, so that neither speed nor chunking can change
# what is proposed. Bayesian proposals learn from finished trials, hence the smaller rounds.
ROUND_SIZE = {"random": 64, "grid": 64, "bayesian": 8}

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
    space, base = request.space, request.base
    if not list(space):
        raise UserError("--space: expected at least one name that varies, got none.")
    queue = [space.setting(values, base) for values in request.try_first]
    oracle = make_oracle(
        request.searcher, space.hyperparameters(base), request.objective, request.seed
    )
    return Proposer(oracle, queue)


def run_trials(
    context: SearchContext, proposer: Proposer | None, deadline: float | None, reread_test: bool
) -> bool:
    """Propose, record the proposals, train, record the results, tell; until enough or no time.

    Args:
        proposer: What to try; None for the one setting of `kerasreg train`.
        deadline: See `RoundTrainer`.
        reread_test: See `search`.

    Returns:
        Whether any trial was trained.

    Raises:
        UserError: More trials would choose with the test result known.
    """
    study, request = context.study, context.request
    rounds, records = read_rounds(study), study.trials()
    counter = context.counter("searching", request.trials)
    _show_finished(context, counter, records)
    if proposer:
        pending = proposer.replay(rounds, records)
    else:
        pending = [] if records else [("0000", _trained_values(request))]
    answered = study.result is not None and study.test_reads > 0
    with RoundTrainer(context, counter, deadline) as trainer:
        while True:
            is_new = not pending
            if is_new:
                size = min(ROUND_SIZE[request.searcher], request.trials - sum(map(len, rounds)))
                pending = proposer.propose(size) if proposer and size > 0 else []
            if not pending:
                break
            if answered and not reread_test:
                raise UserError(
                    f"{study.folder} has its result and its test rows were read, so more trials "
                    "would choose with the answer known; begin a new study, or pass --reread-test."
                )
            if is_new:
                rounds.append(pending)
                write_rounds(study, rounds)
            study.retire_result()
            proposals = rounds[-1] if rounds else pending
            new = trainer.train(proposals)
            # Told in the order of the proposals, whatever the order they were finished in.
            for trial, _ in proposals:
                if proposer and trial in new:
                    proposer.tell(new[trial])
            if trainer.late() and counter.done < request.trials:
                done = f"{counter.done} of {request.trials} trials"
                context.notice(f"Time is up: {done} are finished.")
                return True
            pending = []
    if counter.done < request.trials:
        context.notice(f"The space has no more than {counter.done} different settings.")
    return counter.done > len(records)


def _show_finished(context: SearchContext, counter: Counter, records: list[dict]) -> None:
    """Count what an earlier run finished, and write the event files that a kill left out."""
    folder = context.study.tensorboard
    for record in records:
        counter.setting(record, new=False)
        if not tensorboard.trial_folder(folder, record).exists():
            tensorboard.write_trial(folder, record)


def _trained_values(request: Request) -> dict[str, Any]:
    of_images = ("spatial_dropout", *AUGMENTATIONS) if request.base.filters else ()
    values = {name: getattr(request.base, name) for name in (*_TRAINED, *of_images)}
    return {name: value for name, value in values.items() if not isinstance(value, tuple)}
