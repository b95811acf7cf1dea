"""Which process is this, and does that one still live?"""

import os
import socket
from pathlib import Path
from typing import Any


def _proc(pid: int) -> tuple[str, int] | None:
    """State letter and start time (clock ticks after boot) from /proc, None where unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in parentheses may hold spaces and parentheses: fields count from the last one.
    fields = text[text.rfind(")") + 1 :].split()
    return fields[0], int(fields[19])


def _windows_alive(pid: int) -> bool:
    import ctypes

    # SYNCHRONIZE; a handle that times out at once belongs to a process that has not ended.
    handle = ctypes.windll.kernel32.OpenProcess(0x00100000, False, pid)
    if not handle:
        return False
    try:
        return ctypes.windll.kernel32.WaitForSingleObject(handle, 0) == 0x00000102
    finally:
        ctypes.windll.kernel32.CloseHandle(handle)


def alive(pid: int) -> bool:
    """Tell whether a process of this number runs on this machine. A zombie does not."""
    if pid <= 0:
        return False
    if os.name == "nt":
        return _windows_alive(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it exists and belongs to somebody else
    state = _proc(pid)
    return state is None or state[0] not in "ZX"


def _machine() -> str:
    """Boot id and process-id namespace: where process numbers mean the same thing."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def identity() -> dict[str, Any]:
    """Return what identifies the calling process: pid, host, machine, start.

    `start` tells a process from a later one with the same number; it and `machine` are null or
    empty where the system does not say (macOS, Windows).
    """
    state = _proc(os.getpid())
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "machine": _machine(),
        "start": state[1] if state else None,
    }


def is_gone(owner: dict[str, Any]) -> bool | None:
    """Tell whether the process of an `identity` has ended; None when that cannot be known here.

    On another host nothing is known. A reboot ends everything. In another process-id namespace (a
    container) of the same boot the number would mean another process, so nothing is known either.
    """
    here = identity()
    if owner["host"] != here["host"]:
        return None
    if owner["machine"] != here["machine"]:
        theirs, ours = owner["machine"].split(" ")[0], here["machine"].split(" ")[0]
        return True if theirs and ours and theirs != ours else None
    if not alive(owner["pid"]):
        return True
    state = _proc(owner["pid"])
    return state is not None and owner["start"] is not None and state[1] != owner["start"]
