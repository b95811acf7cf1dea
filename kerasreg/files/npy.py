"""One array of an `.npz` archive, read without trust: memory grows only with bytes that arrive.

`numpy.load` takes the memory that a header claims. Here a header must agree with the size that the
archive states, and nothing is unpickled.
"""

import io
import math
import warnings
from tokenize import TokenError
from typing import BinaryIO, NamedTuple

import numpy as np

MOST_HEADER_BYTES = 10_000
_CHUNK = 1 << 20
# Version 3 is for names of fields, which arrays of numbers and text do not have.
_READERS = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
}


class Header(NamedTuple):
    """What a `.npy` file says of its array.

    Attributes:
        shape: Of the array; never negative.
        fortran: Whether the first index varies fastest.
        dtype: Of the array.
        size: Bytes of the header.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    size: int


def read_header(stream: BinaryIO) -> Header:
    """Read the header of a `.npy` file and nothing behind it.

    Raises:
        ValueError: It is no header of an array, or a large one.
    """
    start = stream.read(8)
    try:
        width, read = _READERS[np.lib.format.read_magic(io.BytesIO(start))]
    except (ValueError, KeyError):
        raise ValueError("not a NumPy array of version 1 or 2") from None
    start += stream.read(width)
    length = int.from_bytes(start[8:], "little")
    # NumPy has its own limit, but reads what is claimed before it compares.
    if length > MOST_HEADER_BYTES:
        raise ValueError(f"its header claims {length:,} bytes")
    start += stream.read(length)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "created on Python 2"
            shape, fortran, dtype = read(io.BytesIO(start[8:]))
    # The parser of Python literals: on brackets without end, on names, on large integers.
    except (ValueError, TypeError, MemoryError, RecursionError, OverflowError, TokenError):
        raise ValueError("not a plain array: its header is damaged") from None
    if any(length < 0 for length in shape):
        raise ValueError(f"not a plain array: its shape is {shape}")
    return Header(shape, fortran, dtype, len(start))


def read_array(stream: BinaryIO, size: int, kinds: str, most_values: int) -> np.ndarray:
    """Read the array of a `.npy` file.

    Args:
        size: Bytes that the file is said to have.
        kinds: Kinds of dtypes that are wanted, as in `numpy.dtype.kind`.
        most_values: More values than this are refused.

    Raises:
        ValueError: It is no such array, or the file has other bytes than it says.
    """
    shape, fortran, dtype, header_size = read_header(stream)
    if dtype.hasobject:
        raise ValueError(
            "an object array (a pickle, which could run code), which is never loaded; save "
            "numbers, or labels as text"
        )
    if dtype.kind == "V":
        raise ValueError(f"not a plain array: its dtype is {dtype}")
    # "g" and "G": extended precision, whose bytes differ between machines.
    if dtype.kind not in kinds or dtype.char in "gG" or not dtype.itemsize:
        raise ValueError(f"expected dtypes of the kinds {kinds!r}, got dtype {dtype}")
    values = math.prod(shape)
    needed = values * dtype.itemsize
    if header_size + needed != size:
        raise ValueError(
            f"its header claims {needed:,} bytes, the file has {max(0, size - header_size):,}; "
            "damaged or truncated"
        )
    if values > most_values:
        raise ValueError(f"{values:,} values, more than the {most_values:,} that are read")
    content = bytearray()
    while chunk := stream.read(min(_CHUNK, needed + 1 - len(content))):
        content += chunk
    if len(content) != needed:
        raise ValueError(f"not {needed:,} bytes as its header claims; damaged or truncated")
    return np.ndarray(shape, dtype, buffer=content, order="F" if fortran else "C")
