"""A verdict on a claim, and how the verdicts on its parts join."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from kerasreg.errors import UserError
from kerasreg.evidence._paired import Comparison

Verdict = Literal[
    "supported", "partly", "smaller than claimed", "no difference seen", "contradicted", "undecided"
]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
Sign = Literal[-1, 0, 1]


@dataclass(frozen=True)
class Decision:
    """A verdict on a claim, and the numbers it rests on.

    Attributes:
        claim: What was claimed.
        verdict: One of `VERDICTS`; "partly" only of several parts.
        reason: The numbers in one line.
        sign: 1 if what was measured lies surely in the direction claimed, however small it is, -1
            if in the opposite one, 0 if neither is sure or the claim did not apply.
        parts: Decisions on the parts, if there are any.
        comparison: The comparison that was decided, if it was one.
        needs: The effect that the claim needs, in words.
    """

    claim: str
    verdict: Verdict
    reason: str
    sign: Sign = 0
    parts: tuple["Decision", ...] = ()
    comparison: Comparison | None = None
    needs: str = ""

    def leaves(self) -> tuple["Decision", ...]:
        """Return the decisions on the parts, their parts and so on; itself if it has none."""
        if not self.parts:
            return (self,)
        return tuple(leaf for part in self.parts for leaf in part.leaves())

    def to_dict(self) -> dict:
        """Return the decision as plain values, ready for `json.dumps`."""
        return {
            "claim": self.claim,
            "verdict": self.verdict,
            "reason": self.reason,
            "sign": self.sign,
            "needs": self.needs,
            "effect": self.comparison.effect_text() if self.comparison else "",
            "levels": self.comparison.levels_text() if self.comparison else "",
            "parts": [part.to_dict() for part in self.parts],
            "comparison": self.comparison.to_dict() if self.comparison else None,
        }


@dataclass(frozen=True)
class Premise:
    """What has to be so for a claim to apply, and whether it was.

    Attributes:
        says: The premise, such as "the network overfits: its gap is at least 5 points".
    """

    says: str
    holds: bool
    measured: str


def applies_if(decision: Decision, *premises: Premise) -> Decision:
    """Return the decision where every premise holds, else an undecided one that names the first.

    A claim about networks that overfit is neither supported nor contradicted by one that does not.
    """
    for premise in premises:
        if not premise.holds:
            reason = f"does not apply: {premise.says}; measured: {premise.measured}"
            return dataclasses.replace(decision, verdict="undecided", sign=0, reason=reason)
    return decision


def combine(claim: str, decisions: Sequence[Decision]) -> Decision:
    """Join the decisions on the parts of a claim that holds only if all of them do.

    All equal: that verdict. Some supported and others not: partly. Otherwise one contradicted part
    contradicts the claim, and one undecided part leaves it undecided; what remains are parts of
    which some are smaller than claimed and in others no difference was seen: smaller than claimed.
    The reason names every part with its verdict.

    Raises:
        UserError: No decisions.
    """
    if not decisions:
        raise UserError("Expected at least one decision to combine. Received: none.")
    verdicts = {decision.verdict for decision in decisions}
    verdict: Verdict = "smaller than claimed"
    if len(verdicts) == 1:
        verdict = decisions[0].verdict
    elif verdicts & {"supported", "partly"}:
        verdict = "partly"
    elif "contradicted" in verdicts:
        verdict = "contradicted"
    elif "undecided" in verdicts:
        verdict = "undecided"
    signs = {decision.sign for decision in decisions}
    reason = "; ".join(f"{part.claim}: {part.verdict} ({part.reason})" for part in decisions)
    return Decision(
        claim,
        verdict,
        reason,
        sign=decisions[0].sign if len(signs) == 1 else 0,
        parts=tuple(decisions),
    )
