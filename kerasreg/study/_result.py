"""result.json: what came out at the end, and how often the test rows were read for it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasreg.errors import UserError
from kerasreg.files import read_json, write_json
from kerasreg.study._contract import check_result
from kerasreg.study._text import damaged

_KEPT = ("test_reads", "previous")


class ResultFile:
    """Keeps the result of a study beside the count that no later result may reset."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _stored(self) -> dict[str, Any]:
        if not os.path.lexists(self.path):
            return {"test_reads": 0}
        stored = read_json(self.path)
        reads = stored.get("test_reads")
        if type(reads) is not int or not 0 <= reads < 2**31:
            raise damaged(self.path, "the count 'test_reads'", reads)
        if type(stored.get("previous", [])) is not list:
            raise damaged(self.path, "a list 'previous'", stored["previous"])
        try:
            check_result(stored)
        except ValueError as error:
            raise UserError(
                f"Expected a result in {self.path}, but {error}; restore the file from a copy."
            ) from None
        return stored

    @staticmethod
    def _finished(stored: Mapping[str, Any]) -> bool:
        return not set(stored) <= set(_KEPT)

    def read(self) -> dict[str, Any] | None:
        """See `Study.result`."""
        stored = self._stored()
        return stored if self._finished(stored) else None

    @property
    def test_reads(self) -> int:
        """See `Study.test_reads`."""
        return self._stored()["test_reads"]

    def count(self, reread_test: bool) -> int:
        """See `Study.count_test_read`."""
        stored = self._stored()
        if self._finished(stored) and not reread_test:
            raise UserError(
                f"The test rows were read and the result is in {self.path}; pass --reread-test to "
                "read them again, and the report says so."
            )
        stored["test_reads"] += 1
        write_json(self.path, stored)
        return stored["test_reads"]

    def write(self, result: Mapping[str, Any]) -> None:
        """See `Study.write_result`: the count and the results before an extension are kept."""
        if not result or set(_KEPT) & set(result):
            raise ValueError(f"Expected a result without the keys {_KEPT}, not empty.")
        stored = self._stored()
        write_json(self.path, {**result, **{key: stored[key] for key in _KEPT if key in stored}})

    def retire(self) -> None:
        """See `Study.retire_result`."""
        stored = self._stored()
        if not self._finished(stored):
            return
        previous = [*stored.pop("previous", []), stored]
        write_json(self.path, {"test_reads": stored["test_reads"], "previous": previous})
