"""What a learner takes home: made from the sign and the size that were measured."""

from dataclasses import dataclass

from kerasreg.evidence import Decision, Verdict

PHRASES: dict[Verdict, str] = {
    "supported": "True here.",
    "partly": "True in part.",
    "smaller than claimed": "The direction is right, the effect smaller than claimed.",
    "no difference seen": "No difference that matters was seen.",
    "contradicted": "Not so.",
    "undecided": "These data cannot tell.",
}


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
    words = [PHRASES[decision.verdict]]
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
