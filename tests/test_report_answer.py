"""The numbers and the sentences of the answer: baseline against best."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from made_studies import finished, make_study, record, regression
from pages import page_of
from scipy import stats

from kerasreg.errors import UserError
from kerasreg.report import (
    _answer,
    _pictures,
    answer_rows,
    beats_baseline,
    read_study,
    render_report,
    row_interval,
)
from kerasreg.report import test_sentence as sentence
from kerasreg.report._network import layer_rows
from kerasreg.study import Study


def test_validation_interval_is_the_paired_t_interval(tmp_path):
    study = finished(tmp_path / "study", seeds=(0, 1, 2, 3))
    view = read_study(study.folder)

    def values(trial):
        chosen = trial["chosen_epoch"] - 1
        return np.array([m["curves"]["val_data_loss"][chosen] for m in trial["members"]])

    difference = values(view.best) - values(view.baseline)
    low, high = stats.t.interval(0.95, 3, difference.mean(), stats.sem(difference))
    row = answer_rows(view)[0]
    assert row.name == "Validation data loss"
    assert row.interval == f"{low:+.4g} to {high:+.4g}".replace("-", "−")
    assert row.better is True


def test_test_interval_is_newcombes(tmp_path):
    # Newcombe (1998), table II: 56/70 against 48/80 gives (0.0524, 0.3339); here rows are equal,
    # so the same formula is checked by its parts: Wilson's limits from SciPy.
    test = {
        "best": {"accuracy": 0.8, "data_loss": 0.3},
        "baseline": {"accuracy": 0.6, "data_loss": 0.3},
    }
    study = finished(tmp_path / "study", test=test)
    low, high = row_interval(read_study(study.folder))
    limits = {
        hits: stats.binomtest(hits, 400).proportion_ci(method="wilson") for hits in (320, 240)
    }
    ours, theirs = limits[320], limits[240]
    assert low == pytest.approx(0.2 - math.hypot(0.8 - ours.low, theirs.high - 0.6))
    assert high == pytest.approx(0.2 + math.hypot(ours.high - 0.8, 0.6 - theirs.low))


@pytest.mark.parametrize(
    ("best", "baseline", "says"),
    [
        (0.97, 0.80, "a gain larger than the luck of the rows."),
        (0.90, 0.89, "a gain, but one that could be the luck of the rows."),
        (
            0.89,
            0.90,
            "no gain that the test confirms (the difference could be the luck of the rows).",
        ),
        (0.80, 0.97, "a loss larger than the luck of the rows: here regularisation did not help."),
        (0.90, 0.90, "no difference."),
    ],
)
def test_the_answer_says_what_the_test_rows_say(tmp_path, best, baseline, says):
    test = {
        "best": {"accuracy": best, "data_loss": 0.2},
        "baseline": {"accuracy": baseline, "data_loss": 0.3},
    }
    study = finished(tmp_path / "study", count=3, seeds=(0,), test=test)
    view = read_study(study.folder)
    said = sentence(view)
    assert said.endswith(says)
    (row,) = [row for row in answer_rows(view) if row.name == "Test accuracy"]
    sure = says.startswith("a gain larger"), says.startswith("a loss larger")
    assert row.better is {(True, False): True, (False, True): False}.get(sure)
    (row,) = [row for row in answer_rows(view) if row.name == "Test data loss"]
    assert (row.difference, row.better) == ("−0.1", None)  # without an interval nobody can tell
    assert f"an accuracy of {100 * best:.1f} %" in said


def test_the_luck_of_seeds_counts_too(tmp_path, without_figures):
    test = {
        who: {"seeds": [{"seed": k, "accuracy": a, "data_loss": 0.1} for k, a in enumerate(values)]}
        for who, values in {"best": (0.99, 0.85, 0.97), "baseline": (0.80, 0.86, 0.75)}.items()
    }
    study = finished(tmp_path / "study", test=test)
    view = read_study(study.folder)
    assert view.test("best", "accuracy") == pytest.approx((0.99 + 0.85 + 0.97) / 3)
    page = page_of(render_report(study.folder))
    assert "a gain, but one that could be the luck of the seeds." in page.text
    assert "the mean of 3 seeds (best.keras is the first seed's model and has 99.0 %)" in page.text


@pytest.mark.parametrize("count", [2, 3])
def test_two_seeds_have_no_interval(tmp_path, count):
    tests = [{"seed": k, "accuracy": 0.9, "data_loss": 0.1 * k} for k in range(count)]
    sides = {who: {"seeds": tests} for who in ("best", "baseline")}
    study = finished(tmp_path / "study", test=sides)
    row = answer_rows(read_study(study.folder))[-1]
    assert row.name == f"Test data loss (mean of {count} seeds)"
    assert bool(row.interval) == (count > 2)


def test_errors_of_version_0_1_are_in_the_targets_units(tmp_path):
    regression(tmp_path / "study", scale=100.0)
    stored = Study.open(tmp_path / "study").best("val_mae")
    path = tmp_path / "study" / "study.json"
    info = json.loads(path.read_text())
    del info["error_unit"]
    path.write_text(json.dumps(info))
    view = read_study(tmp_path / "study")
    assert view.best["score"] == pytest.approx(100 * stored["score"])
    assert view.best["curves"]["mae"][0] == pytest.approx(100 * stored["curves"]["mae"][0])
    assert view.best["members"][0]["curves"]["val_mae"][0] == pytest.approx(
        100 * stored["members"][0]["curves"]["val_mae"][0]
    )
    assert view.best["metrics"]["data_loss"] == stored["metrics"]["data_loss"]
    assert view.test("best", "mae") == 41.5


@pytest.mark.parametrize(
    ("objective", "baseline", "best", "beaten"),
    [
        ("val_data_loss", 0.1, 0.2, False),
        ("val_data_loss", 0.2, 0.1, True),
        ("val_accuracy", 0.9, 0.8, False),
        ("val_accuracy", 0.8, 0.9, True),
        ("val_accuracy", 0.8, 0.8, None),
        ("val_data_loss", None, 0.8, None),
    ],
)
def test_a_better_score_beats_the_baseline(tmp_path, objective, baseline, best, beaten):
    trial = {**record("t0", {}), "score": best}
    make_study(
        tmp_path / "s",
        [trial],
        asked={"objective": objective},
        best=trial,
        baseline=baseline and {**record("baseline", {}), "score": baseline},
    )
    assert beats_baseline(read_study(tmp_path / "s")) is beaten


def test_reliability_is_drawn_where_there_is_an_ensemble_of_classes(tmp_path):
    calibration = {"temperature": 0.8, "predicted": [0.6, 0.9], "observed": [0.5, 0.92]}
    view = SimpleNamespace(result={"ensemble": {"calibration": calibration}})
    picture = _pictures.calibration(view, tmp_path)
    assert "they are 6.0 points from the dashed line" in picture.caption
    assert picture.alt == "Reliability: 60% came true 50%, 90% came true 92%."
    assert (tmp_path / "reliability.png").exists()
    assert _pictures.calibration(SimpleNamespace(result={"ensemble": {}}), tmp_path) is None


def test_the_page_says_on_which_cluster_it_was_trained(tmp_path, without_figures):
    study = finished(tmp_path / "study")
    used = {"nodes": 2, "cores": 8, "workers": 4, "wall_seconds": 50.0, "training_seconds": 150.0}
    path = study.folder / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"cluster": used}))
    page = page_of(render_report(study.folder))
    assert (
        "a Ray cluster of 2 nodes with 8 cores: 4 workers trained for 2 min 30 s within 50 s, "
        "75 % of the time that they had."
    ) in " ".join(page.text.split())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"cluster": {"nodes": "2"}}))
    with pytest.raises(UserError, match="of the cluster"):
        render_report(study.folder)


def test_layers_of_a_deep_network_that_are_treated_alike_share_a_row():
    layers = [
        {"layer": f"{kind}_{k}", "kind": kind, "done": f"L2 {0.1 if kind == 'Conv2D' else 0.2}"}
        for k in range(7)
        for kind in ("Conv2D", "Dense")
    ]
    rows = layer_rows(SimpleNamespace(result={"layers": layers}))
    assert [(row["kind"], len(row["layers"])) for row in rows] == [("Conv2D", 7), ("Dense", 7)]
    assert len(layer_rows(SimpleNamespace(result={"layers": layers[:4]}))) == 4


@pytest.mark.parametrize(("accuracy", "better"), [(0.9, None), (0.9 + 1e-9, None), (0.8, True)])
def test_gaps_that_differ_by_rounding_are_no_worse(accuracy, better):
    sides = [{"metrics": {"accuracy": a, "val_accuracy": 0.75}} for a in (accuracy, 0.9)]
    assert _answer._gap_row(*sides, "accuracy").better is better
