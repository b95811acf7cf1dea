"""From results to decisions, to what is concluded about a claim, and what a learner takes home."""

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import ArrayLike

from kerasreg.claims import Claim
from kerasreg.evidence import Comparison, Decision, Rule, Verdict, holm

#: A rule with what it is applied to: two arms' results, or a comparison already made on its terms.
#: A decision that needed no numbers, as that nothing could be compared, stands as it is.
Test = tuple[Rule, ArrayLike, ArrayLike] | tuple[Rule, Comparison] | Decision
_PHRASES: dict[Verdict, str] = {
    "supported": "True here.",
    "partly": "True in part.",
    "smaller than claimed": "The direction is right, the effect smaller than claimed.",
    "no difference seen": "No difference that matters was seen.",
    "contradicted": "Not so.",
    "undecided": "These data cannot tell.",
}
#: Most comparisons that decide one claim; the fewest seeds of a lesson follow from it.
MOST_COMPARISONS = 12


@dataclass(frozen=True)
class Conclusion:
    """A claim with its decision and what a learner takes home.

    Attributes:
        decision: On the claim; its parts are what was judged.
        take_home: The verdict in a phrase, the effect, and what to do.
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


@dataclass(frozen=True)
class Advice:
    """What to do, for each sign that may be measured; a lesson writes all of them beforehand.

    Attributes:
        claimed: If what was measured lies in the direction claimed.
        opposite: If it lies in the opposite direction.
        none: If no difference that matters was seen.
        mixed: If some parts lie in the direction claimed and others in the opposite one.
    """

    claimed: str
    opposite: str
    none: str
    mixed: str = "It depends: compare both on your own data."


def choose_advice(decision: Decision, advice: Advice) -> str:
    """The advice that the signs of a decision's parts call for; empty where nothing is sure."""
    leaves = decision.leaves()
    signs = {leaf.sign for leaf in leaves} - {0}
    if len(signs) == 2:
        return advice.mixed
    if signs:
        return advice.claimed if signs == {1} else advice.opposite
    if any(leaf.verdict == "no difference seen" for leaf in leaves):
        return advice.none
    return ""


def take_home(decision: Decision, advice: Advice, setting: str) -> str:
    """The verdict in a phrase, the setting with the first effect that is sure, and the advice."""
    leaves = decision.leaves()
    compared = [leaf for leaf in leaves if leaf.comparison is not None]
    sure = [leaf for leaf in compared if leaf.sign or leaf.verdict == "no difference seen"]
    words = [_PHRASES[decision.verdict]]
    if decision.verdict == "undecided":
        reasons = dict.fromkeys(
            leaf.reason for leaf in leaves if leaf.reason.startswith("does not apply")
        )
        words += [f"The claim {reason}." for reason in reasons]
    for leaf in sure[:1]:
        levels = leaf.comparison.levels_text()
        levels = f"{levels}, " if levels else ""
        words.append(f"{setting}: {leaf.claim}, {levels}{leaf.comparison.effect_text()}.")
    return " ".join([*words, choose_advice(decision, advice)]).strip()
