"""Evidence: paired comparisons over seeds, and verdicts by rules written before the numbers.

Two arms trained with the same seeds (same initial weights, batch order, masks and split) differ in
one factor, so their results are compared pair by pair. The usual path:

    rule = Rule("dropout raises test accuracy", "greater", ShareOfErrors(), unit="pp")
    comparison = rule.compare(accuracy_with_dropout, accuracy_without)  # one number per seed
    decision = rule.decide(comparison)
    decision.verdict  # one of VERDICTS

The comparisons that decide one claim form a family: pass them through `holm` before deciding, and
join the decisions with `combine`. A decision whose premise failed is replaced by `applies_if`.
Nothing here imports TensorFlow.
"""

from kerasreg.evidence._decisions import VERDICTS, Decision, Premise, Verdict, applies_if, combine
from kerasreg.evidence._families import (
    DEFAULT_SEEDS,
    adjust_p_values,
    holm,
    require_seeds,
    seeds_needed,
)
from kerasreg.evidence._margins import ShareOfErrors
from kerasreg.evidence._measures import (
    BestLevel,
    Proportion,
    RankTest,
    best_level,
    proportion,
    rank_test,
    trend,
)
from kerasreg.evidence._number_rules import ExactRule, ThresholdRule
from kerasreg.evidence._paired import Comparison, compare
from kerasreg.evidence._rules import Direction, Rule
from kerasreg.evidence._sign_flip import sign_flip_p
from kerasreg.evidence._times import Times, compare_times
