"""A search that is killed, filled up, refused, interrupted or misled by the clock loses nothing.

What a study must survive                     | shown by
----------------------------------------------|----------------------------------------------
SIGKILL at random moments, resumed each time  | `test_killed_searches_end_as_uninterrupted_ones`
... of the writer of trials, of files         | test_study_trials, test_files
a population goes on from its checkpoint      | `TestCheckpoint`
a full disk, a read-only disk or folder       | `TestDisk`; test_bad_input, test_files
SIGINT, SIGTERM in the middle of training     | `test_no_epoch_*`; test_cli.TestSignals
a second process, a stale lock                | test_study_lock
a clock that jumps back                       | `test_a_clock_that_jumps_back`; test_study_lock
another space, data, objective; more trials   | test_search_study, test_search_loop; test_study

`KERASREG_KILLS=100` asks for the long form; `scripts/check_reliability.py` runs it.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from killing import Killer
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from kerasreg import cli
from kerasreg.population import Population, TrainingPlan
from kerasreg.report import render_report
from kerasreg.search.run import search
from kerasreg.search.space import Range, Space
from kerasreg.stacks import StackConfig
from kerasreg.study import Study

KILLS = int(os.environ.get("KERASREG_KILLS", "10"))
TINY = ["--data", "iris", "--units", "4", "--fix", "normalization=none"]
ALONE = ["--folds", "0", "--fix", "encoding=standard"]
SEARCHES = {
    "random": ["search", *TINY, "--trials", "6", "--epochs", "3", *ALONE],
    "halving": ["search", *TINY, "--trials", "8", "--epochs", "8"],
    # The first ten are a design; the surrogate proposes the last two.
    "bayesian": ["search", *TINY, *ALONE, "--searcher", "bayesian", "--trials", "12",
                 "--epochs", "2"],
    "folds": ["search", "--data", "iris", "--units", "4", "--trials", "4", "--epochs", "2",
              "--seeds", "2", "--folds", "2"],
    "keras-tuner": ["search", *TINY, "--engine", "keras-tuner", "--trials", "3", "--epochs", "2",
                    *ALONE],
}  # fmt: skip
USED = list(SEARCHES) if KILLS > 20 else ["halving"]


def timeless(study: Study) -> list[dict]:
    """Records in the order of their trials, without what the clock decides."""
    records = [{k: v for k, v in r.items() if k != "seconds"} for r in study.trials()]
    return sorted(records, key=lambda record: record["trial"])


def answer(study: Study) -> dict:
    """The result without seconds and without the count of interrupted readings."""
    sides = {
        who: {k: v for k, v in side.items() if k != "seconds"}
        for who, side in study.result.items()
        if who in ("best", "baseline")
    }
    rest = {k: v for k, v in study.result.items() if k not in (*sides, "test_reads", "previous")}
    if "ensemble" in rest:
        # Keras numbers the layers of a process: how long their names are is no result.
        clock = ("seconds_a_thousand_rows", "bytes")
        rest["ensemble"] = {k: v for k, v in rest["ensemble"].items() if k not in clock}
    return {**rest, **sides}


def leftovers(study: Study) -> list[str]:
    """Files that only an unfinished write leaves."""
    found = [path.name for path in study.folder.rglob("*") if path.is_file()]
    return [name for name in found if name == ".lock" or ".kerasreg-" in name or ".tmp" in name]


def same_model(first: Study, second: Study) -> bool:
    weights = [keras.saving.load_model(s.best_model).get_weights() for s in (first, second)]
    return all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


@pytest.mark.parametrize("name", USED)
def test_killed_searches_end_as_uninterrupted_ones(name, tmp_path, record_property):
    arguments, rng = SEARCHES[name], random.Random(f"{name} {KILLS}")
    wanted = -(-KILLS // len(USED))
    # Every epoch is checkpointed, so that kills fall into those writes too.
    with Killer(tmp_path, interval=0.0) as killer:
        whole = killer.run([*arguments, "--out", "whole"], "whole")
        assert (whole.status, whole.err) == (0, "")
        reference = Study.open(tmp_path / "whole")
        kills = rounds = 0
        while kills < wanted:
            out, recorded, ended = f"cut{rounds}", [], None
            rounds += 1
            while ended is None or ended.killed:
                begun = (tmp_path / out / "study.json").exists()
                given = ["search", "--resume"] if begun else arguments
                # Alternately by the clock and by files: some files are open for very short times.
                # Progress is kept, so moments beyond what is left let the search end.
                moment = {"seconds": None, "touches": None}
                if kills < wanted and kills % 2:
                    moment["seconds"] = rng.uniform(0, 0.4 * whole.seconds)
                elif kills < wanted:
                    moment["touches"] = int(whole.touches ** rng.uniform(0.2, 1))
                ended = killer.run([*given, "--out", out], out, **moment)
                where = f"kill {kills} of {name} at {moment}: {ended}"
                kills += ended.killed
                assert ended.status in (0, -9), where
                assert ended.err == "", where
                if ended.killed and (tmp_path / out / "study.json").exists():
                    found = timeless(Study.open(tmp_path / out))
                    assert [r for r in found if r in recorded] == recorded, where
                    recorded = found
            study = Study.open(tmp_path / out)
            assert timeless(study) == timeless(reference)
            assert answer(study) == answer(reference)
            assert same_model(study, reference)
            assert (study.folder / "report.html").stat().st_size > 100_000
            runs = {path.name for path in (study.tensorboard / "trials").iterdir()}
            assert runs == {record["trial"] for record in study.trials()}
            assert leftovers(study) == []
            shutil.rmtree(study.folder)
    record_property("kills", kills)


class Killed(Exception):
    """Stands for a kill where everything written so far counts."""


class TestCheckpoint:
    """A population that was cut short goes on from its file, to the same numbers."""

    CONFIGS = tuple(
        StackConfig(units=(5,), learning_rate=rate, l2=l2, dropout=dropout)
        for rate, l2, dropout in [
            (0.01, 1e-3, 0.4),
            (0.03, 0.0, 0.0),
            (0.1, 0.0, 0.2),
            (0.02, 0, 0),
        ]
    )

    def fit(self, path, members=(0, 1, 2, 3), stop=None, told=None, size=None, **options):
        """Train; end as if killed when `stop` epochs or, after `told` results, were told."""
        rng = np.random.default_rng(0)
        x = rng.normal(size=(60, 4)).astype(np.float32)
        y = (x[:, 0] > 0).astype(np.int32)
        population = Population(self.CONFIGS, 4, 1)
        epochs, results = [], []

        def on_epoch(report):
            epochs.append((report.epoch, report.members))
            if len(epochs) == stop:
                raise Killed

        def on_results(pairs):
            results.extend(number for number, _ in pairs)
            if told is not None and len(results) >= told:
                raise Killed

        try:
            found = population.train(
                [((x, y), (x[:20], y[:20]))], TrainingPlan(6, 16, keep="none", **options),
                only=members, cohort_size=size, checkpoint=path, on_epoch=on_epoch,
                on_results=on_results,
            )  # fmt: skip
        except Killed:
            found = None
        return found, epochs

    @pytest.fixture(autouse=True)
    def always(self, monkeypatch):
        monkeypatch.setattr("kerasreg.population.checkpoint.INTERVAL", 0.0)

    def same(self, one, other):
        assert (one.status, one.epochs, one.best_epoch) == (
            other.status,
            other.epochs,
            other.best_epoch,
        )
        for name, curve in other.curves.items():
            np.testing.assert_array_equal(one.curves[name], curve)

    @pytest.mark.parametrize("options", [{}, {"halving": ((1, 0.5), (3, 0.5))}, {"patience": 1}])
    def test_a_population_goes_on_from_its_checkpoint(self, tmp_path, options):
        expected, _ = self.fit(tmp_path / "a", **options)
        self.fit(tmp_path / "b", stop=4, **options)
        found, epochs = self.fit(tmp_path / "b", **options)
        # The fourth epoch was told before it was written: it alone is trained again.
        assert epochs[0][0] == 4
        for one, other in zip(found, expected, strict=True):
            self.same(one, other)
        assert not (tmp_path / "b").exists()

    @pytest.mark.parametrize(("members", "stop", "told", "size", "left"), [
        ((2, 3), 9, None, 2, 4),  # killed in the second chunk
        ((1, 2, 3), None, 1, 4, 0),  # killed while results are recorded: told again, no training
        ((1, 2, 3), None, 1, 2, 6),  # the same, and the second chunk has not begun
    ])  # fmt: skip
    def test_a_checkpoint_serves_those_who_are_left(
        self, tmp_path, members, stop, told, size, left
    ):
        whole, _ = self.fit(tmp_path / "a", size=size)
        self.fit(tmp_path / "c", stop=stop, told=told, size=size)
        found, epochs = self.fit(tmp_path / "c", members, size=size)
        assert len(epochs) == left
        for number, result in zip(members, found, strict=True):
            self.same(result, whole[number])


LONG = ["search", "--data", "digits", "--train-size", "100", "--units", "8", "--trials", "4",
        "--epochs", "100000", "--patience", "0", "--fix", "normalization=none", "--folds", "0",
        "--out", "study"]  # fmt: skip


#: Runs the command, which gets SIGTERM in its own thread when it tells of the third epoch: from
#: outside, the system decides how many epochs lie between sending a signal and its arrival.
SIGNALLED = """
import itertools, signal, sys
from kerasreg import cli
from kerasreg.command import quiet_import
with quiet_import():
    from kerasreg.search.tensorboard import Live
calls, told = itertools.count(1), Live.epoch
def epoch(live, scores):
    told(live, scores)
    if next(calls) == 3:
        signal.raise_signal(signal.SIGTERM)
Live.epoch = epoch
sys.exit(cli.main(sys.argv[1:]))
"""


def epochs_told(study: Path) -> int:
    """Epochs of a population in training, by the event file that is flushed after each."""
    paths = (study / "tensorboard" / "live").glob("events.*")
    events = [event for path in paths for event in EventFileLoader(str(path)).Load()]
    return max((event.step for event in events), default=0)


@pytest.mark.parametrize("engine", ["population", "keras-tuner"])
def test_no_epoch_is_begun_after_a_signal(tmp_path, engine):
    """SIGTERM in the middle of training (test_cli: both signals, from outside)."""
    study = tmp_path / "study"
    ran = subprocess.run(
        [sys.executable, "-c", SIGNALLED, *LONG, "--engine", engine],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 143
    assert epochs_told(study) == 3
    assert Study.open(study).trials() == []
    assert ran.stderr.count("\n") == 1
    assert "--resume --out study" in ran.stderr
    with Study.open(study).lock():
        pass


class TestDisk:
    """A whole search on a disk of a few kilobytes, or on one that turns read-only."""

    @pytest.fixture
    def disk(self, tmp_path):
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=28k", "tmpfs", str(disk)]
        if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("needs the right to mount a small disk")
        yield disk
        subprocess.run(["umount", str(disk)], check=True)

    def refused(self, arguments, capfd) -> str:
        assert cli.main(arguments) == 2
        _, err = capfd.readouterr()
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err

    def test_it_fills_up_and_then_there_is_room(self, disk, capfd):
        """Wherever it fills up, nothing recorded is lost and freeing the disk is all it takes."""
        search_it = [*SEARCHES["random"], "--out", str(disk / "s")]
        assert "No space left" in self.refused(search_it, capfd)
        resume = ["search", "--resume", "--quiet", "--out", str(disk / "s")]
        before = []
        for size in ("48k", "120k", "400k"):
            subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)
            assert "No space left" in self.refused(resume, capfd)
            found = timeless(Study.open(disk / "s"))
            assert [record for record in found if record in before] == before
            before = found
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert cli.main(resume) == 0
        study = Study.open(disk / "s")
        assert len(study.trials()) == 6
        assert [record for record in timeless(study) if record in before] == before
        assert leftovers(study) == []

    def test_it_turns_read_only(self, disk, capfd):
        subprocess.run(["mount", "-o", "remount,size=20m,ro", str(disk)], check=True)
        search_it = [*SEARCHES["random"], "--out", str(disk / "s")]
        assert "Read-only file system" in self.refused(search_it, capfd)


def test_a_clock_that_jumps_back(tmp_path, monkeypatch):
    """Time of day decides nothing, and a trial never took less than no time."""
    whole = small(tmp_path / "whole")
    days = iter(range(10**6))
    monkeypatch.setattr(time, "time", lambda: 2e9 - 86400 * next(days))
    monkeypatch.setattr(time, "time_ns", lambda: (2 * 10**9 - 86400 * next(days)) * 10**9)
    with pytest.raises(Killed):
        small(tmp_path / "cut", progress=killed_after(2))
    study = small(tmp_path / "cut", resume=True)
    assert timeless(study) == timeless(whole)
    assert answer(study) == answer(whole)
    assert all(record["seconds"] >= 0 for record in study.trials())
    render_report(study.folder)


def small(out, **options) -> Study:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    space = Space({"l2": Range(1e-6, 1e-2, log=True)})
    base = StackConfig(units=(3,))
    return search((x, (x[:, 0] > 0).astype(int)), space=space, base=base, trials=3, epochs=2,
                  out=out, **options)  # fmt: skip


def killed_after(trials: int):
    def progress(event):
        if event.phase == "searching" and event.done == trials:
            raise Killed

    return progress
