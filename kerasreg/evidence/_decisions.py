"""A verdict on a claim, and how the verdicts on sub-claims join."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kerasreg.errors import UserError
from kerasreg.evidence._paired import Comparison

Verdict = Literal["supported", "partly", "contradicted", "undecided"]


@dataclass(frozen=True)
class Decision:
    """A verdict on a claim, and the numbers it rests on.

    Attributes:
        claim: What was claimed.
        verdict: "supported", "partly", "contradicted" or "undecided".
        reason: The numbers in one line.
        parts: Decisions on the sub-claims, if there are any.
        comparison: The comparison that was decided, if it was one.
    """

    claim: str
    verdict: Verdict
    reason: str
    parts: tuple["Decision", ...] = ()
    comparison: Comparison | None = None

    def to_dict(self) -> dict:
        """Return the decision as plain values, ready for `json.dumps`."""
        return {
            "claim": self.claim,
            "verdict": self.verdict,
            "reason": self.reason,
            "parts": [part.to_dict() for part in self.parts],
            "comparison": self.comparison.to_dict() if self.comparison else None,
        }


def combine(claim: str, decisions: Sequence[Decision]) -> Decision:
    """Join the decisions on the sub-claims of a claim that holds only if all of them do.

    Equal verdicts give that verdict. If some sub-claims are supported and others are not, the
    claim is partly right. If none is supported, contradicted and undecided ones together leave
    it undecided. The reason names every sub-claim with its verdict.

    Raises:
        UserError: No decisions.
    """
    if not decisions:
        raise UserError("Expected at least one decision to combine. Received: none.")
    verdicts = {decision.verdict for decision in decisions}
    verdict: Verdict
    if len(verdicts) == 1:
        verdict = decisions[0].verdict
    elif verdicts & {"supported", "partly"}:
        verdict = "partly"
    else:
        verdict = "undecided"
    reason = "; ".join(f"{part.claim}: {part.verdict} ({part.reason})" for part in decisions)
    return Decision(claim, verdict, reason, parts=tuple(decisions))
