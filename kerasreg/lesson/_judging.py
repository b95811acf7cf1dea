"""From results to decisions, and from decisions to what is concluded about a claim."""

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import ArrayLike

from kerasreg.claims import Claim
from kerasreg.evidence import Comparison, Decision, Rule, Verdict, holm

#: A rule with what it is applied to: two arms' results, or a comparison already made on its terms.
#: A decision that needed no numbers, as that nothing could be compared, stands as it is.
Test = tuple[Rule, ArrayLike, ArrayLike] | tuple[Rule, Comparison] | Decision
#: Most comparisons that decide one claim; the fewest seeds of a lesson follow from it.
MOST_COMPARISONS = 12


@dataclass(frozen=True)
class Conclusion:
    """A claim with its decision and what a learner takes home.

    Attributes:
        claim: The claim.
        decision: On the claim; its parts are what was judged.
        take_home: The verdict in a phrase, the effect, and what to do.
        advice: What to do.
        setting: What it was measured on, in words: rows and network.
        why: The reason in a sentence or two.
        predicted: The verdict that the lesson predicts.
        beside: Decisions that are reported and decide nothing.
    """

    claim: Claim
    decision: Decision
    take_home: str
    advice: str
    setting: str
    why: str = ""
    predicted: Verdict = "supported"
    beside: tuple[Decision, ...] = ()


def decide_together(tests: Mapping[str, Test], quick: bool) -> dict[str, Decision]:
    """Decide the comparisons of one claim, with Holm's adjustment; see `Lesson.judge`."""
    if len(tests) > MOST_COMPARISONS:
        raise ValueError(
            f"Expected at most {MOST_COMPARISONS} comparisons for one claim, got {len(tests)}."
        )
    decided: dict[str, Decision] = {}
    made: dict[str, tuple[Rule, Comparison]] = {}
    for name, test in tests.items():
        if isinstance(test, Decision):
            decided[name] = test
        else:
            rule, *sides = test
            made[name] = rule, sides[0] if len(sides) == 1 else rule.compare(*sides)
    adjusted = holm([comparison for _, comparison in made.values()], family=len(tests))
    for (name, (rule, _)), comparison in zip(made.items(), adjusted, strict=True):
        decided[name] = (
            Decision(rule.claim, "undecided", comparison.text(), comparison=comparison)
            if quick
            else rule.decide(comparison)
        )
    return {name: decided[name] for name in tests}
