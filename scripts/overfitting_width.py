"""Does a network overfit because it has many parameters?

Prediction: the gap grows with the width, but test accuracy need not fall.

Source: slides; Zhang et al. (2017), Belkin et al. (2019) and Nakkiran et al. (2020), who find that
test accuracy need not fall with width.

Rule: one hidden layer of 4 to 1,600 units on 1,000 images, 2,000 updates. C43 is supported if per
tenfold width the gap rises and test accuracy falls, each by the smallest effect of interest or
more. The same among the widths that fit at least 95 % of their images, where a narrow network's
failure to fit cannot hide the gap, is reported and does not decide. Holm over the four.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, trend
from kerasreg.lesson import Lesson, brief, curves, run, sweep
from kerasreg.stacks import StackConfig

WIDTHS = (4, 8, 16, 64, 256, 1600)
ARMS = {
    f"{width:,} units": StackConfig(units=(width,), optimizer="sgd", learning_rate=0.1)
    for width in WIDTHS
}
TICKS = [f"{width:,}" for width in WIDTHS]
EPOCHS, BATCH = 200, 100  # of 1,000 rows: 2,000 updates


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    opens = Rule("the gap rises with width", "greater", smallest, unit="pp")
    falls = Rule("test accuracy falls with width", "less", smallest, unit="pp")

    data = lesson.data(train_size=1000)
    runs = lesson.train(ARMS, data, epochs=EPOCHS, batch_size=BATCH, every=20)
    train, test, gap = (runs.stacked(name) for name in ("train_accuracy", "test_accuracy", "gap"))
    fit = train.mean(axis=0) >= 0.95
    fit[-2:] = True  # a trend needs two widths

    def per_tenfold(results, some=slice(None)):
        return trend(np.log10(WIDTHS)[some], results[:, some], smallest)

    more_gap, worse, more_gap_fit, worse_fit = lesson.judge(
        (opens, per_tenfold(gap)),
        (falls, per_tenfold(test)),
        (opens, per_tenfold(gap, fit)),
        (falls, per_tenfold(test, fit)),
    )
    numbers = (
        f"Ten times the width changed the gap by {brief(more_gap)} and test accuracy by "
        f"{brief(worse)}; among the {int(fit.sum())} widths that fit, by {brief(more_gap_fit)} and "
        f"{brief(worse_fit)}."
    )
    advice = "Width alone does not overfit: choose it by accuracy on held-out rows, not by fear."
    lesson.conclude(
        "C43",
        more_gap,
        worse,
        take_home={
            "supported": f"{numbers} Choose the width on held-out rows.",
            "partly": f"{numbers} A larger gap is not a worse network: look at test accuracy.",
            "contradicted": f"{numbers} {advice}",
            "undecided": f"{numbers} Not decided here.",
        },
    )
    lesson.table(runs.table())
    lesson.draw(
        "Width of one hidden layer, 1,000 images",
        sweep(
            WIDTHS,
            {"training images": 100 * train, "new images": 100 * test},
            "after 2,000 updates",
            "hidden units",
            "accuracy, %",
            log=True,
            ticks=TICKS,
        ),
        sweep(
            WIDTHS,
            {"gap": 100 * gap},
            "gap",
            "hidden units",
            "train − test, pp",
            log=True,
            ticks=TICKS,
        ),
        curves(runs, "test_data_loss", "loss on new images", per="update", log=True),
        caption="Accuracy on training and on new images and the gap over the width of one hidden "
        "layer, and the loss on new images over updates.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=4))
