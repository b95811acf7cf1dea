"""Files that are whole or absent: atomic replacement and strict JSON."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasreg.errors import UserError
from kerasreg.files import atomic_save_npz, atomic_write, read_json, write_json
from kerasreg.files.strict_json import dumps, loads, plain
from kerasreg.study import Study, failed_record


def names(folder):
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("content", [b"new", lambda path: path.write_bytes(b"new")])
def test_a_file_is_replaced_whole(tmp_path, content):
    path = tmp_path / "figures" / "a.svg"
    atomic_write(path, b"old")
    atomic_write(path, content)
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["a.svg"]


def test_a_writer_sees_the_suffix(tmp_path):
    seen = []
    atomic_write(tmp_path / "best.keras", lambda p: (seen.append(p), p.write_bytes(b"x")))
    assert seen[0].suffix == ".keras"
    assert seen[0].parent == tmp_path


@pytest.mark.parametrize("error", [RuntimeError("bad"), KeyboardInterrupt()])
def test_a_writer_that_fails_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "a"
    atomic_write(path, b"old")

    def write(hidden):
        hidden.write_bytes(b"ha")
        raise error

    with pytest.raises(type(error)):
        atomic_write(path, write)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_the_content_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda f: calls.append("fsync") or fsync(f))
    monkeypatch.setattr(os, "replace", lambda a, b: calls.append("replace") or replace(a, b))
    atomic_write(tmp_path / "a", b"x")
    atomic_write(tmp_path / "a", lambda path: path.write_bytes(b"y"))
    assert calls == ["fsync", "replace", "fsync"] * 2


def test_the_usual_permissions(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    atomic_write(tmp_path / "a", b"x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_is_replaced_and_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    path = tmp_path / "study" / "report.html"
    path.parent.mkdir()
    path.symlink_to(outside)
    atomic_write(path, b"page")
    assert outside.read_bytes() == b"mine"
    assert not path.is_symlink()


@pytest.mark.parametrize("number", [13, 28, 30, 122])  # EACCES, ENOSPC, EROFS, EDQUOT
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_disk_that_refuses_is_told_in_one_line(tmp_path, monkeypatch, call, number):
    path = tmp_path / "a"
    atomic_write(path, b"old")

    def fail(*args, **options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(UserError) as raised:
            atomic_write(path, b"new")
    message = str(raised.value)
    assert message.startswith(f"Cannot write {path}: {os.strerror(number)}; ")
    assert "what was there before is kept" in message
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(UserError, match="Cannot write"):
        atomic_write(tmp_path / "f" / "a", b"x")
    with pytest.raises(UserError, match="Cannot write"):
        Study.create(tmp_path / "f" / "s", {})


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_keeps_every_trial(small_disk):
    study = Study.create(small_disk / "s", {"trials": 99})

    def fill():
        for trial in range(99):
            study.append(failed_record(str(trial), {}, "x" * 1500))
            acknowledged.append(str(trial))

    acknowledged = []
    with pytest.raises(UserError, match="No space left") as raised:
        fill()
    assert str(small_disk) in str(raised.value)
    assert acknowledged
    for write in (
        lambda: study.write_result({"x": "y" * 9000}),
        lambda: atomic_save_npz(study.checkpoints / "a.npz", {"a": np.zeros(9000)}),
        lambda: Study.create(small_disk / "other", {"x": "y" * 9000}),
    ):
        with pytest.raises(UserError, match="No space left"):
            write()
    assert [r["trial"] for r in Study.open(study.folder).trials()] == acknowledged
    assert not [name for _, _, files in os.walk(small_disk) for name in files if "kerasreg" in name]
    assert not (small_disk / "other").exists()


def test_a_read_only_disk_can_be_read(small_disk):
    study = Study.create(small_disk / "s", {"trials": 9})
    study.append(failed_record("1", {}, "boom"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    study = Study.open(study.folder)
    assert len(study.trials()) == 1
    for write in (
        lambda: study.append(failed_record("2", {}, "boom")),
        lambda: study.write_result({"x": 1}),
        lambda: study.extend({"trials": 10}),
        lambda: Study.create(small_disk / "other", {}),
    ):
        with pytest.raises(UserError, match="Read-only file system"):
            write()
    assert len(study.trials()) == 1


REWRITER = """
import sys
from kerasreg.files import atomic_write, write_json
from kerasreg.study import Study
study = Study.open(sys.argv[1])
with study.lock():
    number = 0
    while True:
        number += 1
        write_json(study.checkpoints / "state.json", {"number": number, "fill": "x" * 50_000})
        atomic_write(study.best_model, lambda path: path.write_bytes(b"%07d" % number * 9000))
        print(number, flush=True)
"""


def test_sigkill_leaves_whole_files_and_the_next_writer_tidies(tmp_path):
    study = Study.create(tmp_path / "s", {})
    rng = random.Random(1)
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", REWRITER, str(study.folder)], stdout=subprocess.PIPE, text=True
        )
        last = writer.stdout.readline()
        time.sleep(rng.uniform(0, 0.02))
        writer.send_signal(signal.SIGKILL)
        last = int((last + writer.stdout.read()).split()[-1])
        writer.stdout.close()
        writer.wait()
        assert read_json(study.checkpoints / "state.json")["number"] in (last, last + 1)
        model = study.best_model.read_bytes()
        assert len(model) == 63_000
        assert model == model[:7] * 9000
    (study.folder / ".kerasreg-999999999-0123456789abcdef-report.html").write_bytes(b"half")
    mine = study.folder / f".kerasreg-{os.getpid()}-0123456789abcdef-report.html"
    mine.write_bytes(b"still being written")
    with study.lock():
        pass
    assert names(study.folder) == [mine.name, "best.keras", "checkpoints", "study.json"]
    assert names(study.checkpoints) == ["state.json"]


# JSON


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (float("nan"), None),
        (np.float64("-inf"), None),
        ((1, [2.0, float("inf")]), [1, [2.0, None]]),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        ({"a": np.array(2)}, {"a": 2}),
        ("\ud800x", "\\ud800x"),
        ({"\udcff": 1}, {"\\udcff": 1}),
    ],
)
def test_plain_values(value, expected):
    assert plain(value) == expected
    assert loads(dumps(value)) == expected


@pytest.mark.parametrize("value", [object(), {1: 2}, {1, 2}, b"x", 1j, np.array([None, set()])])
def test_what_json_cannot_hold(value):
    with pytest.raises(TypeError):
        plain(value)


def test_too_deep_or_too_large_to_write():
    deep = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(ValueError, match="nested"):
        plain(deep)
    with pytest.raises(ValueError, match="64 bits"):
        plain(2**63)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(values)
def test_json_round_trip(value):
    data = dumps(value)
    assert b"\n" not in data
    assert loads(data) == plain(value)
    json.loads(data, parse_constant=pytest.fail)


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=60)
    | st.text(alphabet='[]{}",:0123456789eE+-.NaInfinty\\u d8').map(str.encode)
)
def test_any_bytes_are_json_or_one_line(data):
    try:
        value = loads(data)
    except ValueError as error:
        message = str(error)
    else:
        message = ""
        assert plain(value) == value
    assert len(message.splitlines()) <= 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "a list, not one object"),
        (b"\x80", "UTF-8"),
        (b'{"a": Infinity}', "Infinity is not JSON"),
        (None, "found none"),
    ],
)
def test_read_json_tells_what_is_wrong(tmp_path, content, message):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as raised:
        read_json(path)
    assert str(path) in str(raised.value)


def test_read_json_is_bounded(tmp_path):
    with open(tmp_path / "a.json", "wb") as file:
        file.truncate(2**33)  # sparse: claims 8 GiB
    with pytest.raises(UserError, match="16,777,216"):
        read_json(tmp_path / "a.json")


def test_write_json_has_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"x": [float("nan"), 1.0]})
    assert read_json(tmp_path / "a.json") == {"x": [None, 1.0]}
