"""The answer: baseline, refit, the one reading of the test rows, and what is never chosen."""

import json

import keras
import numpy as np
import pytest
from searching import SMALL, X_TEST, Stop, blobs, line, line_target, small_search, stop_at
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kerasreg.data import Dataset
from kerasreg.errors import UserError
from kerasreg.report import render_report
from kerasreg.search.space import Choice, Range, Space
from kerasreg.study import Study


def read(folder) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0}).Reload()


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

    def test_damaged_candidates_are_one_line(self, tmp_path):
        options = {"trials": 1, "epochs": 1}
        with pytest.raises(Stop):
            small_search(tmp_path / "s", progress=stop_at("baseline"), **options)
        path = tmp_path / "s" / "checkpoints" / "baseline.json"
        for text in ("{}", '{"candidates": 5}', '{"candidates": [{}]}'):
            path.write_text(text)
            with pytest.raises(UserError, match="Delete it"):
                small_search(tmp_path / "s", resume=True, **options)

    def test_an_old_result_never_stands_under_more_trials(self, tmp_path):
        space = Space({"dropout": Range(0.1, 0.5)})
        options = {"epochs": 2, "engine": "keras-tuner", "space": space}
        early = small_search(tmp_path / "s", minutes=1e-9, **options)
        assert (len(early.trials()), early.test_reads) == (1, 1)

        with pytest.raises(Stop):
            small_search(
                tmp_path / "s",
                resume=True,
                reread_test=True,
                progress=stop_at("baseline"),
                **options,
            )
        assert Study.open(tmp_path / "s").result is None
        again = small_search(tmp_path / "s", resume=True, **options)
        assert again.result["best"]["trial"] == again.best()["trial"]
        assert len(again.result["previous"]) == 1
        # Concluded twice in one process: TensorBoard sees the second time only.
        for side in ("best", "baseline"):
            run = again.tensorboard / side
            assert len(list(run.glob("events.*"))) == 1
            tags = read(run).Tags()
            assert any(tag.startswith("activations/") for tag in tags["tensors"])
            epochs = again.result[side]["epochs"]
            assert len(read(run).Scalars("data_loss/validation")) == epochs

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


class TestHonesty:
    def test_the_test_rows_are_not_touched_before_the_end(self, tmp_path, monkeypatch):
        dataset, out = blobs(), tmp_path / "study"
        read = Dataset.read_tests
        moments = []

        def watched(self, views):
            study = Study.open(out)
            # Counted before it happens, after every trial and the whole baseline.
            moments.append((len(study.trials()), study.test_reads))
            assert (
                len(json.loads((study.checkpoints / "baseline.json").read_text())["candidates"])
                == 8
            )
            return read(self, views)

        monkeypatch.setattr(Dataset, "read_tests", watched)
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
        study = small_search(tmp_path / "study", data=line(), trials=2, objective="val_mae")
        model = keras.saving.load_model(study.best_model)
        error = np.abs(model.predict(X_TEST, verbose=0)[:, 0] - line_target(X_TEST)).mean()
        assert study.result["best"]["test"]["mae"] == pytest.approx(error, rel=1e-4)
        assert error > 2  # about the target's unit, not standard deviations
        # Records have that unit too: validation rows are alike to test rows.
        assert 0.2 < study.best()["score"] / error < 5
        assert study.best()["metrics"]["val_mae"] == study.best()["score"]

    def test_a_study_in_another_unit_is_read_and_not_extended(self, tmp_path):
        options = {"data": line(), "objective": "val_mae", "epochs": 1}
        study = small_search(tmp_path / "s", trials=1, **options)
        path = study.folder / "study.json"
        info = json.loads(path.read_text())
        del info["error_unit"]  # as version 0.1 wrote it
        path.write_text(json.dumps(info))
        scale = study.request["dataset"]["target_scale"]
        old = Study.open(study.folder)
        assert old.best()["score"] == pytest.approx(scale * study.best()["score"])
        again = small_search(tmp_path / "s", trials=1, resume=True, **options)
        assert again.result["best"]["score"] == old.best()["score"]
        with pytest.raises(UserError, match=r"kerasreg 0\.1.*begin a new study"):
            small_search(tmp_path / "s", trials=2, resume=True, reread_test=True, **options)
