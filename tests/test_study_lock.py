"""One writer a study: who is refused, what is stale, and no race between the two."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from kerasreg.errors import UserError
from kerasreg.study import Study, _lock, failed_record
from kerasreg.study._process import alive, identity


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "s", {"trials": 1})


def write_lock(study, **changes):
    owner = {**identity(), "token": "0" * 32, **changes}
    (study.folder / ".lock").write_text(json.dumps(owner))


def end(process):
    """Let the process finish: it waits for the end of its input."""
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    process.wait()


@pytest.fixture
def sleeper():
    """A process that lives for the whole test."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    yield process
    end(process)


def start_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[19])


HOLDER = """
import sys
from kerasreg.study import Study
with Study.open(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(study):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(study.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    end(process)


def test_a_second_process_is_refused_with_the_owner_named(study, holder):
    for write in (
        lambda: study.append(failed_record("1", {}, "boom")),
        lambda: study.write_result({"x": 1}),
        lambda: study.extend({"trials": 2}),
        study.count_test_read,
    ):
        with pytest.raises(UserError) as raised:
            write()
        assert f"in use by process {holder.pid} on {socket.gethostname()}" in str(raised.value)
    assert study.trials() == []  # reading is free
    end(holder)
    study.append(failed_record("1", {}, "boom"))


def test_a_killed_owner_is_recognised(study, holder):
    holder.send_signal(signal.SIGKILL)
    while alive(holder.pid):  # a zombie, not yet waited for, does not count as alive
        time.sleep(0.01)
    assert holder.returncode is None
    with study.lock():
        assert json.loads((study.folder / ".lock").read_text())["pid"] == os.getpid()


def test_nesting_and_release(study):
    path = study.folder / ".lock"
    with study.lock() as same:
        assert same is study
        with study.lock():
            study.append(failed_record("1", {}, "boom"))
        assert path.exists()
        with pytest.raises(UserError, match=r"already in use by this process"):
            Study.open(study.folder).append(failed_record("2", {}, "boom"))
    assert not path.exists()
    with pytest.raises(KeyboardInterrupt), study.lock():
        raise KeyboardInterrupt
    assert not path.exists()
    assert _lock._held == set()


def test_a_dead_process_is_stale(study, sleeper):
    pid = sleeper.pid
    end(sleeper)
    write_lock(study, pid=pid)
    with study.lock():
        pass


def test_a_reused_process_number_is_stale(study, sleeper):
    write_lock(study, pid=sleeper.pid, start=start_of(sleeper.pid) - 1)
    with study.lock():
        pass
    write_lock(study, pid=sleeper.pid, start=start_of(sleeper.pid))
    with pytest.raises(UserError, match=f"in use by process {sleeper.pid} on"), study.lock():
        pass


def test_without_a_start_time_a_living_number_is_believed(study, sleeper):
    write_lock(study, pid=sleeper.pid, start=None)
    with pytest.raises(UserError, match="in use by process"), study.lock():
        pass


def test_another_boot_is_stale(study, sleeper):
    namespace = identity()["machine"].split(" ")[1]
    write_lock(study, pid=sleeper.pid, machine=f"another-boot {namespace}")
    with study.lock():
        pass


@pytest.mark.parametrize("change", ["host", "namespace"])
def test_what_cannot_be_checked_from_here_is_respected(study, change):
    boot = identity()["machine"].split(" ")[0]
    other = {"host": "far-away"} if change == "host" else {"machine": f"{boot} pid:[1]"}
    write_lock(study, pid=2**22 + 1, **other)
    with pytest.raises(UserError, match=r"cannot be checked from here.*delete .*\.lock"):
        study.append(failed_record("1", {}, "boom"))
    assert (study.folder / ".lock").exists()


def test_what_an_interrupted_attempt_of_this_process_left(study):
    write_lock(study)
    with study.lock():
        pass


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 40,
        b"12345",
        b"{}",
        b"[" * 4000,
        b"x" * 10_000,
        b'{"pid": 1}',
        json.dumps({**identity(), "token": "x", "pid": True}).encode(),
        json.dumps({**identity(), "token": "x", "pid": -1}).encode(),
        json.dumps({**identity(), "token": "x", "host": "a\nb"}).encode(),
        json.dumps({**identity(), "token": None}).encode(),
    ],
)
def test_a_lock_that_is_none_is_told_and_kept(study, content):
    (study.folder / ".lock").write_bytes(content)
    with pytest.raises(UserError, match=r"delete the file") as raised, study.lock():
        pass
    assert len(str(raised.value).splitlines()) == 1
    assert (study.folder / ".lock").read_bytes() == content


def test_a_lock_taken_over_by_another_is_not_removed(study, sleeper):
    with study.lock():
        write_lock(study, pid=sleeper.pid, start=start_of(sleeper.pid))
    assert (study.folder / ".lock").exists()


def test_a_folder_that_is_gone(study, tmp_path):
    with study.lock():
        os.rename(study.folder, tmp_path / "moved")
    with pytest.raises(UserError, match="Cannot write"), study.lock():
        pass


def test_a_file_system_without_hard_links(study, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with study.lock(), pytest.raises(UserError, match="already in use"):
        Study.open(study.folder).append(failed_record("1", {}, "boom"))
    assert sorted(os.listdir(study.folder)) == ["study.json"]


@pytest.mark.parametrize("writes", [True, False])
def test_a_forked_child_does_not_release_its_parents_lock(study, writes):
    code = (
        "import os, sys\n"
        "from kerasreg.study import Study, failed_record\n"
        "study = Study.open(sys.argv[1])\n"
        "with study.lock():\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        f"        try:\n            {writes} and study.append(failed_record('1', {{}}, 'boom'))\n"
        "        except ValueError as error:\n            print(error)\n"
        "        sys.exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "    assert (study.folder / '.lock').exists()\n"
        "    print(os.getpid())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(study.folder)], capture_output=True, text=True, check=True
    )
    *messages, parent = done.stdout.splitlines()
    assert [f"in use by process {parent} on" in message for message in messages] == [True] * writes
    assert study.trials() == []


def test_no_clock_is_asked(study, monkeypatch):
    """A clock that jumps changes nothing: durations are monotonic, staleness has no age."""

    def jumped():
        raise AssertionError("the wall clock was asked")

    monkeypatch.setattr(time, "time", jumped)
    for name in ("study.json", ".lock"):
        write_lock(study, pid=2**22 + 1)
        os.utime(study.folder / name, (2**33, 2**33))  # from the year 2242
    study.append(failed_record("1", {}, "boom"))
    assert len(Study.open(study.folder).trials()) == 1


RACE = """
import json, os, sys, time
from kerasreg.errors import UserError
from kerasreg.study import Study
from kerasreg.study._process import identity

folder = sys.argv[1]
study = Study.open(folder)
for number in range(25):
    # Everybody finds the lock of a dead process at once.
    with open(f"{folder}/.lock", "w") as file:
        json.dump({**identity(), "pid": 2**22 + 1, "token": "0" * 32}, file)
    start = time.monotonic() + 0.02
    inside = os.open(f"{folder}/../inside", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    children = []
    for _ in range(6):
        child = os.fork()
        if child == 0:
            while time.monotonic() < start:
                pass
            try:
                with study.lock():
                    os.write(inside, b"+")
                    time.sleep(0.002)
                    os.write(inside, b"-")
            except UserError as error:
                os._exit(0 if "in use by process" in str(error) else 1)
            os._exit(0)
        children.append(child)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
"""


def test_many_find_the_same_stale_lock_and_one_at_a_time_gets_it(study):
    subprocess.run([sys.executable, "-c", RACE, str(study.folder)], check=True)
    log = (study.folder.parent / "inside").read_text()
    assert log.count("+") >= 25
    assert log == "+-" * log.count("+")
    assert not (study.folder / ".lock").exists()
