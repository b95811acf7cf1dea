"""Lessons: rows never mix, arms are what Keras trains, verdicts follow the rules, refusals."""

import dataclasses
import io
import json
import math

import keras
import numpy as np
import pytest
from PIL import Image

from kerasreg.data import Split
from kerasreg.errors import UserError
from kerasreg.evidence import Decision, ExactRule, Rule, holm, trend
from kerasreg.lesson import (
    Advice,
    Arm,
    _panels,
    curves,
    dots,
    effects,
    parse_docstring,
    run,
    squared_norm,
    sweep,
)
from kerasreg.lesson._data import LessonData, load_lesson_data
from kerasreg.lesson._lesson import Lesson
from kerasreg.lesson._output import MOST_BYTES, print_results, small_png, write_results
from kerasreg.lesson._runs import arm_of_results
from kerasreg.population import MemberResult
from kerasreg.stacks import StackConfig

TEXT = {"question": "Why?", "prediction": "So.", "source": "Notes.", "rule": "If."}
DOC = "Why?\n\nPrediction: So.\n\nSource: Notes.\n\nRule: If.\n"
TINY = StackConfig(units=(8,), learning_rate=0.01)
RULE = Rule("a is better", "greater", 0.01, unit="pp")


def make(tmp_path, seeds=12, quick=False, data="digits") -> Lesson:
    return Lesson("tried", TEXT, data, tuple(range(seeds)), quick, tmp_path)


@pytest.fixture(scope="module")
def digits() -> LessonData:
    return load_lesson_data("digits", 100)


@pytest.fixture(scope="module")
def trained(digits, tmp_path_factory):
    """Two structures and three seeds, trained once."""
    lesson = make(tmp_path_factory.mktemp("trained"), seeds=3)
    arms = {"b": TINY, "wider": TINY.replace(units=(9,)), "a": TINY.replace(dropout=0.5)}
    runs = lesson.train(arms, digits, epochs=5, batch_size=32, every=2, histograms=["a"])
    return lesson, arms, runs


# --- rows ---------------------------------------------------------------------------------------


def test_pool_tuning_and_test_rows_have_nothing_in_common(digits):
    parts = [{row.tobytes() for row in p.x} for p in (digits.pool, digits.tuning, digits.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 1797


def rows_of(*splits: Split) -> set[bytes]:
    return {row.tobytes() for split in splits for row in split.x}


def test_draws_are_stratified_seeded_and_never_tuning_rows(digits):
    first, again, other = digits.draw(3), digits.draw(3), digits.draw(4)
    assert np.array_equal(first.x, again.x)
    assert not np.array_equal(first.x, other.x)
    for draw in (first, other):
        assert len(draw) == 100
        assert rows_of(draw) <= rows_of(digits.pool, digits.test)
        assert np.all(np.abs(np.bincount(draw.y) - 10) <= 1)


@pytest.mark.parametrize("size", [100, 1000])
def test_a_set_without_a_test_part_is_split_anew_for_each_seed(digits, size):
    data = digits.resized(size)
    assert not data.own_test_part
    sides = [(data.draw(seed), data.judging(seed)) for seed in (3, 4)]
    for draw, test in sides:
        assert len(draw) == size
        assert len(test) == len(data.test)
        assert not rows_of(draw) & rows_of(test)
        assert not rows_of(draw, test) & rows_of(data.tuning)
        assert np.all(np.bincount(test.y) > 0)
    # Seeds share rows by chance, as two draws from all of them do, and not nearly all of them.
    shared = rows_of(sides[0][0]) & rows_of(sides[1][0])
    expected = size * size / len(data.candidates())
    assert len(shared) < 1.1 * expected + 10
    assert not np.array_equal(sides[0][1].y, sides[1][1].y)


def test_a_set_with_a_test_part_is_judged_by_it(tmp_path):
    generator = np.random.default_rng(0)
    x, y = generator.uniform(size=(600, 3)), np.tile(np.arange(4), 150)
    path = tmp_path / "own.npz"
    np.savez(path, x_train=x[:500], y_train=y[:500], x_test=x[500:], y_test=y[500:])
    data = load_lesson_data(str(path), 50)
    assert data.own_test_part
    assert data.judging(0) is data.judging(1) is data.test
    assert rows_of(data.draw(0)) <= rows_of(data.pool)
    with pytest.raises(ValueError, match="use `test`"):
        data.judging_rows(0)


def test_wrong_labels_are_a_share_of_each_draw_and_of_no_test_rows(digits):
    noisy = digits.mislabelled(0.2)
    right, wrong = digits.draw(3), noisy.draw(3)
    assert np.array_equal(right.x, wrong.x)
    assert (right.y != wrong.y).sum() == 20
    assert np.array_equal(digits.judging(3).y, noisy.judging(3).y)
    with pytest.raises(UserError, match="between 0 and 1, got 0"):
        digits.mislabelled(0)


def test_resizing_leaves_the_test_rows_alone(digits):
    smaller = digits.resized(50)
    assert len(smaller.draw(0)) == 50
    assert smaller.test is digits.test
    with pytest.raises(UserError, match=rf"digits has {len(digits.pool)} rows .* needs 2000"):
        digits.resized(2000)


def test_rows_are_square_images_or_refused(digits):
    assert digits.image_shape == (8, 8, 1)
    wine = load_lesson_data("wine", 50)
    with pytest.raises(UserError, match="square grey images, got wine, whose rows have 13 values"):
        _ = wine.image_shape


def test_large_parts_are_cut(tmp_path):
    generator = np.random.default_rng(0)
    x = generator.uniform(size=(12_000, 3))
    y = np.tile(np.arange(4), 3000)
    np.savez(tmp_path / "many.npz", x=x, y=y)
    data = load_lesson_data(str(tmp_path / "many.npz"), None)
    assert (len(data.tuning), len(data.test)) == (1000, 2000)
    assert np.bincount(data.test.y).tolist() == [500] * 4


# --- training -----------------------------------------------------------------------------------


def test_arms_come_back_in_order_with_their_configs(trained):
    _, arms, runs = trained
    assert list(runs) == list(arms)
    assert {name: runs[name].config for name in runs} == arms
    assert runs["a"].epochs.tolist() == [2, 4, 5]
    assert runs["a"].updates.tolist() == [8, 16, 20]  # 100 rows by 32: 4 updates an epoch
    assert runs["a"].test_accuracy.shape == (3, 3)


@pytest.mark.parametrize("arm", ["b", "wider", "a"])
def test_curves_are_those_of_the_models_on_the_rows_they_name(trained, digits, arm):
    _, _, runs = trained
    for place, seed in enumerate(runs.seeds):
        model = runs.model(arm, place)
        for rows, name in ((digits.draw(seed), "train"), (digits.judging(seed), "test")):
            measured = model.evaluate(rows.x, rows.y, verbose=0, return_dict=True)
            for metric in ("accuracy", "data_loss"):
                ours = runs[arm].final(f"{name}_{metric}")[place]
                assert ours == pytest.approx(measured[metric], abs=2e-5)
        kernels = [v.numpy() for v in model.trainable_variables if v.path.endswith("kernel")]
        for ours, theirs in zip(runs.kernels(arm, place), kernels, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    norms = runs.per_run(arm, squared_norm)
    assert norms[2] == pytest.approx(sum((k.astype(float) ** 2).sum() for k in kernels))


def test_a_run_does_not_depend_on_the_other_seeds_and_arms(trained, digits, tmp_path):
    _, arms, runs = trained
    alone = make(tmp_path).train(
        {"a": arms["a"]}, digits, epochs=5, batch_size=32, every=2, seeds=[1]
    )
    np.testing.assert_allclose(alone["a"].test_data_loss[0], runs["a"].test_data_loss[1], rtol=1e-6)


def test_events_and_settings_are_kept(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    lesson, arms, runs = trained
    events = EventAccumulator(str(lesson.out / "tensorboard" / "a"))
    events.Reload()
    tags = events.Tags()
    assert [e.step for e in events.Scalars("accuracy/test")] == [2, 4, 5]
    last = events.Scalars("accuracy/test")[-1].value
    assert last == pytest.approx(runs["a"].final("test_accuracy").mean(), rel=1e-6)
    assert any(tag.startswith("activations/") for tag in tags["histograms"] + tags["tensors"])
    other = EventAccumulator(str(lesson.out / "tensorboard" / "wider"))
    other.Reload()
    names = [name for kind in ("histograms", "tensors") for name in other.Tags()[kind]]
    assert not any(name.startswith("activations/") for name in names)
    assert StackConfig.from_dict(lesson.settings["training"]["arms"]["a"]) == arms["a"]


def test_diverged_runs_count_as_knowing_nothing():
    nan = math.nan

    def result(accuracy, loss, status):
        values = {"accuracy": accuracy, "data_loss": loss, "penalty": [7.0] * len(loss)}
        curves = values | {f"val_{name}": value for name, value in values.items()}
        return MemberResult(TINY, 0, status=status, curves=curves)

    results = [
        result([0.5, 0.9, 0.95], [2.0, 1.0, 0.5], "completed"),
        result([0.6, 0.1], [2.0, nan], "diverged"),
        result([0.1], [math.inf], "diverged"),
    ]
    arm = arm_of_results(TINY, results, np.array([1, 2, 3]), 10, classes=10)
    assert arm.test_accuracy.tolist() == [[0.5, 0.9, 0.95], [0.6, 0.1, 0.1], [0.1, 0.1, 0.1]]
    log10 = math.log(10)
    assert arm.train_data_loss.tolist() == [[2, 1, 0.5], [2, log10, log10], [log10] * 3]
    assert arm.penalty.tolist() == [[7, 7, 7], [7, 7, 7], [0, 0, 0]]
    assert arm.diverged.tolist() == [False, True, True]


def test_a_diverging_arm_is_named_in_the_notes(digits, tmp_path):
    lesson = make(tmp_path, seeds=2)
    runs = lesson.train(
        {"wild": TINY.replace(optimizer="sgd", learning_rate=1e30)},
        digits,
        epochs=3,
        batch_size=50,
    )
    assert runs["wild"].diverged.all()
    assert runs["wild"].final("test_accuracy").tolist() == [0.1, 0.1]
    assert "Of 2 runs diverged: 2 of 'wild'." in lesson.notes[0]
    assert runs.table()[0]["diverged"] == "2 of 2"


def test_readings_of_an_arm():
    zeros = np.zeros((2, 4))
    arm = Arm(
        config=TINY,
        epochs=np.array([2, 4, 6, 7]),
        updates=np.array([20, 40, 60, 70]),
        train_accuracy=np.array([[0.5, 0.99, 0.98, 1.0], [0.1, 0.2, 0.3, 0.4]]),
        test_accuracy=np.array([[0.4, 0.7, 0.8, 0.9], [0.1, 0.15, 0.2, 0.25]]),
        train_data_loss=zeros,
        test_data_loss=zeros,
        penalty=zeros,
        diverged=np.zeros(2, bool),
    )
    assert arm.converged("test_accuracy", 0.99).tolist() == [0.7, 0.25]
    assert arm.time_to(0.99).values.tolist() == [40, 70]
    assert arm.time_to(0.99).arrived.tolist() == [True, False]
    assert arm.trained.tolist() == [True, False]
    assert arm.reached(0.99).tolist() == [True, False]
    assert arm.final("gap") == pytest.approx([0.1, 0.15])
    assert arm.at("test_accuracy", 6).tolist() == [0.8, 0.2]
    assert arm.at("test_accuracy", 100).tolist() == [0.9, 0.25], "a quick run ends before"
    with pytest.raises(ValueError, match="measured"):
        arm.at("test_accuracy", 5)


# --- choosing -----------------------------------------------------------------------------------


def test_tuning_goes_by_the_tuning_rows_alone(digits, tmp_path):
    whole = dataclasses.replace(digits, own_test_part=True)
    nonsense = Split(np.zeros_like(digits.test.x), np.zeros_like(digits.test.y))
    poisoned = dataclasses.replace(whole, test=nonsense)
    found = []
    for data in (whole, poisoned):
        lesson = make(tmp_path)
        arms = lesson.tune({"x": TINY}, [1e-6, 0.02, 0.03], data, epochs=8, batch_size=32, seeds=2)
        found.append(
            (arms["x"].learning_rate, lesson.settings["tuning"]["accuracy on tuning rows"])
        )
    assert found[0] == found[1]
    assert found[0][0] in (0.02, 0.03)
    assert not (lesson.out / "tensorboard").exists(), "tuning runs are no arms"


def test_a_best_rate_at_the_end_of_its_grid_is_noted(digits, tmp_path):
    lesson = make(tmp_path)
    arms = lesson.tune({"x": TINY}, [1e-6, 0.02], digits, epochs=4, batch_size=32, seeds=1)
    assert arms["x"].learning_rate == 0.02
    assert "at the end of the grid: the best rate of x" in lesson.notes[0]


# --- verdicts -----------------------------------------------------------------------------------


def test_judge_adjusts_over_what_it_is_given(tmp_path):
    generator = np.random.default_rng(0)
    a = generator.normal(0.03, 0.01, 12)
    slopes = trend([0, 1, 2], generator.normal(size=(12, 3)), 0.01)
    falls = Rule("it falls", "less", 0.01)
    nothing = Decision("c", "undecided", "nothing to compare")
    lesson = make(tmp_path)
    decided = lesson.judge(
        {"one": (RULE, a, np.zeros(12)), "none": nothing, "two": (falls, slopes)}
    )
    assert list(decided) == ["one", "none", "two"]
    expected = holm([RULE.compare(a, np.zeros(12)), slopes], family=3)
    assert [decided[name].comparison for name in ("one", "two")] == expected
    assert decided["one"].verdict == "supported"
    assert decided["none"] is nothing
    with pytest.raises(ValueError, match="at most 12 comparisons for one claim, got 13"):
        lesson.judge({str(k): nothing for k in range(13)})


ADVICE = Advice("Do it.", "Do the opposite.", "Leave it.", "Look closer.")


def test_conclusions_join_parts_and_say_what_to_do(tmp_path):
    lesson = make(tmp_path)
    right = ExactRule("right", 0.1).decide(1.0, 1.0)
    wrong = ExactRule("wrong", 0.1).decide(1.0, 2.0)
    decision = lesson.conclude("c1", right, wrong, setting="300 images", advice=ADVICE)
    assert decision.verdict == "partly"
    assert lesson.conclusions[0].claim.id == "C01"
    assert lesson.conclusions[0].take_home == "True in part. Look closer."
    with pytest.raises(UserError, match="C99"):
        lesson.conclude("C99", right, setting="", advice=ADVICE)


def test_a_quick_run_decides_nothing(tmp_path):
    lesson = make(tmp_path, seeds=2, quick=True)
    (decision,) = lesson.judge({"a": (RULE, [0.9, 0.91], [0.1, 0.1])}).values()
    assert decision.verdict == "undecided"
    for one in (decision, ExactRule("exact", 0.1).decide(1.0, 1.0)):
        assert lesson.conclude("C01", one, setting="", advice=ADVICE).verdict == "undecided"
        assert lesson.conclusions[-1].take_home == "A quick run decides nothing."


# --- what is written ----------------------------------------------------------------------------


def test_networks_of_a_run_are_built_with_the_same_weights(tmp_path):
    built = []

    def body(lesson):
        built.append(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).get_weights())

    for folder in ("1", "2"):
        assert run("scripts/tried.py", DOC, body, arguments=["--out", str(tmp_path / folder)]) == 0
    assert np.array_equal(built[0][0], built[1][0])


def test_results_are_equal_but_for_the_seconds(digits, tmp_path, capsys):
    def once(folder):
        lesson = make(folder, seeds=6)
        lesson.loaded = digits
        arms = {"none": TINY, "dropout": TINY.replace(dropout=0.3)}
        runs = lesson.train(arms, digits, epochs=3, batch_size=32)
        sides = [runs[arm].final("test_accuracy") for arm in arms]
        decided = lesson.judge({"a [b] $c$": (RULE, *sides)})
        lesson.conclude("C01", *decided.values(), setting="100 images", advice=ADVICE)
        lesson.table(runs.table())
        lesson.draw(
            "All panels",
            curves(runs, "test_accuracy"),
            sweep([0, 0.1, 1], {"x": np.ones((6, 3))}, "sweep", "x", "y", log=True),
            dots({"none": sides[0]}, "dots", "%"),
            effects(decided, "effects", "pp"),
            caption="Everything.",
        )
        results = write_results(lesson)
        print_results(lesson, results)
        return results

    first, second = once(tmp_path / "1"), once(tmp_path / "2")
    assert capsys.readouterr().out.count("C01 undecided: Dropout reduces overfitting") == 2
    for results in (first, second):
        assert results.pop("seconds") >= 0
    assert first == second
    on_disk = json.loads((tmp_path / "1" / "results.json").read_text("utf-8"))
    assert {k: v for k, v in on_disk.items() if k != "seconds"} == first
    report = (tmp_path / "1" / "report.html").read_text("utf-8")
    assert "Everything." in report


def test_a_heavy_figure_is_made_smaller():
    def png(picture: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        return buffer.getvalue()

    noise = np.random.default_rng(0).integers(0, 255, (350, 800, 3), dtype="uint8")
    heavy = small_png(png(noise))
    assert len(heavy) <= MOST_BYTES
    assert Image.open(io.BytesIO(heavy)).width < 800
    plain = np.full((100, 800, 3), (0, 114, 178), "uint8")
    light = Image.open(io.BytesIO(small_png(png(plain))))
    np.testing.assert_array_equal(np.asarray(light.convert("RGB")), plain)


# --- the command line ---------------------------------------------------------------------------


def never(lesson):
    raise AssertionError("bad input reached the lesson")


def load(lesson):
    lesson.data(300)
    raise AssertionError("a set that the lesson cannot use was accepted")


@pytest.mark.parametrize(
    ("arguments", "body", "words"),
    [
        (["--seeds", "8"], never, "at least 9 seeds"),
        (["--seeds", "1"], never, "at least 9 seeds"),
        (["--seeds", "x"], never, "invalid int value: 'x'"),
        (["--quick", "--seeds", "1"], never, "at least 2"),
        (["--sead", "3"], never, "unrecognized arguments: --sead"),
        (["--data", "digitz"], load, "did you mean digits"),
        (["--data", "missing.npz"], load, "missing.npz"),
        (["--data", "diabetes"], load, "is a quantity"),
        (["--data", "iris"], load, "iris has 84 rows"),
    ],
)
def test_mistakes_are_one_line_and_status_2(arguments, body, words, tmp_path, capsys):
    arguments = [*arguments, "--out", str(tmp_path / "out")]
    status = run("scripts/tried.py", DOC, body, arguments=arguments)
    captured = capsys.readouterr()
    assert status == 2
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("tried: ")
    assert words in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("place", ["a file", "below a file"])
def test_a_folder_that_cannot_be_written_is_refused_first(place, tmp_path, capsys):
    file = tmp_path / "taken"
    file.write_text("")
    out = file if place == "a file" else file / "below"
    assert run("scripts/tried.py", DOC, never, arguments=["--out", str(out)]) == 2
    assert "expected a folder that can be written to" in capsys.readouterr().err


def test_an_interrupted_lesson_says_so(tmp_path, capsys):
    def interrupted(lesson):
        raise KeyboardInterrupt

    status = run("scripts/tried.py", DOC, interrupted, arguments=["--out", str(tmp_path)])
    assert status == 130
    assert capsys.readouterr().err == "tried: interrupted; nothing was decided.\n"


@pytest.mark.parametrize("lesson", ["tried", "another"])
def test_only_its_own_old_event_files_go(lesson, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps({"lesson": "tried"}))
    kept = tmp_path / "tensorboard" / "old"
    kept.mkdir(parents=True)
    assert run(f"scripts/{lesson}.py", DOC, lambda _: None, arguments=["--out", str(tmp_path)]) == 0
    assert kept.exists() == (lesson != "tried")


@pytest.mark.parametrize("missing", ["Prediction", "Source", "Rule"])
def test_a_docstring_says_everything(missing):
    assert parse_docstring(DOC) == TEXT
    with pytest.raises(ValueError, match=missing):
        parse_docstring(DOC.replace(missing, "Nothing"))


def test_titles_wrap_and_ticks_keep_apart():
    rows = {"x": np.ones((6, 5))}
    title = "on the hidden layers (shaded: what the notes recommend)"
    panels = [sweep([0, 0.02, 0.1, 0.2, 0.9], rows, title, "rate", "y") for _ in range(3)]
    axes = _panels.draw("figure", panels).axes[0]
    assert "\n" in axes.get_title("left")
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["0", "", "0.1", "0.2", "0.9"]
