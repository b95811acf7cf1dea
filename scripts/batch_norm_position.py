"""Does batch normalization belong before the activation?

Prediction: the position hardly matters for a ReLU net; after is no worse.

Source: lecture notes on batch normalization; Ioffe and Szegedy (2015) place it before, Mishkin et
al. (2016) find after slightly better.

Rule: five hidden layers of 100 on 1,000 images, at learning rates 0.03 and 0.1. C32 is supported if
before is better than after in all four: test accuracy at 99.5 % training accuracy is higher by the
smallest effect of interest, and 95 % training accuracy takes a fifth fewer updates (ratio 0.8), at
both rates. Equivalence within these contradicts it. Holm over the four.
"""

import sys

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, brief, curves, effects, run
from kerasreg.lesson.models import net5

RATES = (0.03, 0.1)
NET = net5(normalization="batch", norm_epsilon=1e-5)
ARMS = {
    f"{position}, rate {rate:g}": NET.replace(norm_position=position, learning_rate=rate)
    for rate in RATES
    for position in ("before", "after")
}
EPOCHS, BATCH = 60, 100  # of 1,000 rows: 600 updates


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    rules = {
        rate: (
            Rule(f"test accuracy is higher at rate {rate:g}", "greater", smallest, unit="pp"),
            Rule(f"it takes fewer updates at rate {rate:g}", "less", 1.25, "ratio"),
        )
        for rate in RATES
    }
    data = lesson.data(train_size=1000)
    runs = lesson.train(ARMS, data, epochs=EPOCHS, batch_size=BATCH)
    tests = []
    for rate, (better, faster) in rules.items():
        before, after = runs[f"before, rate {rate:g}"], runs[f"after, rate {rate:g}"]
        accuracy = [arm.converged("test_accuracy", 0.995) for arm in (before, after)]
        tests += [(better, *accuracy), (faster, before.updates_to(0.95), after.updates_to(0.95))]
    decisions = lesson.judge(*tests)
    lesson.conclude(
        "C32",
        *decisions,
        take_home=f"Before against after at rate {RATES[-1]:g}: test accuracy "
        f"{brief(decisions[2])}, updates {brief(decisions[3])}. It is a convention; if you care, "
        "try both.",
    )
    lesson.table(runs.table())
    names = [f"rate {rate:g}" for rate in RATES]
    lesson.draw(
        "Batch normalization before and after the activation, 1,000 images",
        curves(runs, "train_accuracy", "training accuracy", per="update"),
        curves(runs, "test_accuracy", "test accuracy", per="update"),
        effects(
            dict(zip(names, decisions[::2], strict=True)), "before − after", "test accuracy, pp"
        ),
        effects(
            dict(zip(names, decisions[1::2], strict=True)), "before ÷ after", "updates to 95 %"
        ),
        caption="Training and test accuracy over updates with batch normalization before and after "
        "ReLU at two learning rates; differences of test accuracy and ratios of updates with 95 % "
        "intervals.",
        columns=4,
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=4))
