"""The search: engines, rounds, resume, baseline, refit, the one reading of the test rows."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as hparams_metadata

from kerasreg.data import Dataset, from_arrays, load
from kerasreg.errors import UserError
from kerasreg.plots import load_inside
from kerasreg.population import TrainingPlan, batch_order
from kerasreg.population.chunk import Chunk
from kerasreg.report import render_report
from kerasreg.search.baseline import _read_candidates
from kerasreg.search.engines import TrainingTask, engine_named, members_of
from kerasreg.search.engines.keras_engine import KerasTunerEngine
from kerasreg.search.from_cli import requested
from kerasreg.search.metrics import measure, predict_logits
from kerasreg.search.request import Request
from kerasreg.search.run import load_requested, run_request, search, train
from kerasreg.search.space import Choice, Range, Space
from kerasreg.search.space.ranges import label
from kerasreg.stacks import StackConfig, build_stack
from kerasreg.study import Study

SMALL = StackConfig(units=(6,))
RNG = np.random.default_rng(0)
CENTRES = RNG.normal(0, 2, (3, 5))
Y = np.arange(150) % 3
X = (CENTRES[Y] + RNG.normal(0, 1.5, (150, 5))).astype(np.float32)
X_TEST, Y_TEST, X, Y = X[:45], Y[:45], X[45:], Y[45:]


def blobs() -> Dataset:
    return from_arrays(X, Y, x_test=X_TEST, y_test=Y_TEST, name="blobs")


def line() -> Dataset:
    target = 100 * (X @ CENTRES[0]) + 7
    return from_arrays(X, target.astype(np.float32), name="line", task="regression")


def small_space() -> Space:
    """Numbers only: one structure, so one compilation."""
    space = Space(
        {"dropout": Range(0.1, 0.5, zero=True), "learning_rate": Range(1e-3, 1e-1, log=True)}
    )
    space.fix("l2", 1e-4)
    return space


def small_search(out, data=None, **options):
    defaults = {"space": small_space(), "base": SMALL, "trials": 3, "epochs": 2, "out": out}
    return search(data or blobs(), **{**defaults, **options})


def timeless(study: Study) -> list[dict]:
    """Records without what depends on the clock."""
    return [{k: v for k, v in record.items() if k != "seconds"} for record in study.trials()]


def scalars(folder) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0}).Reload()


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Study:
    """A finished study: two seeds, three trials."""
    return small_search(tmp_path_factory.mktemp("finished") / "study", seeds=2)


class TestEngines:
    @pytest.mark.parametrize(
        ("folds", "data", "objective"),
        [(0, blobs, "val_data_loss"), (2, blobs, "val_accuracy"), (0, line, "val_mae")],
    )
    def test_population_gives_what_model_fit_gives(self, folds, data, objective):
        task = TrainingTask(
            settings=(
                SMALL.replace(learning_rate=0.01, l2=1e-3),
                SMALL.replace(learning_rate=0.003, normalization="batch"),
            ),
            seeds=(0, 7),
            plan=TrainingPlan(epochs=4, batch_size=16, patience=1, objective=objective),
            folds=folds,
        )
        dataset = data()
        reference = engine_named("keras-tuner").train(task, dataset)
        told = []
        results = engine_named("population").train(
            task, dataset, on_setting=lambda index, members: told.append((index, len(members)))
        )
        members = 2 * max(1, folds)
        assert sorted(told) == [(0, members), (1, members)]
        for ours, theirs in zip(results, reference, strict=True):
            for a, b in zip(ours, theirs, strict=True):
                assert (a.seed, a.fold, a.status, a.epochs) == (b.seed, b.fold, b.status, b.epochs)
                for name, curve in b.curves.items():
                    np.testing.assert_allclose(a.curves[name], curve, rtol=2e-3, atol=2e-4)

    def test_fit_follows_the_batch_order_of_the_contract(self):
        dataset, config = blobs(), SMALL.replace(optimizer="sgd", learning_rate=0.1)
        model = KerasTunerEngine().fit(config, 3, dataset, dataset.train, 3, 16)
        by_hand = build_stack(config, 5, 3, seed=3)
        for epoch in range(3):
            order = batch_order(3, epoch, len(dataset.train))
            for start in range(0, len(order), 16):
                rows = order[start : start + 16]
                by_hand.train_on_batch(dataset.train.x[rows], dataset.train.y[rows])
        for ours, theirs in zip(model.get_weights(), by_hand.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)

    def test_the_setting_stops_when_its_mean_objective_does_not_improve(self):
        # Steps this small cannot improve the accuracy of the first epoch.
        task = TrainingTask(
            settings=(SMALL.replace(learning_rate=1e-12),),
            seeds=(0, 1),
            plan=TrainingPlan(epochs=9, patience=3, objective="val_accuracy"),
        )
        counted = []
        members = KerasTunerEngine().train(task, blobs(), on_epoch=counted.append)[0]
        assert [member.epochs for member in members] == [4, 4]
        assert sum(map(len, counted)) == 8
        own = [float(scores[0]) for scores in counted[::2]]
        assert own == list(members[0].curves["val_accuracy"])

    def test_folds_are_the_datasets(self):
        dataset = blobs()
        task = TrainingTask((SMALL,), (0, 1), TrainingPlan(), folds=3, fold_seed=5)
        parts = list(members_of(task, dataset))
        assert [(seed, fold) for seed, fold, *_ in parts] == [
            (s, f) for s in (0, 1) for f in range(3)
        ]
        for (_, _, rows, validation), fold in zip(parts, dataset.folds(3, 5) * 2, strict=True):
            np.testing.assert_array_equal(rows.x, fold.train.x)
            np.testing.assert_array_equal(validation.y, fold.validation.y)

    @pytest.mark.parametrize("name", ["population", "keras-tuner"])
    def test_settings_that_are_not_asked_for_are_not_trained(self, name):
        settings = tuple(SMALL.replace(learning_rate=r) for r in (0.1, 0.2, 0.3))
        task = TrainingTask(settings, (0,), TrainingPlan(), only=frozenset({1}))
        told = []
        results = engine_named(name).train(
            task, blobs(), on_setting=lambda index, members: told.append(index)
        )
        assert told == [1]
        assert [len(members) for members in results] == [0, 1, 0]
        assert results[1][0].config == settings[1]


class TestMeasuring:
    @pytest.mark.parametrize(
        ("shape", "y", "task", "loss", "reference"),
        [
            ((6, 3), [0, 1, 2, 2, 1, 0], "classification", "mse",
             keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
            ((4, 1), [0, 1, 1, 0], "classification", "mse",
             keras.losses.BinaryCrossentropy(from_logits=True)),
            ((4, 1), [0.5, -1, 3, 0.2], "regression", "mse", keras.losses.MeanSquaredError()),
            ((4, 1), [0.5, -1, 3, 0.2], "regression", "mae", keras.losses.MeanAbsoluteError()),
            ((4, 1), [0.5, -1, 3, 0.2], "regression", "huber", keras.losses.Huber()),
        ],
    )  # fmt: skip
    def test_data_loss_is_keras(self, shape, y, task, loss, reference):
        logits = np.random.default_rng(1).normal(0, 3, shape)
        expected = float(reference(np.reshape(y, (-1, 1)), logits.astype(np.float32)))
        assert measure(logits, np.array(y), task, loss)["data_loss"] == pytest.approx(
            expected, 1e-5
        )

    def test_nothing_finite_comes_of_a_logit_that_is_not(self):
        measured = measure(
            np.array([[0.0, np.inf], [1.0, 2.0]]), np.array([0, 1]), "classification"
        )
        assert math.isnan(measured["data_loss"])
        assert math.isnan(measured["accuracy"])

    def test_huge_logits_have_a_finite_loss(self):
        measured = measure(np.array([[1e30, 0.0]]), np.array([1]), "classification")
        assert measured == {"data_loss": 1e30, "accuracy": 0.0}


class TestStudy:
    def test_it_holds_what_the_contract_says(self, finished):
        folder = finished.folder
        assert {"study.json", "trials.jsonl", "result.json", "best.keras", "tensorboard"} <= {
            path.name for path in folder.iterdir()
        }
        records = finished.trials()
        assert len(records) == 3
        assert all(record["seeds"] == [0, 1] for record in records)
        assert all(record["engine"] == "population" for record in records)
        assert finished.request["dataset"]["fingerprint"] == blobs().fingerprint

    def test_best_and_baseline_stand_beside_each_other(self, finished):
        result = finished.result
        assert result["best"]["trial"] == finished.best()["trial"]
        assert result["class_names"] == ["0", "1", "2"]
        assert result["feature_names"] == ["x0", "x1", "x2", "x3", "x4"]
        for side in ("best", "baseline"):
            assert set(result[side]["test"]) == {"seed", "data_loss", "accuracy", "seeds"}
            assert [item["seed"] for item in result[side]["test"]["seeds"]] == [0, 1]
            assert result[side]["refit_epochs"] == result[side]["chosen_epoch"]

    def test_the_baseline_has_no_regulariser_and_its_own_learning_rate(self, finished):
        result = finished.result
        config = StackConfig.from_dict(result["baseline"]["config"])
        assert config == config.unregularized()
        assert config.units == (6,)
        rates = [c["hyperparameters"]["learning_rate"] for c in result["baseline_candidates"]]
        np.testing.assert_allclose(rates, np.geomspace(1e-3, 1e-1, 8))
        scores = [candidate["score"] for candidate in result["baseline_candidates"]]
        assert result["baseline"]["score"] == min(scores)

    def test_the_exported_model_reproduces_the_test_result_from_raw_rows(self, finished):
        model = keras.saving.load_model(finished.best_model)
        assert not model.compiled
        probabilities = model.predict(X_TEST, verbose=0)
        test = finished.result["best"]["test"]
        assert (probabilities.argmax(1) == Y_TEST).mean() == pytest.approx(test["accuracy"])
        data_loss = -np.log(probabilities[np.arange(45), Y_TEST]).mean()
        assert data_loss == pytest.approx(test["data_loss"], rel=1e-4)

    def test_the_refit_sees_training_and_validation_rows_for_the_chosen_epochs(self, finished):
        best, dataset = finished.result["best"], blobs()
        assert len(dataset.refit) == len(dataset.train) + len(dataset.validation)
        model = engine_named("population").fit(
            StackConfig.from_dict(best["config"]),
            1,
            dataset,
            dataset.refit,
            best["chosen_epoch"],
            32,
        )
        logits = predict_logits(model, dataset.read_test().x)
        measured = measure(logits, Y_TEST, "classification")
        assert measured["data_loss"] == pytest.approx(
            best["test"]["seeds"][1]["data_loss"], rel=1e-5
        )

    def test_train_repeats_a_trial(self, finished, tmp_path):
        record = finished.trials()[1]
        config = small_space().config(record["hyperparameters"], SMALL)
        again = train(blobs(), config, epochs=2, seeds=2, out=tmp_path / "one").trials()
        assert len(again) == 1
        for name, curve in record["curves"].items():
            np.testing.assert_allclose(again[0]["curves"][name], curve, rtol=1e-4, atol=1e-6)

    def test_the_look_inside_reads_back(self, finished):
        inside = load_inside(finished.folder / "inside.npz")
        assert set(inside) == {"baseline", "best"}
        assert set(inside["best"].weights) == {"dense_1", "output"}
        assert inside["best"].activations["activation_1"].counts.sum() > 0
        assert inside["best"].epochs.tolist() == [1, 2]

    def test_finished_twice_changes_nothing(self, finished):
        before = {p: p.read_bytes() for p in finished.folder.glob("*.json*")}
        again = small_search(finished.folder, seeds=2, resume=True)
        assert again.result == finished.result
        assert before == {p: p.read_bytes() for p in finished.folder.glob("*.json*")}

    def test_more_trials_after_the_test_are_refused(self, finished):
        with pytest.raises(UserError, match="--reread-test"):
            small_search(finished.folder, seeds=2, trials=5, resume=True)
        assert len(finished.trials()) == 3

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"epochs": 3}, "epochs"),
            ({"seed": 1}, "seed"),
            ({"objective": "val_accuracy"}, "objective"),
            ({"space": Space.default()}, "space"),
            ({"trials": 2}, "may only grow"),
            ({"data": line()}, "dataset"),
        ],
    )
    def test_resuming_something_else_is_refused_by_name(self, finished, change, named):
        with pytest.raises(UserError, match=named):
            small_search(finished.folder, **{"seeds": 2, "resume": True, **change})


class TestTensorBoard:
    def test_a_trial_has_curves_and_a_session_a_seed(self, finished):
        record = finished.trials()[0]
        run = finished.tensorboard / "trials" / record["trial"]
        curves = scalars(run)
        tags = set(curves.Tags()["scalars"])
        assert {
            "data_loss/train",
            "data_loss/validation",
            "accuracy/gap",
            "penalty/penalty",
        } <= tags
        values = [event.value for event in curves.Scalars("data_loss/validation")]
        np.testing.assert_allclose(values, record["curves"]["val_data_loss"], rtol=1e-6)
        for k, seed in enumerate((0, 1)):
            session = scalars(run / f"s{seed}")
            plugin = session.PluginTagToContent(hparams_metadata.PLUGIN_NAME)
            start = hparams_metadata.parse_session_start_info_plugin_data(
                plugin[hparams_metadata.SESSION_START_INFO_TAG]
            )
            assert start.group_name == record["trial"]
            dropout = start.hparams["dropout"].number_value
            assert dropout == record["hyperparameters"]["dropout"]
            # The chosen epoch's value, not the last one's.
            chosen = record["members"][k]["curves"]["val_data_loss"][record["chosen_epoch"] - 1]
            last = session.Scalars("hparams/val_data_loss")[-1]
            assert (last.value, last.step) == (pytest.approx(chosen), record["chosen_epoch"])

    @pytest.mark.parametrize("side", ["best", "baseline"])
    def test_both_sides_have_activation_histograms(self, finished, side):
        tags = scalars(finished.tensorboard / side).Tags()
        assert any(
            "activation_1" in tag and tag.startswith("activations/") for tag in tags["tensors"]
        )
        assert any(tag.startswith("gradients/") for tag in tags["tensors"])
        assert "data_loss/validation" in tags["scalars"]

    def test_the_experiment_names_its_columns(self, finished):
        plugin = scalars(finished.tensorboard).PluginTagToContent(hparams_metadata.PLUGIN_NAME)
        experiment = hparams_metadata.parse_experiment_plugin_data(
            plugin[hparams_metadata.EXPERIMENT_TAG]
        )
        assert {info.name for info in experiment.hparam_infos} == {"dropout", "learning_rate"}


def test_going_on_under_other_versions_is_said(tmp_path):
    notices = []
    options = {"space": Space({"dropout": Range(0.1, 0.5)}), "epochs": 1, "trials": 2}
    with pytest.raises(Stop):
        small_search(tmp_path / "s", progress=stop_after(1), **options)
    path = tmp_path / "s" / "study.json"
    info = json.loads(path.read_text())
    info["versions"]["keras"] = "2.0"
    path.write_text(json.dumps(info))
    for _ in range(2):  # the second time nothing is left to train
        study = small_search(
            tmp_path / "s",
            resume=True,
            progress=lambda event: notices.append(event.notice),
            **options,
        )
    assert sum("other versions (keras: 2.0" in notice for notice in notices) == 1
    assert len(study.info["other_versions"]) == 1


class Stop(Exception):
    """Stands for whatever ends a search."""


def stop_after(count: int):
    """A progress that ends the search when `count` trials are finished."""
    seen = []

    def progress(event):
        if event.finished and event.phase == "searching":
            seen.append(event)
            if len(seen) == count:
                raise Stop

    return progress


class TestResume:
    @pytest.mark.parametrize("searcher", ["random", "bayesian", "grid"])
    def test_an_interrupted_search_ends_as_an_uninterrupted_one(self, tmp_path, searcher):
        options = {"searcher": searcher, "trials": 11, "epochs": 1, "space": small_space()}
        if searcher == "grid":
            options["space"] = Space(
                {"dropout": Choice(0.0, 0.2, 0.4), "l2": Choice(0.0, 1e-4, 1e-3, 1e-2)}
            )
        whole = small_search(tmp_path / "whole", **options)
        with pytest.raises(Stop):
            small_search(tmp_path / "cut", progress=stop_after(5), **options)
        kept = timeless(Study.open(tmp_path / "cut"))
        assert kept == timeless(whole)[:5]
        resumed = small_search(tmp_path / "cut", resume=True, **options)
        assert timeless(resumed) == timeless(whole)
        assert resumed.result["best"]["test"] == whole.result["best"]["test"]
        assert resumed.test_reads == 1

    def test_no_setting_is_tried_twice_and_a_small_space_ends_early(self, tmp_path):
        notices = []
        study = small_search(
            tmp_path / "study",
            space=Space({"dropout": Choice(0.0, 0.3), "l2": Choice(0.0, 1e-3)}),
            searcher="bayesian",
            trials=9,
            epochs=1,
            progress=lambda event: notices.append(event.notice),
        )
        tried = [json.dumps(record["hyperparameters"]) for record in study.trials()]
        assert len(tried) == len(set(tried)) == 4
        assert any("no more than 4" in notice for notice in notices)
        assert small_search(
            tmp_path / "study",
            space=Space({"dropout": Choice(0.0, 0.3), "l2": Choice(0.0, 1e-3)}),
            searcher="bayesian",
            trials=9,
            epochs=1,
            resume=True,
        ).test_reads == 1  # fmt: skip

    def test_extending_reads_the_test_again_only_when_told(self, tmp_path):
        options = {"epochs": 1, "searcher": "bayesian"}
        small_search(tmp_path / "study", trials=2, **options)
        longer = small_search(
            tmp_path / "study", trials=4, resume=True, reread_test=True, **options
        )
        assert len(longer.trials()) == 4
        assert longer.test_reads == 2
        assert len(longer.result["previous"]) == 1

    def test_settings_to_try_come_first(self, tmp_path):
        study = small_search(tmp_path / "study", try_first=[{"dropout": 0.25}], trials=2, epochs=1)
        assert study.trials()[0]["hyperparameters"]["dropout"] == 0.25

    def test_the_time_budget_ends_the_search_and_the_study_is_finished(self, tmp_path):
        notices = []
        study = small_search(
            tmp_path / "study",
            engine="keras-tuner",
            space=Space({"dropout": Range(0.1, 0.5)}),
            epochs=1,
            minutes=1e-9,
            progress=lambda event: notices.append(event.notice),
        )
        assert len(study.trials()) == 1
        assert any("Time is up: 1 of 3" in notice for notice in notices)
        assert study.result["best"]["test"]["accuracy"] is not None

    @pytest.mark.parametrize(
        ("space", "at_once", "recorded"),
        [
            # What trains together is finished and recorded, every member of it; here all trials,
            ({"dropout": Range(0.1, 0.5)}, None, 4),
            # those of one structure,
            ({"dropout": Choice(0.0, 0.1, 0.3), "normalization": Choice("none", "batch")}, None, 3),
            # or as many as fit into memory at once.
            ({"dropout": Range(0.1, 0.5)}, 1, 1),
        ],
    )
    def test_what_has_begun_when_time_is_up_is_recorded(
        self, tmp_path, monkeypatch, space, at_once, recorded
    ):
        if at_once:
            monkeypatch.setattr("kerasreg.population.engine.CHUNK_BYTES", at_once)
        notices = []
        options = {
            "space": Space(space),
            "searcher": "grid" if "normalization" in space else "random",
            "trials": 6 if "normalization" in space else 4,
            "epochs": 1,
        }
        study = small_search(
            tmp_path / "study",
            minutes=1e-9,
            progress=lambda event: notices.append(event.notice),
            **options,
        )
        assert len(study.trials()) == recorded
        assert sum("no more is begun" in notice for notice in notices) == 1
        late = f"Time is up: {recorded} of {options['trials']}"
        assert any(late in notice for notice in notices) == (recorded < options["trials"])
        # What was left out is trained by a second sitting that may read the test rows again.
        again = small_search(tmp_path / "study", resume=True, reread_test=True, **options)
        assert len(again.trials()) == options["trials"]


class TestWhereTheDataComeFrom:
    def test_a_loaded_data_set_is_remembered_by_its_arguments(self, tmp_path, monkeypatch):
        path = tmp_path / "blobs.npz"
        np.savez(path, x=X, y=Y)
        monkeypatch.chdir(tmp_path)
        data = load("blobs.npz", split_seed=3, fractions=(0.5, 0.25, 0.25))
        assert data.source == {
            "name_or_path": str(path), "split_seed": 3, "fractions": (0.5, 0.25, 0.25)
        }  # fmt: skip
        assert load("iris").source == {"name_or_path": "iris"}
        assert "source" not in data.describe()
        options = {"space": Space({"dropout": Range(0.1, 0.5)}), "epochs": 1, "trials": 1}
        study = small_search(tmp_path / "s", data=data, **options)
        # The command line finds the data again; so does Python, and with the same rows as arrays.
        request = Request.of_study(study)
        assert load_requested(request).fingerprint == data.fingerprint
        assert run_request(request, study.folder, resume=True).trials() == study.trials()
        same = from_arrays(X, Y, split_seed=3, fractions=(0.5, 0.25, 0.25), name="blobs.npz")
        small_search(tmp_path / "s", data=same, resume=True, **options)
        code = render_report(study.folder).read_text()
        assert "fractions=(0.5, 0.25, 0.25)" in code
        assert "from_arrays" not in code


class TestConclusion:
    def test_the_baseline_has_the_winners_shape_and_a_new_winner_gets_its_own(self, tmp_path):
        options = {
            # One unit cannot tell three classes apart.
            "space": Space({"units": Choice((1,), (24,)), "optimizer": Choice("adam")}),
            "base": SMALL.replace(learning_rate=0.05, optimizer="sgd"),
            "searcher": "grid",
            "try_first": [{"units": (1,)}],
            "epochs": 3,
        }
        first = small_search(tmp_path / "s", trials=1, **options).result
        assert first["best"]["config"]["units"] == [1]
        longer = small_search(tmp_path / "s", trials=2, resume=True, reread_test=True, **options)
        for result, units in ((first, [1]), (longer.result, [24])):
            assert result["best"]["config"]["units"] == units
            assert result["baseline"]["config"]["units"] == units
            assert result["baseline"]["config"]["optimizer"] == "adam"
        assert first["baseline"]["score"] != longer.result["baseline"]["score"]

    @pytest.mark.parametrize("text", ["{}", '{"candidates": 5}', '{"candidates": [{}]}'])
    def test_damaged_candidates_are_one_line(self, tmp_path, text):
        path = tmp_path / "baseline.json"
        path.write_text(text)
        with pytest.raises(UserError, match="Delete it"):
            _read_candidates(path, SMALL)

    def test_an_old_result_never_stands_under_more_trials(self, tmp_path, monkeypatch):
        space = Space({"dropout": Range(0.1, 0.5)})
        options = {"epochs": 2, "engine": "keras-tuner", "space": space}
        early = small_search(tmp_path / "s", minutes=1e-9, **options)
        assert (len(early.trials()), early.test_reads) == (1, 1)

        def interrupted(work):
            raise Stop

        with monkeypatch.context() as patch:
            patch.setattr("kerasreg.search.run.conclude", interrupted)
            with pytest.raises(Stop):
                small_search(tmp_path / "s", resume=True, reread_test=True, **options)
        assert Study.open(tmp_path / "s").result is None
        again = small_search(tmp_path / "s", resume=True, **options)
        assert again.result["best"]["trial"] == again.best()["trial"]
        assert len(again.result["previous"]) == 1
        # Concluded twice in one process: TensorBoard sees the second time only.
        for side in ("best", "baseline"):
            run = again.tensorboard / side
            assert len(list(run.glob("events.*"))) == 1
            tags = scalars(run).Tags()
            assert any(tag.startswith("activations/") for tag in tags["tensors"])
            epochs = again.result[side]["epochs"]
            assert len(scalars(run).Scalars("data_loss/validation")) == epochs

    def test_the_test_rows_stay_unread_where_no_trial_has_a_score(self, tmp_path):
        dataset = line()
        study = small_search(
            tmp_path / "s",
            data=dataset,
            base=SMALL.replace(optimizer="sgd", learning_rate=1e-3),
            space=Space({"l2": Choice(1e30, 1e31)}),
            searcher="grid",
            trials=2,
        )
        assert {record["status"] for record in study.trials()} == {"diverged"}
        assert study.result["best"] is None
        assert study.result["baseline"]["score"] is not None
        assert "test" not in study.result["baseline"]
        assert (study.test_reads, dataset.test_reads) == (0, 0)
        page = render_report(study.folder).read_text()
        assert "No trial has a score, so there was nothing to test" in page


class TestFailures:
    """One setting's failure is one trial's result."""

    @pytest.mark.filterwarnings("ignore:Out of memory with 2 members")
    def test_what_does_not_fit_into_memory_alone_has_failed(self, tmp_path, monkeypatch):
        train_epoch = Chunk.train_epoch

        def little_memory(chunk):
            if any(member.config.units == (7,) for member in chunk.members):
                raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
            train_epoch(chunk)

        monkeypatch.setattr(Chunk, "train_epoch", little_memory)
        space = Space({"units": Choice((7,), (6,)), "l2": Choice(0.0, 1e-3)})
        study = small_search(tmp_path / "s", space=space, searcher="grid", trials=4, epochs=1)
        records = {
            (r["hyperparameters"]["units"], r["hyperparameters"]["l2"]): r for r in study.trials()
        }
        assert {key[0]: r["status"] for key, r in records.items()} == {
            "6": "completed",
            "7": "failed",
        }
        assert len(records) == 4
        assert "Out of memory" in records["7", 0.0]["error"]
        assert records["7", 0.0]["seeds"] == [0]
        assert study.result["best"]["config"]["units"] == [6]

    def test_what_cannot_be_built_has_failed(self, tmp_path):
        # As a study may hold it that was begun before spaces were checked.
        study = small_search(tmp_path / "s", trials=3, epochs=1, minutes=1e-9, engine="keras-tuner")
        path = study.folder / "proposals.json"
        text = path.read_text()
        pending = json.loads(text)["rounds"][0][1]
        pending[1]["dropout"] = 1.5
        rounds = json.loads(text)
        rounds["rounds"][0][1] = pending
        path.write_text(json.dumps(rounds))
        again = small_search(
            tmp_path / "s", trials=3, epochs=1, engine="keras-tuner", resume=True, reread_test=True
        )
        by_trial = {record["trial"]: record["status"] for record in again.trials()}
        assert sorted(by_trial.values()) == ["completed", "completed", "failed"]
        assert by_trial[pending[0]] == "failed"

    def test_a_full_disk_is_no_trials_fault(self, tmp_path, monkeypatch):
        def full(*arguments):
            try:
                raise tf.errors.ResourceExhaustedError(None, None, "x; No space left on device")
            except tf.errors.ResourceExhaustedError as error:
                raise UserError("Cannot write event files") from error

        monkeypatch.setattr("kerasreg.search.tensorboard.write_trial", full)
        with pytest.raises(UserError, match="event files"):
            small_search(tmp_path / "s", epochs=1)
        assert [record["status"] for record in Study.open(tmp_path / "s").trials()] == ["completed"]

    @pytest.mark.parametrize(
        ("varied", "named"),
        [
            ({"normalization": Choice("none", "group")}, "normalization=group"),
            ({"dropout": Choice((0.1, 0.2), 0.5)}, "dropout=0.1x0.2"),
            (
                {"units": Choice((8,), (8, 8)), "l1": Choice(0.0, (1e-3, 1e-3))},
                "units=8x8 with l1=0.001x0.001",
            ),
        ],
    )
    def test_choices_that_do_not_go_together_are_refused_before_anything_is_written(
        self, tmp_path, varied, named
    ):
        with pytest.raises(UserError, match=named):
            small_search(tmp_path / "s", space=Space(varied))
        assert not (tmp_path / "s").exists()

    def test_a_list_of_the_base_may_give_way_to_a_range(self):
        base = StackConfig(units=(8, 8), dropout=(0.1, 0.2))
        Space({"units": Choice((4,), (4, 4)), "dropout": Range(0.1, 0.5)}).check(base)


class TestHonesty:
    def test_the_test_rows_are_not_touched_before_the_end(self, tmp_path, monkeypatch):
        dataset, out = blobs(), tmp_path / "study"
        read = Dataset.read_test
        moments = []

        def watched(self):
            study = Study.open(out)
            # Counted before it happens, after every trial and the whole baseline.
            moments.append((len(study.trials()), study.test_reads))
            assert (
                len(json.loads((study.checkpoints / "baseline.json").read_text())["candidates"])
                == 8
            )
            return read(self)

        monkeypatch.setattr(Dataset, "read_test", watched)
        small_search(out, data=dataset, epochs=1)
        assert moments == [(3, 1)]
        assert dataset.test_reads == 1

    def test_a_diverged_trial_is_never_best(self, tmp_path):
        study = small_search(
            tmp_path / "study",
            data=line(),
            base=SMALL.replace(optimizer="sgd", activation="linear"),
            space=Space({"learning_rate": Choice(0.01, 1e9)}),
            searcher="grid",
            trials=2,
        )
        by_rate = {r["hyperparameters"]["learning_rate"]: r for r in study.trials()}
        assert by_rate[1e9]["status"] == "diverged"
        assert by_rate[1e9]["score"] is None
        assert study.result["best"]["hyperparameters"]["learning_rate"] == 0.01
        assert "NaN" not in (study.folder / "trials.jsonl").read_text()

    def test_all_diverged_is_a_clear_result(self, tmp_path):
        study = small_search(
            tmp_path / "study",
            data=line(),
            base=SMALL.replace(optimizer="sgd", activation="linear", learning_rate=1e9),
            space=Space({"l2": Choice(0.0, 1.0)}),
            searcher="grid",
            trials=2,
        )
        assert {record["status"] for record in study.trials()} == {"diverged"}
        assert study.result["best"] is None
        assert study.result["baseline"] is None
        assert study.test_reads == 0
        assert not study.best_model.exists()

    def test_regression_is_tested_in_the_targets_own_unit(self, tmp_path):
        dataset = line()
        study = small_search(tmp_path / "study", data=dataset, trials=2, objective="val_mae")
        model = keras.saving.load_model(study.best_model)
        # line() splits as the search's data set did: the rows are found by their fingerprint.
        raw, target = dataset._test.read()
        error = np.abs(model.predict(raw, verbose=0)[:, 0] - target).mean()
        assert study.result["best"]["test"]["mae"] == pytest.approx(error, rel=1e-4)
        assert error > 2  # about the target's unit, not standard deviations


class TestRequest:
    def test_what_a_space_holds_fixed_is_part_of_the_base(self):
        space = Space({"dropout": Choice(0.0, 0.5)})
        space.fix("l2", 0.5)
        request = Request(data=None, space=space.to_dict())
        assert request.base["l2"] == 0.5
        assert request.config({"dropout": 0.5}).l2 == 0.5

    def test_a_setting_to_try_is_completed_from_the_base(self):
        given = {"try_first": ["l2=0.001"], "space": ["weight_decay=0.01:0.1:log:zero"]}
        given["fix"] = ["dropout=0.5", "l1=0"]
        request = requested("search", given, {"weight_decay": 0.05, "learning_rate": 0.02})
        (tried,) = request.try_first
        assert tried["weight_decay"] == 0.05
        assert tried["learning_rate"] == 0.02
        assert (tried["l2"], tried["input_dropout"]) == (0.001, 0.0)

    def test_every_field_that_a_search_varies_can_be_set_for_training(self):
        values = {
            "initial_scale": 0.5, "rho": 0.8, "norm_momentum": 0.99, "norm_epsilon": 1e-5,
            "initial_accumulator": 0.2, "penalize_output": False, "units": (6, 7),
            "dropout": (0.1, 0.2),
        }  # fmt: skip
        texts = [f"{name}={label(value)}" for name, value in values.items()]
        request = requested("train", {"set": texts}, {"l2": 0.25})
        assert request.config({}) == StackConfig(l2=0.25, **values)

    @pytest.mark.parametrize(
        ("text", "words"),
        [("rho", "NAME=VALUE"), ("rhoo=1", "rho"), ("rho=x", "number"), ("l2=1", "twice")],
    )
    def test_a_wrong_set_is_one_line(self, text, words):
        with pytest.raises(UserError, match=f"--set: .*{words}"):
            requested("train", {"set": [text]}, {"l2": 0.25})

    def test_an_edit_given_again_is_no_difference(self):
        edits, fixed = ["l2=1e-6:1e-2:log", "dropout=0.1,0.5"], ["l1=0", "normalization=none"]
        stored = requested("search", {"space": edits, "fix": fixed}, {})
        for part in ({"space": edits}, {"space": edits[1:]}, {"fix": fixed[:1]}):
            assert requested("search", part, {}, stored) == stored
        assert requested("search", {"fix": ["l1=0.5"]}, {}, stored) != stored

    @pytest.mark.parametrize(
        "name", ["seed", "trials", "epochs", "seeds", "folds", "patience", "batch_size"]
    )
    def test_numbers_that_no_file_holds_are_refused(self, name):
        with pytest.raises(UserError, match="expected a whole number from"):
            Request(data=None, space=small_space().to_dict(), **{name: 99999999999999999999})

    def test_a_study_of_another_verb_is_not_resumed(self):
        stored = requested("train", {}, {})
        with pytest.raises(UserError, match="begun by kerasreg train"):
            requested("search", {}, {}, stored)

    @pytest.mark.parametrize(
        "damage",
        [
            {"try_first": 5},
            {"try_first": [5]},
            {"data": 5},
            {"data": {"foo": 1}},
            {"data": {"name_or_path": 5}},
            {"data": {"name_or_path": "a\0.csv"}},
            {"data": {"name_or_path": "digits", "fractions": 5}},
            {"space": 5},
            {"space": {"varied": {"l2": {"choices": 5}}, "fixed": {}}},
            {"base": 5},
            {"base": {"units": "x"}},
            {"base": {"groups": 2**70}},
            {"halving": "x"},
            {"trials": "x"},
            {"objective": []},
        ],
    )
    def test_wrong_types_in_a_study_are_one_line(self, finished, damage):
        with pytest.raises(UserError) as caught:
            Request.from_dict({**Request.of_study(finished).to_dict(), **damage})
        assert len(str(caught.value)) < 300

    @pytest.mark.parametrize("text", ["edited", "missing"])
    def test_an_edited_study_is_one_line(self, finished, tmp_path, text):
        asked = {"data": None, "surprise": 1} if text == "edited" else {"trials": 3}
        study = Study.create(tmp_path / "study", asked)
        with pytest.raises(UserError, match="edited or damaged"):
            Request.of_study(study)
