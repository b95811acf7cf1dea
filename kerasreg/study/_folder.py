"""The study folder: what was asked, every finished trial, the result, and one writer at a time."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasreg.errors import UserError
from kerasreg.study import _info, _lock, _table, _trials
from kerasreg.study._asked import differences, printable
from kerasreg.study._files import is_temporary, reading, writing
from kerasreg.study._json import plain, write_json
from kerasreg.study._ranking import best_trial
from kerasreg.study._result import ResultFile

if TYPE_CHECKING:
    import pandas as pd


def _refuse_links(root: Path) -> None:
    """Raise UserError for a symbolic link anywhere in a study's folder."""
    folders = [root]
    while folders:
        folder = folders.pop()
        # A running search may delete what was just listed.
        with reading(folder), suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise UserError(
                        f"Expected no symbolic link in a study, got {entry.path}: kerasreg neither "
                        "reads nor writes outside the folder. Put what it points to in its place."
                    )
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))


class Study:
    """A folder that holds one search or comparison; made by `create`, found again by `open`.

    Attributes:
        folder: Its absolute path.
    """

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder = folder
        self._info = info
        self._result = ResultFile(folder / "result.json")
        self._file = _trials.TrialsFile(folder / "trials.jsonl")
        self._mutex = threading.RLock()
        self._token: str | None = None
        self._owner = 0  # pid: a forked child does not own its parent's lock
        self._depth = 0

    def __repr__(self) -> str:
        return f"Study({str(self.folder)!r})"

    @classmethod
    def create(
        cls,
        folder: Path | str,
        asked: Mapping[str, Any],
        command: Sequence[str] | None = None,
    ) -> "Study":
        """Make a study in a new or empty folder and write its study.json.

        Args:
            folder: Made with its parents when absent.
            asked: What decides the study's numbers (data, space, searcher, seeds, `trials`):
                plain values, string keys. `extend` compares with it.
            command: The command line to remember; by default this process's.

        Raises:
            UserError: The folder holds a study or other files, or cannot be written.
        """
        root = Path(os.path.abspath(folder))
        study = cls(root, _info.new(asked, command))
        with writing(root):
            fresh = not root.exists()
            root.mkdir(parents=True, exist_ok=True)
        try:
            study._refuse_unless_empty()
            with study.lock():
                study._refuse_unless_empty()
                write_json(root / "study.json", study._info)
        except BaseException:
            if fresh:
                with suppress(OSError):
                    root.rmdir()
            raise
        return study

    @classmethod
    def open(cls, folder: Path | str) -> "Study":
        """Open the study in `folder`, for reading or to go on with it.

        Raises:
            UserError: There is no study, its study.json is broken or of another program, or the
                folder holds symbolic links.
        """
        root = Path(os.path.abspath(folder))
        with reading(root):
            found = root.is_dir()
        if not found:
            raise UserError(f"Expected a study folder, got {root}, which is none; check the path.")
        if not os.path.lexists(root / "study.json"):
            raise UserError(
                f"Expected a study in {root}, but it has no study.json; check the path."
            )
        info = _info.read(root / "study.json")
        _refuse_links(root)
        return cls(root, info)

    def _refuse_unless_empty(self) -> None:
        names = sorted(os.listdir(self.folder))
        if "study.json" in names:
            raise UserError(
                f"{self.folder} already holds a study; resume that one or choose another folder."
            )
        # What a creation that was killed leaves behind is no reason to refuse.
        others = [name for name in names if name != ".lock" and not is_temporary(name)]
        if others:
            raise UserError(
                f"Expected a new or empty folder, but {self.folder} holds {others[0]!r}"
                f"{f' and {len(others) - 1} more' if len(others) > 1 else ''}; choose another."
            )

    # What was asked

    @property
    def asked(self) -> dict[str, Any]:
        """What was asked, as plain JSON values (a copy; `extend` changes it)."""
        return plain(self._info["asked"])

    @property
    def info(self) -> dict[str, Any]:
        """All of study.json (a copy).

        `asked`, `versions`, `command`, `created`, `extended`; `other_versions` where it went on.
        """
        return plain(self._info)

    def extend(self, asked: Mapping[str, Any], reread_test: bool = False) -> bool:
        """Go on with this study as asked again; only the number of trials may have grown.

        Args:
            asked: What is asked now; keys left out are as before.
            reread_test: Allow more trials although the test rows have been read.

        Returns:
            Whether the number of trials grew. study.json is replaced atomically when it did, and a
            result there was moves to the `previous` of result.json.

        Raises:
            UserError: Listing every difference as `key: old → new`; or the test rows were read.
        """
        with self.lock():
            # Another process may have extended the study since it was opened here.
            self._info = _info.read(self.folder / "study.json")
            new = plain(dict(asked))
            found = differences(self._info["asked"], new)
            grown = found.pop("trials", None)
            old = self._info["asked"].get("trials")
            if grown and not (type(old) is type(new["trials"]) is int and new["trials"] > old):
                found["trials"] = f"{grown} (it may only grow)"
            if found:
                listed = "; ".join(f"{key}: {change}" for key, change in found.items())
                raise UserError(
                    f"{self.folder} was begun with other arguments ({listed}); give the same again "
                    "or choose another folder."
                )
            if not grown:
                return False
            if self.test_reads and not reread_test:
                raise UserError(
                    f"The test rows of {self.folder} have been read {self.test_reads} time(s), so "
                    f"more trials (trials: {grown}) would choose with the answer known; begin "
                    "a new study, or pass --reread-test and the report says so."
                )
            info = self.info
            info["asked"]["trials"] = new["trials"]
            info["extended"].append({"from": old, "to": new["trials"], "at": _info.now()})
            # The result first: a crash between the two leaves a study that is not extended and
            # whose last step runs again, never an old result under more trials.
            self._result.retire()
            write_json(self.folder / "study.json", info)
            self._info = info
            return True

    def version_changes(self) -> list[str]:
        """Return `name: then → now` for what has another version than when the study began."""
        now, then = _info.versions(), self._info["versions"]
        return [
            printable(f"{name}: {then[name]} → {now[name]}")
            for name in now
            if name in then and then[name] != now[name]
        ]

    def note_versions(self) -> list[str]:
        """Record in study.json that the study goes on under other versions; return which.

        The same change is recorded once. Nothing is written while the versions are the first ones.
        """
        changes = self.version_changes()
        with self.lock():
            info = self.info
            noted = info.setdefault("other_versions", [])
            if changes and changes not in [note["changes"] for note in noted]:
                noted.append({"at": _info.now(), "changes": changes})
                write_json(self.folder / "study.json", info)
                self._info = info
        return changes

    # Trials

    def append(self, record: Mapping[str, Any]) -> None:
        """Append a finished trial; when this returns, it survives a power cut.

        Raises:
            UserError: Another process uses the study, or the disk refuses; what was recorded before
                is kept and the file is as before.
            ValueError: The record breaks the contract, or its trial is recorded already.
        """
        with self.lock(), self._mutex:
            self._file.append(dict(record))

    def trials(self) -> list[dict[str, Any]]:
        """Return the records of all finished trials, in the order they were appended.

        Reads the file anew. A torn last line (a crash in the middle of an append) is left out.

        Raises:
            UserError: Naming the line that is no valid record.
        """
        return list(_trials.read(self._file.path))

    def dataframe(self) -> "pd.DataFrame":
        """Return the tidy table: a row a trial, hyperparameters and metrics as columns."""
        return _table.dataframe(_trials.read(self._file.path))

    def best(self, objective: str | None = None) -> dict[str, Any] | None:
        """Return the best completed trial, the first of equals; None when there is none.

        Args:
            objective: `val_data_loss`, `val_accuracy` or `val_mae`, taken at each trial's chosen
                epoch; by default the study's own.

        Raises:
            UserError: An objective that is unknown or was not measured.
        """
        if objective is None:
            objective = self._info["asked"].get("objective", "val_data_loss")
        return best_trial(_trials.read(self._file.path), objective)

    # The result and the test rows

    @property
    def result(self) -> dict[str, Any] | None:
        """What `write_result` wrote, with `test_reads`; None while there is no result."""
        return self._result.read()

    @property
    def test_reads(self) -> int:
        """How often the test rows have been read, interrupted readings included."""
        return self._result.test_reads

    def count_test_read(self, reread_test: bool = False) -> int:
        """Count a reading of the test rows, durably, before it happens; return the new count.

        A reading that was interrupted before its result was written may be repeated, and counts.

        Raises:
            UserError: There is a result already, unless `reread_test`.
        """
        with self.lock():
            return self._result.count(reread_test)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write result.json atomically; `test_reads` and `previous` are kept by the study.

        Raises:
            UserError: It cannot be written; the result there was is kept.
            ValueError: `result` is empty or sets what the study keeps.
        """
        with self.lock():
            self._result.write(result)

    def retire_result(self) -> None:
        """Move a result there is to the list `previous`, because more trials are coming.

        An interruption then leaves a study without a result, never an old one under more trials.
        """
        with self.lock():
            self._result.retire()

    # One writer

    @contextmanager
    def lock(self) -> Iterator["Study"]:
        """Hold the study while the block runs; may be nested. Every writing method takes it.

        Raises:
            UserError: Another process holds it (named by pid and host), or another Study object.
        """
        with self._mutex:
            if self._owner != os.getpid():
                self._depth = 0
            if self._depth == 0:
                self._token = _lock.acquire(self.folder / ".lock")
                self._owner = os.getpid()
            self._depth += 1
        try:
            yield self
        finally:
            with self._mutex:
                if self._owner == os.getpid():
                    self._depth -= 1
                    if self._depth == 0:
                        _lock.release(self.folder / ".lock", self._token)

    # Where things are; the writers make the folders

    @property
    def tensorboard(self) -> Path:
        """Folder of event files."""
        return self.folder / "tensorboard"

    @property
    def figures(self) -> Path:
        """Folder of PNG and SVG figures."""
        return self.folder / "figures"

    @property
    def checkpoints(self) -> Path:
        """Folder of unfinished work: what may be deleted when the study is finished."""
        return self.folder / "checkpoints"

    @property
    def best_model(self) -> Path:
        """The best model, a .keras file."""
        return self.folder / "best.keras"

    @property
    def report(self) -> Path:
        """The report page."""
        return self.folder / "report.html"
