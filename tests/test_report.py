"""The page of a study: true in every state of it, whole in one file, deaf to hostile names."""

import html
import json
import time

import numpy as np
import pytest
from made_studies import (
    HOSTILE,
    by_accuracy,
    diverged_only,
    empty,
    finished,
    folds,
    hostile,
    make_study,
    one_epoch,
    one_trial,
    record,
    regression,
    running,
    stopped_only,
    without_baseline,
)
from pages import assert_self_contained, embedded, page_of

from kerasreg.errors import UserError
from kerasreg.report import read_study, render_report, row_interval
from kerasreg.stacks import StackConfig


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (finished, "The best of 10 trials used"),
        (running, "Not finished."),
        (empty, "No answer yet: no trial is completed."),
        (diverged_only, "No answer: all 4 trials diverged or failed."),
        (stopped_only, "stopped by halving after epoch 8"),
        (one_trial, "The best of 1 trial used no regularisation at all"),
        (one_epoch, "The best of 4 trials"),
        (without_baseline, "The best of 4 trials"),
        (folds, "over 6 seeds and folds"),
        (regression, "mean absolute error"),
        (by_accuracy, "its validation accuracy is"),
    ],
)
def test_every_state_of_a_study_has_a_page(tmp_path, without_png, state, says):
    folder = tmp_path / "study"
    state(folder)
    page = page_of(render_report(folder))
    assert says in page.text
    assert_self_contained(page)
    for image in page.all("div"):
        if image.get("role") == "img":
            assert len(image["aria-label"]) > 20
    assert "None" not in page.text
    assert "nan" not in page.text.lower().split()


def test_no_study_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match=r"study\.json"):
        render_report(tmp_path)


def test_rendering_takes_no_lock_and_writes_only_page_and_figures(tmp_path):
    study = finished(tmp_path / "study")
    before = {path.name for path in study.folder.iterdir()}
    with study.lock():
        render_report(study.folder)
    assert {path.name for path in study.folder.iterdir()} - before <= {"report.html", "figures"}
    names = {path.stem for path in study.figures.iterdir()}
    assert {"learning_curves", "response_surface", "slices", "activations", "weights"} <= names
    assert {path.suffix for path in study.figures.iterdir()} == {".png", ".svg"}


def test_the_page_says_which_number_to_believe(tmp_path, without_figures):
    finished(tmp_path / "study", count=3)
    page = page_of(render_report(tmp_path / "study"))
    assert "This is the winner's curse." in page.text
    assert "read once" in page.text
    assert "the honest number is the test accuracy of 95.0 % on 400 rows" in page.text


def test_a_second_reading_of_the_test_rows_is_told(tmp_path, without_figures):
    study = finished(tmp_path / "study", count=3)
    study.count_test_read(reread_test=True)
    page = page_of(render_report(study.folder))
    assert "were read 2 times" in page.text
    assert "more than once makes it a little optimistic" in page.text


def test_one_seed_has_no_interval_and_the_page_says_so(tmp_path, without_figures):
    finished(tmp_path / "study", count=3, seeds=(0,))
    assert "no interval over seeds" in page_of(render_report(tmp_path / "study")).text


def test_table_lists_every_trial_best_first_with_reasons(tmp_path, without_figures):
    study = finished(tmp_path / "study")
    page = page_of(render_report(study.folder))
    rows = [a["id"] for a in page.all("tr") if a.get("id", "").startswith("trial-")]
    trials = study.trials()
    scored = sorted((t["score"], k) for k, t in enumerate(trials) if t["score"] is not None)
    assert rows == [f"trial-{k}" for _, k in scored] + ["trial-8", "trial-9"]
    assert "a number was not finite in epoch 8" in page.text
    assert "RuntimeError: out of <b>luck</b>" in page.text
    curves = embedded(page)["trials"]
    assert [trial["id"] for trial in curves] == [trial["trial"] for trial in trials]
    np.testing.assert_allclose(
        curves[0]["curves"]["val_data_loss"], trials[0]["curves"]["val_data_loss"], rtol=1e-3
    )
    assert curves[8]["curves"]["val_data_loss"][-1] is None


def test_the_code_to_paste_gives_the_best_stack(tmp_path, without_figures):
    asked = {"data": {"name_or_path": "a'b.csv", "target": 0, "header": False}}
    study = finished(tmp_path / "study", count=4, asked=asked)
    page = page_of(render_report(study.folder))
    start = page.source.index("from kerasreg import StackConfig")
    code = html.unescape(page.source[start : page.source.index("</code>", start)])
    calls = []
    parts = code.replace("from kerasreg import StackConfig, build_stack, load", "")
    loaded = type("Data", (), {"input_shape": (4,), "outputs": 3, "task": "classification"})
    scope = {
        "StackConfig": StackConfig,
        "load": lambda *args, **how: calls.append((args, how)) or loaded,
        "build_stack": lambda *args, **how: calls.append((args, how)),
    }
    exec(parts, scope)
    wanted = StackConfig(units=(16, 16)).replace(**study.best()["hyperparameters"])
    assert scope["config"] == wanted
    assert calls[0] == (("a'b.csv",), {"target": 0, "header": False})
    assert calls[1][1] == {"task": "classification", "seed": 0}


def test_hostile_names_are_text(tmp_path, without_figures):
    hostile(tmp_path / "study")
    page = page_of(render_report(tmp_path / "study"))
    assert_self_contained(page)
    assert len(page.all("script")) == 2
    assert page.all("img") == []
    for name in HOSTILE:
        assert " ".join(name.split()) in page.text


# Size


def test_a_report_of_200_trials_is_small(tmp_path, record_property):
    finished(tmp_path / "study", count=198, seeds=(0, 1))
    started = time.process_time()
    path = render_report(tmp_path / "study")
    record_property("seconds of a report of 200 trials", time.process_time() - started)
    assert path.stat().st_size < 3_000_000
    assert len(embedded(page_of(path))["trials"]) == 200


def test_long_curves_are_thinned(tmp_path, without_figures):
    make_study(tmp_path / "study", [record("t0", {"dropout": 0.1}, epochs=1000)])
    curves = embedded(page_of(render_report(tmp_path / "study")))["trials"][0]["curves"]
    assert curves["_step"] == 13
    assert len(curves["val_data_loss"]) == 77


# What a page says besides


@pytest.mark.parametrize(
    ("asked", "folder", "said"),
    [
        ({}, "study", "kerasreg search --resume --out study<"),
        ({"command": "train"}, "a b/study", "kerasreg train --resume --out &#39;a b/study&#39;<"),
        (
            {"data": None, "command": "train"},
            "study",
            "in Python with the data and the arguments of the first time: "
            "<code><bdi>kerasreg.train_stack(..., out=&#39;study&#39;, resume=True)<",
        ),
    ],
)
def test_how_to_go_on_is_what_would_go_on(
    tmp_path, monkeypatch, without_figures, asked, folder, said
):
    monkeypatch.chdir(tmp_path)
    make_study(tmp_path / folder, asked=asked)
    assert said in render_report(folder).read_text()


def test_other_versions_are_said(tmp_path, without_figures):
    study = make_study(tmp_path / "s")
    info = study.info
    info["other_versions"] = [{"at": "2026-01-02T03:04:05+00:00", "changes": ["keras: 3.1 → 3.2"]}]
    (study.folder / "study.json").write_text(json.dumps(info))
    text = render_report(study.folder).read_text()
    assert "other versions (<bdi>keras: 3.1 → 3.2</bdi>)" in text


@pytest.mark.parametrize(
    "damage",
    [
        {"data": 5},
        {"dataset": "x"},
        {"dataset": {"target_scale": "x"}},
        {"dataset": {"rows": {"test": "x"}}},
        {"dataset": {"notes": 5}},
        {"base": 5},
        {"objective": "x"},
        {"trials": "x"},
        {"seed": "x"},
    ],
)
def test_a_study_of_wrong_types_is_one_line(tmp_path, damage):
    study = make_study(tmp_path / "s")
    info = study.info
    info["asked"] |= damage
    (study.folder / "study.json").write_text(json.dumps(info))
    with pytest.raises(UserError, match="edited or damaged"):
        render_report(study.folder)


def test_accuracies_that_are_none_have_no_interval(tmp_path, without_figures):
    seeds = [{"seed": k, "accuracy": 1e308, "data_loss": 0.2} for k in range(2)]
    study = finished(tmp_path / "s", count=4, test={"best": {**seeds[0], "seeds": seeds}})
    assert row_interval(read_study(study.folder)) is None
    render_report(study.folder)
