"""Opening what the user named: a regular file of bounded size, or one clear line."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from kerasreg.errors import UserError


def open_regular(path: Path, most_bytes: int) -> BinaryIO:
    """Open a regular file for reading in binary.

    Raises:
        UserError: When it is missing, a folder or device, unreadable, or over `most_bytes`.
    """
    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path}: cannot be read ({reason})") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise UserError(f"{path}: expected a file, got a folder, pipe or device")
    if status.st_size > most_bytes:
        os.close(descriptor)
        raise UserError(
            f"{path}: {status.st_size / 2**20:,.0f} MB, more than the {most_bytes // 2**20} MB "
            "that is read; keep a subset of the rows"
        )
    return os.fdopen(descriptor, "rb")


_BINARY = getattr(os, "O_BINARY", 0)
