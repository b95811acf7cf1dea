"""Does batch normalization regularise: better test accuracy at the same training accuracy?

Prediction: slightly, if at all. The noise of small batches has a part in it, so that less is left
when every update sees all rows.

Source: lecture notes ("slightly", "regularises", "suppresses overfitting"); Ioffe and Szegedy
(2015), Hoffer et al. (2017), Luo et al. (2019).

Rule: each arm trains at its own learning rate, the best on the tuning rows, and is judged on test
accuracy at 99.5 % training accuracy. C25 is supported if batch normalization raises it by the
smallest effect of interest in both nets, five layers of 100 and two of 256. What it does where each
update sees all rows, and its statistics have no noise, is reported and does not decide. Holm over
the four.
"""

import sys

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, brief, curves, effects, run
from kerasreg.lesson.models import net5

DEEP, BROAD = "5 × 100", "2 × 256"
PLAIN = {DEEP: net5(), BROAD: net5(units=(256, 256))}
NORM = {net: c.replace(normalization="batch", norm_epsilon=1e-5) for net, c in PLAIN.items()}
RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
EPOCHS, BATCH = 50, 100  # of 1,000 rows: 500 updates
UPDATES, EVERY = 200, 4  # where each update sees all 1,000
FITTED = 0.995


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    deep = Rule("test accuracy rises, 5 layers of 100", "greater", smallest, unit="pp")
    broad = Rule("test accuracy rises, 2 layers of 256", "greater", smallest, unit="pp")
    still = Rule("it rises without noise", "greater", smallest, unit="pp")

    data = lesson.data(train_size=1000)
    arms = {f"{net}, without": config for net, config in PLAIN.items()}
    arms |= {f"{net}, batch norm": config for net, config in NORM.items()}
    small = {"epochs": EPOCHS, "batch_size": BATCH}
    full = {"epochs": UPDATES, "batch_size": len(data.draw(0))}
    best = lesson.tune(arms, RATES, data, label="tuning, batches of 100", **small)
    runs = lesson.train(best, data, label="batches of 100", **small)
    best = lesson.tune(arms, RATES, data, seeds=2, label="tuning, all rows", **full)
    whole = lesson.train(best, data, label="all rows", every=EVERY, **full)

    def pair(runs, net):
        return [
            runs[f"{net}, {name}"].converged("test_accuracy", FITTED)
            for name in ("batch norm", "without")
        ]

    decisions = {
        f"{DEEP}, batches of 100": (deep, *pair(runs, DEEP)),
        f"{BROAD}, batches of 100": (broad, *pair(runs, BROAD)),
        f"{DEEP}, all rows": (still, *pair(whole, DEEP)),
        f"{BROAD}, all rows": (still, *pair(whole, BROAD)),
    }
    decisions = dict(zip(decisions, lesson.judge(*decisions.values()), strict=True))
    of_deep, of_broad, deep_still, broad_still = decisions.values()
    lesson.conclude(
        "C25",
        of_deep,
        of_broad,
        take_home=f"At equal training accuracy it changed test accuracy by {brief(of_deep)} "
        f"({DEEP}) and {brief(of_broad)} ({BROAD}); with all rows in a batch by "
        f"{brief(deep_still)} and {brief(broad_still)}. Use it to train faster, and measure before "
        "you count on it to regularise.",
    )
    lesson.table(
        {"batches": size, **row}
        for size, own in {"100": runs, "all rows": whole}.items()
        for row in own.table()
    )
    lesson.draw(
        "Batch normalization as a regulariser on 1,000 images",
        curves(runs, "train_accuracy", "training accuracy, batches of 100"),
        curves(runs, "test_accuracy", "test accuracy, batches of 100"),
        effects(decisions, "what it changes at 99.5 % training", "test accuracy, pp"),
        caption="Training and test accuracy over epochs for two nets with and without batch "
        "normalization, and the change of test accuracy at 99.5 % training accuracy with 95 % "
        "intervals, for batches of 100 rows and of all rows.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=4))
