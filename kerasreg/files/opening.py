"""Opening files of users and of studies: regular files only, of bounded size."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasreg.errors import UserError

# O_NONBLOCK: opening a named pipe must not wait for a writer that never comes.
SAFE = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


@contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Turn an OSError in the block into a UserError that names the path; a missing file stays one.

    Raises:
        FileNotFoundError: As raised in the block; NotADirectoryError too.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise UserError(
            f"Cannot open {path}: {error.strerror or error}; check its kind and permissions."
        ) from error


def open_regular(path: Path | str, flags: int = os.O_RDONLY, *, links: bool = False) -> int:
    """Open a regular file and return its descriptor.

    Args:
        links: Whether `path` may be a symbolic link to it.

    Raises:
        FileNotFoundError: There is none.
        UserError: It is a link and may not be one; a folder, pipe or device; or may not be opened.
    """
    safe = SAFE & ~getattr(os, "O_NOFOLLOW", 0) if links else SAFE
    with reading(path):
        # O_NOFOLLOW is not everywhere, and its errno varies.
        if not links and Path(path).is_symlink():
            raise UserError(
                f"Expected a regular file at {path}, got a symbolic link: a study keeps its files "
                "in its own folder. Replace the link by the file."
            )
        descriptor = os.open(path, flags | safe, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UserError(
            f"Expected a regular file at {path}, got a folder, pipe or device; give another path."
        )
    return descriptor


def read_bytes(path: Path | str, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    Raises:
        UserError: Missing, a link, no regular file, unreadable, or larger than `limit`.
    """
    try:
        descriptor = open_regular(path)
    except FileNotFoundError:
        raise UserError(f"Expected a file at {path}, found none; check the folder.") from None
    with reading(path), open(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise UserError(
            f"Expected at most {limit:,} bytes in {path}, found more; restore it from a copy."
        )
    return data
