"""Evidence: against SciPy, against closed forms, and on simulated data with known effects."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kerasreg.errors import UserError
from kerasreg.evidence import (
    Rule,
    adjust_p_values,
    best_level,
    compare,
    holm,
    proportion,
    rank_test,
    require_seeds,
    seeds_needed,
    sign_flip_p,
    trend,
)


def arms(effect: float, seeds: int = 12, seed: int = 0, noise: float = 1.0):
    """Two arms that share a seed's luck (sd 3) and differ by `effect` (sd `noise`)."""
    generator = np.random.default_rng(seed)
    luck = generator.normal(0, 3, seeds)
    return luck + generator.normal(effect, noise, seeds), luck


# --- against SciPy ---------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_interval_is_that_of_the_paired_t_test(alpha):
    a, b = arms(0.7)
    comparison = compare(a, b, 1.0, alpha=alpha)
    interval = stats.ttest_rel(a, b).confidence_interval(1 - alpha)
    assert comparison.effect == pytest.approx(np.mean(a - b))
    assert (comparison.low, comparison.high) == pytest.approx((interval.low, interval.high))


def test_exact_p_is_that_of_scipys_permutation_test():
    a, b = arms(0.7, seeds=9)
    peer = stats.permutation_test(
        (a - b,),
        np.mean,
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert compare(a, b, 1.0).p == pytest.approx(peer.pvalue, abs=1e-12)


def test_monte_carlo_p_agrees_with_enumeration_and_repeats_with_its_seed(monkeypatch):
    a, b = arms(0.5, seeds=16, seed=3)
    exact = compare(a, b, 1.0)
    assert exact.exact
    monkeypatch.setattr("kerasreg.evidence._sign_flip.EXACT_PAIRS", 10)
    drawn = sign_flip_p(a - b, seed=1)
    error = math.sqrt(exact.p * (1 - exact.p) / 99_999)
    assert abs(drawn - exact.p) < 4 * error
    assert drawn == sign_flip_p(a - b, seed=1)
    assert drawn != sign_flip_p(a - b, seed=2)


def test_many_pairs_are_not_called_exact():
    comparison = compare(*arms(0.5, seeds=40), 1.0)
    assert not comparison.exact
    assert comparison.p == pytest.approx(
        stats.ttest_1samp(comparison.differences, 0).pvalue, abs=0.02
    )


def test_sign_flips_count_ties_despite_rounding():
    # All eight sums have the same size on paper; 0.1 + 0.2 != 0.3 in floating point.
    assert sign_flip_p([0.1, 0.2, -0.3]) == 1.0
    assert sign_flip_p([0.3, 0.3, 0.3]) == 0.25
    assert sign_flip_p(np.zeros(5)) == 1.0


def test_equivalence_is_the_larger_of_two_one_sided_t_tests():
    a, b = arms(0.2)
    margin = 0.9
    above = stats.ttest_1samp(a - b, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(a - b, margin, alternative="less").pvalue
    assert compare(a, b, margin).p_equivalence == pytest.approx(max(above, below))


def test_ratios_are_differences_of_logarithms():
    a, b = (np.exp(values / 10) for values in arms(2.0))
    ratios = compare(a, b, 1.2, scale="ratio")
    logs = compare(np.log(a), np.log(b), np.log(1.2))
    assert ratios.effect == pytest.approx(stats.gmean(a / b))
    assert (ratios.low, ratios.high) == pytest.approx((np.exp(logs.low), np.exp(logs.high)))
    assert (ratios.p, ratios.p_equivalence) == pytest.approx((logs.p, logs.p_equivalence))
    assert ratios.mean_a == pytest.approx(stats.gmean(a))


def test_identical_arms_have_no_effect_and_equal_differences_no_width():
    same = compare(np.arange(12.0), np.arange(12.0), 0.5)
    assert (same.effect, same.low, same.high, same.p, same.p_equivalence) == (0, 0, 0, 1, 0)
    shifted = compare(np.arange(12.0) + 1, np.arange(12.0), 0.5)
    assert (shifted.low, shifted.high, shifted.p_equivalence) == (1, 1, 1)
    assert shifted.p == 2 / 2**12


@given(
    st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=2, max_size=10),
    st.integers(0, 2**31),
)
@settings(max_examples=50, deadline=None)
def test_swapping_arms_mirrors_and_reordering_seeds_changes_nothing(differences, seed):
    a = np.asarray(differences)
    b = np.zeros_like(a)
    forward, backward = compare(a, b, 1.0), compare(b, a, 1.0)
    assert backward.effect == -forward.effect
    assert (backward.low, backward.high) == pytest.approx((-forward.high, -forward.low))
    assert (backward.p, backward.p_equivalence) == pytest.approx((forward.p, forward.p_equivalence))
    order = np.random.default_rng(seed).permutation(len(a))
    assert compare(a[order], b, 1.0).p == pytest.approx(forward.p)


# --- families and seeds ----------------------------------------------------------------------


def test_holm_rejects_as_the_step_down_procedure_does():
    generator = np.random.default_rng(0)
    for _ in range(200):
        p = generator.uniform(0, 0.1, generator.integers(1, 8))
        alpha = generator.uniform(0.01, 0.1)
        rejected = np.zeros(len(p), bool)
        for step, index in enumerate(np.argsort(p)):  # the procedure as it is defined
            if p[index] > alpha / (len(p) - step):
                break
            rejected[index] = True
        np.testing.assert_array_equal(adjust_p_values(p) <= alpha, rejected)


def test_what_was_planned_and_not_made_counts_in_the_family():
    made = [compare(*arms(effect), 1.0) for effect in (2.0, 0.5)]
    planned = holm(made, family=10)
    assert [one.family_size for one in planned] == [10, 10]
    expected = adjust_p_values([one.p for one in made] + [1.0] * 8)[:2]
    assert [one.p_adjusted for one in planned] == pytest.approx(expected)
    assert planned[0].p_adjusted == pytest.approx(min(1.0, 10 * made[0].p))


def test_holm_fills_the_family_into_each_comparison():
    family = [compare(*arms(effect, seed=index), 1.0) for index, effect in enumerate([0, 1, 2])]
    adjusted = holm(family)
    assert [c.family_size for c in adjusted] == [3, 3, 3]
    assert [c.p_adjusted for c in adjusted] == pytest.approx(adjust_p_values([c.p for c in family]))
    assert [c.p_equivalence_adjusted for c in adjusted] == pytest.approx(
        adjust_p_values([c.p_equivalence for c in family])
    )
    assert [c.p for c in adjusted] == [c.p for c in family]
    assert "Holm over 3" in adjusted[0].text()


@pytest.mark.parametrize(
    ("family", "alpha", "needed"), [(1, 0.05, 6), (1, 0.01, 8), (6, 0.05, 8), (16, 0.05, 10)]
)
def test_seeds_needed_is_the_first_number_that_can_decide(family, alpha, needed):
    assert seeds_needed(family, alpha) == needed
    for seeds, decides in ((needed - 1, False), (needed, True)):
        unanimous = compare(np.ones(seeds), 0.0, 0.5, alpha=alpha)
        silent = [compare(np.tile([1.0, -1.0], 6), 0.0, 0.5)] * (family - 1)
        assert (holm([unanimous, *silent])[0].p_adjusted <= alpha) is decides


def test_too_few_seeds_are_refused_with_the_number():
    with pytest.raises(UserError, match=r"at least 10 seeds.*family of 16.*Received: 8; 12 is"):
        require_seeds(8, family_size=16)
    rule = Rule("a beats b", "greater", 0.5)
    with pytest.raises(UserError, match=r"at least 6 seeds.*Received: 5"):
        rule.decide(rule.compare(np.ones(5), 0.0))


WOBBLE = np.tile([0.01, -0.01], 6)


# --- known effects: coverage, false verdicts, power ------------------------------------------

RUNS = 1500


def decide_simulated(direction, smallest, effect, first_seed, family=1):
    """Verdicts over RUNS simulated families; noise of a pair has standard deviation 1."""
    rule = Rule("claim", direction, smallest)
    families = RUNS // family
    verdicts = []
    for run in range(families):
        members = [
            rule.compare(*arms(effect, seed=first_seed + run * family + k)) for k in range(family)
        ]
        verdicts.append([rule.decide(member).verdict for member in holm(members)])
    return np.array(verdicts)


def upper(rate: float, runs: int) -> float:
    """`rate` plus four standard errors of a share over `runs` simulations."""
    return rate + 4 * math.sqrt(rate * (1 - rate) / runs)


def test_the_interval_covers_the_truth_95_times_in_100():
    hits = 0
    for run in range(RUNS):
        comparison = compare(*arms(0.7, seed=run), 1.0)
        hits += comparison.low <= 0.7 <= comparison.high
    assert abs(hits / RUNS - 0.95) < 4 * math.sqrt(0.05 * 0.95 / RUNS)


def test_false_verdicts_stay_below_alpha_without_an_effect():
    verdicts = decide_simulated("greater", 0.1, 0.0, 10_000)
    # One side of a two-sided test each.
    for sure in (("supported", "smaller than claimed"), ("contradicted",)):
        assert np.mean(np.isin(verdicts, sure)) <= upper(0.025, RUNS)
    # The test must not be so careful that it never speaks either.
    assert np.mean(verdicts != "undecided") >= 0.02


def test_false_verdicts_stay_below_alpha_in_a_family():
    verdicts = decide_simulated("greater", 0.1, 0.0, 20_000, family=5)
    for sure in (("supported", "smaller than claimed"), ("contradicted",)):
        assert np.mean(np.isin(verdicts, sure).any(axis=1)) <= upper(0.025, len(verdicts))


def test_equivalence_is_rarely_claimed_at_an_effect_that_matters():
    verdicts = decide_simulated("equivalent", 1.0, 1.0, 30_000)
    assert np.mean(verdicts == "supported") <= upper(0.05, RUNS)


@pytest.mark.parametrize(
    ("direction", "smallest", "effect", "verdict"),
    [
        ("greater", 1.0, 1.6, "supported"),
        ("less", 1.0, -1.6, "supported"),
        ("greater", 1.0, -1.6, "contradicted"),
        ("greater", 1.2, 0.0, "no difference seen"),
        ("equivalent", 1.2, 0.0, "supported"),
    ],
)
def test_clear_effects_are_found(direction, smallest, effect, verdict):
    verdicts = decide_simulated(direction, smallest, effect, 40_000)[:300]
    assert np.mean(verdicts == verdict) > 0.9


# --- trends, best levels, proportions, ranks -------------------------------------------------


def test_trend_takes_one_slope_or_correlation_per_seed():
    generator = np.random.default_rng(0)
    levels = np.array([1.0, 2.0, 4.0, 5.0, 9.0])
    results = 0.5 * levels + generator.normal(0, 1, (12, 5)).round(0)  # rounding makes ties
    slopes = [stats.linregress(levels, row).slope for row in results]
    ranks = [stats.spearmanr(levels, row).statistic for row in results]
    assert trend(levels, results, 0.1).differences == pytest.approx(slopes)
    assert trend(levels, results, 0.8, statistic="spearman").differences == pytest.approx(ranks)
    rule = Rule("rises", "greater", 0.1)
    assert rule.decide(trend(levels, results, 0.1)).verdict == "supported"
    flat = trend(levels, np.zeros((12, 5)), 0.8, statistic="spearman")
    assert (flat.effect, flat.p) == (0, 1)


def test_best_level_against_a_bootstrap_by_hand():
    generator = np.random.default_rng(0)
    results = generator.normal([0.0, 0.3, 0.4, 0.1], 0.5, (10, 4))
    found = best_level([0.0, 0.2, 0.5, 0.8], results, resamples=4000, seed=1)
    winners = [results[generator.integers(0, 10, 10)].mean(axis=0).argmax() for _ in range(4000)]
    by_hand = np.bincount(winners, minlength=4) / 4000
    np.testing.assert_allclose(found.shares, by_hand, atol=4 * math.sqrt(2 * 0.25 / 4000))
    assert sum(found.shares) == pytest.approx(1)
    assert found.share_within(0.2, 0.5) == pytest.approx(found.shares[1] + found.shares[2])
    assert found == best_level([0.0, 0.2, 0.5, 0.8], results, resamples=4000, seed=1)


def test_best_level_splits_ties():
    assert best_level([1, 2, 3], np.tile([0.9, 0.9, 0.1], (4, 1))).shares == (0.5, 0.5, 0.0)


@pytest.mark.parametrize(("successes", "total"), [(0, 10), (3, 10), (10, 10), (450, 1000)])
def test_proportion_has_the_wilson_interval(successes, total):
    z, share = stats.norm.ppf(0.975), successes / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
    found = proportion(successes, total)
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half), abs=1e-12)
    assert found.share == share


def test_rank_test_is_friedmans_with_nemenyis_difference():
    generator = np.random.default_rng(0)
    results = generator.normal([0.0, 0.1, 1.0, 3.0], 0.5, (10, 4))
    found = rank_test(results)
    assert found.p == pytest.approx(stats.friedmanchisquare(*results.T).pvalue)
    # Demsar (2006), table 5: q = 2.569 for four arms.
    assert found.critical_difference == pytest.approx(2.569 * math.sqrt(4 * 5 / 60), rel=1e-3)
    assert found.mean_ranks[3] == 1.0
    ranks = found.mean_ranks
    assert ranks[0] - ranks[3] > found.critical_difference > abs(ranks[0] - ranks[1])
    assert rank_test(-results, maximize=False).mean_ranks == found.mean_ranks
    assert rank_test(np.ones((5, 3))).p == 1.0


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare([1.0, 2.0], [1.0, 2.0, 3.0], 1), r"shape \(2,\).*shape \(3,\)"),
        (lambda: compare([[1.0, 2.0]], [[1.0, 2.0]], 1), "one number per seed"),
        (lambda: compare([1.0], [2.0], 1), "at least 2 pairs"),
        (lambda: compare([1.0, np.nan], [2.0, 1.0], 1), r"a\[1\]=.*nan"),
        (lambda: compare([1.0, 2.0], [2.0, np.inf], 1), r"b\[1\]=.*inf"),
        (lambda: compare([1.0, 2.0], [2.0, 1.0], -1), "smallest_effect=-1"),
        (lambda: compare([1.0, 2.0], [2.0, 1.0], 1, alpha=0.7), "alpha=0.7"),
        (lambda: compare([1.0, 0.0], [2.0, 1.0], 2, scale="ratio"), "a with .*0.0"),
        (lambda: compare([1.0, 1.0], [2.0, 1.0], 0.5, scale="ratio"), "smallest_effect=0.5"),
        (lambda: seeds_needed(0), "family_size"),
        (lambda: trend([1, 1], np.zeros((3, 2)), 1), "two distinct levels"),
        (lambda: trend([1, 2], np.zeros((3, 3)), 1), r"\(seeds, 2\).*\(3, 3\)"),
        (lambda: trend([1, 2], np.zeros((3, 2)), 1, statistic="kendall"), "statistic='kendall'"),
        (lambda: best_level([1, 2], np.full((3, 2), np.nan)), "finite results"),
        (lambda: best_level([1, 2], np.zeros((3, 2)), resamples=0), "resamples=0"),
        (lambda: proportion(3, 2), "successes=3, total=2"),
        (lambda: rank_test(np.zeros((5, 2))), "at least 3 arms"),
        (lambda: rank_test(np.zeros(5)), r"shape \(5,\)"),
    ],
)
def test_mistakes_are_told_in_one_line(call, message):
    with pytest.raises(UserError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_intervals_shrink_with_more_seeds():
    widths = []
    for seeds in (6, 12, 24, 96):
        comparison = compare(*arms(0.0, seeds=seeds), 1.0)
        widths.append(comparison.high - comparison.low)
    assert all(later < earlier for earlier, later in pairwise(widths))
