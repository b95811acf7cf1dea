"""Arrays on disk for checkpoints: whole files, no pickle, no claim believed unchecked."""

import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kerasreg.errors import UserError
from kerasreg.files.atomic import atomic_write
from kerasreg.files.npy import read_array
from kerasreg.files.opening import open_regular

MAX_BYTES = 2**31
_KINDS = "biufc"  # truth values, integers, floats, complex numbers
# What zipfile and `read_array` raise on damaged bytes (RuntimeError: a bit says "encrypted").
_DAMAGE = (ValueError, zipfile.BadZipFile, RuntimeError, EOFError, OSError, struct.error)


def atomic_save_npz(path: Path | str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays to an uncompressed .npz file, atomically.

    Args:
        arrays: Any names; arrays of numbers or truth values (objects would need pickle).

    Raises:
        UserError: It cannot be written; what was there before is kept.
        TypeError: An array of something else.
    """
    plain = {name: np.asanyarray(array) for name, array in arrays.items()}
    for name, array in plain.items():
        if array.dtype.kind not in _KINDS:
            raise TypeError(
                f"Expected plain numbers in the array {name!r}, got dtype {array.dtype}."
            )

    def write(hidden: Path) -> None:
        with zipfile.ZipFile(hidden, "x", zipfile.ZIP_STORED) as archive:
            for name, array in plain.items():
                # A fixed date: the same arrays give the same bytes.
                entry = zipfile.ZipInfo(f"{name}.npy")
                with archive.open(entry, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)

    atomic_write(path, write)


def load_npz(path: Path | str, most_bytes: int | None = MAX_BYTES) -> dict[str, np.ndarray]:
    """Read what `atomic_save_npz` wrote; no pickle, checksums verified.

    Args:
        most_bytes: Most bytes of all arrays, by default 2 GiB; None for what the file holds.

    Raises:
        UserError: Missing, damaged, too large, or holding objects.
    """
    try:
        descriptor = open_regular(path)
    except FileNotFoundError:
        raise UserError(f"Expected a file at {path}, found none; check the folder.") from None
    name = "the archive"
    try:
        with open(descriptor, "rb") as file, zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            # Stored, so that nothing can grow in memory beyond the size of the file.
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ValueError("it is compressed, and kerasreg writes uncompressed ones")
            claimed = sum(entry.file_size for entry in entries)
            size = os.fstat(descriptor).st_size
            most = size if most_bytes is None else min(most_bytes, size)
            if claimed > most:
                raise ValueError(f"it claims {claimed:,} bytes")
            arrays = {}
            for entry in entries:
                name = repr(entry.filename[:60])
                key = entry.filename.removesuffix(".npy")
                if key == entry.filename or key in arrays:
                    raise ValueError("it is no array or stands twice")
                with archive.open(entry) as array:
                    arrays[key] = read_array(array, entry.file_size, _KINDS, most)
            return arrays
    except _DAMAGE as error:
        raise UserError(
            f"Expected arrays in {path}, but {name} is damaged: {str(error)[:200]}; delete the "
            "file and the work it held runs again."
        ) from None
