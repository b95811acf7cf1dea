"""The ledger: what runs, what is not run again, the page it writes, and refusals."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from kerasreg.claims import CLAIMS, errata_of, find_claim
from kerasreg.ledger import main
from kerasreg.ledger._data import data_set
from kerasreg.ledger._page import MARKS
from kerasreg.ledger._scripts import choose, find_lessons

SCRIPTS = Path(__file__).parent.parent / "scripts"
VERDICTS = {"digits": "supported", "mnist": "partly"}

# A lesson without a network: writes what a real one writes, and a line for each time it ran.
LESSON = '''"""Why {name}?

Prediction: so.

Source: notes.

Rule: if.
"""
if False:
    from kerasreg.lesson import run
import json, pathlib, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
out, data = pathlib.Path(arguments["--out"]), arguments["--data"]
with open(pathlib.Path(__file__).with_suffix(".ran"), "a") as ran:
    print(data, arguments.get("--seeds"), file=ran)
if (pathlib.Path(__file__).parent / "interrupt").exists():
    sys.exit(130)
if (pathlib.Path(__file__).parent / "break").exists():
    sys.exit(2)
verdict = "supported" if data == "digits" else "partly"
reason = "+1.2 pp [0.5, 1.9], p = 0.01, 12 seeds"
part = dict(claim="a | b is better", verdict=verdict, reason=reason)
claim = dict(
    statement="s", verdict=verdict, reason="r", take_home=f"Take {{verdict}}.",
    decision=part | dict(parts=[], comparison=None),
)
(out / "results.json").write_text(json.dumps(dict(
    lesson="{name}", question="Why {name}?", prediction="so", rule="if", source="notes",
    quick=False,
    seeds=list(range(12)), claims={{c: claim for c in {claims}}}, notes=["a * note"],
    figure="figure.png", seconds=1.0, versions=dict(kerasreg="1"),
)))
from PIL import Image
Image.new("RGB", (40, 20), "white").save(out / "figure.png")
(out / "report.html").write_text("page")
'''


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A repository of two lessons, and something that is no lesson."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name, claims in (("later", ["C45", "C44"]), ("first_one", ["C06"])):
        (scripts / f"{name}.py").write_text(LESSON.format(name=name, claims=json.dumps(claims)))
    (scripts / "benchmark.py").write_text('"""Not a lesson."""\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(place: Path, name: str) -> list[str]:
    path = place / "scripts" / f"{name}.ran"
    return path.read_text().splitlines() if path.exists() else []


def ledger(place: Path, *arguments: str) -> int:
    return main(arguments, place / "scripts")


# --- what runs ----------------------------------------------------------------------------------


def test_the_lessons_are_found_in_the_order_of_their_claims(place):
    assert [lesson.name for lesson in find_lessons(place / "scripts")] == ["first_one", "later"]
    assert find_lessons(place / "scripts")[1].claims == ("C44", "C45")


def test_the_repository_has_lessons_and_none_decides_nothing():
    lessons = find_lessons(SCRIPTS)
    assert len(lessons) >= 10
    assert [lesson.name for lesson in lessons if not lesson.claims] == []
    assert not {"lessons", "benchmark_monitors", "train_stack"} & {one.name for one in lessons}


def test_lessons_are_chosen_by_name_file_or_claim(place):
    every = find_lessons(place / "scripts")

    def names(*asked):
        return [lesson.name for lesson in choose(asked, every)]

    assert names() == ["first_one", "later"]
    assert names("c6") == names("C06") == names("scripts/first_one.py") == ["first_one"]
    assert names("C45", "C44") == ["later"]
    assert names("later", "C06") == ["first_one", "later"]


def test_nothing_runs_twice_and_the_page_has_the_same_bytes(place, capsys):
    assert ledger(place) == 0
    assert ran(place, "later") == ran(place, "first_one") == ["digits None", "mnist None"]
    before = (place / "LESSONS.md").read_bytes()
    assert ledger(place) == 0
    assert ran(place, "later") == ["digits None", "mnist None"]
    assert (place / "LESSONS.md").read_bytes() == before
    assert "4 runs, of which 4 are there already" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["script", "seeds", "version", "results", "again"])
def test_what_changed_runs_again(place, monkeypatch, change):
    ledger(place, "first_one", "--data", "digits")
    arguments = ["first_one", "--data", "digits"]
    if change == "script":
        with open(place / "scripts" / "first_one.py", "a") as script:
            script.write("# changed\n")
    elif change == "seeds":
        arguments += ["--seeds", "14"]
    elif change == "version":
        monkeypatch.setattr("kerasreg.__version__", "99")
    elif change == "results":
        (place / "runs/lessons/digits/first_one/results.json").unlink()
    else:
        arguments += ["--again"]
    assert ledger(place, *arguments) == 0
    assert len(ran(place, "first_one")) == 2


def test_a_file_with_other_images_runs_again(place):
    path = place / "mnist10k.npz"
    for pixel in (0, 1):
        images = np.full((7, 2, 2), pixel, "uint8")
        np.savez(path, x_train=images, y_train=images[:, 0, 0], x_test=images[:3], y_test=[0] * 3)
        assert ledger(place, "first_one", "--data", str(path)) == 0
    assert len(ran(place, "first_one")) == 2


def test_an_interrupted_ledger_continues(place, capsys):
    ledger(place, "--data", "digits")
    (place / "scripts" / "interrupt").touch()
    assert ledger(place) == 130
    assert "continues" in capsys.readouterr().err
    assert not (place / "LESSONS.md").exists()
    (place / "scripts" / "interrupt").unlink()
    assert ledger(place) == 0
    assert ran(place, "first_one") == ["digits None", "mnist None", "mnist None"]


def test_a_failed_lesson_is_told_and_left_out(place, capsys):
    ledger(place, "--data", "digits")
    (place / "scripts" / "break").touch()
    assert ledger(place) == 1
    assert "Failed: first_one on MNIST; later on MNIST" in capsys.readouterr().err
    page = (place / "LESSONS.md").read_text("utf-8")
    assert "| ✓ supported | not measured | [first_one](#first_one) |" in page


# --- the page -----------------------------------------------------------------------------------


def test_the_page_says_everything_about_a_claim(place):
    ledger(place)
    page = (place / "LESSONS.md").read_text("utf-8")
    claim = find_claim("C06")
    section = page.split("## first_one\n")[1].split("\n## ")[0]
    assert claim.statement in section
    assert "| **verdict** | **✓ supported** | **◐ partly** |" in section
    assert "| a \\| b is better | supported: +1.2 pp [0.5, 1.9], p = 0.01, 12 seeds |" in section
    assert "The verdict depends on the data" in section
    assert "*digits:* Take supported. *MNIST:* Take partly." in section
    assert "(scripts/first_one.py)" in section
    assert "a \\* note" in section
    for erratum in errata_of(claim):
        assert erratum.correct in section
    for figure in re.findall(r"\]\((lessons/[^)]*)\)", page):
        assert (place / figure).is_file()
    assert (place / "runs/lessons/index.html").read_text("utf-8").count("<article") == 4


def test_the_page_names_every_claim_measured_or_not(place):
    ledger(place)
    summary = (place / "LESSONS.md").read_text("utf-8").split("\n## first_one")[0]
    for claim in CLAIMS:
        measured = claim.id in ("C06", "C44", "C45")
        row = next(line for line in summary.splitlines() if line.startswith(f"| {claim.id} |"))
        assert ("not measured" in row) is not measured
    assert f"| digits | 3 | {' | '.join('0' * (len(MARKS) - 1))} |" in summary


def test_a_file_is_named_by_its_images_and_never_by_its_place(place):
    folder = place / "secret place"
    folder.mkdir()
    images = np.zeros((70, 2, 2), "uint8")
    path = folder / "MNIST small.npz"
    np.savez_compressed(path, x_train=images, y_train=images[:, 0, 0], x_test=images[:30], y_test=0)
    assert data_set(str(path)).label == "MNIST (100 images)"
    assert ledger(place, "--data", "digits", str(path)) == 0
    page = (place / "LESSONS.md").read_text("utf-8")
    assert "MNIST (100 images)" in page
    assert "secret" not in page
    assert str(place) not in page
    assert (place / "lessons" / "later_MNIST_small.png").is_file()


@pytest.mark.parametrize(
    ("name", "label"),
    [("fashion-mnist.npz", "Fashion-MNIST (3 images)"), ("letters.npz", "letters (3 images)")],
)
def test_labels(tmp_path, name, label):
    np.savez(tmp_path / name, x_train=np.zeros((2, 4)), x_test=np.zeros((1, 4)))
    assert data_set(str(tmp_path / name)).label == label


@pytest.mark.parametrize(
    "arguments", [("first_one",), ("--data", "digits"), ("C06", "--seeds", "14")]
)
def test_a_part_of_the_lessons_does_not_replace_the_page_of_all(place, arguments):
    assert ledger(place, *arguments) == 0
    assert not (place / "LESSONS.md").exists()
    page = (place / "runs/lessons/LESSONS.md").read_text("utf-8")
    assert "(../../scripts/first_one.py)" in page
    assert ledger(place, *arguments, "--page", "LESSONS.md") == 0
    assert (place / "LESSONS.md").exists()


def test_figures_of_lessons_that_are_gone_are_removed(place):
    ledger(place)
    stranger = place / "lessons" / "stranger.png"
    stranger.touch()
    (place / "scripts" / "later.py").unlink()
    ledger(place)
    names = {path.name for path in (place / "lessons").iterdir()}
    assert names == {"first_one_digits.png", "first_one_mnist.png", "stranger.png"}


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("frist_one",), "near: first_one"),
        (("C99",), "near: C49"),
        (("C30",), "No lesson decides C30 yet"),
        (("--data", "mnits"), "near: mnist"),
        (("--data", "mnist", "C06"), "near: "),
        (("--data", "absent.npz"), "No such file"),
        (("--data", "scripts/benchmark.npz"), "not a zip file"),
        (("--data", "digits", "digits"), "different names"),
        (("--out", "scripts/later.py"), "can be written to"),
        (("--page", "scripts/later.py/LESSONS.md"), "can be written to"),
        (("--sedes", "3"), "--sedes"),
    ],
)
def test_mistakes(place, capsys, arguments, words):
    (place / "scripts" / "benchmark.npz").write_text("no archive")
    assert ledger(place, *arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error
    assert ran(place, "first_one") == []


def test_a_folder_without_lessons(tmp_path, capsys):
    assert main([], tmp_path) == 2
    assert "found none" in capsys.readouterr().err
