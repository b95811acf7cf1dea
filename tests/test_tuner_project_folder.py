"""The project folder of a search: interrupted, killed, damaged, opened again."""

import json
from functools import partial

import keras_tuner
import pytest
from tuned import (
    FIT,
    TRAIN,
    make_tuner,
    scores,
    stack,
    statuses,
)

from kerasreg import PopulationTuner, UserError


@pytest.fixture
def tuner(tmp_path):
    """Make a tuner in one project folder."""
    return partial(make_tuner, tmp_path)


@pytest.mark.parametrize("again", ["here", "opened"])
def test_an_interrupted_search_goes_on(tuner, again):
    """Some trials of the first population have ended; the second has not begun."""

    def two_structures(hp):
        return stack(hp).replace(units=(hp.Choice("units", [6, 7]),))

    one = tuner(two_structures, max_trials=6)
    ended = []

    def interrupt(trial):
        PopulationTuner.on_trial_end(one, trial)
        ended.append(trial.trial_id)
        if len(ended) == 2:
            raise KeyboardInterrupt

    one.on_trial_end = interrupt
    with pytest.raises(KeyboardInterrupt):
        one.search(*TRAIN, **FIT)
    del one.on_trial_end
    done = {key: score for key, score in scores(one).items() if score is not None}
    assert sorted(done) == sorted(ended)
    assert not one.oracle.ongoing_trials
    two = one if again == "here" else tuner(two_structures, max_trials=6)
    two.search(*TRAIN, **FIT)
    assert set(statuses(two)) == {"COMPLETED"}
    assert done.items() <= scores(two).items()
    # The same as without the interruption.
    whole = tuner(two_structures, max_trials=6, overwrite=True)
    whole.search(*TRAIN, **FIT)
    assert scores(whole) == scores(two)


def test_another_objective_scores_what_is_stored_anew(tuner):
    one = tuner(objective="val_accuracy")
    one.search(*TRAIN, **FIT)
    two = tuner(objective="val_loss")
    logged = {
        key: trial.metrics.get_best_value("val_loss") for key, trial in one.oracle.trials.items()
    }
    assert scores(two) == logged
    best = two.oracle.get_best_trials(1)[0]
    assert best.score == min(logged.values())
    with pytest.raises(UserError, match="trials that did not log 'val_auc'"):
        tuner(objective=keras_tuner.Objective("val_auc", "max"))


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


def test_a_changed_range_is_said(tuner):
    def narrow(hp):
        return stack(hp).replace(learning_rate=hp.Choice("choice", [0.1, 0.01]))

    def moved(hp):
        return stack(hp).replace(learning_rate=hp.Choice("choice", [0.001, 0.0001]))

    tuner(narrow).save()
    with pytest.warns(UserWarning, match="choice: searched in the range"):
        tuner(moved)
    tuner(narrow)
