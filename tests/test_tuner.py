"""PopulationTuner: what a keras-tuner user is used to, and what keras-tuner gets wrong."""

import contextlib
import gc
import json
import math
import warnings
import weakref

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from solo_training import keras_dtype
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kerasreg import ActivationMonitor, PopulationTuner, StackConfig, UserError
from kerasreg.losses import DataLoss
from kerasreg.population import Population
from kerasreg.population.training import Training
from kerasreg.stacks import build_stack
from kerasreg.tuner import in_memory
from kerasreg.tuner.compiled_names import check_targets, curve_names, population_objective
from kerasreg.tuner.fit_arguments import bind_fit, read_callbacks, read_rows
from kerasreg.tuner.in_memory import CannotTrainTogether

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(0, 1.5, (3, 4))
Y = (np.arange(120) % 3).astype(np.int32)
X = (CENTRES[Y] + RNG.normal(0, 1, (120, 4))).astype(np.float32)
TRAIN, VALIDATION = (X[:80], Y[:80]), (X[80:], Y[80:])
FIT = {"validation_data": VALIDATION, "epochs": 3, "batch_size": 16, "verbose": 0}
BASE = StackConfig(units=(6,), optimizer="sgd")


def stack(hp):
    return BASE.replace(
        dropout=hp.Float("dropout", 0.1, 0.5), learning_rate=hp.Float("rate", 0.01, 0.5)
    )


def network(hp):
    model = keras.Sequential(
        [
            keras.layers.Dense(6, activation="relu"),
            keras.layers.Dropout(hp.Float("dropout", 0.1, 0.5)),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(hp.Float("rate", 0.01, 0.5)),
        loss="sparse_categorical_crossentropy",
        metrics=["acc"],
    )
    return model


@pytest.fixture
def tuner(tmp_path):
    """Make a tuner in one project folder."""

    def make(hypermodel=stack, objective="val_accuracy", max_trials=3, **options):
        if "oracle" in options:
            objective = None
        return PopulationTuner(
            hypermodel, objective, max_trials, directory=tmp_path, project_name="p", **options
        )

    return make


@contextlib.contextmanager
def named(reason):
    """Expect one warning of the plain way; keras-tuner's own, of Python, do not matter."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    plain = [str(w.message) for w in caught if "plain way" in str(w.message)]
    assert len(plain) == 1
    assert reason in plain[0]


def scores(tuner):
    return {key: trial.score for key, trial in sorted(tuner.oracle.trials.items())}


def statuses(tuner):
    return [trial.status for _, trial in sorted(tuner.oracle.trials.items())]


# As with keras-tuner's own tuners.


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
    def unused(self, *args):
        raise AssertionError("trained again")

    two = tuner(hypermodel, keras_tuner.Objective(name, "max"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "run", unused)
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


# Seeds.


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


# Failures.


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


def test_a_failed_build_is_a_failed_trial_and_a_mistake_in_it_is_the_users(tuner):
    asked = []
    broken = range(0)

    def fragile(hp):
        config = stack(hp)
        asked.append(config)
        if len(asked) in broken:
            raise keras_tuner.errors.FailedTrialError("too deep")
        if broken and len(asked) == broken.stop:
            raise ZeroDivisionError("a mistake")
        return config

    one = tuner(fragile, max_trials=6)
    asked.clear()
    broken = range(2, 6)
    with pytest.raises(ZeroDivisionError):
        one.search(*TRAIN, **FIT)
    assert statuses(one).count("FAILED") == 4
    assert one.oracle.trials["1"].message == "too deep"
    # State was saved: opened again, what was under way runs.
    broken = range(0)
    two = tuner(fragile, max_trials=6)
    two.search(*TRAIN, **FIT)
    assert sorted(statuses(two)) == 2 * ["COMPLETED"] + 4 * ["FAILED"]


def test_an_oversized_model_is_a_failed_trial(tuner):
    for hypermodel in (stack, network):
        one = tuner(hypermodel, "val_loss", 1, max_model_size=20, overwrite=True)
        one.search(*TRAIN, **FIT)
        assert statuses(one) == ["FAILED"]
        assert "Oversized" in one.oracle.trials["0"].message


@pytest.mark.parametrize("again", ["here", "opened"])
def test_an_interrupted_search_goes_on(tuner, again):
    """The first population is through when the second is interrupted."""

    def two_structures(hp):
        return stack(hp).replace(units=(hp.Choice("units", [6, 7]),))

    one = tuner(two_structures, max_trials=6)
    real, calls = Training.run, []

    def interrupted(self, size):
        calls.append(size)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            one.search(*TRAIN, **FIT)
    done = {key: score for key, score in scores(one).items() if score is not None}
    assert 0 < len(done) < 6
    assert not one.oracle.ongoing_trials
    two = one if again == "here" else tuner(two_structures, max_trials=6)
    two.search(*TRAIN, **FIT)
    assert set(statuses(two)) == {"COMPLETED"}
    assert done.items() <= scores(two).items()
    # The same as without the interruption.
    whole = tuner(two_structures, max_trials=6, overwrite=True)
    whole.search(*TRAIN, **FIT)
    assert scores(whole) == scores(two)


def test_a_kill_between_files_loses_and_repeats_nothing(tuner, tmp_path):
    one = tuner(tuner_id="mine")
    assert not (tmp_path / "p" / "mine.json").exists()
    one.search(*TRAIN, **FIT)
    folder = tmp_path / "p"
    state = json.loads((folder / "oracle.json").read_text())
    # Killed after trial 1's file and before the oracle's; trial 2 was drawn, no more.
    state["ongoing_trials"] = {"mine-1": "1"}
    state["end_order"] = ["0"]
    state["start_order"] = ["0", "1"]
    (folder / "oracle.json").write_text(json.dumps(state))
    trial = json.loads((folder / "trial_2" / "trial.json").read_text())
    trial |= {"status": "RUNNING", "score": None}
    (folder / "trial_2" / "trial.json").write_text(json.dumps(trial))

    two = tuner(tuner_id="mine")
    assert two.oracle._retry_queue == ["2"]
    ran = []
    two.on_trial_begin = lambda trial: ran.append(trial.trial_id)
    two.search(*TRAIN, **FIT)
    assert ran == ["2"]
    assert scores(two) == scores(one)


def test_files_are_replaced_whole(tuner, tmp_path, monkeypatch):
    one = tuner()
    one.search(*TRAIN, **FIT)
    before = {p: p.read_bytes() for p in (tmp_path / "p").rglob("*.json")}
    one.seed, one.oracle.start_order, one.oracle.trials["0"].message = 9, [], "changed"

    def killed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", killed)
    for save in (one.save, one.oracle.save, lambda: one.oracle._save_trial(one.oracle.trials["0"])):
        with pytest.raises(KeyboardInterrupt):
            save()
    assert {p: p.read_bytes() for p in before} == before


def test_a_damaged_project_is_named(tuner, tmp_path):
    one = tuner()
    one.save()
    (tmp_path / "p" / "oracle.json").write_text('{"ongoing')
    with pytest.raises(UserError, match="overwrite=True"):
        tuner()


# Arguments of `fit`.


def test_early_stopping_is_patience_and_may_go_by_another_curve(tuner):
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1)
    one = tuner(objective="val_accuracy", max_trials=4)
    one.search(*TRAIN, **FIT | {"epochs": 25}, callbacks=[stop])
    lengths = set()
    for trial in one.oracle.trials.values():
        history = one.executions(trial.trial_id)[0]["history"]
        losses = history["val_loss"]
        rises = [e for e in range(1, len(losses)) if losses[e] >= min(losses[:e])]
        assert rises == ([len(losses) - 1] if len(losses) < 25 else [])
        lengths.add(len(losses))
        assert trial.score == max(history["val_accuracy"])
    assert min(lengths) < 25


def test_weights_and_splits_are_those_of_fit(tuner):
    labels = VALIDATION[1]
    heavy = {0: 3.0, 2: 0.5}
    both = np.concatenate([TRAIN[0], VALIDATION[0]]), np.concatenate([TRAIN[1], labels])
    weights = np.array([heavy.get(int(label), 1.0) for label in TRAIN[1]])
    data = tf.data.Dataset.from_tensor_slices(TRAIN).shuffle(80, seed=1).batch(16)
    ways = {
        "plain": (TRAIN, {}),
        "split": (both, {"validation_data": None, "validation_split": 1 / 3}),
        "class": (TRAIN, {"class_weight": heavy}),
        "sample": (TRAIN, {"sample_weight": weights}),
        "one-hot": (
            (TRAIN[0], np.eye(3)[TRAIN[1]]),
            {"validation_data": (X[80:], np.eye(3)[labels])},
        ),
    }
    seen = {}
    for name, (rows, options) in ways.items():
        one = tuner(objective="val_loss", max_trials=2, overwrite=True)
        one.search(*rows, **FIT | options)
        seen[name] = list(scores(one).values())
    assert seen["plain"] == seen["split"] == seen["one-hot"]
    assert seen["class"] == seen["sample"] != seen["plain"]
    # As in Keras, the pipeline's batches and not the argument.
    read = read_rows(bind_fit((data,), FIT | {"batch_size": 32}))
    assert read.batch_size == 16
    assert sorted(read.train.y) == sorted(TRAIN[1])


def test_tensorboard_has_keras_layout_and_monitors_a_folder_each(tuner, tmp_path):
    logs = tmp_path / "logs"
    callbacks = [
        keras.callbacks.TensorBoard(logs),
        ActivationMonitor(X[:10], log_dir=logs / "monitor"),
    ]
    one = tuner(max_trials=2)
    one.search(*TRAIN, **FIT, callbacks=callbacks)
    for key in ("0", "1"):
        history = one.executions(key)[0]["history"]
        for part, prefix in (("train", ""), ("validation", "val_")):
            events = EventAccumulator(str(logs / key / "execution0" / part)).Reload()
            got = [e.value for e in events.Scalars("epoch_loss")]
            np.testing.assert_allclose(got, history[f"{prefix}loss"], rtol=1e-6)
        events = EventAccumulator(str(logs / key / "execution0")).Reload()
        assert "_hparams_/session_start_info" in events.summary_metadata
        assert list((logs / "monitor" / key / "execution0").glob("events*"))


class Counting(keras.callbacks.Callback):
    """A callback of the user's own."""


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
    with named("the tuner's own on_epoch_end()"):
        one.search(*TRAIN, **FIT | {"epochs": 2})
    assert seen == [("0", 0, True), ("0", 1, True)]
    for hook in ("on_epoch_begin", "on_batch_begin", "on_batch_end", "_build_and_fit_model"):
        kind = type("Own", (PopulationTuner,), {hook: lambda self, *args: None})
        other = kind(stack, "val_loss", 1, directory=tmp_path, project_name=hook)
        with pytest.raises(CannotTrainTogether, match=hook):
            other._read(TRAIN, FIT)


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


def test_targets_that_keras_takes_are_trained(tuner):
    def binary(hp):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.SGD(hp.Float("rate", 0.01, 0.5)), "binary_crossentropy")
        return model

    one = tuner(binary, "val_loss", 1)
    soft = Y / 2
    with named("targets other than the numbers 0 to 1"):
        one.search(X[:80], soft[:80], validation_data=(X[80:], soft[80:]), epochs=1, verbose=0)
    assert statuses(one) == ["COMPLETED"]


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
    with named("inputs of shape (80, 2, 2)"), pytest.raises(ValueError, match="shape"):
        tuner(image, "val_loss", 1).search(
            x[:80], Y[:80], validation_data=(x[80:], Y[80:]), epochs=1, verbose=0
        )


def test_fractions_for_an_integer_input_are_left_to_keras_which_cuts_them_off(tuner):
    def whole(hp):
        model = keras.Sequential([keras.Input((4,), dtype="int32"), keras.layers.Dense(3)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    one = tuner(whole, "val_loss", 1)
    with named("float32 inputs for int32 ones"):
        one.search(*TRAIN, **FIT | {"epochs": 1})
    assert statuses(one) == ["COMPLETED"]


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


def test_a_plain_trial_that_diverges_fails_and_a_mistake_is_the_users(tuner):
    class Wild(keras_tuner.HyperModel):
        def build(self, hp):
            hp.Float("rate", 0, 1)
            return network(hp)

        def fit(self, hp, model, *args, **kwargs):
            history = keras.callbacks.History()
            history.history = {"val_loss": [0.1, math.nan]}
            return history

    one = tuner(Wild(), "val_loss", 4)
    with named("own fit()"):
        one.search(*TRAIN, **FIT)
    assert statuses(one) == 4 * ["FAILED"]

    def mistaken(hp):
        model = network(hp)
        model.compile("sgd", "categorical_crossentropy")
        return model

    two = tuner(mistaken, "val_loss", 4, overwrite=True)
    with (
        named("categorical_crossentropy"),
        pytest.raises(ValueError, match="shape"),
    ):
        two.search(*TRAIN, **FIT)
    assert "COMPLETED" not in statuses(two)


def test_models_in_a_round_may_differ(tuner):
    """Liftable ones train together; the other's layer is named."""

    def mixed(hp):
        if hp.Choice("kind", ["dense", "noise"]) == "dense":
            return network(hp)
        model = keras.Sequential(
            [keras.Input((4,)), keras.layers.GaussianNoise(0.1, name="hiss"), keras.layers.Dense(3)]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, metrics=["acc"])
        return model

    one = tuner(mixed, keras_tuner.Objective("val_acc", "max"), 4)
    with named("hiss"):
        one.search(*TRAIN, **FIT)
    assert set(statuses(one)) == {"COMPLETED"}
    seeds = {one.executions(key)[0]["seed"] for key in one.oracle.trials}
    assert seeds == {0, None}


def test_verbose_zero_is_silent_and_else_says_what_to_expect(tuner, capsys):
    one = tuner()
    capsys.readouterr()
    one.search(*TRAIN, **FIT)
    assert capsys.readouterr().out == ""
    two = tuner(overwrite=True)
    two.search(*TRAIN, **FIT | {"verbose": 2})
    printed = capsys.readouterr().out
    assert "3 trials of 1 structure, trained as one population: roughly" in printed
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


# Reading alone, without training.

PIPELINE = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"x": [X, X], "y": Y}, "x of type list"),
        ({"x": {"a": X}, "y": Y}, "x of type dict"),
        ({"x": X, "y": Y, "validation_data": None}, "no validation_data"),
        ({"x": X, "y": Y[:5]}, "shapes"),
        ({"x": X, "y": Y.astype(str)}, "values"),
        ({"x": iter([X])}, "without arrays"),
        ({"x": tf.data.Dataset.from_tensor_slices((X, Y)).repeat().batch(8)}, "endless"),
        ({"x": tf.data.Dataset.from_tensor_slices((X, Y))}, "not batched"),
        ({"x": tf.data.Dataset.from_tensor_slices(X).batch(8)}, "not of"),
        ({"x": tf.data.Dataset.from_tensor_slices((X, Y)).take(0).batch(8)}, "empty"),
        (
            {
                "x": tf.data.Dataset.from_tensor_slices((X, Y))
                .batch(8)
                .map(lambda x, y: (x + tf.random.normal([4]), y))
            },
            "other rows",
        ),
        (
            {"x": X, "y": Y, "sample_weight": np.ones(120), "class_weight": {0: 2.0}},
            "class_weight together",
        ),
        ({"x": X, "y": Y, "sample_weight": np.ones(5)}, "shapes"),
        ({"x": X, "y": Y, "sample_weight": 1.0 - Y}, "negative or not finite"),
        ({"x": X, "y": Y, "class_weight": {0: np.nan}}, "negative or not finite"),
        ({"x": PIPELINE, "sample_weight": np.ones(120)}, "sample_weight beside a tf.data"),
        ({"x": PIPELINE, "y": Y}, "y beside a tf.data"),
        ({"x": PIPELINE, "validation_data": None, "validation_split": 0.5}, "without validation"),
    ],
)
def test_rows_that_only_fit_can_take(given, reason):
    with pytest.raises(CannotTrainTogether, match=reason):
        read_rows(bind_fit((), {"validation_data": VALIDATION, **given}))


def test_a_pipeline_too_large_for_memory_is_left_to_fit(monkeypatch):
    monkeypatch.setattr(in_memory, "PIPELINE_BYTES", 1000)
    data = tf.data.Dataset.from_generator(
        lambda: iter(lambda: (X[:8], Y[:8]), None),
        output_signature=(tf.TensorSpec([8, 4]), tf.TensorSpec([8], tf.int32)),
    )
    with pytest.raises(CannotTrainTogether, match="too large"):
        read_rows(bind_fit((data,), {"validation_data": VALIDATION}))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"callbacks": [keras.callbacks.LearningRateScheduler(lambda e: 0.1)]}, "LearningRateSch"),
        ({"callbacks": [keras.callbacks.EarlyStopping(min_delta=0.1)]}, "min_delta"),
        ({"callbacks": 2 * [keras.callbacks.EarlyStopping()]}, "more than one"),
        ({"callbacks": [keras.callbacks.TensorBoard(histogram_freq=1)]}, "histogram_freq"),
        ({"shuffle": False}, "shuffle=False"),
        ({"steps_per_epoch": 3}, "steps_per_epoch"),
        ({"validation_freq": 2}, "validation_freq"),
    ],
)
def test_what_else_needs_fit_itself(given, reason):
    with pytest.raises(CannotTrainTogether, match=reason):
        read_callbacks(given)


def test_an_unknown_argument_is_an_error_not_a_failed_trial(tuner):
    with pytest.raises(TypeError, match="epoch"):
        tuner().search(*TRAIN, epoch=3)


@pytest.mark.parametrize(
    ("y", "loss"), [(2 * Y - 1, "binary"), (Y + 1, "softmax"), (np.nan * Y, "mse")]
)
def test_targets_that_only_keras_can_take(y, loss):
    model = compiled("mse" if loss == "mse" else "sparse_categorical_crossentropy", [])
    with pytest.raises(CannotTrainTogether, match="targets"):
        check_targets(y, 3 if loss == "softmax" else 1, loss, model)


def compiled(loss, metrics, activation=None, outputs=3):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(outputs, activation)])
    model.compile("sgd", loss, metrics=metrics)
    return model


BINARY = keras.losses.BinaryCrossentropy(from_logits=True)


def mae(y, p):
    return keras.ops.zeros_like(y)


class BinaryAccuracy(keras.metrics.BinaryAccuracy):
    """A metric of the user's own."""


@pytest.mark.parametrize(
    ("model", "loss", "expected"),
    [
        (compiled("mse", ["mae", "mse"], None, 1), "mse", {"mae": "mae", "mse": "data_loss"}),
        (
            compiled("mse", [keras.metrics.MeanAbsoluteError(name="off")], None, 1),
            "mse",
            {"off": "mae"},
        ),
        (
            compiled("sparse_categorical_crossentropy", ["accuracy"], "softmax"),
            "softmax",
            {"accuracy": "accuracy"},
        ),
        (compiled(BINARY, ["accuracy"], "sigmoid", 1), "binary", {"accuracy": "accuracy"}),
        (
            compiled(BINARY, [keras.metrics.BinaryAccuracy(threshold=0.0)], None, 1),
            "binary",
            {"binary_accuracy": "accuracy"},
        ),
        (
            compiled(
                "mse",
                [keras.metrics.mean_absolute_error, keras.losses.mean_squared_error],
                outputs=1,
            ),
            "mse",
            {"mean_absolute_error": "mae", "mean_squared_error": "data_loss"},
        ),
        (
            compiled("mse", [DataLoss(keras.losses.MeanSquaredError(), "own")], outputs=1),
            "mse",
            {"own": "data_loss"},
        ),
        (build_stack(BASE, 4, 3), "softmax", {"accuracy": "accuracy"}),
    ],
)
def test_curves_have_the_users_names(model, loss, expected):
    names = curve_names(model, loss, weighted=False)
    assert {k: v for k, v in names.items() if k not in ("loss", "data_loss", "penalty")} == expected
    assert names["loss"] == "loss"


@pytest.mark.parametrize(
    ("model", "loss", "reason"),
    [
        (compiled("mse", ["mape"], None, 1), "mse", "mape"),
        # Keras compares the logits with 0.5.
        (compiled(BINARY, ["accuracy"], None, 1), "binary", "threshold"),
        (compiled("sparse_categorical_crossentropy", ["Accuracy"], "softmax"), "softmax", "Acc"),
        # Keras would compare class numbers with the largest of one.
        (
            compiled("sparse_categorical_crossentropy", ["categorical_accuracy"], "softmax"),
            "softmax",
            "categorical_accuracy",
        ),
        # Names that are Keras' of things that are not.
        (compiled("mse", [mae], None, 1), "mse", "mae"),
        (compiled(BINARY, [BinaryAccuracy()], "sigmoid", 1), "binary", "binary_accuracy"),
        (compiled("mse", [DataLoss(keras.losses.Huber())], None, 1), "mse", "data_loss"),
        (compiled("mse", ["mae", mae], None, 1), "mse", "mae"),
        (compiled("mse", ["mae", "mae"], None, 1), "mse", "used twice"),
        # A mean over batches, of which the last may be short.
        (compiled("mse", [keras.losses.MeanSquaredError()], None, 1), "mse", "mean_squared_error"),
    ],
)
def test_metrics_that_a_population_does_not_measure(model, loss, reason):
    with pytest.raises(CannotTrainTogether, match=reason):
        curve_names(model, loss, weighted=False)


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (("val_loss", "min"), "val_loss"),
        (("val_acc", "max"), "val_accuracy"),
        (("val_data_loss", "min"), "val_data_loss"),
        (("loss", "min"), None),
        (("val_acc", None), "val_accuracy"),
        (("val_acc", "min"), None),
        (("val_penalty", "min"), None),
        (("multi_objective", "min"), None),
    ],
)
def test_objectives(objective, expected):
    names = {"loss": "loss", "data_loss": "data_loss", "penalty": "penalty", "acc": "accuracy"}
    if expected is None:
        with pytest.raises(CannotTrainTogether, match=objective[0]):
            population_objective(*objective, names)
    else:
        assert population_objective(*objective, names) == expected


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
