"""The command line: help, examples, exit statuses, signals, and what is said where."""

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest
from made_studies import finished, make_study, record
from rich.console import Console

from kerasreg import cli
from kerasreg.options import build_parser, joined
from kerasreg.report import answer_rows, read_study
from kerasreg.search.progress import Counter, Event
from kerasreg.study import Study, failed_record
from kerasreg.terminal import LiveProgress, describe_setting, is_live, print_summary
from kerasreg.words import duration

VERBS = ("search", "train", "diagnose", "report", "predict", "data")
PARSER = build_parser(dict.fromkeys(VERBS, lambda parsed: 0))
COMMAND = [sys.executable, "-m", "kerasreg"]
# Slow trials, many of them: a signal arrives in the middle.
LONG = ["search", "--data", "digits", "--engine", "keras-tuner", "--units", "8", "--trials", "50",
        "--folds", "0",
        "--epochs", "2", "--batch-size", "512", "--out", "study"]  # fmt: skip


def helped(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


class TestHelp:
    def test_it_answers(self, record_property):
        started = time.monotonic()
        ran = subprocess.run([*COMMAND, "--help"], check=True, capture_output=True, text=True)
        record_property("seconds of kerasreg --help", time.monotonic() - started)
        assert "kerasreg search --data digits" in ran.stdout
        assert ran.stderr == ""

    def test_nothing_heavy_is_imported(self):
        code = (
            "import sys, kerasreg, kerasreg.cli; "
            "heavy = ('tensorflow', 'keras', 'numpy', 'pandas', 'rich'); "
            "print([name for name in heavy if name in sys.modules])"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert ran.stdout.strip() == "[]"

    @pytest.mark.parametrize("verb", VERBS)
    def test_every_verb_has_an_example_that_parses(self, verb, capsys):
        text = helped(capsys, verb)
        examples = [line.strip() for line in text.splitlines() if line.startswith("  kerasreg ")]
        assert examples
        for example in examples:
            program, *arguments = shlex.split(example)
            assert program == "kerasreg"
            assert arguments[0] == verb
            PARSER.parse_args(arguments)

    def test_no_verb_is_the_users_mistake(self, capsys):
        assert cli.main([]) == 2
        assert "--help" in capsys.readouterr().err

    def test_every_option_says_what_it_does(self):
        for verb in PARSER._subparsers._group_actions[0].choices.values():
            for action in verb._actions:
                assert action.help, action.option_strings


class TestNegativeNumbers:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (["--l1", "-1e-3"], ["--l1=-1e-3"]),
            (["--target", "-1", "-v"], ["--target=-1", "-v"]),
            (["--l1=-1", "-.5"], ["--l1=-1", "-.5"]),
            (["report", "-1"], ["report", "-1"]),
        ],
    )
    def test_they_belong_to_their_option(self, given, expected):
        assert joined(given) == expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


class TestARun:
    """One study through the verbs, in a process of its own where output matters."""

    def run(self, folder, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
        )

    def test_search_says_what_to_open_next_and_nothing_on_stderr(self, folder):
        ran = self.run(
            folder, "search", "--data", "iris", "--units", "4", "--epochs", "2", "--trials", "3",
            "--fix", "normalization=none", "--out", "study",
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert ran.stderr == ""
        lines = ran.stdout.rstrip().splitlines()
        assert len(lines) <= 32
        assert lines[-1] == "Open next: study/report.html"
        assert (folder / "study" / "report.html").exists()
        test = json.loads((folder / "study" / "result.json").read_text())["best"]["test"]
        assert f"{100 * test['accuracy']:.1f} %" in ran.stdout

    def test_resume_needs_only_the_folder_and_quiet_says_nothing(self, folder, capfd):
        assert cli.main(["search", "--resume", "--out", str(folder / "study"), "--quiet"]) == 0
        assert capfd.readouterr() == ("", "")

    def test_what_is_given_again_must_agree(self, folder, capfd):
        study = str(folder / "study")
        assert cli.main(["search", "--resume", "--out", study, "--epochs", "2"]) == 0
        assert "Open next" in capfd.readouterr().out
        assert cli.main(["search", "--resume", "--out", study, "--epochs", "3"]) == 2
        assert "epochs: 2 → 3" in capfd.readouterr().err
        assert cli.main(["search", "--resume", "--out", study, "--fix", "l1=0"]) == 2
        assert "space" in capfd.readouterr().err

    def test_report_prints_where_it_is(self, folder, capfd):
        report = folder / "study" / "report.html"
        report.unlink()
        assert cli.main(["report", str(folder / "study")]) == 0
        assert capfd.readouterr().out.strip() == str(report)
        assert report.exists()

    def test_train_repeats_a_trial_of_a_search(self, folder, capfd):
        record = Study.open(folder / "study").trials()[0]
        values = record["hyperparameters"]
        names = ["dropout", "input_dropout", "l1", "l2", "weight_decay", "label_smoothing"]
        flags = [t for n in names for t in (f"--{n.replace('_', '-')}", repr(values[n]))]
        flags += ["--set", f"encoding={values['encoding']}"]
        status = cli.main(
            ["train", "--data", "iris", "--units", "4", "--epochs", "2", *flags,
             "--lr", repr(values["learning_rate"]), "--out", str(folder / "one")]
        )  # fmt: skip
        assert status == 0
        assert Study.open(folder / "one").trials()[0]["score"] == pytest.approx(
            record["score"], rel=1e-4
        )


# Interrupts itself while it imports something.
INTERRUPTED_IMPORT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from kerasreg.cli import main
sys.exit(main(sys.argv[1:]))
"""


class TestSignals:
    @pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_finished_trials_are_kept(self, tmp_path, number, status, record_property):
        process = subprocess.Popen(
            [*COMMAND, *LONG], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        trials = tmp_path / "study" / "trials.jsonl"
        while process.poll() is None and not (trials.exists() and trials.stat().st_size):
            time.sleep(0.05)
        # It stands still while its trials are counted, so that what follows comes after the signal.
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        before = trials.read_bytes().count(b"\n")
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        sent = time.monotonic()
        _, err = process.communicate()
        record_property("seconds from a signal to the end", time.monotonic() - sent)
        assert process.returncode == status
        assert "Traceback" not in err
        assert err.count("\n") == 1
        kept = Study.open(tmp_path / "study").trials()
        # How many epochs pass before a signal from outside arrives is the system's:
        # test_no_epoch_is_begun_after_a_signal has one that arrives at once.
        assert before <= len(kept) < 50
        assert f"{len(kept)} finished" in err
        assert "--resume --out study" in err
        # The study is free, and it goes on.
        with Study.open(tmp_path / "study").lock():
            pass

    def test_the_line_names_what_can_be_resumed(self, tmp_path, capfd):
        folder = tmp_path / "my study"
        cli._say_kept("search", folder)
        assert "--resume" not in capfd.readouterr().err
        Study.create(folder, {"trials": 1})
        cli._say_kept("train", folder)
        assert f"kerasreg train --resume --out '{folder}'" in capfd.readouterr().err

    def test_before_anything_has_begun(self, tmp_path):
        ran = subprocess.run(
            [sys.executable, "-c", INTERRUPTED_IMPORT, *LONG],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 130
        assert ran.stderr == "kerasreg: interrupted before anything was begun\n"
        assert not (tmp_path / "study").exists()


class TestTerminal:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0 s"),
            (0.43, "0.43 s"),
            (8, "8 s"),
            (59.4, "59 s"),
            (60, "1 min 0 s"),
            (3725, "1 h 2 min"),
            (-1, "0 s"),
        ],
    )
    def test_duration(self, seconds, text):
        assert duration(seconds) == text

    def test_a_setting_names_its_regularisers_first(self):
        values = {"learning_rate": 0.00123456, "l2": 0.0, "dropout": 0.5, "units": "64x64"}
        assert describe_setting(values) == "dropout 0.5, l2 0, learning_rate 0.00123, units 64x64"

    def summary(self, folder) -> list[str]:
        screen = io.StringIO()
        print_summary(folder, Console(file=screen, width=120))
        return screen.getvalue().splitlines()

    def test_the_summary_says_what_the_report_says(self, tmp_path):
        finished(tmp_path / "study", count=3)
        lines = self.summary(tmp_path / "study")
        view = read_study(tmp_path / "study")
        for row in answer_rows(view):
            shown = [row.name, row.baseline, row.best, row.difference]
            assert shown in [re.split(r"\s{2,}", line) for line in lines]
        assert any(line.startswith("On the test rows") for line in lines)
        assert not any("nothing that was tried helps" in line for line in lines)

    def test_where_seeds_differ_the_models_own_result_is_named(self, tmp_path):
        test = {
            who: {
                "seeds": [{"seed": k, "accuracy": a, "data_loss": 1.0} for k, a in enumerate(seeds)]
            }
            for who, seeds in {"best": (0.5, 0.25), "baseline": (0.125, 0.125)}.items()
        }
        study = finished(tmp_path / "study", count=3, test=test)
        study.best_model.write_text("")
        lines = self.summary(study.folder)
        row = next(line for line in lines if line.startswith("Test accuracy (mean of 2 seeds)"))
        assert row.split()[-6:-2] == ["12.5", "%", "37.5", "%"]
        model = next(line for line in lines if line.startswith("model"))
        assert model.endswith("seed 0, test accuracy 50.0 %)")

    def test_it_says_when_nothing_tried_helps(self, tmp_path):
        best, better = record("t0", {}, level=0.3), record("baseline", {}, level=0.2)
        make_study(tmp_path / "study", [best], best=best, baseline=better)
        assert any(
            "nothing that was tried helps" in line for line in self.summary(tmp_path / "study")
        )

    def test_a_study_without_a_score_says_where_the_reasons_are(self, tmp_path):
        make_study(tmp_path / "study", [failed_record("t0", {}, "no memory")])
        assert self.summary(tmp_path / "study") == [
            f"No trial has a score. Each one's reason: {tmp_path / 'study'}/trials.jsonl"
        ]

    def test_the_command_for_tensorboard_can_be_pasted(self, tmp_path):
        folder = tmp_path / "my study"
        finished(folder, count=1)
        (folder / "tensorboard").mkdir()
        assert any(
            line.endswith(f"--logdir '{folder / 'tensorboard'}')") for line in self.summary(folder)
        )

    def test_it_is_still_where_nobody_looks(self, monkeypatch):
        monkeypatch.setenv("CI", "1")
        assert not is_live()
        assert not is_live(quiet=True)

    def test_the_live_line_says_best_and_time_left(self, monkeypatch):
        clock = iter([0.0, *[10.0] * 50])
        monkeypatch.setattr("kerasreg.terminal.time.monotonic", lambda: next(clock))
        screen = io.StringIO()
        console = Console(file=screen, force_terminal=True, width=120)
        with LiveProgress(True, console=console) as progress:
            progress(Event("searching", 0, 8, 0.0, "val_data_loss"))
            progress(Event("searching", 2, 8, 0.25, "val_data_loss", 0.125, "0001"))
            detail = progress._bar.tasks[0].fields["detail"]
            progress(Event("searching", notice="[red]Read this.[/]"))
        assert detail == "2/8 · 0.2/s · 30 s left · best val_data_loss 0.125 (trial 0001)"
        assert "[red]Read this.[/]" in screen.getvalue()

    def test_a_notice_is_said_even_when_nothing_moves_and_not_when_quiet(self):
        for quiet, said in ((False, "Read this.\n"), (True, "")):
            screen = io.StringIO()
            with LiveProgress(False, quiet, Console(file=screen)) as progress:
                progress(Event("searching", notice="Read this."))
            assert screen.getvalue() == said


class TestCounter:
    def test_fraction_counts_epochs_and_forgives_early_stops(self):
        told = []
        counter = Counter(told.append, "searching", 4, 10, "val_data_loss")
        counter.epochs(5)
        assert told[-1].fraction == pytest.approx(0.125)
        counter.setting({"trial": "a", "status": "completed", "score": 2.0})
        assert told[-1].fraction == pytest.approx(0.25)
        counter.epochs(10)
        counter.setting({"trial": "b", "status": "diverged", "score": None})
        counter.setting({"trial": "c", "status": "completed", "score": 1.0})
        counter.setting({"trial": "d", "status": "completed", "score": 3.0}, new=False)
        last = told[-1]
        assert (last.done, last.fraction, last.best, last.best_trial) == (4, 1.0, 1.0, "c")
        assert last.finished == ""
        assert told[-2].finished == "searching c: completed, val_data_loss 1"
