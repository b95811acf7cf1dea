"""Arrays on disk: numbers only, no pickle, no claim believed unchecked."""

import io
import os
import random
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasreg.errors import UserError
from kerasreg.files import atomic_save_npz, load_npz


def names(folder):
    return sorted(os.listdir(folder))


dtypes = hnp.boolean_dtypes() | hnp.integer_dtypes() | hnp.floating_dtypes()
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text("abc/.\\é file", min_size=1), arrays, max_size=4))
def test_arrays_round_trip(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    atomic_save_npz(path, state)
    again = load_npz(path)
    assert list(again) == list(state)
    for name, array in state.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)
        assert again[name].flags.writeable


def test_numpy_reads_ours_and_equal_arrays_give_equal_bytes(tmp_path):
    state = {"w": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "file": np.arange(3)}
    atomic_save_npz(tmp_path / "a.npz", state)
    atomic_save_npz(tmp_path / "b.npz", state)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as loaded:
        np.testing.assert_array_equal(loaded["w"], state["w"])
    np.testing.assert_array_equal(load_npz(tmp_path / "a.npz")["w"], state["w"])


@pytest.mark.parametrize("array", [np.array([{}], dtype=object), np.array(["a"])])
def test_only_numbers_are_saved(tmp_path, array):
    with pytest.raises(TypeError, match="plain numbers"):
        atomic_save_npz(tmp_path / "a.npz", {"a": array})
    assert names(tmp_path) == []


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("trap",))


def npy(header, body=b""):
    text = repr(header).encode() if not isinstance(header, bytes) else header
    text += b" " * ((-len(text) - 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def hostile(kind):
    buffer = io.BytesIO()
    huge = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    if kind == "pickle":
        np.savez(buffer, a=np.array([Trap()], dtype=object))
    elif kind == "compressed":
        np.savez_compressed(buffer, a=np.zeros(10**6))
    elif kind == "not a zip":
        buffer.write(b"PK\x03\x04 nothing")
    elif kind == "empty":
        pass
    else:
        entries = {
            "claims a terabyte": [("a.npy", npy(huge, b"1" * 64))],
            "negative": [("a.npy", npy({**huge, "shape": (-8,)}, b"1" * 64))],
            "overflowing": [("a.npy", npy({**huge, "shape": (2**40, 2**40)}, b"1" * 64))],
            "no numbers": [("a.npy", npy({**huge, "descr": "|V8", "shape": (8,)}, b"1" * 64))],
            "nested header": [("a.npy", npy(b"(" * 9000))],
            "no header": [("a.npy", b"\x93NUMPY\x01\x00")],
            "no array": [("a.txt", b"hello")],
            "future": [("a.npy", b"\x93NUMPY\x09\x00" + b" " * 99)],
            "short": [("a.npy", npy({**huge, "shape": (9,)}, b"1" * 64))],
            "long": [("a.npy", npy({**huge, "shape": (7,)}, b"1" * 64))],
        }[kind]
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in entries:
                archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("pickle", "a pickle"),
        ("compressed", "compressed"),
        ("not a zip", "not a zip"),
        ("empty", "not a zip"),
        ("claims a terabyte", "claims"),
        ("negative", "its shape is"),
        ("overflowing", "claims"),
        ("no numbers", "not a plain array"),
        ("nested header", "'a.npy' is damaged"),
        ("no header", "'a.npy' is damaged"),
        ("no array", "no array"),
        ("future", "version"),
        ("short", "header claims 72 bytes, the file has 64"),
        ("long", "header claims 56 bytes, the file has 64"),
    ],
)
def test_hostile_arrays_end_in_one_line(tmp_path, monkeypatch, kind, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.npz").write_bytes(hostile(kind))
    with pytest.raises(UserError, match=message) as raised:
        load_npz("a.npz")
    assert len(str(raised.value).splitlines()) == 1
    assert names(tmp_path) == ["a.npz"]


def test_claims_are_bounded_by_the_file(tmp_path):
    atomic_save_npz(tmp_path / "a.npz", {"a": np.zeros(10)})
    with pytest.raises(UserError, match="claims"):
        load_npz(tmp_path / "a.npz", most_bytes=100)
    with pytest.raises(UserError, match="found none"):
        load_npz(tmp_path / "b.npz")


def test_damaged_arrays_never_load_as_others(tmp_path):
    """Truncated anywhere or one bit flipped: refused, or the very same numbers."""
    state = {"kernel": np.random.default_rng(0).random((3, 4)).astype(np.float32), "n": np.int32(7)}
    path = tmp_path / "a.npz"
    atomic_save_npz(path, state)
    whole = path.read_bytes()
    rng = random.Random(0)
    damaged = [whole[:cut] for cut in range(0, len(whole), 7)]
    for _ in range(300):
        spot = rng.randrange(len(whole))
        flipped = bytes([whole[spot] ^ 1 << rng.randrange(8)])
        damaged.append(whole[:spot] + flipped + whole[spot + 1 :])
    refused = 0
    for data in damaged:
        path.write_bytes(data)
        try:
            again = load_npz(path)
        except UserError:
            refused += 1
            continue
        for array, original in zip(again.values(), state.values(), strict=False):
            np.testing.assert_array_equal(array, original)
    assert refused > len(damaged) // 2
