"""Every lesson of scripts/ runs from end to end with --quick and leaves what it promises."""

import json
import multiprocessing
import os
import re
import runpy
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from kerasreg.claims import CLAIMS
from kerasreg.lesson import parse_docstring

SCRIPTS = Path(__file__).parent.parent / "scripts"
LESSONS = sorted(
    path
    for path in SCRIPTS.glob("*.py")
    if path.name != "lessons.py" and "from kerasreg.lesson import" in path.read_text("utf-8")
)


METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
PROCESSES = multiprocessing.get_context(METHOD)
# Imports once; each script then starts in a fork, whose memory ends with it.
PROCESSES.set_forkserver_preload(["preloaded"])


def run_script(script: str, arguments: tuple[str, ...], folder: Path) -> None:
    """What `python script arguments` does, with what it says in files of `folder`."""
    for descriptor, name in ((1, "out.txt"), (2, "err.txt")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


def start(script: Path, *arguments: str, folder: Path) -> tuple[int, str, str]:
    """Run a script in a process; its exit status, stdout and stderr."""
    process = PROCESSES.Process(target=run_script, args=(str(script), arguments, folder))
    process.start()
    process.join()
    said = ((folder / name).read_text("utf-8") for name in ("out.txt", "err.txt"))
    return process.exitcode, *said


def test_there_are_lessons():
    assert len(LESSONS) >= 7


def test_the_readme_names_every_script_and_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", (SCRIPTS / "README.md").read_text("utf-8"))
    assert {path.name for path in SCRIPTS.glob("*.py")} <= set(links)
    assert [link for link in links if not (SCRIPTS / link).exists()] == []


@pytest.mark.parametrize("script", LESSONS, ids=lambda path: path.stem)
def test_quick(script, tmp_path):
    out = tmp_path / "out"
    status, said, error = start(script, "--quick", "--out", str(out), folder=tmp_path)
    assert (status, error) == (0, "")
    assert "decides nothing" in said

    results = json.loads((out / "results.json").read_text("utf-8"))
    assert results["lesson"] == script.stem
    assert results["quick"] is True
    assert results["claims"]
    assert results["claims"].keys() <= {claim.id for claim in CLAIMS}
    for record in results["claims"].values():
        assert record["verdict"] == "undecided", "a quick run decides nothing"
        assert record["take_home"]
        assert record["reason"]
    assert results["table"]
    text = parse_docstring(script.read_text("utf-8").split('"""')[1])
    assert {name: results[name] for name in text} == text

    png = (out / "figure.png").read_bytes()
    width, height = struct.unpack(">II", png[16:24])
    assert 1500 <= width <= 1700
    assert height <= 2400
    assert len(png) < 150_000
    assert "<svg" in (out / "report.html").read_text("utf-8")
    trained = any("arms" in setting for setting in results["settings"].values())
    assert trained <= any((out / "tensorboard").rglob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "diabetes"), "is a quantity"),
        (("--data", "mnits"), "did you mean mnist"),
        (("--seeds", "4"), "seeds"),
        (("--out", __file__), "can be written to"),
    ],
)
def test_mistakes(arguments, words, tmp_path):
    out = () if "--out" in arguments else ("--out", str(tmp_path / "out"))
    status, _, error = start(SCRIPTS / "overfit_dropout.py", *arguments, *out, folder=tmp_path)
    assert status == 2
    assert error.count("\n") == 1
    assert words in error


def test_a_process_of_its_own_says_nothing_but_its_results(tmp_path):
    """TensorFlow's start writes on stderr, which no test in this process would see."""
    script = SCRIPTS / "dropout_without_overfitting.py"
    done = subprocess.run(
        [sys.executable, str(script), "--quick", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "C15 undecided" in done.stdout


def test_the_benchmark_of_an_own_network_compares_by_split():
    script = runpy.run_path(str(SCRIPTS / "benchmark_own_network.py"))
    splits = {
        str(k): {
            "best": {"accuracy": 0.9 + 0.001 * k, "data_loss": 0.2},
            "baseline": {"accuracy": 0.88, "data_loss": 0.4 + 0.01 * k},
        }
        for k in range(6)
    }
    table = script["summary"]({"300": splits})
    assert [*table.columns[1].cells] == ["accuracy", "data_loss"]
    assert [*table.columns[5].cells] == ["supported", "supported"]
    del splits["5"]
    assert [*script["summary"]({"300": splits}).columns[5].cells] == ["too few splits"] * 2
