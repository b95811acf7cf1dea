"""NPZ files, read without trust: headers are checked before memory is taken, nothing is unpickled.

The format is NumPy's (numpy/lib/_format_impl.py): a zip of `.npy` members, each a magic string, a
header `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` and the bytes. `numpy.load`
allocates what the header claims and evaluates it as Python literals; here it must match a pattern
and agree with the size the archive states.
"""

import os
import re
import struct
import zipfile
import zlib
from math import prod
from pathlib import Path

import numpy as np

from kerasreg.data._files import open_regular
from kerasreg.errors import UserError

# Raw bytes and values of one file: CIFAR-10 has 184 million values; as float32 rows in a process
# with TensorFlow, this much stays below 2 GB.
MOST_BYTES = 512 * 2**20
MOST_VALUES = 200_000_000
_MOST_DIRECTORY_BYTES = 64 * 1024
_CHUNK = 1 << 20

_HEADER = re.compile(
    rb"\{'descr': '([<>|=][biufUSOVMmc]\d{0,9})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\), ?\} *\n"
)
_DTYPES = re.compile(r"[<>|=](b1|[iu][1248]|f[248]|[US][1-9]\d*)")
_LAYOUTS = (("x_train", "y_train", "x_test", "y_test"), ("x", "y"), ("x_train", "y_train"))


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read `x, y` or `x_train, y_train, x_test, y_test`.

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
                keys = _layout(members, path)
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


def _layout(members: dict, path: Path) -> tuple[str, ...]:
    for keys in _LAYOUTS:
        if all(f"{key}.npy" in members for key in keys):
            return keys
    found = ", ".join(repr(name.removesuffix(".npy")) for name in sorted(members)[:8]) or "nothing"
    raise UserError(f"{path} holds {found}; expected {_expected()}")


def _expected() -> str:
    return "the arrays x, y or x_train, y_train, x_test, y_test"


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
    with archive.open(info) as stream:
        dtype, fortran, shape, header_bytes = _read_header(stream, key)
        values = prod(shape)
        if values == 0:
            raise UserError(f"{key} is empty: shape {shape}")
        needed = values * dtype.itemsize
        if header_bytes + needed != info.file_size:
            raise UserError(
                f"{key}: damaged or truncated; its header claims {needed:,} bytes, the file has "
                f"{max(0, info.file_size - header_bytes):,}; save it again with numpy.savez"
            )
        if values > MOST_VALUES:
            raise UserError(
                f"{key} has {values:,} values, more than the {MOST_VALUES:,} that are read; "
                "keep a subset of the rows"
            )
        # The archive's own statement may lie too: memory grows only with bytes that arrive.
        content = bytearray()
        while chunk := stream.read(min(_CHUNK, needed + 1 - len(content))):
            content += chunk
            if len(content) > needed:
                break
        if len(content) != needed:
            raise UserError(f"{key}: damaged or truncated; save it again with numpy.savez")
    array = np.frombuffer(content, dtype=dtype)
    if dtype.kind == "U":
        points = array.view(_points(dtype))
        if np.any(points > 0x10FFFF) or np.any((points >= 0xD800) & (points <= 0xDFFF)):
            raise UserError(f"{key}: damaged; it holds text that is not Unicode")
    array = array.reshape(shape, order="F" if fortran else "C")
    native = dtype.newbyteorder("=")
    return array if dtype == native else array.astype(native)


def _points(dtype: np.dtype) -> str:
    """The dtype of the code points of a text array, in its byte order."""
    return ">u4" if dtype.str[0] == ">" else "<u4"


def _read_header(stream, key: str) -> tuple[np.dtype, bool, tuple[int, ...], int]:
    magic = stream.read(8)
    if len(magic) < 8 or magic[:6] != b"\x93NUMPY" or magic[6] not in (1, 2, 3):
        raise UserError(f"{key}: not a NumPy array; save it with numpy.savez")
    length_bytes = 2 if magic[6] == 1 else 4
    length = int.from_bytes(stream.read(length_bytes), "little")
    if length > 10_000:
        raise UserError(f"{key}: its header claims {length:,} bytes; save it with numpy.savez")
    header = stream.read(length)
    match = _HEADER.fullmatch(header)
    if match is None:
        if b"'|O'" in header:
            raise UserError(_pickled(key))
        raise UserError(f"{key}: not a plain array of numbers or text; save it with numpy.savez")
    descr = match[1].decode("ascii")
    if "O" in descr:
        raise UserError(_pickled(key))
    if not _DTYPES.fullmatch(descr):
        raise UserError(f"{key}: expected numbers, booleans or text, got dtype {descr!r}")
    shape = tuple(int(size) for size in re.findall(rb"\d+", match[3]))
    return np.dtype(descr), match[2] == b"True", shape, 8 + length_bytes + length


def _pickled(key: str) -> str:
    return (
        f"{key} is an object array (a pickle, which could run code), which is never loaded; "
        "save it as numbers, or labels as text"
    )
