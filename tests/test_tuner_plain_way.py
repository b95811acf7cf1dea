"""What cannot train together: trained the plain way, with one warning."""

import math
from functools import partial

import keras
import keras_tuner
import numpy as np
import pytest
from tuned import (
    FIT,
    TRAIN,
    VALIDATION,
    X,
    Y,
    make_tuner,
    named,
    network,
    own_step,
    scores,
    stack,
    statuses,
)

from kerasreg import PopulationTuner
from kerasreg.stacks import build_stack


@pytest.fixture
def tuner(tmp_path):
    """Make a tuner in one project folder."""
    return partial(make_tuner, tmp_path)


class Counting(keras.callbacks.Callback):
    """A callback that hears of batches."""

    def on_train_batch_end(self, batch, logs=None):
        pass


def test_what_cannot_train_together_trains_the_plain_way_named_once(tuner):
    one = tuner(max_trials=2)
    with named("the callback Counting"):
        one.search(*TRAIN, **FIT, callbacks=[Counting()])
    assert statuses(one) == ["COMPLETED", "COMPLETED"]
    assert one.executions("0")[0]["seed"] == 0
    model = one.get_best_models()[0]
    measured = model.evaluate(*VALIDATION, verbose=0, return_dict=True)
    best = one.oracle.get_best_trials(1)[0].score
    assert measured["accuracy"] == pytest.approx(best, abs=1e-6)


def test_a_stack_trained_the_plain_way_has_a_seed_an_execution(tuner):
    started = []

    class First(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            started.append(self.model.get_weights())

    one = tuner(max_trials=1, seed=4, executions_per_trial=2)
    with named("First"):
        one.search(*TRAIN, **FIT | {"epochs": 1}, callbacks=[First()])
    assert [run["seed"] for run in one.executions("0")] == [4, 5]
    config = stack(one.get_best_hyperparameters()[0])
    for seed, weights in zip((4, 5), started, strict=True):
        for ours, theirs in zip(
            build_stack(config, 4, 3, seed=seed).get_weights(), weights, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_a_hook_that_a_population_does_not_call_is_called_the_plain_way(tmp_path):
    seen = []

    class Own(PopulationTuner):
        def on_epoch_end(self, trial, model, epoch, logs=None):
            seen.append((trial.trial_id, epoch, "val_loss" in logs))

    one = Own(stack, "val_loss", 1, directory=tmp_path)
    with named("the tuner's on_epoch_end()"):
        one.search(*TRAIN, **FIT | {"epochs": 2})
    assert seen == [("0", 0, True), ("0", 1, True)]
    for hook in ("on_epoch_begin", "on_batch_begin", "on_batch_end", "_build_and_fit_model"):
        inherited = getattr(PopulationTuner, hook)

        def override(self, *args, inherited=inherited, **kwargs):
            return inherited(self, *args, **kwargs)

        kind = type("Own", (PopulationTuner,), {hook: override})
        other = kind(stack, "val_loss", 1, directory=tmp_path, project_name=hook)
        with named(f"the tuner's {hook}()"):
            other.search(*TRAIN, **FIT | {"epochs": 1})


def test_targets_that_keras_takes_are_trained(tuner):
    def binary(hp):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.SGD(hp.Float("rate", 0.01, 0.5)), "binary_crossentropy")
        return model

    one = tuner(binary, "val_loss", 1)
    soft = Y / 2
    one.search(X[:80], soft[:80], validation_data=(X[80:], soft[80:]), epochs=1, verbose=0)
    assert statuses(one) == ["COMPLETED"]
    measured = one.get_best_models()[0].evaluate(X[80:], soft[80:], verbose=0)
    assert measured == pytest.approx(one.oracle.trials["0"].score, rel=1e-5)


def test_inputs_that_keras_refuses_are_refused_by_keras(tuner):
    def image(hp):
        layers = [
            keras.Input((4,)),
            keras.layers.Dense(hp.Int("units", 3, 4)),
            keras.layers.Dense(3),
        ]
        model = keras.Sequential(layers)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    x = X.reshape(-1, 2, 2)
    one = tuner(image, "val_loss", 1)
    with named("what the population met"):
        one.search(x[:80], Y[:80], validation_data=(x[80:], Y[80:]), epochs=1, verbose=0)
    assert statuses(one) == ["FAILED"]
    assert "shape" in one.oracle.trials["0"].message


def test_targets_that_a_model_has_no_loss_for_are_called_y(tuner):
    one = tuner(network, "val_loss", 1)
    with named("has no loss or metrics for a dict of 'out'"):
        one.search(X[:80], {"out": Y[:80]}, validation_data=(X[80:], {"out": Y[80:]}), verbose=0)
    assert statuses(one) == ["FAILED"]


def test_fractions_for_an_integer_input_are_cut_off_as_by_keras(tuner):
    def whole(hp):
        model = keras.Sequential([keras.Input((4,), dtype="int32"), keras.layers.Dense(3)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    one = tuner(whole, "val_loss", 1)
    one.search(*TRAIN, **FIT | {"epochs": 1})
    measured = one.get_best_models()[0].evaluate(*VALIDATION, verbose=0)
    assert measured == pytest.approx(one.oracle.trials["0"].score, rel=1e-5)


def test_a_model_may_have_a_fit_with_other_arguments(tmp_path):
    """As keras-tuner's users do who override `fit`; `search` itself knows those of Keras."""

    class Own(keras.Model):
        def fit(self, x, rounds, callbacks):
            history = keras.callbacks.History()
            history.history = {"val_loss": [1.0 / rounds]}
            self.compile("sgd", "mse")
            self.build((None, 2))
            return history

        def build(self, shape):
            self.built = True

        def call(self, x):
            return x

    class Tuner(PopulationTuner):
        def run_trial(self, trial, *args, **kwargs):
            return super().run_trial(trial, *args, **kwargs)

    one = Tuner(lambda hp: Own(), "val_loss", 1, directory=tmp_path)
    with named("run_trial()"):
        one.search(TRAIN[0], rounds=4)
    assert scores(one) == {"0": 0.25}


def test_a_plain_trial_that_diverges_fails_and_mistakes_in_a_row_end_the_search(tuner):
    class Wild(keras_tuner.HyperModel):
        def build(self, hp):
            hp.Float("rate", 0, 1)
            return network(hp)

        def fit(self, hp, model, *args, **kwargs):
            history = keras.callbacks.History()
            history.history = {"val_loss": [0.1, math.nan]}
            return history

    one = tuner(Wild(), "val_loss", 4)
    with named("fit()"):
        one.search(*TRAIN, **FIT)
    assert statuses(one) == 4 * ["FAILED"]

    def mistaken(hp):
        model = network(hp)
        model.compile("sgd", "categorical_crossentropy")
        return model

    two = tuner(mistaken, "val_loss", 4, overwrite=True)
    with (
        named("what the population met"),
        pytest.raises(RuntimeError, match=r"limit of 3(.|\n)*shape"),
    ):
        two.search(*TRAIN, **FIT)
    # The fourth was drawn with them, and is to be run when the search goes on.
    assert statuses(two) == 3 * ["FAILED"] + ["RUNNING"]


def test_models_in_a_round_may_differ(tuner):
    """Those that can train together; what the others need is named."""

    def mixed(hp):
        if hp.Choice("kind", ["dense", "own step"]) == "dense":
            return network(hp)
        return own_step(hp)

    one = tuner(mixed, keras_tuner.Objective("val_acc", "max"), 4)
    with named("train_step()"):
        one.search(*TRAIN, **FIT)
    assert set(statuses(one)) == {"COMPLETED"}
    seeds = {one.executions(key)[0]["seed"] for key in one.oracle.trials}
    assert seeds == {0, None}
