"""Runs of the command line that are killed at chosen moments, one warm process for all of them.

`Killer` keeps a process that has imported everything and forks it for each run, so that a kill
costs what was running and not another import of TensorFlow. The forked process runs
`kerasreg.cli.main` and is ended by a real SIGKILL: after some time, or at its n-th touch of a file
of the study, in the middle of what it writes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

STARTER = '''
import json, os, signal, sys, time, traceback
import kerasreg.search.run, kerasreg.report, kerasreg.terminal
from kerasreg import cli
from kerasreg.population import checkpoint

checkpoint.INTERVAL = float(sys.argv[1])


def die():
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def count_touches(folder, last, told):
    """Count opened, written, flushed, renamed and deleted files of a study; die at the last-th."""
    state = {"count": 0}

    def touch(half=None):
        state["count"] += 1
        if state["count"] == last:
            if half:
                half()
            die()

    def audit(event, arguments):
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate"):
            if any(isinstance(a, (str, os.PathLike)) and folder in os.fspath(a)
                   for a in arguments[:2]):
                touch()

    write, fsync, forked = os.write, os.fsync, os.getpid()

    def counted_write(descriptor, data):
        if descriptor > 2:
            touch(lambda: write(descriptor, bytes(data)[: len(data) // 2]))
        return write(descriptor, data)

    def counted_fsync(descriptor):
        touch()
        return fsync(descriptor)

    os.write, os.fsync = counted_write, counted_fsync
    sys.addaudithook(audit)

    def finished():
        os.write, os.fsync = write, fsync
        with open(told, "w") as file:
            file.write(str(state["count"]))

    return finished


def run(order):
    os.chdir(order["cwd"])
    for descriptor, name in ((1, "out.txt"), (2, "err.txt")):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
    finished = count_touches(order["study"], order["touches"], "touches.txt")
    try:
        status = cli.main(order["arguments"])
    except SystemExit as ended:
        status = ended.code
    except BaseException:
        traceback.print_exc()
        status = 1
    finished()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


for line in sys.stdin:
    order = json.loads(line)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        run(order)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if order["seconds"] is not None and time.monotonic() - started > order["seconds"]:
            os.kill(child, signal.SIGKILL)
            order["seconds"] = None
        time.sleep(0.002)
    spent = time.monotonic() - started
    print(json.dumps([os.waitstatus_to_exitcode(status), spent]), flush=True)
'''


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        status: Exit status; -9 when it was killed.
        seconds: Wall clock.
        err: What it wrote on stderr.
        touches: How often it touched files of the study; None when it was killed.
    """

    status: int
    seconds: float
    err: str
    touches: int | None

    @property
    def killed(self) -> bool:
        return self.status == -9


class Killer:
    """Starts runs of the command line in `cwd` and ends them; a context manager.

    Args:
        cwd: Where the runs happen.
        interval: Seconds between two checkpoints of a population.
    """

    def __init__(self, cwd: Path, interval: float = 45.0):
        self.cwd = cwd
        self._process = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(interval)],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # TensorFlow's lines while it is imported
            text=True,
        )

    def __enter__(self) -> Killer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(
        self,
        arguments: list[str],
        study: str,
        seconds: float | None = None,
        touches: int | None = None,
    ) -> Ended:
        """Run `kerasreg ARGUMENTS`; kill it after `seconds`, or at the n-th touch of the study."""
        (self.cwd / "touches.txt").unlink(missing_ok=True)
        order = {
            "arguments": arguments,
            "study": str(self.cwd / study),
            "cwd": str(self.cwd),
            "seconds": seconds,
            "touches": touches,
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        status, spent = json.loads(self._process.stdout.readline())
        told = self.cwd / "touches.txt"
        return Ended(
            status,
            spent,
            (self.cwd / "err.txt").read_text(),
            int(told.read_text()) if told.exists() else None,
        )
