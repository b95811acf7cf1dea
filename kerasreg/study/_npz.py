"""Arrays on disk for checkpoints: whole files, no pickle, no claim believed unchecked."""

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kerasreg.errors import UserError
from kerasreg.study._files import atomic_write, open_regular

MAX_BYTES = 2**31
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def atomic_save_npz(path: Path | str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays to an uncompressed .npz file, atomically.

    Args:
        path: The file.
        arrays: Any names; no object arrays (they would need pickle).

    Raises:
        UserError: It cannot be written; what was there before is kept.
        TypeError: An object array.
    """
    plain = {name: np.asanyarray(array) for name, array in arrays.items()}
    for name, array in plain.items():
        if array.dtype.hasobject:
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


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        if version not in _READERS:
            raise ValueError(f"its version {version} is unknown")
        shape, fortran, dtype = _READERS[version](file)
        if dtype.hasobject:
            raise ValueError("it holds pickled objects, which are never read")
        size = math.prod(shape) * dtype.itemsize
        # Before any memory is taken: the header may claim what the file does not hold.
        if any(length < 0 for length in shape) or size > entry.file_size:
            raise ValueError(f"it claims {size:,} bytes and holds {entry.file_size:,}")
        data = file.read(size + 1)
        if len(data) != size:
            raise ValueError(f"it should hold {size:,} bytes of numbers, got {len(data):,}")
    array = np.frombuffer(bytearray(data), dtype=dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def load_npz(path: Path | str) -> dict[str, np.ndarray]:
    """Read what `atomic_save_npz` wrote; no pickle, at most 2 GiB, checksums verified.

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
            if sum(entry.file_size for entry in entries) > MAX_BYTES:
                raise ValueError(f"it claims more than {MAX_BYTES:,} bytes")
            arrays = {}
            for entry in entries:
                name = repr(entry.filename[:60])
                key = entry.filename.removesuffix(".npy")
                if key == entry.filename or key in arrays:
                    raise ValueError("it is no array or stands twice")
                arrays[key] = _read_array(archive, entry)
            return arrays
    except (ValueError, zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
        raise UserError(
            f"Expected arrays in {path}, but {name} is damaged: {str(error)[:200]}; delete the "
            "file and the work it held runs again."
        ) from None
