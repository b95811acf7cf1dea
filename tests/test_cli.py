"""The command line: help, examples, exit statuses, signals, and what is said where."""

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console

from kerasreg import cli
from kerasreg.options import build_parser, joined
from kerasreg.search.progress import Counter, Event
from kerasreg.study import Study
from kerasreg.terminal import LiveProgress, describe_setting, duration, is_live, print_summary

VERBS = ("search", "train", "report")
PARSER = build_parser(dict.fromkeys(VERBS, lambda parsed: 0))
COMMAND = [sys.executable, "-m", "kerasreg"]
# Slow trials, many of them: a signal arrives in the middle.
LONG = ["search", "--data", "digits", "--engine", "keras-tuner", "--units", "8", "--trials", "50",
        "--epochs", "2", "--batch-size", "512", "--out", "study"]  # fmt: skip


def helped(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


class TestHelp:
    def test_it_answers_at_once(self):
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
            seconds.append(time.perf_counter() - started)
        assert min(seconds) < 0.5

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
        assert len(lines) <= 24
        assert lines[-1] == "Open next: study/report.html"
        assert (folder / "study" / "report.html").exists()
        test = json.loads((folder / "study" / "result.json").read_text())["best"]["test"]
        assert f"{test['accuracy']:.4f}" in ran.stdout

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
        arguments = ["--dropout", "--input-dropout", "--l1", "--l2"]
        names = ["dropout", "input_dropout", "l1", "l2"]
        flags = [t for f, n in zip(arguments, names, strict=True) for t in (f, repr(values[n]))]
        status = cli.main(
            ["train", "--data", "iris", "--units", "4", "--epochs", "2", *flags,
             "--lr", repr(values["learning_rate"]), "--out", str(folder / "one")]
        )  # fmt: skip
        assert status == 0
        assert Study.open(folder / "one").trials()[0]["score"] == pytest.approx(
            record["score"], rel=1e-4
        )


class TestSignals:
    @pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_finished_trials_are_kept(self, tmp_path, number, status):
        process = subprocess.Popen(
            [*COMMAND, *LONG], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        trials = tmp_path / "study" / "trials.jsonl"
        while process.poll() is None and not (trials.exists() and trials.stat().st_size):
            time.sleep(0.05)
        process.send_signal(number)
        sent = time.monotonic()
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - sent < 5
        assert process.returncode == status
        assert "Traceback" not in err
        assert err.count("\n") == 1
        kept = Study.open(tmp_path / "study").trials()
        assert 0 < len(kept) < 50
        assert f"{len(kept)} finished" in err
        assert "--resume --out study" in err
        # Nobody holds the study, and it goes on.
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
        process = subprocess.Popen(
            [*COMMAND, *LONG], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        time.sleep(0.7)  # TensorFlow is being imported
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "Traceback" not in err


class TestTerminal:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3725, "1 h 2 min"), (-1, "0 s")],
    )
    def test_duration(self, seconds, text):
        assert duration(seconds) == text

    def test_a_setting_names_its_regularisers_first(self):
        values = {"learning_rate": 0.00123456, "l2": 0.0, "dropout": 0.5, "units": "64x64"}
        assert describe_setting(values) == "dropout 0.5, l2 0, learning_rate 0.00123, units 64x64"

    def test_test_results_are_means_over_the_seeds_and_the_models_own_is_named(self, tmp_path):
        def side(*accuracies):
            seeds = [{"seed": k, "accuracy": a, "data_loss": 1.0} for k, a in enumerate(accuracies)]
            metrics = {"accuracy": 0.75, "val_accuracy": 0.5, "val_data_loss": 0.25}
            test = {**seeds[0], "seeds": seeds}
            return {"trial": "1", "hyperparameters": {}, "metrics": metrics, "test": test}

        (tmp_path / "best.keras").write_text("")
        for accuracies, row, note in (
            ((0.5, 0.25), "test accuracy (mean of 2 seeds)", "seed 0, test accuracy 0.5000)"),
            ((0.375,), "test accuracy", "training and validation rows)"),
        ):
            screen = io.StringIO()
            result = {"metric": "accuracy", "best": side(*accuracies), "baseline": side(0.125)}
            print_summary(tmp_path, result, Console(file=screen, width=150))
            lines = screen.getvalue().splitlines()
            assert any(line.split("  ")[0] == row and line.endswith("0.3750") for line in lines)
            assert any(line.startswith("model") and line.endswith(note) for line in lines)

    @pytest.mark.parametrize(
        ("objective", "baseline", "best", "said"),
        [
            ("val_data_loss", 0.1, 0.2, True),
            ("val_data_loss", 0.2, 0.1, False),
            ("val_accuracy", 0.9, 0.8, True),
            ("val_accuracy", 0.8, 0.8, False),
            ("val_mae", None, 0.8, False),
        ],
    )
    def test_it_says_when_nothing_tried_helps(self, tmp_path, objective, baseline, best, said):
        sides = {
            name: {"trial": "1", "hyperparameters": {}, "metrics": {}, "score": score}
            for name, score in (("baseline", baseline), ("best", best))
        }
        screen = io.StringIO()
        print_summary(tmp_path, {"objective": objective, **sides}, Console(file=screen, width=150))
        assert ("nothing that was tried helps" in screen.getvalue()) == said

    def test_the_command_for_tensorboard_can_be_pasted(self, tmp_path):
        folder = tmp_path / "my study"
        (folder / "tensorboard").mkdir(parents=True)
        screen = io.StringIO()
        best = {"trial": "1", "hyperparameters": {}, "metrics": {}}
        print_summary(folder, {"metric": "mae", "best": best}, Console(file=screen))
        assert f"--logdir '{folder / 'tensorboard'}')" in screen.getvalue()

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
