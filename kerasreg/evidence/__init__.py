"""Evidence: paired comparisons over seeds, and verdicts by rules written before the numbers.

Two arms trained with the same seeds (same initial weights, batch order, masks and split) differ in
one factor, so their results are compared pair by pair. The usual path:

    rule = Rule("dropout raises test accuracy", "greater", smallest_effect=0.01, unit="pp")
    comparison = rule.compare(accuracy_with_dropout, accuracy_without)  # one number per seed
    decision = rule.decide(comparison)
    decision.verdict  # "supported" | "partly" | "contradicted" | "undecided"

Several comparisons that answer one question form a family: pass them through `holm` before
deciding. Sub-claims are joined with `combine`. Nothing here imports TensorFlow.
"""

from kerasreg.evidence._decisions import Decision, Verdict, combine
from kerasreg.evidence._families import (
    DEFAULT_SEEDS,
    adjust_p_values,
    holm,
    require_seeds,
    seeds_needed,
)
from kerasreg.evidence._measures import (
    BestLevel,
    Proportion,
    RankTest,
    best_level,
    proportion,
    rank_test,
    trend,
)
from kerasreg.evidence._paired import Comparison, compare, compare_ratios
from kerasreg.evidence._rules import ExactRule, Rule, ThresholdRule
from kerasreg.evidence._sign_flip import sign_flip_p

__all__ = [
    "DEFAULT_SEEDS",
    "BestLevel",
    "Comparison",
    "Decision",
    "ExactRule",
    "Proportion",
    "RankTest",
    "Rule",
    "ThresholdRule",
    "Verdict",
    "adjust_p_values",
    "best_level",
    "combine",
    "compare",
    "compare_ratios",
    "holm",
    "proportion",
    "rank_test",
    "require_seeds",
    "seeds_needed",
    "sign_flip_p",
    "trend",
]
