"""PopulationTuner: what a keras-tuner user is used to, and what keras-tuner gets wrong."""

import gc
import warnings
import weakref
from functools import partial

import keras
import keras_tuner
import numpy as np
import pytest
from solo_training import keras_dtype
from tuned import (
    BASE,
    FIT,
    TRAIN,
    VALIDATION,
    make_tuner,
    named,
    network,
    scores,
    stack,
    statuses,
)

from kerasreg import PopulationTuner, UserError
from kerasreg.population import Population


@pytest.fixture
def tuner(tmp_path):
    """Make a tuner in one project folder."""
    return partial(make_tuner, tmp_path)


@pytest.mark.parametrize("hypermodel", [stack, network])
def test_everything_after_the_search_is_as_with_keras_tuner(tuner, hypermodel, capsys):
    name = "val_accuracy" if hypermodel is stack else "val_acc"
    one = tuner(hypermodel, keras_tuner.Objective(name, "max"))
    one.search_space_summary()
    one.search(*TRAIN, **FIT)
    best = one.oracle.get_best_trials(1)[0]
    one.results_summary()
    printed = capsys.readouterr().out
    assert "Default search space size: 2" in printed
    assert f"Score: {best.score}" in printed

    values = one.get_best_hyperparameters()[0].values
    assert 0.1 <= values["dropout"] <= 0.5
    model = one.get_best_models(1)[0]
    assert float(model.optimizer.learning_rate) == pytest.approx(values["rate"])
    measured = model.evaluate(*VALIDATION, verbose=0, return_dict=True)
    assert measured[name.removeprefix("val_")] == pytest.approx(best.score, abs=1e-6)
    assert best.score == max(one.executions(best.trial_id)[0]["history"][name])

    # A search over `overwrite=False` is the same one: nothing runs again.
    def unused(trial):
        raise AssertionError("trained again")

    two = tuner(hypermodel, keras_tuner.Objective(name, "max"))
    two.on_trial_begin = unused
    two.search(*TRAIN, **FIT)
    assert scores(two) == scores(one)
    again = two.get_best_models(1)[0]
    for expected, got in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)

    three = tuner(hypermodel, keras_tuner.Objective(name, "max"), overwrite=True)
    assert not three.oracle.trials


def test_scores_are_those_of_keras_tuner_with_the_same_values(tmp_path):
    """One batch an epoch, equal initial weights, no dropout: nothing random is left."""

    def fixed(hp):
        model = keras.Sequential([keras.Input((4,))])
        for units, activation in ((6, "relu"), (3, "softmax")):
            start = keras.initializers.GlorotUniform(seed=units)
            penalty = keras.regularizers.L2(hp.Fixed("l2", 1e-3))
            layer = keras.layers.Dense(units, activation, True, start, kernel_regularizer=penalty)
            model.add(layer)
        rate = hp.Fixed("rate", 0.3)
        loss = "sparse_categorical_crossentropy"
        model.compile(keras.optimizers.SGD(rate), loss, metrics=["acc"])
        return model

    seen = []
    for kind in (keras_tuner.RandomSearch, PopulationTuner):
        one = kind(fixed, "val_loss", 1, directory=tmp_path, project_name=kind.__name__)
        one.search(*TRAIN, **FIT | {"batch_size": 80})
        trial = one.oracle.get_best_trials(1)[0]
        seen.append({n: trial.metrics.get_best_value(n) for n in ("val_loss", "val_acc")})
        assert trial.score == seen[-1]["val_loss"]
        assert trial.best_step == 2
        assert {"loss", "acc"} <= set(trial.metrics.metrics)
    assert seen[0] == pytest.approx(seen[1], abs=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "oracle",
    [
        lambda: keras_tuner.oracles.RandomSearchOracle("val_accuracy", 3, seed=1),
        lambda: keras_tuner.oracles.BayesianOptimizationOracle("val_accuracy", 4, 2, seed=1),
        lambda: keras_tuner.oracles.GridSearchOracle("val_accuracy", 3, seed=1),
    ],
)
def test_any_oracle_proposes(tuner, oracle):
    one = tuner(oracle=oracle(), round_size=2)
    one.search(*TRAIN, **FIT)
    assert len(one.oracle.trials) == one.oracle.max_trials
    assert set(statuses(one)) == {"COMPLETED"}


def test_hyperband_goes_on_where_its_trials_stopped(tuner):
    one = tuner(oracle=keras_tuner.oracles.HyperbandOracle("val_loss", 4, factor=2, seed=1))
    with pytest.MonkeyPatch.context() as patch:
        loaded = []
        real = Population.load_weights
        patch.setattr(
            Population, "load_weights", lambda *args: (loaded.append(args), real(*args))[1]
        )
        one.search(*TRAIN, **FIT)
    assert set(statuses(one)) == {"COMPLETED"}
    on = [t for t in one.oracle.trials.values() if t.hyperparameters.values.get("tuner/trial_id")]
    assert on
    assert len(loaded) == len(on)
    for trial in one.oracle.trials.values():
        values = trial.hyperparameters.values
        own = one.executions(trial.trial_id)[0]["history"]["loss"]
        assert len(own) == values["tuner/epochs"] - values["tuner/initial_epoch"]


def test_the_seed_decides_everything_and_zero_is_one(tuner):
    seen = []
    for seed in (0, 0, 1):
        one = tuner(seed=seed, overwrite=True, executions_per_trial=2)
        one.search(*TRAIN, **FIT)
        runs = [one.executions(key) for key in sorted(one.oracle.trials)]
        assert [[run["seed"] for run in own] for own in runs] == 3 * [[seed, seed + 1]]
        assert runs[0][0]["history"] != runs[0][1]["history"]
        seen.append([[run["history"] for run in own] for own in runs])
    assert seen[0] == seen[1] != seen[2]


def test_executions_differ_though_the_build_sets_a_seed(tuner):
    def seeded(hp):
        keras.utils.set_random_seed(3)
        return network(hp)

    one = tuner(seeded, "val_loss", 1, executions_per_trial=2)
    one.search(*TRAIN, **FIT)
    first, second = one.executions("0")
    assert first["history"]["val_loss"] != second["history"]["val_loss"]
    best = min(min(run["history"]["val_loss"]) for run in (first, second))
    measured = one.get_best_models()[0].evaluate(*VALIDATION, verbose=0)
    assert measured[0] == pytest.approx(best, abs=1e-6)


def test_a_diverged_trial_fails_and_the_search_goes_on(tuner):
    def wild(hp):
        return BASE.replace(
            learning_rate=hp.Choice("rate", [0.1, *(k * 1e30 for k in range(1, 7))])
        )

    # keras-tuner's oracle would end the search at the third failure in a row.
    one = tuner(wild, oracle=keras_tuner.oracles.GridSearchOracle("val_loss", 7))
    one.search(*TRAIN, **FIT)
    assert sorted(statuses(one)) == ["COMPLETED"] + 6 * ["FAILED"]
    for trial in one.oracle.trials.values():
        if trial.status == "FAILED":
            assert trial.score is None
            assert "not finite" in trial.message
            assert one.executions(trial.trial_id)[0]["status"] == "diverged"
    assert one.get_best_hyperparameters()[0].get("rate") == 0.1
    assert len(one.get_best_models(2)) == 1

    two = tuner(lambda hp: BASE.replace(learning_rate=1e30), "val_loss", 1, overwrite=True)
    two.search(*TRAIN, **FIT)
    with pytest.raises(UserError, match="none among 1; the first says: Diverged"):
        two.get_best_models()


@pytest.mark.filterwarnings("ignore:A trial failed")
def test_a_failed_build_is_a_failed_trial_with_its_message(tuner):
    asked = []

    def fragile(hp):
        config = stack(hp)
        asked.append(config)
        if len(asked) in (3, 4):
            raise keras_tuner.errors.FailedTrialError("too deep")
        return config

    one = tuner(fragile, max_trials=4)
    assert len(asked) == 1
    one.search(*TRAIN, **FIT)
    assert statuses(one) == ["COMPLETED", "FAILED", "FAILED", "COMPLETED"]
    assert one.oracle.trials["1"].message == "too deep"


@pytest.mark.filterwarnings("ignore:A trial failed")
def test_an_oversized_model_is_a_failed_trial(tuner):
    for hypermodel in (stack, network):
        one = tuner(hypermodel, "val_loss", 1, max_model_size=20, overwrite=True)
        one.search(*TRAIN, **FIT)
        assert statuses(one) == ["FAILED"]
        assert "Oversized" in one.oracle.trials["0"].message


def test_hooks_of_trials_are_called_in_a_population(tmp_path):
    seen = []

    class Own(PopulationTuner):
        def on_trial_begin(self, trial):
            seen.append(("begin", trial.trial_id))

        def on_trial_end(self, trial):
            seen.append((trial.status, trial.trial_id))
            super().on_trial_end(trial)

    Own(stack, "val_loss", 2, directory=tmp_path).search(*TRAIN, **FIT | {"epochs": 1})
    assert seen == [("begin", "0"), ("begin", "1"), ("COMPLETED", "0"), ("COMPLETED", "1")]


def test_trials_of_two_dtypes_are_two_populations_and_executions_are_one_structure(tuner):
    def typed(hp, dtype=None):
        dtype = dtype or hp.Choice("dtype", ["float32", "float64"])
        with keras_dtype(dtype):
            model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
            model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    one = tuner(typed, oracle=keras_tuner.oracles.GridSearchOracle("val_loss", 2), seed=0)
    one.search(*TRAIN, **FIT | {"epochs": 1})
    assert statuses(one) == 2 * ["COMPLETED"]
    assert {run["seed"] for key in "01" for run in one.executions(key)} == {0}

    built = []

    def changing(hp):
        built.append(hp)
        return typed(hp, ["float32", "float64"][len(built) % 2])

    two = tuner(changing, "val_loss", 1, executions_per_trial=2, overwrite=True)
    with named("different models from equal values"):
        two.search(*TRAIN, **FIT | {"epochs": 1})
    assert statuses(two) == ["COMPLETED"]


def test_the_data_loss_is_one_number_with_weights_too(tuner):
    """A population's weighted curves are those of Keras for the same weights of the model."""
    weights = np.linspace(0, 2, 40)
    validation = (*VALIDATION, weights)
    one = tuner(max_trials=1)
    fit = FIT | {"epochs": 1, "validation_data": validation, "class_weight": {0: 3.0, 2: 0.5}}
    one.search(*TRAIN, **fit)
    model = one.get_best_models()[0]
    found = model.evaluate(*VALIDATION, sample_weight=weights, verbose=0, return_dict=True)
    history = one.executions("0")[0]["history"]
    assert found["data_loss"] == pytest.approx(found["loss"], rel=1e-5)
    for name in ("loss", "data_loss", "accuracy"):
        assert history[f"val_{name}"][0] == pytest.approx(found[name], rel=1e-5)


def test_verbose_zero_is_silent_and_else_says_what_to_expect(tuner, capsys):
    one = tuner()
    capsys.readouterr()
    one.search(*TRAIN, **FIT)
    assert capsys.readouterr().out == ""
    two = tuner(overwrite=True)
    two.search(*TRAIN, **FIT | {"verbose": 2})
    printed = capsys.readouterr().out
    assert "3 trials of 1 structure, trained as one population." in printed
    assert "best val_accuracy 0." in printed


def test_models_are_let_go(tuner):
    kept, alive = weakref.WeakSet(), []

    def seen(hp):
        model = network(hp)
        kept.add(model)
        alive.append(len(kept))
        return model

    one = tuner(seen, "val_loss", 8, round_size=2)
    gc.collect()
    alive.clear()
    gc.disable()
    one.search(*TRAIN, **FIT)
    gc.enable()
    # Not even where Python never collects by itself.
    assert alive == 4 * [1, 2]
    assert not kept


def test_a_stack_is_trained_as_it_says(tuner):
    with pytest.raises(UserError, match="StackConfig says how"):
        tuner(max_trials=1, optimizer="adam").search(*TRAIN, **FIT)


def test_arguments_of_the_tuner(tuner):
    with pytest.raises(UserError, match="round_size"):
        tuner(round_size=0)
    with pytest.raises(UserError, match="objective"):
        PopulationTuner(
            stack, "val_loss", oracle=keras_tuner.oracles.RandomSearchOracle("val_loss")
        )


def test_saved_weights_load_into_any_member(tmp_path):
    configs = [BASE.replace(dropout=rate, learning_rate=0.1 * (1 + rate)) for rate in (0.0, 0.4)]
    population = Population(configs, 4, 3, seeds=[1, 2])
    for number in (0, 1):
        path = tmp_path / f"{number}.weights.h5"
        population.save_weights(number, path)
        for other in (0, 1):
            model = population.member(other)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                model.load_weights(path)
            for expected, got in zip(
                population.member(number).get_weights(), model.get_weights(), strict=True
            ):
                np.testing.assert_array_equal(got, expected)
            assert float(model.optimizer.learning_rate) == pytest.approx(
                configs[number].learning_rate
            )
    population.load_weights(0, tmp_path / "1.weights.h5")
    for got, expected in zip(population.get_weights(0), population.get_weights(1), strict=True):
        np.testing.assert_array_equal(got, expected)
