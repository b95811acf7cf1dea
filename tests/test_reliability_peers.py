"""What hurts users of keras-tuner and Keras today, and the test that it does not hurt here.

keras-tuner 1.4.8                                    | shown by
-----------------------------------------------------|------------------------------------------
an infinite score is COMPLETED, a perfect loss to    | test_oracles (results without a score),
  the surrogate                                      | test_reliability_numbers (surrogate)
NaN of a later epoch is ignored; a retry averages    | test_study_records (one number that is not
                                                     | finite), test_oracles (a retry)
`seed=0` becomes random                              | test_oracles, test_tuner (zero is one)
Bayesian search repeats a configuration              | `test_thirty_trials_on_thirty_points`
ongoing trials stand at the fit before; 1.0 at first | test_oracles (believing, pending)
50 L-BFGS starts a proposal                          | `test_a_round_is_one_fit`
bounds are always [0, 1]^d, `Fixed` counts           | `test_what_is_fixed_is_no_dimension`
a kill leaves truncated JSON, an orphan, a copy      | test_reliability_kills, test_tuner (files)
a crash before the first trial restarts silently     | `test_a_crash_before_the_first_trial`
a finished search opened again reruns its last trial | test_search_study
a killed trial restarts at epoch 0                   | test_reliability_kills.TestCheckpoint
executions: only the mean is kept, all equal         | `test_every_seed_is_kept_and_differs`
no history by epoch; the best epoch, not the last    | test_study_records (chosen epoch)
training seeds are not set; the best is not          | test_reproducible
  reproduced by retraining                           |
callbacks are deep-copied; one folder for all trials | test_monitors (copies), test_tuner
                                                     | (a folder each)
a user's mistake counts as failed trials; then       | test_tuner (a mistake is the user's),
  RuntimeError before the state is saved             | test_oracles (only failures are no end)
memory grows over trials                             | test_reliability_memory
no cross-validation                                  | test_search_engines, test_population_*
no time budget                                       | test_search_loop
no queued settings                                   | test_search_loop
no table of trials                                   | test_study (the table is tidy)
no "0 or log-range"                                  | test_space

Keras                                                | shown by
-----------------------------------------------------|------------------------------------------
`val_loss` includes the penalty                      | `test_the_objective_has_no_penalty`,
                                                     | test_monitors (apart exactly)
a regularizer set on a built layer is ignored        | `test_a_penalty_is_what_keras_applies`
freezing a layer drops its penalty                   | test_monitors (frozen layers have none),
                                                     | test_lifting (frozen layers are refused)
no activation or gradient histograms, no dead units  | test_monitors, test_search_study
batch normalisation at momentum 0.99 swings          | `test_statistics_follow_within_an_epoch`
HParams shows the last value, cannot group seeds     | test_monitors (hparams group seeds),
                                                     | test_search_study.TestTensorBoard

other peers                                          | shown by
-----------------------------------------------------|------------------------------------------
Optuna: table, importance, slice, parallel           | test_study, test_plots, test_report
  coordinates, contour; budget; queue; pruning;      | test_search_loop, test_halving,
  crash-tolerant storage                             | test_reliability_kills
scikit-learn: scores by fold; one standard error;    | `test_scores_are_kept_by_fold`,
  clear errors                                       | test_report (luck of seeds), test_bad_input
Ray Tune: restore exactly; stop bad trials early     | test_reliability_kills, test_halving
TensorBoard: everything visible while it runs        | test_tensorboard (live)
"""

import json

import keras
import keras_tuner
import numpy as np
import pytest

from kerasreg.population import Population
from kerasreg.search.oracles import BayesianOracle, surrogate
from kerasreg.search.proposer import Proposer
from kerasreg.search.run import search
from kerasreg.search.space import Choice, Range, Space
from kerasreg.stacks import StackConfig, build_stack
from kerasreg.study import Study

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype(np.float32)
Y = (X[:, 0] + 0.5 * RNG.normal(size=90) > 0).astype(np.int32)
BASE = StackConfig(units=(4,), learning_rate=0.03)


def asked(trials, values=lambda hp: None, **options):
    """A Bayesian proposer over a space of keras-tuner's own, told a smooth score."""
    hyperparameters = keras_tuner.HyperParameters()
    values(hyperparameters)
    oracle = BayesianOracle(
        objective=keras_tuner.Objective("val_data_loss", "min"),
        max_trials=trials,
        hyperparameters=hyperparameters,
        **options,
    )
    return Proposer(oracle)


def score(values) -> float:
    return sum((float(v) - 0.4) ** 2 for v in values.values())


def told(proposer, proposals):
    for trial, values in proposals:
        proposer.tell({"trial": trial, "status": "completed", "score": score(values)})


def test_thirty_trials_on_thirty_points():
    def grid(hp):
        hp.Choice("a", [k / 5 for k in range(6)])
        hp.Choice("b", [k / 4 for k in range(5)])

    proposer, tried = asked(30, grid), []
    while proposals := proposer.propose(1):
        told(proposer, proposals)
        tried += [json.dumps(values, sort_keys=True) for _, values in proposals]
    assert len(tried) == len(set(tried)) == 30


def test_a_round_is_one_fit(monkeypatch):
    def cube(hp):
        for name in "abc":
            hp.Float(name, 0.0, 1.0)

    fits = []
    minimize = surrogate.minimize
    monkeypatch.setattr(
        surrogate, "minimize", lambda *a, **k: (fits.append(1), minimize(*a, **k))[1]
    )
    proposer = asked(24, cube)
    told(proposer, proposer.propose(8))
    assert not fits
    assert len(proposer.propose(8)) == 8
    assert len(fits) == 1


def test_what_is_fixed_is_no_dimension(monkeypatch):
    def mostly_fixed(hp):
        hp.Float("a", 10.0, 20.0)
        for k in range(30):
            hp.Fixed(f"fixed {k}", k)

    seen = []
    fit = BayesianOracle._fit
    monkeypatch.setattr(
        BayesianOracle, "_fit", lambda self, x, y: (seen.append(x), fit(self, x, y))[1]
    )
    proposer = asked(20, mostly_fixed)
    for _ in range(2):
        proposals = proposer.propose(8)
        for trial, values in proposals:
            # All of the space, not the unit interval, and not 99 random trials first.
            assert 10 <= values["a"] <= 20
            proposer.tell({"trial": trial, "status": "completed", "score": values["a"]})
    assert seen[0].shape == (8, 1)


class Crash(Exception):
    """Whatever ends a process."""


def test_a_crash_before_the_first_trial(tmp_path):
    """What was asked and what is to be tried are on the disk before anything is trained."""

    def crash(event):
        if event.phase == "searching" and event.fraction:
            raise Crash

    space = Space({"l2": Range(1e-6, 1e-2, log=True)})
    options = {"space": space, "base": BASE, "trials": 3, "epochs": 2, "out": tmp_path / "s"}
    with pytest.raises(Crash):
        search((X, Y), progress=crash, **options)
    study = Study.open(tmp_path / "s")
    assert study.trials() == []
    ((*proposals,),) = json.loads((study.folder / "proposals.json").read_text())["rounds"]
    finished = search((X, Y), resume=True, **options)
    tried = [(record["trial"], record["hyperparameters"]) for record in finished.trials()]
    assert tried == [tuple(proposal) for proposal in proposals]


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    space = Space({"l2": Choice(0.1, 0.3)})
    return search((X, Y), space=space, base=BASE, trials=2, epochs=4, seeds=2, folds=2,
                  halving=False, out=tmp_path_factory.mktemp("folded") / "s")  # fmt: skip


def test_every_seed_is_kept_and_differs(folded):
    for record in folded.trials():
        assert [m["seed"] for m in record["members"]] == [0, 0, 1, 1]
        scores = [m["score"] for m in record["members"]]
        assert len(set(scores)) == 4
        assert record["score"] == pytest.approx(np.mean(scores))
        assert all(len(m["curves"]["val_data_loss"]) == 4 for m in record["members"])


def test_scores_are_kept_by_fold(folded):
    for record in folded.trials():
        assert [m["fold"] for m in record["members"]] == [0, 1, 0, 1]


def test_the_objective_has_no_penalty(folded):
    for record in folded.trials():
        metrics = record["metrics"]
        assert metrics["penalty"] > 0.05
        assert record["score"] == metrics["val_data_loss"]
        total = metrics["val_data_loss"] + metrics["val_penalty"]
        assert metrics["val_loss"] == pytest.approx(total, rel=1e-6)


def test_a_penalty_is_what_keras_applies():
    """A regularizer set after building does nothing in Keras, and so does nothing here."""
    model = build_stack(BASE.replace(l2=1e-2), 4, 1, "classification", seed=0)
    model.layers[1].kernel_regularizer = keras.regularizers.L2(100.0)
    expected = float(sum(model.losses))
    assert 0 < expected < 1
    population = Population.from_models([model])
    for value in population.members[0].values.values():
        assert value != 100.0
    (member,) = population.fit(X, Y, validation_data=(X, Y), epochs=1, batch_size=90)
    assert member.curves["penalty"][0] == pytest.approx(expected, rel=0.1)


def test_statistics_follow_within_an_epoch():
    """After one epoch of a few steps, validation uses statistics that belong to the weights."""
    config = BASE.replace(normalization="batch", learning_rate=1e-12, units=(8,))
    population = Population([config, config.replace(norm_momentum=0.99)], 4, 1)
    x = 5 + 3 * X
    population.fit(x, Y, validation_data=(x, Y), epochs=1, batch_size=5)
    wanted = (x @ population.member(0).get_layer("dense_1").kernel.numpy()).mean(0)
    error, lag = (
        np.abs(population.member(k).get_layer("norm_1").moving_mean.numpy() - wanted).max()
        / np.abs(wanted).max()
        for k in (0, 1)
    )
    assert error < 0.25 < 0.7 < lag
