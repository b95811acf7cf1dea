"""One writer a study: a file lock that the system releases when its holder ends or is killed."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from kerasreg.errors import UserError
from kerasreg.files.atomic import sweep, write_all, writing
from kerasreg.study._text import printable

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


class StudyLock:
    """The lock of a study's folder. It nests, and the threads of a process share it.

    The file `.lock` is there while it is held and says by which process on which host. A file that
    a killed process left behind holds nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / ".lock"
        self._mutex = threading.RLock()
        self._depth = 0
        self._process = 0  # a forked child does not hold what its parent holds
        self._lock: FileLock | None = None
        self._descriptor = -1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock while the block runs; see `Study.lock`."""
        with self._mutex:
            if self._process != os.getpid():
                self._depth = 0
            if self._depth == 0:
                self._acquire()
            self._depth += 1
        try:
            yield
        finally:
            with self._mutex:
                if self._process == os.getpid():
                    self._depth -= 1
                    if self._depth == 0:
                        self._release()

    def _acquire(self) -> None:
        # No soft lock where the file system has none: a killed holder would leave it behind.
        lock = FileLock(
            self._path,
            blocking=False,
            thread_local=False,
            fallback_to_soft=False,
            on_acquired=self._acquired,
        )
        with writing(self._folder):
            os.stat(self._folder)  # FileLock would make a folder that is gone
            try:
                lock.acquire()
            except Timeout:
                raise self._refusal() from None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                raise UserError(
                    f"Cannot lock {self._folder}: its file system has no locks ({error.strerror}), "
                    "so two processes could write into one study; choose a folder on another disk."
                ) from None
        self._lock, self._process = lock, os.getpid()
        for folder in (self._folder, self._folder / "figures", self._folder / "checkpoints"):
            sweep(folder)

    def _acquired(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        write_all(descriptor, f"\n{_me()}\n".encode())

    def _refusal(self) -> UserError:
        try:
            with open(self._path, "rb", buffering=0) as file:
                file.seek(1)  # Windows does not let others read the first byte, which is locked
                holder = printable(file.read(400).decode(errors="replace").strip())
        except OSError:
            holder = ""
        if holder == _me():
            return UserError(
                f"{self._folder} is already in use by this process ({os.getpid()}) through another "
                "Study object; use that one."
            )
        return UserError(
            f"{self._folder} is in use by {holder or 'another process'}; wait for it, stop it, or "
            "choose another folder."
        )

    def _release(self) -> None:
        # Removed before it is released: who opened it meanwhile finds it without a name and is
        # refused. Windows cannot remove an open file, and FileLock does so there on release.
        with suppress(OSError):
            if os.path.samestat(os.lstat(self._path), os.fstat(self._descriptor)):
                os.unlink(self._path)
        self._lock.release()
        self._lock, self._descriptor = None, -1


def _me() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
