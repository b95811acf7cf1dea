"""NPZ files, read without trust: the archive's directory and sizes are checked beforehand."""

import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerasreg.data.files.bounded import open_regular
from kerasreg.errors import UserError
from kerasreg.files.npy import read_array

# Raw bytes and values of one file: CIFAR-10 has 184 million values; as float32 rows in a process
# with TensorFlow, this much stays below 2 GB.
MOST_BYTES = 512 * 2**20
MOST_VALUES = 200_000_000
_MOST_DIRECTORY_BYTES = 64 * 1024
# Truth values, integers, floats and text.
_KINDS = "biufUS"
LAYOUTS = (("x_train", "y_train", "x_test", "y_test"), ("x", "y"), ("x_train", "y_train"))


def read_npz(path: Path, layouts: Sequence[tuple[str, ...]] = LAYOUTS) -> dict[str, np.ndarray]:
    """Read `x, y` or `x_train, y_train, x_test, y_test`, or what `layouts` lists.

    Returns:
        The arrays by key, `x_train` and `y_train` renamed `x` and `y`.

    Raises:
        UserError: Missing, empty, damaged or too large file, missing keys, object arrays.
    """
    with open_regular(path, MOST_BYTES + 2**20) as file:
        _check_directory(file, path)
        try:
            with zipfile.ZipFile(file) as archive:
                members = {info.filename: info for info in archive.infolist()}
                keys = _layout(members, path, layouts)
                _check_total([members[f"{key}.npy"] for key in keys], path)
                arrays = {
                    key: _read_member(archive, members[f"{key}.npy"], f"{path}: {key}")
                    for key in keys
                }
        # What zipfile and zlib raise on damaged archives; anything else is our fault.
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            struct.error,
            NotImplementedError,
            UnicodeDecodeError,
            OSError,
        ) as error:
            raise UserError(
                f"{path}: damaged or truncated npz file ({error}); save it again with numpy.savez"
            ) from None
    return {key.removesuffix("_train"): array for key, array in arrays.items()}


def _check_directory(file, path: Path) -> None:
    """Refuse archives whose directory of members is large: reading it would fill memory.

    The end record is 22 bytes and `numpy.savez` writes no comment after it, nor zip64 records
    below 4 GB.
    """
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        raise UserError(f"{path} is empty; expected an .npz written by numpy.savez")
    file.seek(0)
    start = file.read(4)
    if start != b"PK\x03\x04":
        raise UserError(f"{path} is no npz file (a zip of arrays); save it with numpy.savez")
    file.seek(max(0, size - 42))
    tail = file.read(42)
    if tail[-22:-18] != b"PK\x05\x06":
        raise UserError(f"{path}: damaged or truncated npz file; save it again with numpy.savez")
    directory_bytes = struct.unpack("<L", tail[-10:-6])[0]
    if tail[:4] == b"PK\x06\x07" or directory_bytes > _MOST_DIRECTORY_BYTES:
        raise UserError(f"{path}: more members than data needs; expected {_expected()}")
    file.seek(0)


def _layout(members: dict, path: Path, layouts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    for keys in layouts:
        if all(f"{key}.npy" in members for key in keys):
            return keys
    found = ", ".join(repr(name.removesuffix(".npy")) for name in sorted(members)[:8]) or "nothing"
    raise UserError(f"{path} holds {found}; expected {_expected(layouts)}")


def _expected(layouts: Sequence[tuple[str, ...]] = LAYOUTS) -> str:
    return "the arrays " + " or ".join(", ".join(keys) for keys in sorted(layouts))


def _check_total(infos: list[zipfile.ZipInfo], path: Path) -> None:
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        raise UserError(
            f"{path} unpacks to {total / 2**20:,.0f} MB, more than the {MOST_BYTES // 2**20} MB "
            "that is read; keep a subset of the rows or save as uint8 or float32"
        )


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, key: str) -> np.ndarray:
    """Read one array; `key` is what messages call it."""
    if info.flag_bits & 1:
        raise UserError(f"{key} is encrypted; save it again with numpy.savez")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{key} uses a compression that numpy.savez does not; save it again")
    try:
        with archive.open(info) as stream:
            array = read_array(stream, info.file_size, _KINDS, MOST_VALUES)
    except ValueError as error:
        raise UserError(f"{key}: {error}; save it again with numpy.savez") from None
    if array.size == 0:
        raise UserError(f"{key} is empty: expected rows, got shape {array.shape}")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "U":
        points = np.ascontiguousarray(array).view(np.uint32)
        if np.any(points > 0x10FFFF) or np.any((points >= 0xD800) & (points <= 0xDFFF)):
            raise UserError(f"{key}: damaged; it holds text that is not Unicode")
    return array
