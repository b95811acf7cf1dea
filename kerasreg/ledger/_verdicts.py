"""Claims with what every data set said about them: what the page is made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kerasreg.claims import CLAIMS, Claim
from kerasreg.evidence import Decision, Verdict, combine
from kerasreg.ledger._runs import Measured

MARKS: dict[Verdict, str] = {
    "supported": "✓",
    "partly": "◐",
    "smaller than claimed": "↓",
    "no difference seen": "=",
    "contradicted": "✗",
    "undecided": "?",
}


@dataclass(frozen=True)
class Finding:
    """What the lessons found about a claim on one data set.

    Attributes:
        verdict: Joined over the lessons that decide the claim.
        lessons: Those, with their records of the claim.
    """

    claim: str
    label: str
    verdict: Verdict
    lessons: tuple[tuple[Measured, dict[str, Any]], ...]

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The decisions on the parts of the claim, none of which has parts."""
        return [leaf for _, record in self.lessons for leaf in leaves(record["decision"])]

    @property
    def effect(self) -> str:
        """The first effect whose sign is sure, without its interval; empty where none is."""
        for part in self.parts:
            if part["sign"] and part["effect"]:
                return part["effect"].split(" [")[0]
        return ""


def findings(claim: Claim, measured: Sequence[Measured], labels: Sequence[str]) -> list[Finding]:
    """What each data set said about a claim, in the order of `labels`; lessons without data once.

    A lesson that reads no data has the label of none, whichever set it was run with.
    """
    found = []
    for label in labels:
        lessons = tuple(
            (one, one.results["claims"][claim.id])
            for one in measured
            if one.data.label == label and claim.id in one.results["claims"]
        )
        if lessons:
            decisions = [
                Decision(one.lesson.name, record["verdict"], "") for one, record in lessons
            ]
            verdict = combine(claim.statement, decisions).verdict
            found.append(Finding(claim.id, label, verdict, lessons))
    return found


def leaves(decision: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The decisions at the ends of a decision, as plain values."""
    if not decision["parts"]:
        yield decision
    for part in decision["parts"]:
        yield from leaves(part)


def tally(measured: Sequence[Measured], labels: Sequence[str]) -> dict[str, dict[Verdict, int]]:
    """Label -> verdict -> how many claims; a claim that several lessons decide counts once."""
    counts = {label: dict.fromkeys(MARKS, 0) for label in labels}
    for claim in CLAIMS:
        for finding in findings(claim, measured, labels):
            counts[finding.label][finding.verdict] += 1
    return {label: count for label, count in counts.items() if any(count.values())}
