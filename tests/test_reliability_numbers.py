"""Numbers that are not numbers: marked, kept out of what is learned from, explained, never best.

What goes wrong                          | shown by
-----------------------------------------|------------------------------------------------------
learning rate 1e6, L2 1e6                | `TestTrials` on both engines
... a member's neighbours                | test_population_randomness (one that diverges)
... told to no surrogate                 | `test_the_surrogate_sees_no_diverged_score`; test_oracles
... in the report                        | `test_the_report_says_why`
inputs of 1e30                           | `TestInputs`; test_data (any unit, same features)
NaN in one feature of one row            | `test_nan_*`; test_bad_input, test_data_files
constant features                        | `TestInputs`; test_data
one sample in a batch under batch norm   | `test_one_sample_in_a_batch_under_batch_normalisation`
a class missing from validation          | `test_a_class_missing_from_validation`
labels all equal                         | `test_equal_labels_are_refused`; test_bad_input
every metric                             | `TestMetrics`, against scikit-learn's
float16-range and subnormal inputs       | `TestInputs`
"""

import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, mean_squared_error

from kerasreg.data import Split, from_arrays, load
from kerasreg.errors import UserError
from kerasreg.population import Population, TrainingPlan
from kerasreg.report import render_report
from kerasreg.search import proposer as proposer_module
from kerasreg.search.engines import TrainingTask, engine_named
from kerasreg.search.metrics import measure
from kerasreg.search.oracles import BayesianOracle
from kerasreg.search.run import search
from kerasreg.search.space import Choice, Space
from kerasreg.stacks import StackConfig

RNG = np.random.default_rng(0)
Y = np.arange(150) % 3
X = (RNG.normal(size=(150, 4)) + 2 * np.eye(4)[Y]).astype(np.float32)
SMALL = StackConfig(units=(4,), optimizer="sgd", learning_rate=0.1)
ENGINES = ("population", "keras-tuner")


def line():
    return from_arrays(X, X[:, 0] * 3 + 1, task="regression")


def trained(engine, dataset, *settings, **options):
    plan = TrainingPlan(**{"epochs": 2, "batch_size": 16, **options})
    return engine_named(engine).train(TrainingTask(settings, (0,), plan), dataset)


@pytest.fixture(scope="module", params=ENGINES)
def study(request, tmp_path_factory):
    """A search whose space holds what no network survives."""
    return search(
        line(),
        space=Space({"learning_rate": Choice(0.01, 1e6), "l2": Choice(0.0, 1e6)}),
        base=SMALL.replace(activation="linear"),
        searcher="grid",
        trials=4,
        epochs=6,
        folds=0,
        engine=request.param,
        out=tmp_path_factory.mktemp("study") / request.param,
    )


class TestTrials:
    def test_they_are_marked_and_have_no_score(self, study):
        for record in study.trials():
            values = record["hyperparameters"]
            bad = values["learning_rate"] > 1 or values["l2"] > 1
            assert record["status"] == ("diverged" if bad else "completed"), values
            assert (record["score"] is None) == bad
            assert bad == any(None in curve for curve in record["curves"].values())
        assert "NaN" not in (study.folder / "trials.jsonl").read_text()
        assert "Infinity" not in (study.folder / "trials.jsonl").read_text()

    def test_they_are_never_best_and_not_contagious(self, study):
        best = study.result["best"]
        assert best["hyperparameters"] == {"learning_rate": 0.01, "l2": 0.0}
        config = StackConfig.from_dict(best["config"])
        ((member,),) = trained(study.request["engine"], line(), config, epochs=6, batch_size=32)
        for name, curve in member.curves.items():
            # Records have absolute errors in the target's unit, members in standard deviations.
            unit = line().target_scale if name.endswith("mae") else 1.0
            np.testing.assert_allclose(best["curves"][name], unit * curve, rtol=1e-5, atol=1e-7)

    def test_the_baseline_that_diverges_at_one_rate_takes_the_other(self, study):
        statuses = [c["status"] for c in study.result["baseline_candidates"]]
        assert sorted(statuses) == ["completed", "diverged"]
        assert math.isfinite(study.result["baseline"]["score"])

    def test_the_report_says_why(self, study):
        page = render_report(study.folder).read_text()
        assert page.count('data-status="diverged"') == 3
        assert page.count("a number was not finite in epoch") == 3


def test_the_surrogate_sees_no_diverged_score(tmp_path, monkeypatch):
    """A whole Bayesian search: what the process is fitted to are finished trials' own scores."""
    seen = []
    fit = BayesianOracle._fit
    monkeypatch.setattr(
        BayesianOracle, "_fit", lambda self, x, y: (seen.append(y), fit(self, x, y))[1]
    )
    told = []
    tell = proposer_module.Proposer.tell
    monkeypatch.setattr(
        proposer_module.Proposer, "tell", lambda self, r: (told.append(r), tell(self, r))[1]
    )
    rates = (0.001, 0.003, 0.01, 0.03, 0.1, 1e8, 1e9, 1e10, 1e11, 1e12)
    study = search(
        line(),
        space=Space({"learning_rate": Choice(*rates)}),
        base=SMALL.replace(activation="linear"),
        searcher="bayesian",
        trials=9,
        epochs=3,
        folds=0,
        out=tmp_path / "study",
    )
    diverged = [r for r in told if r["status"] == "diverged"]
    assert diverged
    assert len(told) == 9
    assert seen
    assert all(np.isfinite(y).all() for y in seen)
    # keras-tuner gave the worst of all scores the standing of a perfect one.
    oracle_scores = {r["trial"]: r["score"] for r in study.trials()}
    assert all(oracle_scores[r["trial"]] is None for r in diverged)
    assert study.best()["status"] == "completed"


class TestInputs:
    @pytest.mark.parametrize(
        ("change", "dtype"),
        [
            (lambda x: x * 1e30, np.float32),
            (lambda x: x * 1e-37, np.float32),
            (lambda x: x * 6e3, np.float16),
            (lambda x: x * 1e-5, np.float16),  # subnormal as float16
            (lambda x: np.column_stack([x, np.full(len(x), 7.0)]), np.float32),
            (lambda x: np.column_stack([x, np.where(np.arange(len(x)) == 9, 1e30, 0)]), np.float64),
        ],
        ids=["1e30", "1e-37", "large halves", "tiny halves", "constant", "one of 1e30"],
    )
    def test_they_are_learned_from_as_ever(self, change, dtype):
        dataset = from_arrays(change(X.astype(np.float64)).astype(dtype), Y)
        ((member,),) = trained(
            "population", dataset, SMALL.replace(normalization="batch"), epochs=5, batch_size=8
        )
        assert member.status == "completed"
        assert member.curves["accuracy"][-1] > 0.7
        assert member.curves["val_accuracy"][-1] > 0.55

    def test_an_exported_model_takes_the_raw_tiny_rows(self, tmp_path):
        x = (X * 1e-37).astype(np.float32)
        study = search(
            from_arrays(x, Y, x_test=x[:60], y_test=Y[:60]),
            space=Space({"l2": Choice(0.0, 1e-4)}),
            base=SMALL,
            trials=2,
            epochs=4,
            folds=0,
            out=tmp_path / "study",
        )
        model = keras.saving.load_model(study.best_model)
        share = (model.predict(x[:60], verbose=0).argmax(1) == Y[:60]).mean()
        assert share == pytest.approx(study.result["best"]["test"]["accuracy"])
        assert share > 0.5

    @pytest.mark.parametrize("scale", [1e-39, 1e-44, 1e-310])
    def test_what_float32_cannot_tell_apart_is_refused_with_the_remedy(self, scale):
        with pytest.raises(UserError, match=r"smaller than 1e-37.*multiply"):
            from_arrays(X.astype(np.float64) * scale, Y)

    def test_nan_in_one_feature_of_one_row_is_refused_by_its_place(self):
        x = X.copy()
        x[17, 2] = np.nan
        with pytest.raises(UserError, match="row 17, feature 2 is nan"):
            from_arrays(x, Y)

    def test_nan_in_one_feature_of_one_row_of_a_table_is_a_missing_value(self, tmp_path):
        body = [f"{a:.4f},{b:.4f},{'uvw'[y]}" for a, b, y in zip(X[:, 0], X[:, 1], Y, strict=True)]
        body[17] = "NaN,0.5,w"
        (tmp_path / "t.csv").write_text("a,b,kind\n" + "\n".join(body) + "\n")
        dataset = load(tmp_path / "t.csv", target="kind")
        for split in (dataset.train, dataset.validation, dataset.read_test()):
            assert np.isfinite(split.x).all()

    def test_nan_that_reaches_training_all_the_same_is_marked(self):
        """Whoever trains a population by hand gets a status, not a score."""
        x = X.copy()
        x[17, 2] = np.nan
        population = Population([SMALL, SMALL.replace(dropout=0.5)], 4, 3)
        members = population.fit(x, Y, validation_data=(X, Y), epochs=2, batch_size=32)
        assert {member.status for member in members} == {"diverged"}


@pytest.mark.parametrize("count", [33, 20], ids=["the last batch", "every batch"])
def test_one_sample_in_a_batch_under_batch_normalisation(count):
    rows = count * 5 // 3  # of which 3/5 train
    dataset = from_arrays(X[:rows], Y[:rows])
    size = len(dataset.train) - 1 if count == 33 else 1
    config = SMALL.replace(normalization="batch", learning_rate=0.01)
    curves = []
    for engine in ENGINES:
        ((member,),) = trained(engine, dataset, config, epochs=3, batch_size=size)
        assert member.status == "completed"
        curves.append(member.curves["val_data_loss"])
    np.testing.assert_allclose(curves[0], curves[1], rtol=2e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_class_missing_from_validation(engine):
    """Our own splits never make one (test_data); people's might."""
    whole = from_arrays(X, Y)
    present = whole.validation.y != 2
    dataset = SimpleNamespace(
        input_shape=whole.input_shape, outputs=whole.outputs, task=whole.task, train=whole.train,
        validation=Split(whole.validation.x[present], whole.validation.y[present]),
        encoded=lambda encoding: dataset,
    )  # fmt: skip
    ((member,),) = trained(engine, dataset, SMALL, epochs=2)
    assert member.status == "completed"
    assert all(np.isfinite(curve).all() for curve in member.curves.values())
    assert member.curves["val_accuracy"][-1] <= 1


def test_equal_labels_are_refused():
    with pytest.raises(UserError, match="y is constant"):
        from_arrays(X, np.zeros(150, int))
    with pytest.raises(UserError, match="constant"):
        from_arrays(X, np.full(150, 2.5), task="regression")


class TestMetrics:
    """On random predictions, against scikit-learn."""

    @pytest.mark.parametrize("classes", [2, 3, 10])
    def test_measured_classification(self, classes):
        rng = np.random.default_rng(classes)
        y = np.append(np.arange(classes), rng.integers(0, classes, 200))
        logits = rng.normal(0, 3, (len(y), classes if classes > 2 else 1))
        both = logits if classes > 2 else np.column_stack([np.zeros(len(y)), logits])
        exponentials = np.exp(both - both.max(1, keepdims=True))
        shares = exponentials / exponentials.sum(1, keepdims=True)
        measured = measure(logits, y, "classification")
        assert measured["accuracy"] == accuracy_score(y, both.argmax(1))
        assert measured["data_loss"] == pytest.approx(log_loss(y, shares), rel=1e-12)

    def test_measured_regression(self):
        rng = np.random.default_rng(0)
        y, guess = rng.normal(size=90), rng.normal(size=90)
        for loss, reference in (("mse", mean_squared_error), ("mae", mean_absolute_error)):
            measured = measure(guess[:, None], y, "regression", loss)
            assert measured["data_loss"] == pytest.approx(reference(y, guess), rel=1e-12)
            assert measured["mae"] == pytest.approx(mean_absolute_error(y, guess), rel=1e-12)

    @pytest.mark.parametrize(("outputs", "task"), [(1, "classification"), (4, "classification"),
                                                   (1, "regression")])  # fmt: skip
    @pytest.mark.parametrize("weighted", [False, True])
    def test_a_populations_curves(self, outputs, task, weighted):
        """Untrained members (a learning rate of nothing) predict at random."""
        rng = np.random.default_rng(1)
        x = rng.normal(0, 2, (70, 5)).astype(np.float32)
        y = rng.normal(size=70) if task == "regression" else rng.integers(0, max(2, outputs), 70)
        y = y.astype(np.float32 if task == "regression" else np.int32)
        weights = rng.uniform(0.5, 2, 70).astype(np.float32) if weighted else None
        configs = [StackConfig(units=(6,), optimizer="sgd", learning_rate=1e-30, l2=l2, dropout=0.3)
                   for l2 in (0.0, 1e-2)]  # fmt: skip
        population = Population(configs, 5, outputs, task, seeds=[0, 1])
        members = population.fit(
            x, y, validation_data=(x[:40], y[:40]), epochs=1, batch_size=16,
            sample_weight=weights,
        )  # fmt: skip
        for logits, member in zip(population.predict(x).astype(np.float64), members, strict=True):
            loss, metric = _scikit_learn(logits, y, task, weights)
            val_loss, val_metric = _scikit_learn(logits[:40], y[:40], task, None)
            curves = {name: curve[0] for name, curve in member.curves.items()}
            name = "mae" if task == "regression" else "accuracy"
            assert curves["data_loss"] == pytest.approx(loss, rel=1e-5)
            assert curves["val_data_loss"] == pytest.approx(val_loss, rel=1e-5)
            assert curves[name] == pytest.approx(metric, rel=1e-6)
            assert curves[f"val_{name}"] == pytest.approx(val_metric, rel=1e-6)


def _scikit_learn(logits, y, task, weights) -> tuple[float, float]:
    """Loss (weighted, divided by the number of rows, as Keras does) and metric (unweighted)."""
    scale = 1.0 if weights is None else float(weights.mean())
    if task == "regression":
        loss = mean_squared_error(y, logits[:, 0], sample_weight=weights)
        return scale * loss, mean_absolute_error(y, logits[:, 0])
    both = logits if logits.shape[1] > 1 else np.column_stack([0 * logits[:, 0], logits[:, 0]])
    exponentials = np.exp(both - both.max(1, keepdims=True))
    shares = exponentials / exponentials.sum(1, keepdims=True)
    loss = log_loss(y, shares, sample_weight=weights, labels=range(both.shape[1]))
    return scale * loss, accuracy_score(y, both.argmax(1))
