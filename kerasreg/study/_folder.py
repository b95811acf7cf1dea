"""The study folder: the request, every finished trial, the result, and one writer at a time."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasreg.errors import UserError
from kerasreg.files.atomic import writing
from kerasreg.files.strict_json import plain, write_json
from kerasreg.study import _info, _table, _trials
from kerasreg.study._entries import refuse_unless_empty, require_study
from kerasreg.study._lock import StudyLock
from kerasreg.study._ranking import best_trial
from kerasreg.study._request import growth
from kerasreg.study._result import ResultFile
from kerasreg.study._units import error_scale, scaled_record, scaled_result

if TYPE_CHECKING:
    import pandas as pd


class Study:
    """A folder that holds one search or comparison; made by `create`, found again by `open`.

    Attributes:
        checkpoints: Folder of unfinished work: what may be deleted when the study is finished.
        best_model: The best model, a .keras file.
    """

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder = folder
        # The writers make the folders.
        self.tensorboard = folder / "tensorboard"
        self.figures = folder / "figures"
        self.checkpoints = folder / "checkpoints"
        self.best_model = folder / "best.keras"
        self.report = folder / "report.html"
        self._info = info
        self._info_path = folder / "study.json"
        self._result = ResultFile(folder / "result.json")
        self._trials = _trials.TrialsFile(folder / "trials.jsonl")
        self._lock = StudyLock(folder)

    def __repr__(self) -> str:
        return f"Study({str(self.folder)!r})"

    @classmethod
    def create(
        cls, folder: Path | str, request: Mapping[str, Any], command: Sequence[str] | None = None
    ) -> "Study":
        """Make a study in a new or empty folder and write its study.json.

        Args:
            folder: Made with its parents when absent.
            request: What decides the study's numbers (data, space, searcher, seeds, `trials`):
                plain values, string keys. `extend` compares with it.
            command: The command line to remember; by default this process's.

        Raises:
            UserError: The folder holds a study or other files, or cannot be written.
        """
        root = Path(os.path.abspath(folder))
        study = cls(root, _info.new(request, command))
        with writing(root):
            fresh = not root.exists()
            root.mkdir(parents=True, exist_ok=True)
        try:
            refuse_unless_empty(root)
            with study.lock():
                refuse_unless_empty(root)
                study._write_info(study._info)
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
        require_study(root)
        return cls(root, _info.read(root / "study.json"))

    # The request

    @property
    def request(self) -> dict[str, Any]:
        """What the study was asked, as plain JSON values (a copy; `extend` changes it)."""
        return plain(self._info["asked"])

    @property
    def info(self) -> dict[str, Any]:
        """All of study.json (a copy).

        `asked` (the request), `versions`, `command`, `created`, `extended`; `other_versions` where
        it went on.
        """
        return plain(self._info)

    def extend(self, request: Mapping[str, Any], reread_test: bool = False) -> bool:
        """Go on with this study; only the number of trials may have grown.

        Args:
            request: What is asked now; keys left out are as before.
            reread_test: Allow more trials although the test rows have been read.

        Returns:
            Whether the number of trials grew. study.json is replaced atomically when it did, and a
            result there was moves to the `previous` of result.json.

        Raises:
            UserError: Listing every difference as `key: old → new`; or the test rows were read.
        """
        with self.lock():
            # Another process may have extended the study since it was opened here.
            self._info = _info.read(self._info_path)
            grown = growth(self.folder, self._info["asked"], plain(dict(request)))
            if grown is None:
                return False
            if self.test_reads and not reread_test:
                raise UserError(
                    f"The test rows of {self.folder} have been read {self.test_reads} time(s), so "
                    f"more trials (trials: {grown[0]} → {grown[1]}) would choose with the answer "
                    "known; begin a new study, or pass --reread-test and the report says so."
                )
            # The result first: a crash between the two leaves a study that is not extended and
            # whose last step runs again, never an old result under more trials.
            self._result.retire()
            self._write_info(_info.extended(self._info, grown))
            return True

    @property
    def is_readable_only(self) -> bool:
        """Whether version 0.1 wrote its errors in another unit, so that no trial can be added."""
        return error_scale(self._info) != 1.0

    def version_changes(self) -> list[str]:
        """Return `name: then → now` for what has another version than when the study began."""
        return _info.version_changes(self._info)

    def note_versions(self) -> list[str]:
        """Record in study.json that the study goes on under other versions; return which.

        The same change is recorded once. Nothing is written while the versions are the first ones.
        """
        with self.lock():
            self._info = _info.read(self._info_path)
            changes = self.version_changes()
            noted = _info.with_changes(self._info, changes)
            if noted is not None:
                self._write_info(noted)
        return changes

    def _write_info(self, info: dict[str, Any]) -> None:
        write_json(self._info_path, info)
        self._info = info

    # Trials

    def append(self, record: Mapping[str, Any]) -> None:
        """Append a finished trial; when this returns, it survives a power cut.

        Raises:
            UserError: Another process uses the study, or the disk refuses; what was recorded before
                is kept and the file is as before.
            ValueError: The record breaks the contract, or its trial is recorded already.
        """
        with self.lock():
            self._trials.append(record)

    def trials(self) -> list[dict[str, Any]]:
        """Return the records of all finished trials, their absolute errors in the target's unit.

        In the order they were proposed: which of them are finished first is a matter of timing.
        Reads the file anew. A torn last line (a crash in the middle of an append) is left out.

        Raises:
            UserError: Naming the line that is no valid record.
        """
        scale, objective = error_scale(self._info), self._info["asked"].get("objective")
        records = [scaled_record(r, scale, objective) for r in _trials.read(self._trials.path)]
        return sorted(records, key=lambda record: (len(record["trial"]), record["trial"]))

    def dataframe(self) -> "pd.DataFrame":
        """Return the tidy table: a row a trial, hyperparameters and metrics as columns."""
        return _table.dataframe(self.trials())

    def best(self, objective: str | None = None) -> dict[str, Any] | None:
        """Return the best completed trial, the first of equals; None when there is none.

        Args:
            objective: One of `kerasreg.objectives.OBJECTIVES`, taken at each trial's chosen
                epoch; by default the study's own.

        Raises:
            UserError: An objective that is unknown or was not measured.
        """
        if objective is None:
            objective = self._info["asked"].get("objective", "val_data_loss")
        return best_trial(self.trials(), objective)

    # The result and the test rows

    @property
    def result(self) -> dict[str, Any] | None:
        """What `write_result` wrote, with `test_reads`; None while there is no result."""
        result = self._result.read()
        return result and scaled_result(result, error_scale(self._info))

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
            UserError: Another process holds it (named by pid and host), or another Study object of
                this one; the folder cannot be written; or its file system has no locks.
        """
        with self._lock.held():
            yield self
