"""Whether the network fits: too little, too much, or with too few rows."""

import numpy as np

from kerasreg.diagnosis.copies import SHARES, Copies
from kerasreg.diagnosis.effect import effect_of
from kerasreg.diagnosis.finding import SEARCH, Finding

#: Points of accuracy, or percent of the target's variance. Nearly every network is better on rows
#: that it trained on; below 5 points regularisation has little to gain.
GAP = 0.05
#: How far a plain network of 128-128 units has to be ahead, on training and on validation rows.
BEHIND = 0.05
BEHIND_IN_VALIDATION = 0.02
#: By how much doubling the rows has to lower the error for more rows to be the first remedy: errors
#: fall with rows as a power of 0.07 to 0.35 (Hestness et al. 2017, arXiv:1712.00409), 5 to 22 %.
STEEP = 0.15


def check_gap(copies: Copies, unit: str) -> Finding | None:
    """Overfitting, and whether more rows would help."""
    gap = effect_of(copies.unseen[-1] - copies.seen[-1])
    if copies.broken or gap.low < GAP:
        return None
    seen, *unseen = (np.nanmean(errors) for errors in (copies.seen[-1], *copies.unseen))
    curve = ", ".join(f"{s:.0%}: {error:.1%}" for s, error in zip(SHARES, unseen, strict=True))
    text = (
        f"Copies of the network have {seen:.1%} {unit} on rows that they trained on and "
        f"{unseen[-1]:.1%} on others: a gap of {gap}."
    )
    learned = effect_of(copies.unseen[-2] - copies.unseen[-1])
    if learned.low > 0 and learned.mean > STEEP * unseen[-2]:
        return Finding(
            "too few rows",
            "worth a look",
            f"{text} The error still falls as rows are added ({curve}); the last doubling lowered "
            f"it by {learned.mean / unseen[-2]:.0%}: {copies.unseen.shape[1]:,} rows are few for "
            "this network.",
            "bring more rows, or augment them; until then regularise",
            SEARCH,
            lesson="overfitting",
        )
    return Finding(
        "overfitting",
        "worth a look",
        f"{text} More rows alone would not close it soon (error by share of the rows: {curve}).",
        "regularise",
        SEARCH,
        lesson="overfit_dropout",
    )


def check_underfitting(copies: Copies, reference: Copies, unit: str) -> Finding | None:
    """A network that fits less than a plain one of 128-128 units, and predicts worse.

    At every learning rate: where one of them helps, the rate is at fault.
    """
    behind = effect_of(copies.seen[-1] - reference.seen[-1])
    in_validation = effect_of(copies.unseen[-1] - reference.unseen[-1])
    if copies.broken or behind.low < BEHIND or in_validation.low < BEHIND_IN_VALIDATION:
        return None
    own, plain = np.nanmean(copies.seen[-1]), np.nanmean(reference.seen[-1])
    if np.nanmin([own, *copies.rate_errors]) < plain + BEHIND:
        return None
    return Finding(
        "underfitting",
        "worth a look",
        f"The network has {own:.1%} {unit} on rows that it trained on, a plain network of 128-128 "
        f"units {plain:.1%} after as many steps: {behind} more, and {in_validation} more on "
        "others. It is too small, or held back.",
        "make it wider or deeper, or weaken its regularisers; the plain network is",
        "kerasreg train --data {data} --out plain",
        lesson="overfitting_width",
    )
