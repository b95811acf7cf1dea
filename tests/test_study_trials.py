"""trials.jsonl: nothing acknowledged is lost, nothing broken is read as a trial."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kerasreg.errors import UserError
from kerasreg.study import Study, failed_record
from kerasreg.study import _trials as module


def record(trial, **options):
    return failed_record(str(trial), {"dropout": 0.5}, "böom\n\u2028", **options)


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "s", {"trials": 3})


def lines(study):
    return (study.folder / "trials.jsonl").read_bytes()


def test_one_line_a_trial_as_they_are_finished_read_as_they_were_proposed(study):
    for trial in ("b", "a", "c"):
        study.append(record(trial))
    assert [r["trial"] for r in study.trials()] == ["a", "b", "c"]
    assert lines(study).count(b"\n") == 3
    written = [json.loads(line) for line in lines(study).splitlines()]
    assert [r["trial"] for r in written] == ["b", "a", "c"]
    assert sorted(written, key=lambda r: r["trial"]) == study.trials()


def test_no_trials_yet(study):
    assert study.trials() == []
    assert study.best() is None
    assert len(study.dataframe()) == 0


def test_a_trial_is_written_in_one_piece_and_flushed(study, monkeypatch):
    study.append(record(0))
    calls = []
    write, fsync = os.write, os.fsync
    with study.lock():
        monkeypatch.setattr(os, "write", lambda f, d: calls.append(bytes(d)) or write(f, d))
        monkeypatch.setattr(os, "fsync", lambda f: calls.append("fsync") or fsync(f))
        study.append(record(1))
    assert calls == [lines(study).splitlines(keepends=True)[1], "fsync"]


def test_a_trial_twice_is_refused(study):
    study.append(record(1))
    before = lines(study)
    for writer in (study, Study.open(study.folder)):
        with pytest.raises(ValueError, match=r"'1' is already in .*trials\.jsonl"):
            writer.append(record(1))
    assert lines(study) == before


def test_a_trial_twice_in_the_file_is_named(study):
    study.append(record(1))
    study.append(record(2))
    (study.folder / "trials.jsonl").write_bytes(lines(study) * 2)
    with pytest.raises(UserError, match=r"line 3 repeats trial '1' of line 1"):
        study.trials()
    with pytest.raises(UserError, match="repeats"):
        Study.open(study.folder).append(record(3))


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_torn_tail_at_any_byte_is_ignored_and_repaired(tmp_path_factory, data):
    study = Study.create(tmp_path_factory.mktemp("torn") / "s", {"trials": 3})
    for trial in range(3):
        study.append(record(trial))
    whole = lines(study)
    cut = data.draw(st.integers(0, len(whole)))
    zeros = data.draw(st.sampled_from([0, 1, 7]))
    (study.folder / "trials.jsonl").write_bytes(whole[:cut] + b"\0" * zeros)
    # A line that lost only its newline is whole, unless zeros stand in its place.
    expected = whole[:cut].count(b"\n")
    if not zeros and cut < len(whole) and whole[cut : cut + 1] == b"\n":
        expected += 1
    reader = Study.open(study.folder)
    assert [r["trial"] for r in reader.trials()] == [str(k) for k in range(expected)]
    # The same object that wrote before the tear, and a new one, both repair.
    writer = data.draw(st.sampled_from([study, reader]))
    writer.append(record("new"))
    assert [r["trial"] for r in reader.trials()] == [*(str(k) for k in range(expected)), "new"]
    assert lines(study).count(b"\n") == expected + 1
    assert lines(study).startswith(whole[: whole.find(b"\n") + 1] if expected else b"{")


def test_a_line_that_lost_only_its_newline_is_a_trial(study):
    study.append(record(0))
    whole = lines(study)
    (study.folder / "trials.jsonl").write_bytes(whole[:-1])
    assert [r["trial"] for r in study.trials()] == ["0"]
    study.append(record(1))
    assert lines(study).startswith(whole)
    assert [r["trial"] for r in study.trials()] == ["0", "1"]


@pytest.mark.parametrize("written", [0, 10, None])
def test_ctrl_c_in_the_middle_of_an_append(study, monkeypatch, written):
    study.append(record(0))
    write = os.write

    def interrupted(descriptor, data):
        write(descriptor, data[:written])
        raise KeyboardInterrupt

    with study.lock():
        monkeypatch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study.append(record(1))
        monkeypatch.undo()
        there = len(study.trials())
        assert there == (2 if written is None else 1)
        study.append(record(2))
    assert [r["trial"] for r in study.trials()] == [*["0", "1"][:there], "2"]


def test_blocks_a_power_cut_left_unwritten(study):
    study.append(record(0))
    good = lines(study)
    (study.folder / "trials.jsonl").write_bytes(good + b"\0" * 30 + b'"}\n')
    assert [r["trial"] for r in study.trials()] == ["0"]
    study.append(record(1))
    assert [r["trial"] for r in study.trials()] == ["0", "1"]
    assert b"\0" not in lines(study)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"\n", "not JSON"),
        (b"{}\n", "'trial' is missing"),
        (b"[1]\n", "should be an object"),
        (b'{"trial": NaN}\n', "NaN is not JSON"),
        (b'{"trial": -Infinity}\n', "-Infinity is not JSON"),
        (b'{"trial": 1e999}\n', "too large a number"),
        (b'{"trial": 99999999999999999999}\n', "more than 64 bits"),
        (b'{"trial": ' + b"9" * 9999 + b"}\n", "more than 64 bits"),
        (b'{"trial": "1", "trial": "2"}\n', "'trial' stands twice"),
        (b'{"trial": "\\ud800"}\n', "not valid Unicode"),
        (b'{"\\udfff": 1}\n', "not valid Unicode"),
        (b'{"trial": "\xff"}\n', "not UTF-8"),
        (b"[" * 100_000 + b"\n", "nested deeper|not JSON"),
        (b"[" * 40 + b"]" * 40 + b"\n", "nested deeper"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"\n", "nested deeper"),
        (b"\0\n", "not JSON"),
    ],
)
def test_a_broken_line_is_named(study, line, message):
    study.append(record(0))
    good = lines(study)
    (study.folder / "trials.jsonl").write_bytes(good + line + good)
    for read in (study.trials, study.dataframe, study.best):
        with pytest.raises(UserError, match=message) as raised:
            read()
        assert "line 2" in str(raised.value)
        assert len(str(raised.value).splitlines()) == 1
        assert len(str(raised.value)) < 600


def test_a_huge_line_is_refused_in_bounded_memory(study, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE", 1000)
    with pytest.raises(UserError, match=r"more than the 1,000 of one line"):
        study.append(failed_record("1", {"x": "y" * 2000}, "boom"))
    study.append(record(0))
    good = lines(study)
    (study.folder / "trials.jsonl").write_bytes(good + b"[" + b"1," * 10_000 + b"1]\n")
    with pytest.raises(UserError, match=r"1,000 bytes a line in .*line 2"):
        study.trials()


def test_a_huge_file_is_refused(study, monkeypatch):
    study.append(record(0))
    monkeypatch.setattr(module, "MAX_FILE", len(lines(study)))
    assert len(study.trials()) == 1
    with pytest.raises(UserError, match="is full"):
        study.append(record(1))
    monkeypatch.setattr(module, "MAX_FILE", len(lines(study)) - 1)
    with pytest.raises(UserError, match="Expected at most"):
        study.trials()


def test_too_many_numbers_are_refused(study, monkeypatch):
    long = {**record(0), "status": "diverged", "epochs": 5, "curves": {"loss": [None] * 5}}
    del long["error"]
    study.append(long)
    study.append({**long, "trial": "1"})
    monkeypatch.setattr(module, "MAX_NUMBERS", 9)
    with pytest.raises(UserError, match="9 numbers"):
        study.trials()


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_is_no_regular_file_is_refused(study, tmp_path, kind):
    path = study.folder / "trials.jsonl"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        (tmp_path / "elsewhere").write_bytes(b"")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(path)
    for use in (study.trials, lambda: study.append(record(0))):
        message = r"trials\.jsonl.*in its own folder" if kind == "link" else r"trials\.jsonl"
        with pytest.raises(UserError, match=message):
            use()
    if kind == "link":
        assert (tmp_path / "elsewhere").read_bytes() == b""


FULL_DISK = """
import resource, sys
from kerasreg.errors import UserError
from kerasreg.study import Study, failed_record
study = Study.open(sys.argv[1])
with study.lock():
    study.append(failed_record("0", {}, "boom"))
    size = (study.folder / "trials.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, resource.RLIM_INFINITY))
    try:
        study.append(failed_record("1", {}, "boom" * 20))
    except UserError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert (study.folder / "trials.jsonl").stat().st_size == size
    study.append(failed_record("1", {}, "boom" * 20))
print([r["trial"] for r in study.trials()])
"""


def test_a_write_that_stops_in_the_middle_leaves_the_file_as_before(study):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(study.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    message, trials = done.stdout.splitlines()
    assert message.startswith(f"Cannot write {study.folder / 'trials.jsonl'}: File too large")
    assert "the finished trials in it are kept" in message
    assert trials == "['0', '1']"


def test_a_flush_that_fails_acknowledges_nothing(study, monkeypatch):
    study.append(record(0))
    good = lines(study)
    with study.lock(), monkeypatch.context() as patch:

        def fail(descriptor):
            raise OSError(5, "Input/output error")

        patch.setattr(os, "fsync", fail)
        with pytest.raises(UserError, match="Input/output error"):
            study.append(record(1))
    assert lines(study) == good
    study.append(record(1))
    assert len(study.trials()) == 2


WRITER = """
import sys
from kerasreg.study import Study, failed_record
study = Study.open(sys.argv[1])
with study.lock():
    number = len(study.trials())
    while True:
        study.append(failed_record(str(number), {"x": 0.1}, "y" * (number * 997 % 9000)))
        print(number, flush=True)
        number += 1
"""


def test_what_was_acknowledged_survives_sigkill(study):
    """Ten kills at random moments; every acknowledged trial is there once, in order."""
    rng = random.Random(0)
    acknowledged = []
    for _ in range(10):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(study.folder)], stdout=subprocess.PIPE, text=True
        )
        first = writer.stdout.readline()
        time.sleep(rng.uniform(0, 0.03))
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read()
        writer.stdout.close()
        assert writer.wait() == -signal.SIGKILL
        acknowledged += [int(line) for line in (first + rest).split()]
        found = [int(r["trial"]) for r in Study.open(study.folder).trials()]
        assert found == list(range(len(found)))
        assert set(acknowledged) <= set(found)
        # At most the one that was on its way is there beyond what was acknowledged.
        assert len(found) - len(set(acknowledged)) <= 10
    assert len(acknowledged) == len(set(acknowledged)) >= 10
    study.append(record("last"))  # the killed writer's lock is stale


def test_threads_of_one_study_do_not_mix_lines(study):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: study.append(record(k)), range(40)))
    assert sorted(int(r["trial"]) for r in study.trials()) == list(range(40))
    assert not (study.folder / ".lock").exists()


def test_open_files_stay_constant(study):
    study.append(record("first"))
    before = len(os.listdir("/proc/self/fd"))
    for trial in range(20):
        study.append(record(trial))
        study.trials()
    assert len(os.listdir("/proc/self/fd")) == before


def test_memory_stays_bounded_on_a_hostile_line(study):
    """Empty lists cost the most memory a byte: a full line of them stays far below 2 GB."""
    (study.folder / "trials.jsonl").write_bytes(b"[" + b"[]," * 5_000_000 + b"[]]\n")
    code = (
        "import re, resource, sys\n"
        "from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))\n"
        "from kerasreg.study import Study\n"
        "try:\n    Study.open(sys.argv[1]).trials()\n"
        "except ValueError as error:\n    print(error)\n"
        # Not ru_maxrss: it counts the process that this one was forked from.
        "status = Path('/proc/self/status').read_text()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(study.folder)], capture_output=True, text=True, check=True
    )
    assert "a trial should be an object" in done.stdout
    assert int(done.stdout.split()[-1]) < 2**20  # KiB
