"""A finding: one thing that is wrong with a network or its data, in numbers, and what to do."""

from dataclasses import dataclass
from typing import Literal

#: What finds out which regularisation a network needs.
SEARCH = "kerasreg search --model {model} --data {data} --out study"
Severity = Literal["serious", "worth a look"]


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        name: Of the fault, two or three words.
        severity: `"serious"`: the network cannot be trusted, or does not learn, before it is
            mended. `"worth a look"`: it costs accuracy, or sureness.
        text: What was measured, with numbers, and what that means.
        next: What to do first.
        command: What to run, where that helps; `{model}` and `{data}` stand for the files.
        lesson: The script in `scripts/` that explains it, without `.py`; None where there is none.
        rows: Rows of the user's data that it is about, counted from 0.
    """

    name: str
    severity: Severity
    text: str
    next: str
    command: str = ""
    lesson: str | None = None
    rows: tuple[int, ...] = ()

    @property
    def advice(self) -> str:
        """What to do, and the command on a line of its own."""
        return f"{self.next}:\n{self.command}" if self.command else self.next
