"""The ledger: what runs, what is not run again, the page it writes, and refusals."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from kerasreg.claims import CLAIMS, errata_of, find_claim
from kerasreg.evidence import Rule, ShareOfErrors
from kerasreg.ledger import main
from kerasreg.ledger._data import data_set
from kerasreg.ledger._scripts import choose, find_lessons

SCRIPTS = Path(__file__).parent.parent / "scripts"

# A lesson without a network: writes what a real one writes, and a line for each time it ran.
LESSON = '''"""Why {name}?

Prediction: so.

Source: notes.

Rule: if.
"""
if False:
    from kerasreg.lesson import run
    lesson.data()
import json, pathlib, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
out, data = pathlib.Path(arguments["--out"]), arguments["--data"]
with open(pathlib.Path(__file__).with_suffix(".ran"), "a") as ran:
    print(data, arguments.get("--seeds"), file=ran)
if (pathlib.Path(__file__).parent / "interrupt").exists():
    sys.exit(130)
if (pathlib.Path(__file__).parent / "break").exists():
    sys.exit(2)
records = json.loads(pathlib.Path(__file__).with_suffix(".json").read_text())
claim = records.get(data, records["other"])
(out / "results.json").write_text(json.dumps(dict(
    lesson="{name}", question="Why {name}?", prediction="so", rule="if", source="notes",
    quick=False,
    seeds=list(range(12)), claims={{c: claim for c in {claims}}}, notes=["a * note"],
    figures=["figure.png"], seconds=1.0, versions=dict(kerasreg="1"),
)))
from PIL import Image
Image.new("RGB", (40, 20), "white").save(out / "figure.png")
(out / "report.html").write_text("page")
'''


def record(gain: float, word: str) -> dict:
    """What a lesson writes about a claim, where accuracy rose by so much."""
    rule = Rule("a | b: test accuracy", "greater", ShareOfErrors(), unit="pp")
    before, wobble = 0.8 + np.tile([1e-3, -1e-3], 6), np.tile([1e-4, -1e-4], 6)
    decision = rule.decide(rule.compare(before + gain + wobble, before))
    return {
        "statement": "s",
        "verdict": decision.verdict,
        "reason": "r",
        "take_home": f"Take {word}.",
        "advice": f"Take {word}.",
        "setting": "300 images",
        "why": "A * reason.",
        "predicted": "supported",
        "decision": decision.to_dict(),
        "beside": [rule.decide(rule.compare(before, before[::-1])).to_dict()],
    }


def write_lesson(scripts: Path, name: str, claims: list[str], digits: float = 0.02) -> None:
    (scripts / f"{name}.py").write_text(LESSON.format(name=name, claims=json.dumps(claims)))
    records = {
        "digits": record(digits, "digits"),
        "mnist": record(0.005, "MNIST"),
        "other": record(-0.05, "other"),
    }
    (scripts / f"{name}.json").write_text(json.dumps(records))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A repository of two lessons, and something that is no lesson."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name, claims in (("later", ["C45", "C44"]), ("first_one", ["C06"])):
        write_lesson(scripts, name, claims)
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
    assert re.search(r"\|C06\|.*\|✓ \+2.0 pp\|\|", page)


# --- the page -----------------------------------------------------------------------------------


def test_a_claim_takes_a_screen_and_folds_the_rest(place):
    ledger(place)
    page = (place / "LESSONS.md").read_text("utf-8")
    claim = find_claim("C06")
    section = page.split(f"### C06. {claim.statement}\n")[1].split("\n### ")[0]
    shown, folded = section.split("<details>")
    assert "**Digits ✓ supported, MNIST ↓ smaller than claimed.** 300 images." in shown
    assert (
        "|a \\| b: test accuracy|✓ 80.0→82.0 %, **+2.0 pp** [2.0, 2.0]"
        "|↓ 80.0→80.5 %, **+0.50 pp** [0.49, 0.51]|" in shown
    )
    assert "|*beside:* a \\| b: test accuracy|**0 pp** [" in shown
    assert "A \\* reason. We had predicted: supported." in shown, "MNIST says otherwise"
    assert "*Do:* (digits) Take digits. (MNIST) Take MNIST." in shown
    assert "Rule: [first_one.py](scripts/first_one.py)." in folded
    assert "- Needs greater by 1.5 pp." in folded
    assert "- digits: p < 0.001, 12 seeds." in folded
    for erratum in errata_of(claim):
        assert erratum.correct in folded
    figures = re.findall(r"\]\((lessons/[^)]*)\)", page)
    assert len(figures) == len(set(figures)) == 4
    assert all((place / figure).is_file() for figure in figures)
    assert (place / "runs/lessons/index.html").read_text("utf-8").count("<article") == 4


def test_an_erratum_stands_on_the_page_once_and_numbers_are_short(place):
    ledger(place)
    page = (place / "LESSONS.md").read_text("utf-8")
    shared = set(errata_of(find_claim("C44"))) & set(errata_of(find_claim("C45")))
    assert shared
    for erratum in shared:
        assert page.count(f"- {erratum.id} (") == 1
    assert "p = 0," not in page
    assert "e-" not in re.sub(r"\w+-\w+", "", page.split("<details>")[1])


def test_the_page_names_every_claim_measured_or_not(place):
    ledger(place)
    summary = (place / "LESSONS.md").read_text("utf-8").split("\n### ")[0]
    for claim in CLAIMS:
        measured = claim.id in ("C06", "C44", "C45")
        row = next(line for line in summary.splitlines() if line.startswith(f"|{claim.id}|"))
        assert ("not measured" in row) is not measured
        assert ("|✓ +2.0 pp|↓ +0.50 pp|" in row) is measured
    assert "|digits|3|0|0|0|0|0|" in summary
    assert "|MNIST|0|0|3|0|0|0|" in summary


def test_a_claim_of_two_lessons_counts_once_and_is_joined(place):
    write_lesson(place / "scripts", "second", ["C06"], digits=-0.05)
    ledger(place)
    page = (place / "LESSONS.md").read_text("utf-8")
    assert "|digits|2|1|0|0|0|0|" in page
    section = page.split("### C06.")[1].split("\n### ")[0]
    assert "**Digits ◐ partly, MNIST ↓ smaller than claimed.**" in section
    assert "Rule: [first_one.py](scripts/first_one.py), [second.py](scripts/second.py)." in section


def test_an_identity_counts_once_and_not_for_each_data_set(place):
    script = place / "scripts" / "first_one.py"
    script.write_text(script.read_text().replace("    lesson.data()\n", ""))
    ledger(place)
    assert ran(place, "first_one") == ["digits None"]
    page = (place / "LESSONS.md").read_text("utf-8")
    assert "|digits|2|0|0|0|0|0|" in page
    assert "|no data|1|0|0|0|0|0|" in page
    assert "|✓ +2.0 pp (no data)||" in page
    assert "**No data ✓ supported.** 300 images." in page


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
        (("C99",), "near: C59"),
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
