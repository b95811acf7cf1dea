"""The search space: what it accepts, how it reads, and the zero-or-range hyperparameter."""

import json
import math

import keras_tuner
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasreg.errors import UserError
from kerasreg.search import Choice, Range, Space, ZeroOrRange, zero_or_range
from kerasreg.search.space.default_space import DEFAULT_FIXED
from kerasreg.stacks import StackConfig


def test_default_space_is_the_documented_one():
    space = Space.default()
    assert [f"{name}={space[name]}" for name in space] == [
        "dropout=0.05:0.7:zero",
        "input_dropout=0.02:0.3:zero",
        "l1=1e-07:0.01:log:zero",
        "l2=1e-07:0.1:log:zero",
        "weight_decay=0.001:2:log:zero",
        "label_smoothing=0.02:0.15:zero",
        "normalization=none,batch",
        "learning_rate=0.0003:0.03:log",
        "encoding=standard,piecewise",
    ]
    assert space.fixed == {"schedule": "cosine", "output_scale": 0.1, "feature_scale": True}


@pytest.mark.parametrize(
    ("text", "name", "what"),
    [
        ("l2=1e-6:1e-2:log:zero", "l2", Range(1e-6, 1e-2, log=True, zero=True)),
        ("dropout=0.1:0.5", "dropout", Range(0.1, 0.5)),
        ("momentum=0.5:0.9:step=0.1", "momentum", Range(0.5, 0.9, step=0.1)),
        ("normalization=none,layer", "normalization", Choice("none", "layer")),
        ("learning_rate=1e-3,1e-2", "learning_rate", Choice(1e-3, 1e-2)),
        ("units=64x64,128", "units", Choice((64, 64), (128,))),
        ("penalize_output=true,false", "penalize_output", Choice(True, False)),
        ("initializer=he,0.01", "initializer", Choice("he", 0.01)),
        ("groups=4,8", "groups", Choice(4, 8)),
        ("dropout=0.1x0.5,0.3x0.3", "dropout", Choice((0.1, 0.5), (0.3, 0.3))),
    ],
)
def test_text_and_python_say_the_same(text, name, what):
    space = Space.parse([text])
    assert space[name] == what
    assert Space.parse([f"{name}={what}"]) == space
    assert Space.from_dict(json.loads(json.dumps(space.to_dict()))) == space
    assert [hp.name for hp in space.hyperparameters().space] == list(space)


@pytest.mark.parametrize(
    ("edits", "fixed", "says"),
    [
        (["dropuot=0.1:0.2"], [], "'dropuot' is no field of a stack. Nearest: dropout"),
        (["dropout=0.1:1.5"], [], "dropout: expected a number in [0, 1), got 1.5"),
        (["dropout=a:b"], [], "got 'dropout=a:b'"),
        (["dropout=0.1:0.5:lg"], [], "got 'dropout=0.1:0.5:lg'"),
        (["dropout=0.5:0.1"], [], "dropout=0.5:0.1: Range: expected low < high"),
        (["l2=0:1:log"], [], "expected low > 0 with log, got 0"),
        (["dropout=nan:0.5"], [], "expected a finite number for low, got nan"),
        (["dropout=0.1:inf"], [], "expected a finite number for high, got inf"),
        (["learning_rate=1e-3:1e-2:zero"], [], "learning_rate: expected a number in (0, inf)"),
        (["units=16:64"], [], "units: expected choices (units=A,B,C)"),
        (["normalization=none,bach"], [], "got 'bach'"),
        (["normalization=none,none"], [], "expected different values"),
        (["groups=a,b"], [], "groups: expected a whole number, got 'a'"),
        (["penalize_output=yes"], [], "expected true or false, got 'yes'"),
        (["l2"], [], "got 'l2'"),
        (["l2="], [], "got 'l2='"),
        (["l2=1e-4:1e-2:log:step=0.5"], [], "expected step > 1"),
        ([], ["dropout=1.2"], "dropout: expected a number in [0, 1), got 1.2"),
        ([], ["optimiser=adam"], "Nearest: optimizer"),
    ],
)
def test_mistakes_are_named(edits, fixed, says):
    with pytest.raises(UserError) as error:
        Space.parse(edits, fixed)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_three_lines_edit_the_space():
    space = Space.default()
    space["dropout"] = Range(0.1, 0.5)
    space["units"] = Choice((16, 16), (32,))
    space.fix("learning_rate", 0.01)
    assert "learning_rate" not in space
    assert space.fixed == {**DEFAULT_FIXED, "learning_rate": 0.01}
    values = {"dropout": 0.25, "units": "32", "normalization": "batch", "l1": 0.0, "l2": 1e-3}
    config = space.config(values, StackConfig(momentum=0.5))
    assert config == StackConfig(
        units=(32,),
        dropout=0.25,
        normalization="batch",
        l2=1e-3,
        learning_rate=0.01,
        momentum=0.5,
        **DEFAULT_FIXED,
    )
    assert Space.parse(["dropout=0.1:0.5"], ["learning_rate=0.01"], start=Space.default())[
        "dropout"
    ] == Range(0.1, 0.5)
    assert Space.default()["dropout"] == Range(0.05, 0.7, zero=True)


def test_every_flat_value_leads_back_to_its_field():
    space = Space.parse(
        ["units=64x64,128x128", "penalize_output=true,false", "initializer=he,0.01", "groups=4,8"]
    )
    for hp in space.hyperparameters().space:
        if isinstance(space[hp.name], Choice):
            for value in hp.values:
                assert getattr(space.config({hp.name: value}), hp.name) in space[hp.name].values


def test_settings_to_try_are_checked_and_completed():
    space = Space.default()
    setting = space.setting("l2=1e-4,dropout=0.5")
    assert setting == {
        "dropout": 0.5,
        "input_dropout": 0.0,
        "l1": 0.0,
        "l2": 1e-4,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "normalization": "none",
        "learning_rate": 1e-3,
        "encoding": "standard",
    }
    assert space.setting({"l2": 1e-4, "dropout": 0.5}) == setting
    assert space.setting({}, StackConfig(learning_rate=0.01))["learning_rate"] == 0.01
    for values, says in [
        ("l2=5", "expected a value of 1e-07:0.1:log:zero, got 5.0"),
        ({"momentum": 0.5}, "momentum: the search does not vary it"),
        ("l3=1", "Nearest: l"),
        ({"normalization": "layer"}, "expected a value of none,batch, got layer"),
    ]:
        with pytest.raises(UserError, match=says.replace("(", r"\(")):
            space.setting(values)


@given(
    low=st.floats(1e-8, 1.0),
    ratio=st.floats(1.001, 1e8),
    log=st.booleans(),
    chance=st.floats(0.01, 0.99),
    prob=st.floats(0, 1, exclude_max=True),
)
@settings(max_examples=200, deadline=None)
def test_zero_or_range_is_one_map_of_the_unit_interval(low, ratio, log, chance, prob):
    sampling = "log" if log else "linear"
    hp = ZeroOrRange("l2", low, low * ratio, sampling=sampling, zero_probability=chance)
    value = hp.prob_to_value(prob)
    assert (value == 0) == (prob < chance)
    assert value == 0 or hp.min_value <= value <= hp.max_value
    # Back and forth: the same value, to rounding.
    assert math.isclose(hp.prob_to_value(hp.value_to_prob(value)), value, rel_tol=1e-6)


def test_zero_or_range_has_the_stated_distribution():
    hp = ZeroOrRange("l2", 1e-6, 1e-2, sampling="log")
    values = np.array([hp.random_sample(seed) for seed in range(4000)])
    assert abs(np.mean(values == 0) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 4000)
    logs = (np.log10(values[values > 0]) + 6) / 4
    assert abs(logs.mean() - 0.5) < 4 * math.sqrt(1 / 12 / len(logs))


def test_zero_or_range_survives_keras_tuners_own_files(tmp_path):
    hp = keras_tuner.HyperParameters()
    assert zero_or_range(hp, "l2", 1e-6, 1e-2, sampling="log", zero_probability=0.4) == 0.0
    oracle = keras_tuner.oracles.RandomSearchOracle(
        keras_tuner.Objective("loss", "min"), hyperparameters=hp, seed=1
    )
    oracle.verbose = 0
    oracle._set_project_dir(tmp_path, "project")
    trial = oracle.create_trial("tuner0")
    oracle.update_trial(trial.trial_id, {"loss": 1.0})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    again = keras_tuner.oracles.RandomSearchOracle(keras_tuner.Objective("loss", "min"), seed=1)
    again._set_project_dir(tmp_path, "project")
    again.reload()
    (read,) = again.get_space().space
    assert isinstance(read, ZeroOrRange)
    assert read.get_config() == hp.space[0].get_config()
    assert again.trials[trial.trial_id].hyperparameters.values == trial.hyperparameters.values


def test_zero_or_range_in_a_conditional_scope_and_a_grid():
    hp = keras_tuner.HyperParameters()
    hp.Choice("penalty", ["none", "l2"])
    with hp.conditional_scope("penalty", ["l2"]):
        assert zero_or_range(hp, "l2", 1e-4, 1e-1, step=10, sampling="log") is None
    assert list(hp.space[1].values) == pytest.approx([0, 1e-4, 1e-3, 1e-2, 1e-1])
    oracle = keras_tuner.oracles.GridSearchOracle(
        keras_tuner.Objective("loss", "min"), hyperparameters=hp
    )
    assert oracle._get_next_combination({"penalty": "l2", "l2": 0.0})["l2"] == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0.0, 1.0), "expected min_value > 0"),
        ((-1.0, 1.0), "expected min_value > 0"),
        ((0.5, 0.1), "greater than"),
        ((0.1, 0.5, None, "linear", 0.0, 1.0), "zero_probability"),
    ],
)
def test_zero_or_range_refuses(arguments, says):
    with pytest.raises(ValueError, match=says):
        ZeroOrRange("l2", *arguments)


def test_zero_or_range_does_not_lose_its_zero_in_a_message():
    with pytest.raises(NotImplementedError, match="l2"):
        ZeroOrRange("l2", 0.1, 0.5).to_proto()
