"""Files that are whole or absent: atomic replacement, and what a killed one leaves behind."""

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kerasreg.errors import UserError
from kerasreg.files.opening import SAFE

_TEMPORARY = re.compile(r"\.kerasreg-(\d{1,10})-[0-9a-f]{16}-.*")


@contextmanager
def writing(path: Path | str, kept: str = "nothing was changed") -> Iterator[None]:
    """Turn an OSError in the block into a UserError that names the path and what is kept."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"Cannot write {path}: {reason}; {kept}. Free the disk, change the permissions or "
            "choose another folder, then run again."
        ) from error


def temporary(path: Path) -> Path:
    """Return a fresh hidden name beside `path`, with its suffix and the writer's process id."""
    return path.with_name(f".kerasreg-{os.getpid()}-{secrets.token_hex(8)}-{path.name}")


def is_temporary(name: str) -> bool:
    """Tell whether `name` is one that `temporary` makes."""
    return _TEMPORARY.fullmatch(name) is not None


def sweep(folder: Path) -> None:
    """Delete the half-written files of processes that are dead."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            # A model saved as a folder would be a directory: none of ours is, so leave those.
            if match and not entry.is_dir(follow_symlinks=False) and not _is_running(int(match[1])):
                with suppress(FileNotFoundError, PermissionError):
                    os.unlink(entry.path)


def _is_running(pid: int) -> bool:
    if os.name == "nt":  # untested: `os.kill` would end it, and an open file stays there anyway
        return pid == os.getpid()
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is another user's
    return True


def sync_folder(folder: Path) -> None:
    """Make names created in or renamed into `folder` survive a power cut (POSIX only)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`; a disk that fills up in the middle raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def atomic_write(path: Path | str, content: bytes | Callable[[Path], object]) -> None:
    """Replace `path` by `content`, so that a reader or a crash sees the old file or the new one.

    The content goes to a hidden name in the same folder, is flushed to the disk (fsync) and then
    renamed. A parent folder that does not exist is made (one level).

    Args:
        path: The file to write. A symbolic link there is replaced, not followed.
        content: The bytes, or a function that writes a file at the path it is given (the hidden
            name ends like `path`, so `model.save` finds its suffix).

    Raises:
        UserError: When the folder or disk refuses; no half-written file remains.
    """
    path = Path(path)
    hidden = temporary(path)
    with writing(path, "what was there before is kept"):
        path.parent.mkdir(exist_ok=True)
        try:
            if isinstance(content, bytes):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFE
                descriptor = os.open(hidden, flags, 0o666)
                try:
                    write_all(descriptor, content)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            else:
                content(hidden)
                with open(hidden, "r+b") as file:  # Windows flushes writable files only
                    os.fsync(file.fileno())
            os.replace(hidden, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(hidden)
            raise
        sync_folder(path.parent)
