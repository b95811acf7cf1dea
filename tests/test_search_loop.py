"""The loop: resuming, time, small spaces, and settings that fail."""

import json

import pytest
import tensorflow as tf
from searching import Stop, small_search, small_space, stop_after, timeless

from kerasreg.errors import UserError
from kerasreg.search.engines import OutOfMemory, WorkerLost
from kerasreg.search.engines.population_engine import PopulationEngine
from kerasreg.search.space import Choice, Range, Space
from kerasreg.stacks import StackConfig
from kerasreg.study import Study


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
            monkeypatch.setattr("kerasreg.population.sizes.COHORT_BYTES", at_once)
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


class TestFailures:
    """One setting's failure is one trial's result."""

    @pytest.mark.parametrize("error", [OutOfMemory("Out of memory."), WorkerLost("Lost 4 times.")])
    def test_what_cannot_be_trained_alone_has_failed(self, error, tmp_path, monkeypatch):
        class LittleMemory(PopulationEngine):
            """Fails wherever a stack of seven units is trained."""

            def train(self, task, *arguments):
                if any(task.settings[index].units == (7,) for index in task.wanted):
                    raise error
                return super().train(task, *arguments)

        monkeypatch.setattr("kerasreg.search.run.engine_named", lambda name: LittleMemory())
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
        assert records["7", 0.0]["error"] == str(error)
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
