"""One writer a study: a lock file that names its owner."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kerasreg.errors import UserError
from kerasreg.study import _json
from kerasreg.study._files import read_bytes, sweep, temporary, write_all, writing
from kerasreg.study._process import identity, is_gone

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_held: set[str] = set()  # tokens of the locks of this process


@contextmanager
def _guard(folder: Path) -> Iterator[None]:
    """Let one process of this machine at a time judge, break and take the lock of `folder`.

    The kernel drops it when its holder dies, so it cannot go stale. Without it, two processes that
    both judge a lock stale could each delete it, the second one deleting the first one's new lock.
    """
    if fcntl is None:  # untested: Windows then relies on exclusive creation alone
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UserError(
                        f"{folder} is being opened by another process that does not go on; "
                        "end it, then run again."
                    ) from None
                time.sleep(0.01)
            except OSError:
                break  # a file system without flock: exclusive creation alone decides
        yield
    finally:
        os.close(descriptor)


def _owner(path: Path) -> dict[str, Any] | None:
    """Read who holds the lock; None when nobody does."""
    if not os.path.lexists(path):
        return None
    try:
        owner = _json.loads(read_bytes(path, 4096))
        kinds = {"pid": int, "host": str, "machine": str, "start": (int, type(None)), "token": str}
        if not isinstance(owner, dict) or set(owner) != set(kinds):
            raise ValueError("its keys are others")
        for key, kind in kinds.items():
            if not isinstance(owner[key], kind) or isinstance(owner[key], bool):
                raise ValueError(f"{key} is {owner[key]!r}")
        if owner["pid"] <= 0 or not owner["host"].isprintable():
            raise ValueError(f"it names process {owner['pid']} on {owner['host']!r}")
    except ValueError as error:
        if not os.path.lexists(path):  # released between the look and the reading
            return None
        raise UserError(
            f"Expected the lock of a running kerasreg in {path}, but {error}; delete the file if "
            "nothing uses the study."
        ) from None
    return owner


def _refuse_unless_stale(path: Path, owner: dict[str, Any]) -> None:
    here = identity()
    if {key: owner[key] for key in here} == here:
        if owner["token"] not in _held:
            return  # left by an interrupted attempt of this very process
        raise UserError(
            f"{path.parent} is already in use by this process ({owner['pid']}) through another "
            "Study object; use that one."
        )
    gone = is_gone(owner)
    if gone:
        return
    who = f"process {owner['pid']} on {owner['host']}"
    if gone is None:
        raise UserError(
            f"{path.parent} is in use by {who}, which cannot be checked from here; wait for it, or "
            f"delete {path} if it has ended."
        )
    raise UserError(
        f"{path.parent} is in use by {who}; wait for it, stop it, or choose another folder."
    )


def _publish(path: Path, content: bytes) -> None:
    """Create `path` with its content, or raise FileExistsError; never a half-written lock."""
    hidden = temporary(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(hidden, flags, 0o666)
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(hidden, path)
            return
        except FileExistsError:
            raise
        except OSError:
            pass  # a file system without hard links
    finally:
        with suppress(OSError):
            os.unlink(hidden)
    descriptor = os.open(path, flags, 0o666)
    try:
        write_all(descriptor, content)
    finally:
        os.close(descriptor)


def acquire(path: Path) -> str:
    """Take the lock file at `path` and return its token.

    A lock is stale when its owner ran on this host and has ended: no such process, another process
    start under the same number, or another boot of the machine. A stale one is replaced.

    Raises:
        UserError: Another process, or another Study of this one, holds it; the message names pid
            and host. Or the folder cannot be written.
    """
    token = secrets.token_hex(16)
    content = _json.dumps({**identity(), "token": token})
    with writing(path.parent), _guard(path.parent):
        owner = _owner(path)
        if owner is not None:
            _refuse_unless_stale(path, owner)
            os.unlink(path)
        _held.add(token)
        try:
            _publish(path, content)
        except FileExistsError:  # a process of another host was faster
            _held.discard(token)
            raise UserError(
                f"{path.parent} was just taken by another process; wait for it."
            ) from None
        except BaseException:
            _held.discard(token)
            raise
        for folder in (path.parent, path.parent / "figures", path.parent / "checkpoints"):
            sweep(folder)
    return token


def release(path: Path, token: str) -> None:
    """Remove the lock file if it is still the one with this token."""
    _held.discard(token)
    with writing(path.parent), suppress(FileNotFoundError), _guard(path.parent):
        owner = _owner(path)
        if owner is not None and owner["token"] == token:
            os.unlink(path)
