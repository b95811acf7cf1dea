"""From results to decisions, and from decisions to what is concluded about a claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from kerasreg.claims import Claim, find_claim
from kerasreg.evidence import Comparison, Decision, Rule, Verdict, combine, holm

#: A rule with what it is applied to: two arms' results, or a comparison already made.
Test = tuple[Rule, ArrayLike, ArrayLike] | tuple[Rule, Comparison]


@dataclass(frozen=True)
class Conclusion:
    """A claim with its decision and what a learner takes home."""

    claim: Claim
    decision: Decision
    take_home: str


def decide_together(tests: Sequence[Test], family: int | None, quick: bool) -> list[Decision]:
    """Decide comparisons with Holm's adjustment over them; see `Lesson.judge`."""
    rules = [test[0] for test in tests]
    compared = [sides[0] if len(sides) == 1 else rule.compare(*sides) for rule, *sides in tests]
    pairs = zip(rules, holm(compared, family), strict=True)
    if quick:
        return [
            Decision(rule.claim, "undecided", comparison.text(rule.unit), comparison=comparison)
            for rule, comparison in pairs
        ]
    return [rule.decide(comparison) for rule, comparison in pairs]


def concluded(
    claim: str,
    decisions: Sequence[Decision],
    take_home: str | Mapping[Verdict, str],
    quick: bool,
) -> Conclusion:
    """Join the decisions on a claim's parts; see `Lesson.conclude`."""
    known = find_claim(claim)
    decision = decisions[0] if len(decisions) == 1 else combine(known.statement, decisions)
    if quick:
        reason = f"a quick run decides nothing ({decision.reason})"
        decision = Decision(decision.claim, "undecided", reason, decision.parts)
        take_home = "A quick run decides nothing."
    if not isinstance(take_home, str):
        take_home = take_home.get(decision.verdict, "Not decided here: see the interval.")
    return Conclusion(known, decision, take_home)
