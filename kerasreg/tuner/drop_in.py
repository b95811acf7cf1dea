"""keras-tuner's searches under their names and with their arguments, trained as populations."""

from typing import Any

import keras_tuner
from keras_tuner.oracles import BayesianOptimizationOracle, GridSearchOracle, HyperbandOracle

from kerasreg.search.oracles import BayesianOracle, GridOracle
from kerasreg.tuner.population_tuner import PopulationTuner

# keras-tuner's defaults for its Gaussian process.
_ALPHA, _BETA = 1e-4, 2.6


class RandomSearch(PopulationTuner):
    """`keras_tuner.RandomSearch`: random settings, none twice; see `PopulationTuner`."""


class BayesianOptimization(PopulationTuner):
    """`keras_tuner.BayesianOptimization`; see `PopulationTuner` for what is not below.

    Settings come from kerasreg's oracle, which proposes for whole rounds, repeats none and takes
    milliseconds; from keras-tuner's where `alpha` or `beta` say how its Gaussian process works.

    Args:
        num_initial_points: Settings spread over the space before any is learnt from.
        alpha, beta: Noise and exploration of keras-tuner's Gaussian process.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int = 10,
        num_initial_points: int | None = None,
        alpha: float = _ALPHA,
        beta: float = _BETA,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int | None = 3,
        **kwargs: Any,
    ):
        options = {
            "objective": objective,
            "max_trials": max_trials,
            "hyperparameters": hyperparameters,
            "tune_new_entries": tune_new_entries,
            "allow_new_entries": allow_new_entries,
            "max_retries_per_trial": max_retries_per_trial,
            "max_consecutive_failed_trials": max_consecutive_failed_trials,
        }
        if (alpha, beta) == (_ALPHA, _BETA):
            options |= {"seed": seed or 0, "initial_points": num_initial_points}
            oracle = BayesianOracle(**options)
        else:
            oracle = BayesianOptimizationOracle(
                num_initial_points=num_initial_points, alpha=alpha, beta=beta, seed=seed, **options
            )
        super().__init__(hypermodel, oracle=oracle, seed=seed, **kwargs)


class GridSearch(PopulationTuner):
    """`keras_tuner.GridSearch`; see `PopulationTuner` for what is not below.

    Every combination once, in an order that the seed shuffles, so that a whole round is known
    before its results. keras-tuner's order, in which a trial waits for the one before it, stays
    where nothing trains together: for a `run_trial` or a `HyperModel.fit` of the user's.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int | None = None,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int | None = 3,
        **kwargs: Any,
    ):
        fit = getattr(type(hypermodel), "fit", keras_tuner.HyperModel.fit)
        alone = (
            type(self).run_trial is not PopulationTuner.run_trial
            or fit is not keras_tuner.HyperModel.fit
        )
        oracle = (GridSearchOracle if alone else GridOracle)(
            objective=objective,
            max_trials=max_trials,
            seed=seed or 0,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        super().__init__(hypermodel, oracle=oracle, seed=seed, **kwargs)


class Hyperband(PopulationTuner):
    """`keras_tuner.Hyperband`; see `PopulationTuner` for what is not below.

    The trials of a bracket's round train as populations; those that go on take up their weights.

    Args:
        max_epochs: Most epochs of one trial.
        factor: Reduction of the trials from one round of a bracket to the next.
        hyperband_iterations: How often all brackets are run.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_epochs: int = 100,
        factor: int = 3,
        hyperband_iterations: int = 1,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int | None = 3,
        **kwargs: Any,
    ):
        oracle = HyperbandOracle(
            objective=objective,
            max_epochs=max_epochs,
            factor=factor,
            hyperband_iterations=hyperband_iterations,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        # keras-tuner draws a seed for 0 and for None.
        oracle.seed = oracle._seed_state = seed or 0
        super().__init__(hypermodel, oracle=oracle, seed=seed, **kwargs)
