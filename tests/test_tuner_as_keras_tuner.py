"""What keras-tuner's users rely on: signatures, run_trial, retries, failures, grids, messages."""

import inspect
import warnings

import keras
import keras_tuner
import numpy as np
import pytest
from keras_tuner import errors
from tuned import (
    FIT,
    TRAIN,
    VALIDATION,
    X,
    heard,
    make_tuner,
    named,
    network,
    own_step,
    scores,
    statuses,
)

import kerasreg
from kerasreg import UserError

NAMES = ("RandomSearch", "BayesianOptimization", "GridSearch", "Hyperband")


class Square(kerasreg.RandomSearch):
    """Tunes a function, no network."""

    def run_trial(self, trial, *args, **kwargs):
        return trial.hyperparameters.Float("x", -1.0, 1.0) ** 2 + 1


def grid(tmp_path, run_trial, **options):
    """A grid search over what `run_trial(trial)` asks for; `count` is how often it ran."""

    class Grid(kerasreg.GridSearch):
        count = 0

        def run_trial(self, trial, *args, **kwargs):
            self.count += 1
            return run_trial(trial)

    return Grid(directory=tmp_path, **options)


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_those_of_keras_tuner(name):
    ours, theirs = (inspect.signature(getattr(m, name)).parameters for m in (kerasreg, keras_tuner))
    wanted = {n: p.default for n, p in theirs.items()}
    assert [n for n in ours if n in wanted] == list(wanted)
    assert {n: ours[n].default for n in wanted} == wanted


@pytest.mark.parametrize("objective", [None, "val_loss"])
def test_a_function_is_tuned_without_a_hypermodel(tmp_path, objective):
    with heard():
        one = Square(objective=objective, max_trials=3, directory=tmp_path)
        one.search(verbose=0)
    assert statuses(one) == 3 * ["COMPLETED"]
    assert abs(one.get_best_hyperparameters()[0].get("x")) == pytest.approx(
        min(abs(t.hyperparameters.get("x")) for t in one.oracle.trials.values())
    )


def test_without_hypermodel_and_run_trial_there_is_nothing_to_do(tmp_path):
    for name in NAMES:
        with pytest.raises(UserError, match="Received `hypermodel=None`"):
            getattr(kerasreg, name)(directory=tmp_path)


def test_arguments_that_are_no_oracle_and_no_hypermodel(tmp_path):
    with pytest.raises(ValueError, match="Expected `oracle` argument to be an instance"):
        kerasreg.PopulationTuner(network, oracle="random", directory=tmp_path)
    with pytest.raises(ValueError, match="`hypermodel` argument should be either"):
        kerasreg.RandomSearch("network", "val_loss", directory=tmp_path)
    with pytest.raises(ValueError, match="Unrecognized arguments"):
        kerasreg.RandomSearch(network, "val_loss", directory=tmp_path, unknown=1)


@pytest.mark.parametrize(
    ("objective", "result", "message"),
    [
        ("val_loss", "text", r"Tuner\.run_trial\(\) to be one of"),
        ("val_loss", None, "Did you forget"),
        (None, {"val_loss": 1.0}, r"Tuner\.run_trial\(\) to be a single float"),
    ],
)
def test_results_that_are_no_metrics_end_the_search(tmp_path, objective, result, message):
    one = grid(tmp_path, lambda trial: result, objective=objective)
    with pytest.raises(TypeError, match=message):
        one.search(verbose=0)


def test_run_trial_may_tell_the_oracle_itself(tmp_path):
    class Telling(kerasreg.RandomSearch):
        def run_trial(self, trial, *args, **kwargs):
            value = trial.hyperparameters.Choice("value", [0.5, np.nan])
            self.oracle.update_trial(trial.trial_id, {"val_loss": value})

    one = Telling(objective="val_loss", max_trials=2, directory=tmp_path)
    with heard("Please remove the call", "Please remove the call"):
        one.search(verbose=0)
    assert sorted(statuses(one)) == ["COMPLETED", "FAILED"]
    assert [s for s in scores(one).values() if s is not None] == [0.5]


@pytest.mark.filterwarnings("ignore:A trial failed")
@pytest.mark.parametrize(("kind", "runs"), [(ValueError, 5 + 2 * 2), (errors.FailedTrialError, 5)])
def test_retries_are_for_all_exceptions_but_failed_trials(tmp_path, kind, runs):
    def fragile(trial):
        value = trial.hyperparameters.Int("value", 1, 5)
        if value in (2, 3):
            raise kind("too small")
        return value

    one = grid(tmp_path, fragile, max_retries_per_trial=2)
    one.search(verbose=0)
    assert one.count == runs
    assert sorted(statuses(one)) == 3 * ["COMPLETED"] + 2 * ["FAILED"]


def test_a_fatal_error_is_raised(tmp_path):
    def fatal(trial):
        raise errors.FatalError("the end")

    with pytest.raises(errors.FatalError, match="the end"):
        grid(tmp_path, fatal, max_retries_per_trial=2).search(verbose=0)


def test_grids_have_every_combination(tmp_path):
    def all_kinds(trial):
        hp = trial.hyperparameters
        hp.Choice("units", [2, 4])
        hp.Boolean("dropout")
        hp.Choice("optimizer", ["adam", "sgd", "rmsprop"])
        hp.Fixed("loss", "mse")
        return 1.0

    one = grid(tmp_path / "a", all_kinds)
    one.search(verbose=0)
    tried = {tuple(t.hyperparameters.values.items()) for t in one.oracle.trials.values()}
    assert len(tried) == len(one.oracle.trials) == 2 * 2 * 3

    # A range without a step has ten values, and a default that was not known in the first trial.
    two = grid(tmp_path / "b", lambda trial: trial.hyperparameters.Float("f", 1, 2))
    two.search(verbose=0)
    assert len(two.oracle.trials) == 10 + 1

    def branching(trial):
        hp = trial.hyperparameters
        hp.Choice("a", [0, 1, 2]) if hp.Boolean("which") else hp.Choice("b", [3, 4, 5])
        return 1.0

    three = grid(tmp_path / "d", branching)
    three.search(verbose=0)
    assert len(three.oracle.trials) == 3 + 3 * 3


def test_a_search_ends_when_its_space_is_exhausted(tmp_path):
    class Coin(kerasreg.RandomSearch):
        def run_trial(self, trial, *args, **kwargs):
            return float(trial.hyperparameters.Boolean("side"))

    one = Coin(max_trials=10, directory=tmp_path)
    one.search(verbose=0)
    assert len(one.oracle.trials) == 2


def test_an_oracle_that_waits_is_asked_again(tmp_path):
    class Waiting(keras_tuner.oracles.RandomSearchOracle):
        asked = 0

        def populate_space(self, trial_id):
            self.asked += 1
            return {"status": "IDLE"} if self.asked < 3 else super().populate_space(trial_id)

    class Tuner(kerasreg.PopulationTuner):
        run_trial = Square.run_trial

    one = Tuner(oracle=Waiting(max_trials=2), directory=tmp_path)
    one.search(verbose=0)
    assert statuses(one) == 2 * ["COMPLETED"]


# Failures.


def failing(hp):
    """Builds nothing for two units and more."""
    if hp.Int("units", 1, 5) > 1:
        raise ValueError("too large")
    return network(keras_tuner.HyperParameters())


def test_an_exception_in_build_is_a_failed_trial_and_heard_once(tmp_path):
    one = kerasreg.GridSearch(
        failing, "val_loss", max_consecutive_failed_trials=None, directory=tmp_path
    )
    with heard("A trial failed: ValueError: too large"):
        one.search(*TRAIN, **FIT | {"epochs": 1})
    assert sorted(statuses(one)) == ["COMPLETED"] + 4 * ["FAILED"]
    messages = {t.message for t in one.oracle.trials.values() if t.status == "FAILED"}
    assert all("Traceback" in message and "too large" in message for message in messages)


@pytest.mark.filterwarnings("ignore:A trial failed")
def test_failures_in_a_row_end_the_search_with_everything_kept(tmp_path):
    broken = []

    def build(hp):
        if broken and hp.Choice("units", [1, 2, 3, 4, 5]) in broken:
            raise ZeroDivisionError("a mistake")
        hp.Choice("units", [1, 2, 3, 4, 5])
        return network(hp)

    def make():
        return kerasreg.RandomSearch(build, "val_loss", 6, seed=1, directory=tmp_path)

    one = make()
    broken += [1, 2, 3, 4, 5]
    with pytest.raises(RuntimeError, match=r"limit of 3(.|\n)*ZeroDivisionError: a mistake"):
        one.search(*TRAIN, **FIT | {"epochs": 1})
    assert statuses(one) == 3 * ["FAILED"]
    broken.clear()
    two = make()
    two.search(*TRAIN, **FIT | {"epochs": 1})
    assert statuses(two) == 3 * ["FAILED"] + 3 * ["COMPLETED"]


@pytest.mark.filterwarnings("ignore:A trial failed")
def test_models_that_are_too_large_are_failures(tmp_path):
    one = make_tuner(tmp_path, network, "val_loss", 4, max_model_size=4)
    with pytest.raises(RuntimeError, match="Oversized model"):
        one.search(*TRAIN, **FIT)
    assert statuses(one) == 3 * ["FAILED"]


def test_a_build_that_returns_no_model_ends_the_search(tmp_path):
    for fit in ((), TRAIN):
        one = make_tuner(tmp_path, lambda hp: None, "val_loss", overwrite=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(errors.FatalTypeError, match="Expected the model-building function"):
                one.search(*fit, validation_data=VALIDATION, verbose=0)


# Arguments of `compile`, objectives, metrics.


def test_compile_arguments_are_overridden_and_the_rest_is_kept(tmp_path):
    def build(hp):
        model = network(hp)
        # A metric with a name of its own, to be kept.
        accuracy = keras.metrics.SparseCategoricalAccuracy("mine")
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=[accuracy])
        return model

    optimizer = keras.optimizers.Adam(0.01)
    with heard():
        one = make_tuner(
            tmp_path,
            build,
            keras_tuner.Objective("val_mine", "max"),
            2,
            optimizer=optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(),
        )
        one.search(*TRAIN, **FIT)
    assert statuses(one) == 2 * ["COMPLETED"]
    # Trained together: a model trained the plain way has no seed.
    assert one.executions("0")[0]["seed"] == 0
    model = one.get_best_models()[0]
    assert type(model.optimizer) is keras.optimizers.Adam
    assert model.optimizer is not optimizer
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    model.save(tmp_path / "model.keras")


@pytest.mark.filterwarnings("ignore:Trained the plain way")
@pytest.mark.parametrize(
    ("objective", "validation", "message"),
    [
        ("val_binary_accuracy", VALIDATION, "acc, loss, val_acc, val_loss, got 'val_binary_acc"),
        ("val_loss", None, "acc, loss, got 'val_loss'; pass validation_data"),
        (None, VALIDATION, "got none"),
        (["val_loss", "val_binary_accuracy"], VALIDATION, "got 'val_binary_accuracy'"),
    ],
)
def test_an_objective_that_nothing_logs_is_refused_before_training(
    tmp_path, objective, validation, message
):
    one = make_tuner(tmp_path, network, objective, 1)
    with pytest.raises(UserError, match=message):
        one.search(*TRAIN, **FIT | {"validation_data": validation})
    assert not list(tmp_path.rglob("checkpoint*"))


def test_a_metric_of_several_values_is_kept(tmp_path):
    def build(hp):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
        f1 = keras.metrics.F1Score(threshold=0.5, name="f1")
        model.compile(keras.optimizers.SGD(hp.Float("rate", 0.1, 0.2)), "mse", metrics=[f1])
        return model

    one = make_tuner(tmp_path, build, keras_tuner.Objective("val_f1", "max"), 1)
    y = (X[:, :1] > 0).astype("float32")
    fit = FIT | {"validation_data": (X[80:], y[80:]), "epochs": 1}
    with named("one number (val_loss, val_data_loss, val_penalty, loss, data_loss, penalty), got"):
        one.search(X[:80], y[:80], **fit)
    assert statuses(one) == ["COMPLETED"]
    assert one.executions("0")[0]["history"]["val_f1"] == pytest.approx(
        one.oracle.trials["0"].score
    )


# How far ahead an oracle is asked.


def known_at_each_proposal(tmp_path, build, name, trials=3):
    """How many results an oracle of some class name knew at each of its proposals."""
    known = []

    def populate_space(self, trial_id):
        known.append(sum(t.status == "COMPLETED" for t in self.trials.values()))
        return keras_tuner.oracles.RandomSearchOracle.populate_space(self, trial_id)

    kind = type(name, (keras_tuner.oracles.RandomSearchOracle,), {"populate_space": populate_space})
    one = kerasreg.PopulationTuner(
        build, oracle=kind("val_loss", trials, seed=1), directory=tmp_path, project_name=name
    )
    one.search(*TRAIN, **FIT | {"epochs": 1})
    return known


@pytest.mark.filterwarnings("ignore:Trained the plain way")
def test_an_oracle_is_asked_ahead_only_for_what_trains_together(tmp_path):
    def wide(hp):
        hp.Int("width", 4, 64)
        model = network(hp)
        # Not a width that a hyperparameter has: those train together, padded.
        model.layers[0].units = 2 * hp.get("width") + 1
        return model

    assert known_at_each_proposal(tmp_path, network, "MyOracle") == [0, 0, 0]
    assert known_at_each_proposal(tmp_path, own_step, "MyBayesianOracle") == [0, 1, 2]
    # Three structures of one trial each are enough to see that nothing is gained.
    assert known_at_each_proposal(tmp_path, wide, "Wide", 4) == [0, 0, 0, 3]


def test_the_plain_way_warns_once_and_prints_as_keras_tuner(tmp_path, capsys):
    one = make_tuner(tmp_path, own_step, "val_loss", 3)
    with heard("plain way"):
        one.search(*TRAIN, **FIT | {"epochs": 1, "verbose": 1})
    printed = capsys.readouterr().out
    assert [f"Search: Running Trial #{k}" in printed for k in (1, 2, 3, 4)] == 3 * [True] + [False]
    assert printed.count("Best val_loss So Far") == 3
    assert printed.count("|noise") == 3


def test_trials_are_counted_on_when_a_project_is_opened_again(tmp_path):
    one = make_tuner(tmp_path, network, "val_loss", 2)
    one.search(*TRAIN, **FIT | {"epochs": 1})
    two = make_tuner(tmp_path, network, "val_loss", 3)
    two.search(*TRAIN, **FIT | {"epochs": 1})
    assert two.oracle._display.trial_number == {"0": 1, "1": 2, "2": 3}


def test_a_project_of_another_search_is_not_opened(tmp_path):
    kerasreg.RandomSearch(network, "val_loss", directory=tmp_path).save()
    for kind in (kerasreg.BayesianOptimization, kerasreg.GridSearch, kerasreg.Hyperband):
        with pytest.raises(RuntimeError, match="pass `overwrite=True`"):
            kind(network, "val_loss", directory=tmp_path)


@pytest.mark.parametrize(
    ("name", "options", "oracle"),
    [
        ("BayesianOptimization", {"max_trials": 4, "num_initial_points": 3}, "BayesianOracle"),
        ("GridSearch", {"max_trials": 4}, "GridOracle"),
        ("Hyperband", {"max_epochs": 4, "factor": 2}, "HyperbandOracle"),
    ],
)
def test_every_search_trains_together(tmp_path, name, options, oracle):
    one = getattr(kerasreg, name)(network, "val_loss", seed=0, directory=tmp_path, **options)
    one.search(*TRAIN, **FIT)
    assert type(one.oracle).__name__ == oracle
    assert one.oracle.seed == 0
    assert set(statuses(one)) == {"COMPLETED"}
    assert {run["seed"] is None for key in one.oracle.trials for run in one.executions(key)} == {
        False
    }


def test_keras_tuners_gaussian_process_is_there_for_its_arguments(tmp_path):
    one = kerasreg.BayesianOptimization(network, "val_loss", beta=1.0, directory=tmp_path)
    assert type(one.oracle) is keras_tuner.oracles.BayesianOptimizationOracle
    assert (one.oracle.alpha, one.oracle.beta) == (1e-4, 1.0)
