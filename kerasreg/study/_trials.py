"""trials.jsonl: one line a finished trial, appended durably, read with suspicion."""

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kerasreg.errors import UserError
from kerasreg.files.atomic import sync_folder, write_all, writing
from kerasreg.files.opening import open_regular
from kerasreg.files.strict_json import dumps, loads
from kerasreg.study import _contract

MAX_LINE = 16 * 2**20
MAX_FILE = 2**30
# Numbers in memory are about 32 bytes each; this keeps the longest table below 1.5 GB.
MAX_NUMBERS = 48_000_000


def _is_torn(line: bytes) -> bool:
    """Tell whether the last line of a file is one that a crash cut short.

    Zero bytes are blocks that a power cut left unwritten; JSON text never holds any. A record cut
    short is never valid JSON, because its last byte closes it; one that lost (or never had, after
    editing by hand) nothing but its newline is whole.
    """
    if b"\0" in line:
        return True
    if line.endswith(b"\n"):
        return False
    try:
        _contract.check(loads(line))
    except ValueError:
        return True
    return False


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (line number, offset of its first byte, line) but for a torn last line."""
    try:
        descriptor = open_regular(path)
    except FileNotFoundError:
        return
    with open(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        if size > MAX_FILE:
            raise UserError(f"Expected at most {MAX_FILE:,} bytes in {path}, found {size:,}.")
        offset = 0
        for number in range(1, size + 2):
            line = file.readline(MAX_LINE + 1)
            if not line:
                return
            if len(line) > MAX_LINE:
                raise UserError(
                    f"Expected at most {MAX_LINE:,} bytes a line in {path}, line {number} has more."
                )
            last = not line.endswith(b"\n") or not file.peek(1)
            if last and _is_torn(line):
                return
            yield number, offset, line
            offset += len(line)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the finished trials, one line in memory at a time; see `Study.trials`."""
    seen: dict[str, int] = {}
    numbers = 0
    for number, _, line in _lines(path):
        try:
            record = loads(line)
            numbers += _contract.check(record)
        except ValueError as error:
            raise UserError(
                f"Expected a finished trial in {path}, line {number}, but {error}; restore the "
                "file from a copy or delete that line, and the trial runs again."
            ) from None
        trial = record["trial"]
        if trial in seen:
            raise UserError(
                f"Expected a trial once in {path}, but line {number} repeats trial {trial!r} of "
                f"line {seen[trial]}; delete one of them."
            )
        seen[trial] = number
        if numbers > MAX_NUMBERS:
            raise UserError(f"Expected at most {MAX_NUMBERS:,} numbers in the curves of {path}.")
        yield record


class TrialsFile:
    """The writer's side: knows which trials are there, repairs a torn tail, appends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mutex = threading.Lock()
        self._ids: set[str] = set()
        self._size: int | None = None  # of the file when `_ids` was right

    def _load(self, descriptor: int) -> None:
        """Learn the ids and repair the tail: a lost newline is added, a torn line cut off."""
        self._ids = {record["trial"] for record in read(self.path)}
        end, newline = 0, True
        for _, offset, line in _lines(self.path):
            end, newline = offset + len(line), line.endswith(b"\n")
        os.ftruncate(descriptor, end)
        if not newline:
            os.write(descriptor, b"\n")
            end += 1
        os.fsync(descriptor)
        self._size = end

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one record with a single write and fsync it; see `Study.append`."""
        record = _contract.checked(dict(record))
        line = dumps(record) + b"\n"
        if len(line) > MAX_LINE:
            raise UserError(
                f"Trial {record['trial']!r} takes {len(line):,} bytes, more than the {MAX_LINE:,} "
                "of one line; use fewer epochs, seeds or folds."
            )
        with self._mutex, writing(self.path, "the finished trials in it are kept"):
            new = not self.path.exists()
            descriptor = open_regular(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            try:
                if new:
                    sync_folder(self.path.parent)
                if os.fstat(descriptor).st_size != self._size:
                    self._load(descriptor)
                if record["trial"] in self._ids:
                    raise ValueError(
                        f"Expected a new trial, but {record['trial']!r} is already in {self.path}."
                    )
                if self._size + len(line) > MAX_FILE:
                    raise UserError(f"{self.path} is full ({MAX_FILE:,} bytes); begin a new study.")
                self._write(descriptor, line)
            finally:
                os.close(descriptor)
            self._ids.add(record["trial"])

    def _write(self, descriptor: int, line: bytes) -> None:
        try:
            write_all(descriptor, line)  # one write, unless the disk fills up in the middle
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, self._size)
            raise
        self._size += len(line)  # an interruption before this is found by the file's size
