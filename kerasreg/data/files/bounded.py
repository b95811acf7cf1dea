"""Opening what the user named: a regular file of bounded size, or one clear line."""

import os
from pathlib import Path
from typing import BinaryIO

from kerasreg import files
from kerasreg.errors import UserError

# Cells of a table: keeps reading below 2 GB of memory, a parsed number takes 8 bytes.
MOST_CELLS = 50_000_000
# Each column becomes an input of the exported model; Keras needs minutes for thousands of them.
MOST_COLUMNS = 2_000


def open_regular(path: Path, most_bytes: int) -> BinaryIO:
    """Open a regular file for reading in binary.

    Raises:
        UserError: When it is missing, a folder or device, unreadable, or over `most_bytes`.
    """
    try:
        descriptor = files.open_regular(path, links=True)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path}: no such file") from None
    size = os.fstat(descriptor).st_size
    if size > most_bytes:
        os.close(descriptor)
        raise UserError(
            f"{path}: {size / 2**20:,.0f} MB, more than the {most_bytes // 2**20} MB "
            "that is read; keep a subset of the rows"
        )
    return os.fdopen(descriptor, "rb")
