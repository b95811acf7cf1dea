"""Whether the labels and the network's sureness can be trusted."""

from kerasreg.diagnosis.finding import SEARCH, Finding
from kerasreg.diagnosis.predictions import Calibration, Disagreement

#: Of the rows that the network is surest of, so many labels must disagree, even at the lower end of
#: the interval: curated sets have 0.15 to 10 % wrong labels, 3.3 % on average (Northcutt et al.
#: 2021, arXiv:2103.14749).
WRONG = 0.02
#: Where classes overlap, errors are rare among the surest rows; wrong labels are as frequent there
#: as anywhere.
EVENNESS = 0.4
#: Expected calibration error beyond what chance gives; networks without calibration have 4 to 16 %
#: (Guo et al. 2017, arXiv:1706.04599, table 1).
MISCALIBRATED = 0.05


def check_labels(found: Disagreement | None) -> Finding | None:
    """Labels that disagree with rows' sure predictions by copies that did not train on them."""
    if found is None or found.sure.low < WRONG or found.sure.share < EVENNESS * found.error:
        return None
    return Finding(
        "labels look wrong",
        "serious",
        f"Copies that did not train on a row disagree with {found.sure.share:.1%} "
        f"[{found.sure.low:.1%}, {found.sure.high:.1%}] of the labels where they are surest, and "
        f"with {found.error:.1%} of all: hard rows would be rare among the sure ones, wrong labels "
        "are not.",
        f"look at these {len(found.rows)} rows first (the page lists them), and correct them",
        rows=found.rows,
    )


def check_calibration(found: Calibration | None) -> Finding | None:
    """Probabilities that do not say how often the network is right."""
    if found is None or found.error - found.by_chance < MISCALIBRATED:
        return None
    sure = "surer" if found.confidence > found.accuracy else "less sure"
    return Finding(
        "not calibrated",
        "worth a look",
        "On rows not trained on, the probability of the network's answer is "
        f"{found.confidence:.1%} on average and it is right in {found.accuracy:.1%}: {sure} than "
        f"it should be. Expected calibration error {found.error:.1%}; chance alone gives up to "
        f"{found.by_chance:.1%}.",
        "stop earlier, or let label smoothing and dropout be searched",
        SEARCH,
    )
