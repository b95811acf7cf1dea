"""What a search prints: a table for a trial trained alone, two lines for a population."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import keras_tuner
from keras_tuner.engine.trial import Trial


@contextmanager
def quiet(oracle: keras_tuner.Oracle) -> Iterator[None]:
    """Let an oracle print nothing about its trials."""
    verbose, oracle.verbose = oracle.verbose, 0
    try:
        yield
    finally:
        oracle.verbose = verbose


def note_start(oracle: keras_tuner.Oracle, trial: Trial) -> None:
    """Note when a trial began and its position, which keras-tuner does only where it prints."""
    display = oracle._display
    now = datetime.now()
    display.search_start = display.search_start or now
    display.trial_start[trial.trial_id] = now
    display.trial_number[trial.trial_id] = oracle.start_order.index(trial.trial_id) + 1


def show_start(oracle: keras_tuner.Oracle, trial: Trial) -> None:
    """Print keras-tuner's table of a trial that is about to be trained alone."""
    if oracle.verbose < 1:
        return
    print(f"\nSearch: Running Trial #{oracle._display.trial_number[trial.trial_id]}\n")
    oracle._display.show_hyperparameter_table(trial)
    print()


def announce(sizes: Sequence[int]) -> None:
    """Print how many structures a round's trials have (`sizes` of trials)."""
    trials, structures = sum(sizes), len(sizes)
    several = "1 structure, trained as one population"
    if structures > 1:
        several = f"{structures} structures, trained as {structures} populations"
    print(f"{trials} trials of {several}.")
    if structures > 1 and trials < 4 * structures:
        print(
            "Few trials share a structure. To gain more, fix widths, layers and optimisers: rates, "
            "strengths and learning rates may differ within a population."
        )
