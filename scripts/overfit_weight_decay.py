"""Does weight decay with λ = 0.1 suppress overfitting on 300 images?

Prediction: yes, the gap shrinks and test accuracy rises.

Source: lecture notes on chapter 6 (six hidden layers of 100, SGD 0.01, batch 100, 201 epochs);
Krogh and Hertz (1991).

Rule: λ is the notes': a penalty of ½ λ Σ w², which is l2 = λ/2 in Keras. C45 has two parts, decided
apart after 1,998 updates for λ = 0.1 against none: the gap is smaller and test accuracy is higher,
each by the smallest effect of interest. The same after the notes' 201 epochs is reported beside
them and does not decide. Holm over the four.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, brief, curves, effects, run, sweep
from kerasreg.lesson.models import net6
from kerasreg.stacks import l2_from_lambda

LAMBDAS = (0.0, 1e-4, 1e-3, 1e-2, 0.03, 0.05, 0.1, 0.2)
ARMS = {f"λ = {value:g}": net6(l2=l2_from_lambda(value)) for value in LAMBDAS}
NONE, NOTES = "λ = 0", "λ = 0.1"
NOTES_EPOCHS, EPOCHS, BATCH = 201, 666, 100  # 3 updates an epoch: 603 and 1,998


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    closes = Rule("the gap is smaller with λ = 0.1", "less", smallest, unit="pp")
    helps = Rule("test accuracy is higher with λ = 0.1", "greater", smallest, unit="pp")

    data = lesson.data(train_size=300)
    pair = {name: ARMS[name] for name in (NONE, NOTES)}
    runs = lesson.train(pair, data, epochs=EPOCHS, batch_size=BATCH, every=3, histograms=list(pair))
    ends = lesson.train(ARMS, data, epochs=EPOCHS, batch_size=BATCH, every=EPOCHS, label="all λ")
    tests = {
        f"{words}, {3 * epoch:,} updates": (
            rule,
            runs[NOTES].at(name, epoch),
            runs[NONE].at(name, epoch),
        )
        for epoch in (EPOCHS, NOTES_EPOCHS)
        for words, rule, name in (
            ("gap", closes, "gap"),
            ("test accuracy", helps, "test_accuracy"),
        )
    }
    decisions = dict(zip(tests, lesson.judge(*tests.values()), strict=True))
    gap, accuracy, *_ = decisions.values()
    test = ends.stacked("test_accuracy")
    best = LAMBDAS[int(np.argmax(test.mean(axis=0)))]
    lesson.conclude(
        "C45",
        gap,
        accuracy,
        take_home=f"λ = 0.1 changed the gap by {brief(gap)} and test accuracy by "
        f"{brief(accuracy)}: a smaller gap is not a better network. Of eight, λ = {best:g} had the "
        "highest test accuracy.",
    )
    lesson.table(ends.table())
    lesson.draw(
        "Weight decay on 300 training images, six hidden layers of 100",
        curves(runs, "train_accuracy", "accuracy on the 300 images", [NONE, NOTES]),
        curves(runs, "test_accuracy", "accuracy on new images", [NONE, NOTES]),
        sweep(
            LAMBDAS,
            {
                "300 images": 100 * ends.stacked("train_accuracy"),
                "new images": 100 * test,
            },
            "after 1,998 updates",
            "λ (Keras' l2 is half of it)",
            "accuracy, %",
            log=True,
        ),
        effects(decisions, "λ = 0.1 against none", "difference, pp"),
        caption="Accuracy over epochs without penalty and with the notes' λ of 0.1, accuracy over "
        "eight values of λ, and the differences that decide, with their 95 % intervals.",
        columns=2,
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=4))
