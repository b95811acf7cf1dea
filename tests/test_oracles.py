"""One contract for every searcher: bounds, seeds, budget, duplicates, exhaustion, resume, NaN."""

import itertools
import json
import math
import random

import keras_tuner
import numpy as np
import pytest

from kerasreg.errors import UserError
from kerasreg.search import (
    BayesianOracle,
    Choice,
    GridOracle,
    Proposer,
    RandomOracle,
    Range,
    Space,
    make_oracle,
)
from kerasreg.search.oracles.axes import Axes
from kerasreg.search.oracles.surrogate import Surrogate, standardise
from kerasreg.stacks import StackConfig

SEARCHERS = ("random", "grid", "bayesian")
OBJECTIVE = keras_tuner.Objective("val_data_loss", "min")

every_searcher = pytest.mark.parametrize("searcher", SEARCHERS)


def small_space() -> Space:
    """12 settings."""
    return Space(
        {
            "normalization": Choice("none", "batch", "layer"),
            "penalize_output": Choice(True, False),
            "momentum": Choice(0.5, 0.9),
        }
    )


def loss(values: dict) -> float:
    """A smooth function of the default space, best near learning rate 1e-3 and dropout 0.3."""
    rate = values.get("learning_rate", 1e-3)
    return (math.log10(rate) + 3) ** 2 + (values.get("dropout", 0.3) - 0.3) ** 2


def record(trial: str, values: dict, score: float | None = math.nan, status: str = "completed"):
    score = loss(values) if score is not None and math.isnan(score) else score
    return {"trial": trial, "hyperparameters": values, "status": status, "score": score}


def run(proposer: Proposer, rounds: int, n: int) -> list[dict]:
    """Rounds of `n` settings, each told before the next; the values in order."""
    seen = []
    for _ in range(rounds):
        proposals = proposer.propose(n)
        for trial, values in proposals:
            proposer.tell(record(trial, values))
        seen += [values for _, values in proposals]
    return seen


def proposer_for(searcher: str, space: Space | None = None, seed: int = 0, queue=()) -> Proposer:
    hyperparameters = (space or Space.default()).hyperparameters()
    return Proposer(make_oracle(searcher, hyperparameters, seed=seed), queue)


def distinct(settings: list[dict]) -> int:
    return len({json.dumps(values, sort_keys=True) for values in settings})


@every_searcher
def test_bounds(searcher):
    space = Space.parse(["momentum=0.5:0.9:step=0.1", "units=8x8,16,16x16", "rho=0.1,0.5,0.9"])
    seen = run(proposer_for(searcher, space), 3, 16)
    for values in seen:
        assert list(values) == list(space)
        for name, value in values.items():
            assert getattr(space.config(values), name) in space[name], (name, value)
    zeros = np.mean([values["l2"] == 0 for values in seen])
    assert 0 < zeros < 0.9


@every_searcher
def test_the_seed_decides_and_zero_is_one(searcher):
    first, again, other, negative = (
        run(proposer_for(searcher, seed=seed), 3, 8) for seed in (0, 0, 1, -1)
    )
    assert first == again
    assert distinct(first + other + negative) == 3 * 24


@every_searcher
def test_no_global_generator_is_touched(searcher):
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    run(proposer_for(searcher), 3, 8)
    assert before == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002


@every_searcher
@pytest.mark.parametrize("n", [1, 5])
def test_a_finite_space_is_tried_once_and_then_exhausted(searcher, n):
    proposer = proposer_for(searcher, small_space())
    seen = run(proposer, 12, n)
    assert len(seen) == distinct(seen) == 12
    assert proposer.propose(3) == []


@every_searcher
def test_pending_settings_are_not_proposed_again(searcher):
    proposer = proposer_for(searcher, small_space())
    run(proposer, 1, 4)
    proposals = proposer.propose(5) + proposer.propose(5)
    assert distinct([values for _, values in proposals]) == len(proposals) == 8


@every_searcher
def test_a_space_of_nothing_is_one_setting(searcher):
    proposer = proposer_for(searcher, Space())
    assert [values for _, values in proposer.propose(3)] == [{}]
    assert proposer.propose(1) == []


@every_searcher
def test_the_budget_holds(searcher):
    oracle = make_oracle(searcher, Space.default().hyperparameters(), max_trials=10)
    seen = run(Proposer(oracle), 4, 4)
    assert len(seen) == 10
    assert oracle.remaining_trials() == 0


@every_searcher
def test_an_interrupted_study_goes_on_as_if_it_had_not_been(searcher):
    """Interrupted inside the third round of eight, with records in another order."""
    queue = [Space.default().setting("dropout=0.5"), Space.default().setting("l2=0.01")]
    whole = proposer_for(searcher, queue=queue)
    rounds = []
    for _ in range(4):
        rounds.append(whole.propose(8))
        for trial, values in rounds[-1]:
            whole.tell(record(trial, values))

    asked = json.loads(json.dumps(rounds[:3]))
    finished = [record(trial, values) for trial, values in itertools.chain(*asked)][:20]
    resumed = proposer_for(searcher, queue=queue)
    pending = resumed.replay(asked, finished[::-1])
    assert pending == rounds[2][4:]
    for trial, values in pending[::-1]:
        resumed.tell(record(trial, values))
    assert resumed.propose(8) == rounds[3]


def test_keras_tuners_own_oracles_resume_too():
    hp = Space.default().hyperparameters()

    def fresh() -> Proposer:
        oracle = keras_tuner.oracles.RandomSearchOracle(
            OBJECTIVE, max_trials=None, seed=5, hyperparameters=hp
        )
        return Proposer(oracle, [Space.default().setting("l2=0.01")])

    whole, resumed = fresh(), fresh()
    rounds = [whole.propose(3), whole.propose(3)]
    assert resumed.replay(rounds[:1], []) == rounds[0]
    assert resumed.propose(3) == rounds[1]

    altered = [(rounds[0][1][0], {**rounds[0][1][1], "dropout": 0.123})]
    with pytest.raises(UserError, match="cannot be resumed"):
        fresh().replay([rounds[0][:1], altered], [])


@every_searcher
@pytest.mark.parametrize(
    ("status", "score"),
    [
        ("diverged", None),
        ("failed", None),
        ("completed", math.inf),
        ("completed", -math.inf),
        ("diverged", -1e9),
    ],
)
def test_results_without_a_score_are_tried_and_never_best(searcher, status, score):
    proposer = proposer_for(searcher, small_space())
    seen = []
    for trial, values in proposer.propose(6):
        bad = values["normalization"] == "none"
        seen.append(values)
        proposer.tell(record(trial, values, score, status) if bad else record(trial, values))
    seen += run(proposer, 4, 3)
    assert distinct(seen) == len(seen) == 12
    (best,) = proposer.oracle.get_best_trials(1)
    assert best.status == "COMPLETED"
    assert math.isfinite(best.score)


@every_searcher
def test_only_failures_are_no_end(searcher):
    proposer = proposer_for(searcher)
    for _ in range(3):
        for trial, values in proposer.propose(8):
            proposer.tell(record(trial, values, None, "diverged"))
    assert len(proposer.propose(8)) == 8


@every_searcher
def test_the_order_in_which_results_arrive_changes_nothing(searcher):
    one, other = proposer_for(searcher), proposer_for(searcher)
    first, second = one.propose(16), other.propose(16)
    assert first == second
    for proposer, proposals in ((one, first), (other, second[::-1])):
        for trial, values in proposals:
            proposer.tell(record(trial, values))
    assert one.propose(4) == other.propose(4)


@every_searcher
def test_the_queue_comes_first_and_is_not_repeated(searcher):
    space = small_space()
    setting = space.setting("normalization=batch")
    proposer = proposer_for(searcher, space, queue=[setting, setting])
    seen = run(proposer, 5, 3)
    assert seen[0] == setting
    assert distinct(seen) == len(seen) == 12


@pytest.mark.parametrize("kind", [RandomOracle, GridOracle, BayesianOracle])
def test_inside_a_tuner_of_keras_tuner(kind, tmp_path):
    """New hyperparameters found by building, conditional ones, infinite scores, reload."""

    class Tuner(keras_tuner.engine.base_tuner.BaseTuner):
        def run_trial(self, trial, verbose=0):
            values = trial.hyperparameters
            if values.get("norm") == "batch":
                return math.inf
            return (values.get("rate") - 0.3) ** 2

    def build(hp):
        hp.Choice("norm", ["none", "batch", "layer"])
        hp.Float("rate", 0.1, 0.5)
        hp.Fixed("width", 8)
        with hp.conditional_scope("norm", ["layer"]):
            hp.Int("groups", 1, 64, sampling="log")
        return None

    def tuner(trials):
        oracle = kind(keras_tuner.Objective("default_objective", "min"), trials, seed=0)
        return Tuner(oracle, build, directory=tmp_path, project_name="p")

    first = tuner(24)
    first.search(verbose=0)
    trials = first.oracle.trials.values()
    assert len(trials) == 24
    for trial in trials:
        values = trial.hyperparameters.values
        assert ("groups" in values) == (values["norm"] == "layer")
        assert trial.status == ("FAILED" if values["norm"] == "batch" else "COMPLETED")
        assert (trial.score is None) == (values["norm"] == "batch")
    assert distinct([trial.hyperparameters.values for trial in trials]) == 24

    more = tuner(30)
    more.search(verbose=0)
    assert len(more.oracle.trials) == 30
    assert distinct([t.hyperparameters.values for t in more.oracle.trials.values()]) == 30
    assert more.get_best_hyperparameters()[0].get("norm") != "batch"


def test_a_retry_does_not_average_with_what_failed(tmp_path):
    oracle = RandomOracle(
        OBJECTIVE, hyperparameters=small_space().hyperparameters(), max_retries_per_trial=1
    )
    oracle.verbose = 0
    for score in (math.inf, 0.5):
        trial = oracle.create_trial("tuner0")
        assert trial.trial_id == "0000"
        oracle.update_trial(trial.trial_id, {"val_data_loss": score})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert oracle.trials["0000"].status == "COMPLETED"
    assert oracle.trials["0000"].score == 0.5


def test_a_grid_covers_every_combination_and_its_beginning_every_value():
    space = Space(
        {"l2": Range(1e-4, 1e-1, log=True, zero=True, step=10), "dropout": Range(0.1, 0.5)}
    )
    seen = run(proposer_for("grid", space), 10, 11)
    assert len(seen) == distinct(seen) == 5 * 10
    assert sorted({values["l2"] for values in seen}) == pytest.approx([0, 1e-4, 1e-3, 1e-2, 1e-1])
    assert {values["l2"] for values in seen[:25]} == {values["l2"] for values in seen}


def test_axes_map_values_to_points_and_back():
    hp = keras_tuner.HyperParameters()
    hp.Int("log_int", 1, 100, sampling="log")
    hp.Int("int", 2, 9)
    hp.Float("float", 1e-4, 1e-1, sampling="log")
    hp.Float("stepped", 0.0, 1.0, step=0.1)
    hp.Boolean("boolean")
    hp.Choice("word", ["a", "b", "c"])
    hp.Choice("number", [1, 5, 9])
    hp.Fixed("fixed", 3)
    for parameter in Space.default().hyperparameters().space:
        hp._retrieve(parameter)
    axes = Axes(hp.space)
    points = np.random.default_rng(0).random((300, axes.dimensions))
    canonical = axes.canonical(points)
    for point, own in zip(points, canonical, strict=True):
        values = axes.values(point)
        np.testing.assert_allclose(axes.point(values), own, atol=1e-9)
        assert values["fixed"] == 3
    features = axes.features(canonical)
    assert features.shape == (300, 1 + 1 + 1 + 1 + 1 + 3 + 1 + 6 * 2 + 1 + 1 + 1)
    assert features.min() >= 0
    assert features.max() <= 1
    # keras-tuner's own draws have the same distribution.
    ours = np.array([axes.values(p)["log_int"] for p in points])
    theirs = np.array([hp.space[0].prob_to_value(float(p[0])) for p in points])
    np.testing.assert_array_equal(ours, theirs)


def test_bayesian_search_beats_random_on_a_smooth_function():
    space = Space.default()
    for name in ("weight_decay", "label_smoothing", "encoding"):  # the function has none of them
        space.fix(name, getattr(StackConfig(), name))
    space["learning_rate"] = Range(1e-4, 3e-2, log=True)
    best = {
        searcher: [
            min(map(loss, run(proposer_for(searcher, space, seed=s), 4, 8))) for s in range(3)
        ]
        for searcher in ("random", "bayesian")
    }
    assert np.mean(best["bayesian"]) < 0.3 * np.mean(best["random"])


@pytest.mark.parametrize("direction", ["min", "max"])
def test_bayesian_search_follows_the_direction(direction):
    sign = 1 if direction == "min" else -1
    oracle = BayesianOracle(
        keras_tuner.Objective("score", direction),
        hyperparameters=Space({"dropout": Range(0.0, 0.9)}).hyperparameters(),
    )
    proposer = Proposer(oracle)
    for _ in range(4):
        for trial, values in proposer.propose(4):
            proposer.tell(record(trial, values, sign * (values["dropout"] - 0.2) ** 2))
    assert abs(oracle.get_best_trials(1)[0].hyperparameters.values["dropout"] - 0.2) < 0.02


def test_bayesian_search_keeps_away_from_where_training_diverges():
    proposer = proposer_for("bayesian", Space({"learning_rate": Range(1e-4, 1.0, log=True)}))
    tried = []
    for _ in range(6):
        for trial, values in proposer.propose(4):
            tried.append(values["learning_rate"])
            # Better and better towards the cliff at 1e-2.
            fine = tried[-1] < 1e-2
            score = -math.log10(tried[-1]) if fine else None
            proposer.tell(record(trial, values, score, "completed" if fine else "diverged"))
    late = np.array(tried[12:])
    assert np.mean(late >= 1e-1) < 0.2
    assert max(rate for rate in tried if rate < 1e-2) > 5e-3


def test_bayesian_search_survives_equal_and_terrible_scores():
    proposer = proposer_for("bayesian")
    for scores in ([1.0] * 16, [1e30] + [2.0] * 7, [0.0] * 8):
        for (trial, values), score in zip(proposer.propose(len(scores)), scores, strict=True):
            proposer.tell(record(trial, values, score))
    assert distinct([values for _, values in proposer.propose(8)]) == 8


def test_believing_keeps_the_mean_and_takes_the_uncertainty():
    rng = np.random.default_rng(0)
    x, far, pending = rng.random((20, 2)), rng.random((30, 2)), rng.random((3, 2))
    surrogate = Surrogate.fit(x, standardise(np.sin(5 * x[:, 0]) + rng.normal(0, 0.1, 20)))
    believing = surrogate.believing(pending)
    np.testing.assert_allclose(
        believing.process.predict(far), surrogate.process.predict(far), atol=0.02
    )
    _, before = surrogate.process.predict(pending, return_std=True)
    _, after = believing.process.predict(pending, return_std=True)
    assert (after < 0.2 * before).all()
    assert (believing.lower_bound(pending) > surrogate.lower_bound(pending)).all()


def test_a_batch_does_not_gather_in_one_place():
    """Luck, and one hyperparameter of two that does nothing: the other one is kept apart."""
    space = Space({"learning_rate": Range(1e-4, 1.0, log=True), "l2": Range(1e-6, 1e-2, log=True)})
    proposer = proposer_for("bayesian", space)
    rng = np.random.default_rng(0)
    for trial, values in proposer.propose(16):
        score = (math.log10(values["learning_rate"]) + 2) ** 2 + rng.normal(0, 0.3)
        proposer.tell(record(trial, values, score))
    rates = [math.log10(values["learning_rate"]) for _, values in proposer.propose(16)]
    assert np.std(rates) > 0.1


def test_a_round_of_proposals_fits_the_process_once(monkeypatch):
    """Fitting is what takes time, and the finished trials are the same for a whole round."""
    proposer = proposer_for("bayesian")
    run(proposer, 3, 8)
    fitted = []
    fit = Surrogate.fit

    def counted(x, y):
        fitted.append(len(x))
        return fit(x, y)

    monkeypatch.setattr(Surrogate, "fit", counted)
    assert len(proposer.propose(8)) == 8
    assert fitted == [24]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("bayes", "val_data_loss"), "searcher: expected one of random, bayesian, grid"),
        (("random", "accuracy"), "objective: expected one of val_data_loss"),
    ],
)
def test_unknown_names(arguments, says):
    with pytest.raises(UserError, match=says):
        make_oracle(arguments[0], keras_tuner.HyperParameters(), arguments[1])
