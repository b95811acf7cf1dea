"""A finished study: its folder, its answer, its event files, and going on with it."""

import json

import keras
import numpy as np
import pytest
from searching import (
    SMALL,
    X_TEST,
    Y_TEST,
    Stop,
    blobs,
    line,
    small_search,
    small_space,
    stop_after,
)
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as hparams_metadata

from kerasreg.errors import UserError
from kerasreg.plots import load_inside
from kerasreg.search.engines import engine_named
from kerasreg.search.metrics import measure, predict_outputs
from kerasreg.search.run import train
from kerasreg.search.space import Range, Space
from kerasreg.stacks import StackConfig
from kerasreg.study import Study


def scalars(folder) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0}).Reload()


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Study:
    """A finished study: two seeds, three trials."""
    return small_search(tmp_path_factory.mktemp("finished") / "study", seeds=2)


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
        logits = predict_outputs(model, dataset.read_test().x)
        measured = measure(logits, Y_TEST, "classification")
        assert measured["data_loss"] == pytest.approx(
            best["test"]["seeds"][1]["data_loss"], rel=1e-5
        )

    def test_train_repeats_a_trial(self, finished, tmp_path):
        record = finished.trials()[1]
        config = small_space().config(record["hyperparameters"], SMALL)
        again = train(blobs(), config, epochs=2, seeds=2, folds=0, out=tmp_path / "one").trials()
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
