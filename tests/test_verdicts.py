"""What a verdict means: every rule on made-up results."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

from kerasreg.errors import UserError
from kerasreg.evidence import (
    VERDICTS,
    Decision,
    ExactRule,
    Premise,
    Rule,
    ShareOfErrors,
    ThresholdRule,
    Times,
    applies_if,
    combine,
    compare,
    compare_times,
    holm,
)

WOBBLE = np.tile([0.01, -0.01], 6)
WIDE = np.tile([6.0, -6.0], 6)
SMALLER, NONE = "smaller than claimed", "no difference seen"


# --- sign before size -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "differences", "verdict", "sign"),
    [
        ("greater", WOBBLE + 1.5, "supported", 1),
        ("greater", WOBBLE + 0.5, SMALLER, 1),
        ("greater", 60 * WOBBLE + 0.8, SMALLER, 1),  # sure of the sign, not that it matters
        ("greater", WOBBLE, NONE, 0),
        ("greater", 60 * WOBBLE, NONE, 0),
        ("greater", WOBBLE - 0.5, NONE, 0),  # the opposite, and surely too small to matter
        ("greater", WOBBLE - 1.5, "contradicted", -1),
        ("greater", 60 * WOBBLE - 0.8, "contradicted", -1),
        ("greater", WIDE + 1.5, "undecided", 0),
        ("less", WOBBLE - 1.5, "supported", 1),
        ("less", WOBBLE - 0.5, SMALLER, 1),
        ("less", WOBBLE + 1.5, "contradicted", -1),
        ("equivalent", WOBBLE, "supported", 1),
        ("equivalent", WOBBLE + 0.5, "supported", 1),
        ("equivalent", WOBBLE + 1.5, "contradicted", -1),
        ("equivalent", WOBBLE - 1.5, "contradicted", -1),
        ("equivalent", WIDE, "undecided", 0),
        ("equivalent", 60 * WOBBLE + 0.8, "undecided", 0),
        ("not less", WOBBLE, "supported", 1),
        ("not less", WOBBLE - 0.5, "supported", 1),
        ("not less", WOBBLE + 1.5, "supported", 1),
        ("not less", WOBBLE - 1.5, "contradicted", -1),
        ("not less", WIDE, "undecided", 0),
        ("not greater", WOBBLE - 1.5, "supported", 1),
        ("not greater", WOBBLE + 1.5, "contradicted", -1),
    ],
)
def test_rules_give_the_verdict_they_announce(direction, differences, verdict, sign):
    rule = Rule("claim", direction, 1.0)
    decision = rule.decide(rule.compare(differences, 0.0))
    assert (decision.verdict, decision.sign) == (verdict, sign)
    assert "12 seeds" in decision.reason


@pytest.mark.parametrize(
    ("direction", "factor", "verdict"),
    [
        ("greater", 2.5, "supported"),
        ("greater", 1.5, SMALLER),
        ("greater", 1.0, NONE),
        ("greater", 0.3, "contradicted"),
        ("less", 0.4, "supported"),
        ("less", 0.7, SMALLER),
        ("less", 1.3, NONE),
        ("equivalent", 0.6, "supported"),
        ("equivalent", 0.4, "contradicted"),
    ],
)
def test_ratio_rules_measure_factors(direction, factor, verdict):
    rule = Rule("claim", direction, 2.0, scale="ratio")
    assert rule.decide(rule.compare(factor * np.exp(WOBBLE), 1.0)).verdict == verdict


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        (WOBBLE + 12, "supported"),
        (WOBBLE + 8, SMALLER),  # the claim needs 10
        (WOBBLE + 0.5, SMALLER),
        (WOBBLE, NONE),
        (WOBBLE - 8, "contradicted"),
    ],
)
def test_what_a_claim_needs_is_no_null(differences, verdict):
    rule = Rule("more than 10", "greater", 1.0, needs=10.0)
    assert rule.decide(rule.compare(differences, 0.0)).verdict == verdict


def test_a_claim_that_needs_only_a_sign():
    rule = Rule("above", "greater", 1.0, needs=0.0)
    assert rule.decide(rule.compare(WOBBLE + 0.1, 0.0)).verdict == "supported"


@pytest.mark.parametrize(
    ("accuracy", "gain", "verdict"),
    [
        (0.98, 0.005, "supported"),  # a quarter of the errors
        (0.98, 0.003, SMALLER),
        (0.98, 0.0, NONE),
        (0.80, 0.016, "supported"),  # the cap of 1.5 points, not a fifth of 20
        (0.80, 0.014, SMALLER),
        (0.99, -0.01, "contradicted"),  # errors double
    ],
)
def test_margins_are_a_share_of_the_errors_and_capped(accuracy, gain, verdict):
    rule = Rule("rises", "greater", ShareOfErrors(), unit="pp")
    before = accuracy + WOBBLE / 100
    after = before + gain + np.tile([1e-5, -1e-5], 6)
    assert rule.decide(rule.compare(after, before)).verdict == verdict


def test_the_reference_of_a_contrast_is_named():
    rule = Rule("gain with minus gain without", "not less", ShareOfErrors(), unit="pp")
    comparison = rule.compare(WOBBLE / 100, 0.0, reference=np.full(12, 0.95))
    assert comparison.smallest_effect == pytest.approx(0.01)
    with pytest.raises(UserError, match="accuracy from 0 to 1"):
        rule.compare(WOBBLE, -0.2)


def test_a_family_can_take_a_verdict_away():
    differences = np.full(12, 1.5)
    differences[:2] = -0.05
    rule = Rule("claim", "greater", 1.0)
    alone = rule.compare(differences, 0.0)
    assert rule.decide(alone).verdict == "supported"
    weak = compare(np.tile([2.0, -2.0], 6), 0.0, 1.0)
    assert rule.decide(holm([alone, *[weak] * 40])[0]).verdict == "undecided"


def test_a_rule_refuses_a_comparison_made_on_other_terms():
    rule = Rule("claim", "greater", 1.0)
    with pytest.raises(UserError, match=r"smallest_effect=1.0.*smallest_effect=0.5"):
        rule.decide(compare(WOBBLE, 0.0, 0.5))
    with pytest.raises(UserError, match="scale"):
        rule.decide(compare(WOBBLE + 2, 1.0, 1.0, scale="ratio"))


# --- where a claim does not apply, and runs that are left out -----------------------------------


def test_an_unmet_premise_is_undecided_and_never_more():
    rule = Rule("dropout hurts", "less", 1.0)
    met = Premise("the network does not overfit: its gap is below 2 points", True, "gap 1.1 pp")
    unmet = dataclasses.replace(met, holds=False, measured="gap 4.0 pp")
    for shift, verdict in ((-1.5, "supported"), (1.5, "contradicted"), (0.0, NONE)):
        decision = rule.decide(rule.compare(WOBBLE + shift, 0.0))
        assert applies_if(decision, met).verdict == verdict
        other = applies_if(decision, met, unmet)
        assert (other.verdict, other.sign) == ("undecided", 0)
        assert "gap is below 2 points; measured: gap 4.0 pp" in other.reason
        assert other.comparison == decision.comparison


def test_runs_that_never_trained_are_left_out_and_counted():
    gains = WOBBLE + 1.5
    gains[3] = -50.0
    trained = np.arange(12) != 3
    rule = Rule("claim", "greater", 1.0)
    assert rule.decide(rule.compare(gains, 0.0)).verdict == "undecided"
    decision = rule.decide(rule.compare(gains, np.zeros(12), where=trained))
    assert decision.verdict == "supported"
    assert "11 seeds, 1 left out" in decision.reason
    few = rule.decide(rule.compare(gains, 0.0, where=np.arange(12) < 3))
    assert few.verdict == "undecided"
    assert "too few pairs are left" in few.reason


# --- runs that ended before they arrived --------------------------------------------------------


def times(value: float, late: int = 0, budget: float = 600.0) -> Times:
    values = value * np.exp(WOBBLE)
    values[:late] = budget
    return Times(values, np.arange(12) >= late)


@pytest.mark.parametrize(
    ("direction", "a", "b", "bound", "verdict"),
    [
        ("less", times(100), times(300), "", "supported"),
        ("less", times(280), times(300), "", SMALLER),
        ("less", times(300), times(100), "", "contradicted"),
        # b's late runs take longer than the budget: the ratio is at most what is found.
        ("less", times(100), times(300, late=4), "at most", "supported"),
        ("greater", times(100), times(300, late=4), "at most", "contradicted"),
        ("less", times(500), times(560, late=4), "at most", "undecided"),  # could be enough
        ("not greater", times(100), times(300, late=4), "at most", "supported"),
        # a's late runs take longer: the ratio is at least what is found.
        ("less", times(300, late=2), times(100), "at least", "contradicted"),
        ("greater", times(300, late=2), times(100), "at least", "supported"),
        ("equivalent", times(590, late=2), times(595), "at least", "undecided"),
        # Nothing is known of the ratio where both have them.
        ("less", times(100, late=2), times(300, late=2), "unknown", "undecided"),
    ],
)
def test_a_verdict_on_censored_times_stands_for_all_values_beyond_the_bound(
    direction, a, b, bound, verdict
):
    rule = Rule("claim", direction, 1.25, scale="ratio", unit="updates")
    comparison = rule.compare(a, b)
    assert comparison.bound == bound
    assert rule.decide(comparison).verdict == verdict
    if bound in ("at least", "at most"):
        assert comparison.text().startswith(bound)


def test_times_of_which_half_did_not_arrive_are_not_compared():
    with pytest.raises(UserError, match=r"a with 6 of 12; compare what was reached"):
        compare_times(times(100, late=6), times(100), 1.25)
    assert times(100, late=5).most_arrived()
    assert times(100).text() == "100"
    assert times(100, late=12).text() == "more than 600"


# --- parts --------------------------------------------------------------------------------------


def joined(verdicts: set[str]) -> str:
    """The table of the combinations, written another way: by what is there."""
    if len(verdicts) == 1:
        return next(iter(verdicts))
    for there, verdict in (
        ({"supported", "partly"}, "partly"),
        ({"contradicted"}, "contradicted"),
        ({"undecided"}, "undecided"),
        ({SMALLER, NONE}, SMALLER),
    ):
        if verdicts & there:
            return verdict
    raise AssertionError


@pytest.mark.parametrize("count", [1, 2, 3])
def test_all_combinations_of_parts(count):
    for parts in itertools.product(VERDICTS, repeat=count):
        decisions = [Decision(f"{part}!", part, "numbers") for part in parts]
        whole = combine("whole", decisions)
        assert whole.verdict == joined(set(parts)), parts
        assert all(f"{part}!: {part}" in whole.reason for part in parts)


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        (["supported", "supported"], "supported"),
        (["supported", "contradicted"], "partly"),
        (["supported", SMALLER], "partly"),
        (["supported", NONE], "partly"),
        (["supported", "undecided"], "partly"),
        (["partly", "undecided"], "partly"),
        (["contradicted", "undecided"], "contradicted"),
        (["contradicted", SMALLER, NONE], "contradicted"),
        (["undecided", SMALLER], "undecided"),
        (["undecided", NONE], "undecided"),
        ([SMALLER, NONE], SMALLER),
    ],
)
def test_the_table_of_combinations(parts, verdict):
    assert combine("whole", [Decision("part", part, "") for part in parts]).verdict == verdict


def test_signs_join_only_where_they_agree():
    up, down = Decision("a", "supported", "", 1), Decision("b", "contradicted", "", -1)
    assert combine("c", [up, up]).sign == 1
    assert combine("c", [up, down]).sign == 0
    nested = combine("d", [combine("c", [up, down]), up])
    assert [leaf.claim for leaf in nested.leaves()] == ["a", "b", "a"]


# --- numbers without seeds ------------------------------------------------------------------------


def test_exact_rules_use_tolerances():
    rule = ExactRule("folding changes nothing", tolerance=1e-5, relative=1e-3)
    assert rule.decide([1.0, 2.0], [1.0, 2.0019]).verdict == "supported"
    assert rule.decide([1.0, 2.0], [1.0, 2.0021]).verdict == "contradicted"
    with pytest.raises(UserError, match="finite numbers in measured"):
        rule.decide([np.nan], [1.0])


@pytest.mark.parametrize(
    ("relation", "bound", "contradicted_at", "value", "verdict", "sign"),
    [
        ("at_least", 0.8, 0.2, 0.8, "supported", 1),
        ("at_least", 0.8, 0.2, 0.5, "undecided", 0),
        ("at_least", 0.8, 0.2, 0.2, "contradicted", -1),
        ("at_least", 0.8, None, 0.79, "contradicted", -1),
        ("at_most", 4.0, None, 4.0, "supported", 1),
        ("at_most", 4.0, None, 4.1, "contradicted", -1),
        ("at_most", 0.0, 3.0, 2.0, "undecided", 0),
        ("at_most", 0.0, 3.0, 3.0, "contradicted", -1),
    ],
)
def test_threshold_rules(relation, bound, contradicted_at, value, verdict, sign):
    decision = ThresholdRule("c", relation, bound, contradicted_at).decide(value)
    assert (decision.verdict, decision.sign) == (verdict, sign)


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "text"),
    [
        (0.62134, "+62 pp [62, 62]"),
        (0.02234, "+2.2 pp [2.2, 2.2]"),
        (-0.00617, "-0.62 pp [-0.62, -0.62]"),
        (-5.56e-10, "0 pp [0, 0]"),
        (0.00001, "0 pp [0, 0]"),
    ],
)
def test_effects_have_two_digits_that_matter(effect, text):
    comparison = compare(np.full(12, effect), 0.0, 0.01, unit="pp")
    assert comparison.text() == f"{text}, p < 0.001, 12 seeds"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.6412, "0.64×"),
        (2.345, "2.3×"),
        (11.7, "12×"),
        (1234.0, "1,200×"),
        (1e-35, "under 0.001×"),
    ],
)
def test_ratios_have_two_digits_that_matter(ratio, text):
    assert (
        compare(np.full(12, ratio), 1.0, 2.0, scale="ratio").effect_text().startswith(f"{text} [")
    )


@pytest.mark.parametrize(
    ("value", "text"), [(30, "30"), (0.1333, "0.13"), (9.2e-34, "under 0.001"), (1234, "1,234")]
)
def test_single_numbers_have_two_digits_that_matter(value, text):
    reason = ThresholdRule("c", "at_least", 0.0, unit="of SGD's").decide(value).reason
    assert reason.startswith(f"{text} of SGD's, asked")


def test_a_comparison_says_from_where_to_where():
    accuracy = compare(np.full(12, 0.8231), np.full(12, 0.8006), 0.01, unit="pp")
    assert accuracy.levels_text() == "80.1→82.3 %"
    updates = compare(np.full(12, 120.0), np.full(12, 340.0), 1.25, scale="ratio", unit="updates")
    assert updates.levels_text() == "340→120 updates"
    assert compare(np.full(12, 0.4), 0.1, 0.01).levels_text() == ""
    loss = compare(np.full(12, 0.0048), np.full(12, 0.0004), 1.25, scale="ratio", unit="nats")
    assert loss.levels_text() == "under 0.001→0.0048 nats"
    tiny = compare(np.full(12, 0.0008), np.full(12, 0.0004), 1.25, scale="ratio", unit="nats")
    assert tiny.levels_text() == ""


@pytest.mark.parametrize(
    ("rule", "needs"),
    [
        (Rule("c", "greater", 1.25, "ratio"), "1.25×"),
        (Rule("c", "less", 1.25, "ratio"), "0.8×"),
        (Rule("c", "less", 1.25, "ratio", needs=2.0), "0.5×"),
        (Rule("c", "equivalent", 1.25, "ratio"), "equivalent within 1.25×"),
        (Rule("c", "greater", 0.5, needs=2.0), "greater by 2.0"),
    ],
)
def test_a_decision_says_what_the_claim_needs(rule, needs):
    assert rule.decide(rule.compare(WOBBLE + 2, np.ones(12))).needs == needs


def test_everything_is_json():
    rule = Rule("gap falls", "less", 0.01, unit="pp")
    whole = combine("both", [rule.decide(rule.compare(WOBBLE - 1, np.zeros(12)))])
    again = json.loads(json.dumps(whole.to_dict(), allow_nan=False))
    part = again["parts"][0]
    assert part["comparison"]["differences"] == list(WOBBLE - 1)
    assert part["effect"] == "-100 pp [-101, -99]"
    assert part["levels"] == "0.0→-100.0 %"
    assert part["needs"] == "less by 1.0 pp"


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Rule("c", "bigger", 1.0), "direction='bigger'"),
        (lambda: Rule("c", "greater", 1.0, scale="log"), "scale='log'"),
        (lambda: Rule("c", "greater", -1.0), "smallest_effect=-1.0"),
        (lambda: Rule("c", "greater", 0.5, scale="ratio"), "smallest_effect=0.5"),
        (lambda: Rule("c", "equivalent", 0.0), "smallest_effect=0.0"),
        (lambda: Rule("c", "not less", 0.0), "smallest_effect=0.0"),
        (lambda: Rule("c", "equivalent", 1.0, scale="ratio"), "smallest_effect=1.0"),
        (lambda: Rule("c", "greater", ShareOfErrors(), scale="ratio"), "factor on scale 'ratio'"),
        (lambda: Rule("c", "greater", 1.0, needs=math.inf), "needs=inf"),
        (lambda: Rule("c", "greater", 1.5, "ratio", needs=0.5), "needs=0.5"),
        (lambda: ShareOfErrors(share=0.0), "share=0.0"),
        (lambda: Times(np.ones(3), np.ones(2, bool)), r"shape \(3,\) and .* \(2,\)"),
        (lambda: ExactRule("c", -1.0), "tolerance=-1.0"),
        (lambda: ThresholdRule("c", "above", 1.0), "relation='above'"),
        (lambda: ThresholdRule("c", "at_least", 0.2, 0.8), "contradicted_at=0.8"),
        (lambda: ThresholdRule("c", "at_least", 0.2).decide(np.nan), "finite"),
        (lambda: combine("c", []), "at least one decision"),
    ],
)
def test_mistakes_are_told_in_one_line(call, message):
    with pytest.raises(UserError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
