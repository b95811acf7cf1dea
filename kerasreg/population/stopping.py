"""Successive halving: which trials are stopped before their last epoch, and after which epochs.

Jamieson and Talwalkar (2016), arXiv:1502.07943. The two other reasons why training ends early, a
value that is not finite and patience, need one trial only: see `runs.Group.measure`.
"""

import math
from collections.abc import Sequence

from kerasreg.population.runs import Group


def halving_rungs(epochs: int) -> tuple[tuple[int, float], ...]:
    """Keep the better half after an eighth, a quarter and half of the epochs."""
    rungs = dict.fromkeys(epochs // part for part in (8, 4, 2))
    return tuple((epoch, 0.5) for epoch in rungs if epoch)


def stopped_at_rung(groups: Sequence[Group], share: float) -> list[Group]:
    """The groups that do not belong to the best `share`, by their best objective; marks them."""
    live = [group for group in groups if not group.ended]
    ranked = sorted(live, key=lambda group: -group.best)
    stopped = ranked[max(1, math.ceil(len(live) * share)) :]
    for group in stopped:
        for run in group.runs:
            run.result.status = "stopped"
    return stopped
