"""Which dropout rate is right, on the hidden layers and on the input?

Prediction: hidden rates of 0.2 to 0.5 are best; 0.05 does nothing, 0.8 hinders learning. On the
input a rate of 0.5 hurts.

Source: slides and lecture on dropout; Srivastava et al. (2014), section 7.3.

Rule: judged on test accuracy after 600 updates; 200 updates are drawn beside them. C08 has three
parts: the best rate lies in [0.2, 0.5] in 80 % of resamples of the seeds (contradicted below 20 %);
0.05 equals no dropout within the smallest effect of interest; 0.8 is worse than the mean of 0.2,
0.3 and 0.5 by it. C14 is supported if an input rate of 0.5 is worse by it than the mean of 0, 0.1
and 0.2: a mean, as picking the best by the same rows would favour the claim. Holm over the three
comparisons.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, ThresholdRule, best_level
from kerasreg.lesson import Lesson, brief, run, sweep
from kerasreg.lesson.models import wide

RATES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9)
INPUT_RATES = (0.0, 0.1, 0.2, 0.5)
NET = wide(optimizer="momentum", learning_rate=0.05)
HIDDEN = {f"hidden {rate:g}": NET.replace(dropout=rate) for rate in RATES}
INPUT = {f"input {rate:g}": NET.replace(input_dropout=rate) for rate in INPUT_RATES[1:]}
EARLY, EPOCHS, BATCH = 20, 60, 100  # of 1,000 rows: 200 and 600 updates


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    middle = ThresholdRule("the best rate lies in [0.2, 0.5]", "at_least", 0.8, 0.2, "of resamples")
    slight = Rule("0.05 does as no dropout", "equivalent", smallest, unit="pp")
    strong = Rule("0.8 is worse than 0.2 to 0.5", "less", smallest, unit="pp")
    half = Rule("dropping half of the input is worse", "less", smallest, unit="pp")

    data = lesson.data(train_size=1000)
    runs = lesson.train(HIDDEN | INPUT, data, epochs=EPOCHS, batch_size=BATCH, every=EARLY)
    test = {arm: runs[arm].final("test_accuracy") for arm in runs}
    best = best_level(RATES, runs.stacked("test_accuracy", list(HIDDEN)))
    weak, much, input_half = lesson.judge(
        (slight, test["hidden 0.05"], test["hidden 0"]),
        (strong, test["hidden 0.8"], np.mean([test[f"hidden {r:g}"] for r in (0.2, 0.3, 0.5)], 0)),
        (
            half,
            test["input 0.5"],
            np.mean([test[a] for a in ("hidden 0", "input 0.1", "input 0.2")], 0),
        ),
    )
    favourite = RATES[int(np.argmax(best.means))]
    lesson.conclude(
        "C08",
        middle.decide(best.share_within(0.2, 0.5)),
        weak,
        much,
        take_home=f"The best of nine rates was {favourite:g}, on a broad top: look for it on a "
        f"coarse grid, and give high rates more updates (0.8 cost {brief(much)}).",
    )
    lesson.conclude(
        "C14",
        input_half,
        take_home=f"Half of the input dropped changed test accuracy by {brief(input_half)}; the "
        "input is not redundant as hidden units are, so start it at 0 and try 0.1 or 0.2.",
    )
    lesson.table(runs.table())

    def test_error(arms):
        return {
            f"{10 * epoch} updates": 100
            * np.stack([1 - runs[arm].at("test_accuracy", epoch) for arm in arms], axis=1)
            for epoch in (EARLY, EPOCHS)
        }

    words = ("rate (fraction dropped)", "test error, %")
    lesson.draw(
        "Dropout rates on 1,000 images, two hidden layers of 512",
        sweep(
            RATES,
            test_error(HIDDEN),
            "on the hidden layers (shaded: what the notes recommend)",
            *words,
            log_y=True,
            shade=(0.2, 0.5),
        ),
        sweep(INPUT_RATES, test_error(["hidden 0", *INPUT]), "on the input", *words, log_y=True),
        caption="Test error over the dropout rate of the hidden layers, with the range the notes "
        "recommend shaded, and over that of the input; medians and quartiles over seeds.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=3))
