"""The searchers: keras-tuner oracles whose proposals follow from seed, trial index and results."""

import keras_tuner

from kerasreg.errors import check_choice
from kerasreg.objectives import OBJECTIVES, direction
from kerasreg.search.oracles.bayesian import BayesianOracle
from kerasreg.search.oracles.grid_search import GridOracle
from kerasreg.search.oracles.random_search import RandomOracle
from kerasreg.search.oracles.seeded import SeededOracle

_SEARCHERS = {"random": RandomOracle, "bayesian": BayesianOracle, "grid": GridOracle}


def make_oracle(
    searcher: str,
    hyperparameters: keras_tuner.HyperParameters,
    objective: str = "val_data_loss",
    seed: int = 0,
    max_trials: int | None = None,
) -> SeededOracle:
    """The oracle of a study.

    Args:
        searcher: `"random"`, `"bayesian"` or `"grid"`.
        hyperparameters: `Space.hyperparameters()`.
        objective: `"val_data_loss"`, `"val_accuracy"` or `"val_mae"`.
        seed: Any integer.
        max_trials: Most trials; `None` leaves the budget to the study.

    Raises:
        UserError: The searcher or the objective is unknown.
    """
    check_choice("searcher", searcher, _SEARCHERS)
    check_choice("objective", objective, OBJECTIVES)
    return _SEARCHERS[searcher](
        objective=keras_tuner.Objective(objective, direction(objective)),
        max_trials=max_trials,
        hyperparameters=hyperparameters,
        seed=seed,
    )
