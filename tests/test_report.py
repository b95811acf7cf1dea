"""The report page: true in every state of a study, whole in one file, deaf to hostile names."""

import base64
import hashlib
import html
import json
import math
import re
import time
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from markupsafe import Markup
from scipy import stats
from test_plots import inside_of

from kerasreg import plots
from kerasreg.errors import UserError
from kerasreg.report import render_comparison, render_gallery, render_report
from kerasreg.report._answer import answer_rows, row_interval
from kerasreg.report._answer import test_sentence as sentence
from kerasreg.report._page import Picture
from kerasreg.report._reading import read_study
from kerasreg.stacks import StackConfig
from kerasreg.study import Study, failed_record, trial_record

HOSTILE = [
    "<script>window.pwned=1</script>",
    "\"quoted' & <b>bold</b>",
    "עברית مرحبا",
    "🙂🏳️‍🌈",
    "long" * 50,
    "</script><img src=x onerror=window.pwned=1>",
    "{{ 7*7 }}",
]


# A study made of records, without training anything: the report reads, it does not train.


def member(config, seed, *, fold=None, epochs=8, level=0.3, status="completed", metric="accuracy"):
    """A member whose curves are simple formulas of its level and seed."""
    epoch = np.arange(1, epochs + 1)
    train = 1 / epoch + level / 2 + 0.01 * seed
    validation = 1 / epoch + level + 0.01 * seed * (1 + level)
    if status == "diverged":
        validation[-1] = math.nan
    penalty = np.full(epochs, 0.05)
    curves = {}
    for twin, values in (("", train), ("val_", validation)):
        other = 1 - values / 3 if metric == "accuracy" else values * 2
        curves |= {
            f"{twin}data_loss": values,
            f"{twin}penalty": penalty,
            f"{twin}loss": values + penalty,
            f"{twin}{metric}": other,
        }
    return SimpleNamespace(  # what `trial_record` asks of a member, without TensorFlow
        config=config,
        seed=seed,
        fold=fold,
        status=status,
        epochs=epochs,
        curves={name: np.asarray(values, np.float64) for name, values in curves.items()},
        seconds=1.5,
    )


def record(name, values, *, seeds=(0,), folds=(None,), objective="val_data_loss", **how):
    """A trial record as a search writes it."""
    known = {key: value for key, value in values.items() if hasattr(StackConfig(), key)}
    config = StackConfig().replace(**known)
    members = [member(config, seed, fold=fold, **how) for seed in seeds for fold in folds]
    return trial_record(name, values, members, objective, engine="population")


def settings_of(count, seed=0):
    draw = np.random.default_rng(seed)
    for _ in range(count):
        dropout = float(draw.uniform(0.05, 0.7)) if draw.random() > 0.3 else 0.0
        yield {
            "dropout": dropout,
            "l2": 0.0 if draw.random() < 0.3 else float(10 ** draw.uniform(-7, -1)),
            "normalization": str(draw.choice(["none", "batch"])),
            "learning_rate": float(10 ** draw.uniform(-4, -2)),
        }


def level_of(values):
    return 0.1 + (values["dropout"] - 0.3) ** 2 - 100 * min(values["learning_rate"], 1e-3) / 10


def make_study(
    folder,
    trials=(),
    *,
    asked=None,
    dataset=None,
    best=None,
    baseline=None,
    test=None,
    inside=False,
    command=("kerasreg", "search", "--data", "digits", "--out", "study"),
):
    """Write a study folder: trials, and a result where `best` is given."""
    described = {
        "name": "digits",
        "task": "classification",
        "rows": {"train": 300, "validation": 200, "test": 400},
        "target_scale": 1.0,
        "fingerprint": "ab" * 32,
        "notes": [],
        **(dataset or {}),
    }
    study = Study.create(
        folder,
        {
            "data": {"name_or_path": "digits", "train_size": 300},
            "objective": "val_data_loss",
            "trials": 8,
            "seed": 0,
            "base": StackConfig(units=(16, 16)).to_dict(),
            "dataset": described,
            **(asked or {}),
        },
        command=list(command),
    )
    for trial in trials:
        study.append(trial)
    if best is not None:
        study.count_test_read()
        base = StackConfig(units=(16, 16))
        known = {k: v for k, v in best["hyperparameters"].items() if k in base.to_dict()}
        sides = {"best": best, "baseline": baseline}
        study.write_result(
            {
                "baseline_candidates": [{"score": 1.0}] * 8,
                **{
                    who: side
                    and {
                        **side,
                        "config": base.replace(**known).to_dict(),
                        "test": (test or {}).get(who) or {"accuracy": 0.95, "data_loss": 0.2},
                    }
                    for who, side in sides.items()
                },
            }
        )
    if inside:
        plots.save_inside(folder / "inside.npz", {"baseline": inside_of(), "best": inside_of()})
    return study


def finished(folder, count=8, seeds=(0, 1, 2), **more):
    """A finished search with some diverged and failed trials."""
    trials = [
        record(f"t{k}", values, seeds=seeds, level=level_of(values))
        for k, values in enumerate(settings_of(count))
    ]
    lost = dict(next(settings_of(1, seed=9)), learning_rate=0.5)
    trials.append(record("lost", lost, seeds=seeds, status="diverged"))
    trials.append(failed_record("broken", lost, "RuntimeError: out of <b>luck</b>", seeds=seeds))
    best = min(trials[:count], key=lambda trial: trial["score"])
    baseline = record("baseline", {"learning_rate": 1e-3}, seeds=seeds, level=0.4)
    return make_study(folder, trials, best=best, baseline=baseline, inside=True, **more)


@pytest.fixture
def without_figures(monkeypatch):
    """For pages whose words are the point: drawing is most of a page's time."""

    def drawn(figure, name, caption, alt, folder):
        return Picture(name, caption, alt, Markup("<svg></svg>"))

    monkeypatch.setattr("kerasreg.report._pictures.drawn", drawn)


# Reading a page


class Page(HTMLParser):
    """Text, tags and attributes of a page."""

    VOID = ("meta", "link", "img", "input", "br", "path", "use", "image", "rect", "stop")

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.inside, self.source = [], [], [], text
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.inside.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if not {"script", "style", "svg"} & set(self.inside):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(path):
    return Page(path.read_text(encoding="utf-8"))


def embedded(page):
    text = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page.source, re.S)[1]
    return json.loads(text)


def assert_self_contained(page):
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "action", "data"):
                assert value.startswith(("#", "data:")), (tag, name, value[:80])
    assert "@import" not in page.source
    scripts = page.all("script")
    assert [script.get("type") for script in scripts if script.get("type")] in (
        [],
        ["application/json"],
    )
    code = re.findall(r"<script>(.*?)</script>", page.source, re.S)
    assert len(code) == 1
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    digest = base64.b64encode(hashlib.sha256(code[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert page.inside == []


# States of a study


def running(folder):
    trials = [record(f"t{k}", v, level=level_of(v)) for k, v in enumerate(settings_of(5))]
    make_study(folder, trials)


def empty(folder):
    make_study(folder)


def diverged_only(folder):
    trials = [record(f"t{k}", v, status="diverged") for k, v in enumerate(settings_of(4))]
    make_study(folder, trials, best=None)


def stopped_only(folder):
    make_study(folder, [record("t0", {"dropout": 0.1}, status="stopped", level=0.2)])


def one_trial(folder):
    only = record("t0", {}, level=0.2)
    make_study(folder, [only], best=only, baseline=record("baseline", {}, level=0.3))


def one_epoch(folder):
    trials = [record(f"t{k}", v, epochs=1) for k, v in enumerate(settings_of(4))]
    make_study(folder, trials, best=trials[0], baseline=record("baseline", {}, epochs=1))


def without_baseline(folder):
    trials = [record(f"t{k}", v, level=level_of(v)) for k, v in enumerate(settings_of(4))]
    make_study(folder, trials, best=min(trials, key=lambda t: t["score"]))


def folds(folder):
    how = {"folds": (0, 1, 2), "seeds": (0, 1)}
    trials = [record(f"t{k}", v, level=level_of(v), **how) for k, v in enumerate(settings_of(4))]
    best = min(trials, key=lambda trial: trial["score"])
    make_study(folder, trials, best=best, baseline=record("baseline", {}, level=0.4, **how))


def regression(folder, scale=77.0):
    how = {"metric": "mae", "objective": "val_mae"}
    trials = [record(f"t{k}", v, level=level_of(v), **how) for k, v in enumerate(settings_of(5))]
    make_study(
        folder,
        trials,
        asked={"objective": "val_mae"},
        dataset={"task": "regression", "target_scale": scale, "name": "diabetes"},
        best=min(trials, key=lambda trial: trial["score"]),
        baseline=record("baseline", {}, level=0.5, **how),
        test={who: {"mae": 41.5, "data_loss": 0.5} for who in ("best", "baseline")},
    )


def by_accuracy(folder):
    how = {"objective": "val_accuracy"}
    trials = [record(f"t{k}", v, level=level_of(v), **how) for k, v in enumerate(settings_of(5))]
    best = max(trials, key=lambda trial: trial["score"])
    baseline = record("baseline", {}, level=0.4, **how)
    make_study(folder, trials, asked={"objective": "val_accuracy"}, best=best, baseline=baseline)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (finished, "The best of 10 trials used"),
        (running, "Not finished."),
        (empty, "No answer yet: no trial is completed."),
        (diverged_only, "No answer: all 4 trials diverged or failed."),
        (stopped_only, "stopped by the search after epoch 8"),
        (one_trial, "The best of 1 trial used no regularisation at all"),
        (one_epoch, "The best of 4 trials"),
        (without_baseline, "The best of 4 trials"),
        (folds, "over 6 seeds and folds"),
        (regression, "mean absolute error"),
        (by_accuracy, "its validation accuracy is"),
    ],
)
def test_every_state_of_a_study_has_a_page(tmp_path, state, says):
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


# The numbers


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
        "best": {"accuracy": best, "data_loss": 0.3},
        "baseline": {"accuracy": baseline, "data_loss": 0.3},
    }
    study = finished(tmp_path / "study", count=3, seeds=(0,), test=test)
    said = sentence(read_study(study.folder))
    assert said.endswith(says)
    assert f"an accuracy of {100 * best:.1f} %" in said


def test_the_page_says_which_number_to_believe(tmp_path, without_figures):
    finished(tmp_path / "study", count=3)
    page = page_of(render_report(tmp_path / "study"))
    assert "This is the winner's curse." in page.text
    assert "read once" in page.text
    assert "the honest number is the test accuracy of 95.0 % on 400 rows" in page.text


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


def test_a_second_reading_of_the_test_rows_is_told(tmp_path, without_figures):
    study = finished(tmp_path / "study", count=3)
    study.count_test_read(reread_test=True)
    page = page_of(render_report(study.folder))
    assert "were read 2 times" in page.text
    assert "more than once makes it a little optimistic" in page.text


def test_one_seed_has_no_interval_and_the_page_says_so(tmp_path, without_figures):
    finished(tmp_path / "study", count=3, seeds=(0,))
    assert "no interval over seeds" in page_of(render_report(tmp_path / "study")).text


def test_errors_are_in_the_targets_units(tmp_path):
    regression(tmp_path / "study", scale=100.0)
    view = read_study(tmp_path / "study")
    stored = Study.open(tmp_path / "study").best("val_mae")
    assert view.best["score"] == pytest.approx(100 * stored["score"])
    assert view.best["curves"]["mae"][0] == pytest.approx(100 * stored["curves"]["mae"][0])
    assert view.best["members"][0]["curves"]["val_mae"][0] == pytest.approx(
        100 * stored["members"][0]["curves"]["val_mae"][0]
    )
    assert view.best["metrics"]["data_loss"] == stored["metrics"]["data_loss"]
    assert view.test("best", "mae") == 41.5


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
    asked = {"data": {"name_or_path": "a'b.csv", "target": 0, "header": False, "split_seed": 0}}
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


# Hostile names


def hostile(folder):
    """Every text a user's data can bring holds markup, quotes, other scripts or great length."""
    trials = [
        record(f"t{k}", dict.fromkeys(HOSTILE, k / 7) | {"choice": name}, level=0.2 + k / 10)
        for k, name in enumerate(HOSTILE)
    ]
    trials.append(failed_record("f", {"choice": "x"}, "\n".join(HOSTILE)))
    return make_study(
        folder,
        trials,
        asked={"data": {"name_or_path": HOSTILE[0], "target": HOSTILE[1]}},
        dataset={
            "name": HOSTILE[0],
            "target": HOSTILE[1],
            "class_names": HOSTILE,
            "notes": HOSTILE,
            "split": {HOSTILE[5]: HOSTILE[5]},
        },
        best=trials[0],
        baseline=record("baseline", {}, level=0.5),
        command=["kerasreg", *HOSTILE],
    )


def test_hostile_names_are_text(tmp_path, without_figures):
    hostile(tmp_path / "study")
    page = page_of(render_report(tmp_path / "study"))
    assert_self_contained(page)
    assert len(page.all("script")) == 2
    assert page.all("img") == []
    for name in HOSTILE:
        assert " ".join(name.split()) in page.text


# Size and speed


def test_a_report_of_200_trials_is_small_and_quick(tmp_path):
    finished(tmp_path / "study", count=198, seeds=(0, 1))
    started = time.process_time()
    path = render_report(tmp_path / "study")
    assert time.process_time() - started < 20
    assert path.stat().st_size < 3_000_000
    assert len(embedded(page_of(path))["trials"]) == 200


def test_long_curves_are_thinned(tmp_path, without_figures):
    make_study(tmp_path / "study", [record("t0", {"dropout": 0.1}, epochs=1000)])
    curves = embedded(page_of(render_report(tmp_path / "study")))["trials"][0]["curves"]
    assert curves["_step"] == 13
    assert len(curves["val_data_loss"]) == 77


# Comparisons and the gallery


def comparison(**changes):
    return {
        "title": "Dropout",
        "question": "Does dropout narrow the gap?",
        "prediction": "Yes.",
        "source": "Srivastava et al. 2014",
        "rule": "Supported if the 95 % interval lies above 1 pp.",
        "answer": "The gap is 2.1 pp smaller.",
        "verdict": "supported",
        "claims": [{"id": "C01", "sentence": "It narrows.", "verdict": "partly", "effect": "2 pp"}],
        "table": [{"arm": "dropout", "accuracy": 0.9}, {"arm": "none", "accuracy": 0.8, "n": 12}],
        "figures": [
            {
                "figure": plots.effects([("dropout", 0.02, 0.01, 0.03)], "smaller gap"),
                "caption": "Effect",
                "alt": "Dropout narrows the gap by 2 points",
            }
        ],
        "notes": ["Equal updates."],
        "repeat": {"command": "python scripts/x.py", "seeds": [0, 1]},
        **changes,
    }


def test_a_comparison_has_a_page(tmp_path):
    page = page_of(render_comparison(comparison(), tmp_path / "lesson"))
    assert_self_contained(page)
    for text in (
        "Does dropout narrow the gap?",
        "C01",
        "supported",
        "partly",
        "0.9",
        "Equal updates.",
    ):
        assert text in page.text
    assert (tmp_path / "lesson" / "figures" / "figure_1.png").exists()
    bare = page_of(render_comparison({"title": "Bare"}, tmp_path / "bare"))
    assert "Not run yet." in bare.text


def test_hostile_text_in_a_comparison_is_text(tmp_path):
    text = " ".join(HOSTILE)
    page = page_of(
        render_comparison(
            comparison(
                title=text,
                question=text,
                answer=text,
                notes=HOSTILE,
                claims=[{"id": text, "sentence": text, "effect": text}],
                table=[{name: name for name in HOSTILE}],
                repeat={name: name for name in HOSTILE},
            ),
            tmp_path,
        )
    )
    assert_self_contained(page)
    assert len(page.all("script")) == 1
    assert text in page.text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"title": ""}, "title"),
        ({"verdict": "proved"}, "'proved'"),
        ({"claims": [{"verdict": "true"}]}, "'true'"),
        ({"arm": 1}, "'arm'"),
        ({"figures": [{"figure": "nowhere.png", "alt": "x"}]}, "'nowhere.png'"),
        ({"figures": [{"figure": "page.html", "alt": "x"}]}, "'page.html'"),
        ({"figures": [{"figure": "x.png"}]}, "alt"),
    ],
)
def test_what_a_comparison_cannot_show_is_named(tmp_path, changes, says):
    with pytest.raises(UserError, match=says):
        render_comparison(comparison(**changes), tmp_path)


def gallery(folder):
    picture = render_comparison(comparison(), folder / "a").parent / "figures" / "figure_1.png"
    lessons = [
        {
            "title": name,
            "question": name,
            "answer": name,
            "claims": [{"id": "C01", "sentence": name, "verdict": "undecided"}],
            "picture": picture,
            "alt": "A figure",
            "link": "a/report.html",
        }
        for name in ("Dropout", *HOSTILE)
    ]
    return render_gallery(lessons, folder / "gallery.html")


def test_the_gallery_shows_every_lesson(tmp_path):
    page = page_of(gallery(tmp_path))
    for name in HOSTILE:
        assert name in page.text
    links = [a["href"] for a in page.all("a") if not a["href"].startswith("#")]
    assert links == ["a/report.html"] * (len(HOSTILE) + 1)
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://example.org", "//host/x", "/etc"])
def test_the_gallery_links_to_its_own_pages_only(tmp_path, link):
    with pytest.raises(UserError, match="relative"):
        render_gallery([{"title": "x", "link": link}], tmp_path / "gallery.html")


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
