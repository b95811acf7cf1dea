"""One writer a study: who is refused, what is stale, and no race between the two."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from kerasreg.errors import UserError
from kerasreg.study import Study, failed_record


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "s", {"trials": 1})


def end(process):
    """Let the process finish: it waits for the end of its input."""
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    process.wait()


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


def test_a_killed_owner_holds_nothing(study, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    path = study.folder / ".lock"
    assert f"process {holder.pid} on" in path.read_text()  # it could not remove it
    with study.lock():
        assert f"process {os.getpid()} on {socket.gethostname()}" in path.read_text()
    assert not path.exists()


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


# As an interrupted version 0.1, a killed process, another program or a damaged disk leaves it.
LEFT = [
    b"",
    b"\0" * 40,
    b"[" * 4000,
    b"x" * 10_000,
    b"\xff\xfe",
    b"\nprocess 1 on far-away\n",
    b'{"pid": 1, "host": "far-away", "machine": "", "start": null, "token": "x"}',
]


@pytest.mark.parametrize("content", LEFT)
def test_a_file_that_nobody_holds_is_no_obstacle(study, content):
    path = study.folder / ".lock"
    path.write_bytes(content)
    study.append(failed_record("1", {}, "boom"))
    assert not path.exists()


@pytest.mark.parametrize("content", [*LEFT, b"\n\x1b[31mred\nand more\n"])
def test_whatever_a_holder_wrote_the_message_is_one_line(study, holder, content):
    (study.folder / ".lock").write_bytes(content)
    with pytest.raises(UserError, match="is in use by") as raised:
        study.append(failed_record("1", {}, "boom"))
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 300


def test_a_lock_taken_over_by_another_is_not_removed(study):
    path = study.folder / ".lock"
    with study.lock():
        path.unlink()  # by hand, although the study is in use
        path.write_text("another's")
    assert path.read_text() == "another's"


def test_a_link_in_its_place_is_not_followed(study, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    (study.folder / ".lock").symlink_to(tmp_path / "thesis.tex")
    with pytest.raises(UserError, match="Cannot write"), study.lock():
        pass
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_a_folder_that_is_gone(study, tmp_path):
    with study.lock():
        os.rename(study.folder, tmp_path / "moved")
    with pytest.raises(UserError, match="Cannot write"), study.lock():
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(study, monkeypatch, number):
    def refuse(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(UserError, match=r"has no locks .* on another disk") as raised:
        study.append(failed_record("1", {}, "boom"))
    assert str(raised.value).isprintable()
    assert study.trials() == []


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
    (study.folder / ".lock").touch()
    for name in ("study.json", ".lock"):
        os.utime(study.folder / name, (2**33, 2**33))  # from the year 2242
    study.append(failed_record("1", {}, "boom"))
    assert len(Study.open(study.folder).trials()) == 1


RACE = """
import os, sys, time
from kerasreg.errors import UserError
from kerasreg.study import Study

folder = sys.argv[1]
study = Study.open(folder)
for number in range(25):
    # All of them find the file of a killed process at once.
    with open(f"{folder}/.lock", "w") as file:
        file.write("\\nprocess 4194305 on here\\n")
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
                os._exit(0 if "in use by" in str(error) else 1)
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
