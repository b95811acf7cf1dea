"""Does dropout help a network that has only 300 images, and must it be off at prediction?

Prediction: with dropout, training accuracy stays further below 100 % and test accuracy rises;
leaving dropout on at prediction costs accuracy.

Source: lecture notes on chapter 6 and on dropout; Hinton et al. (2012), Srivastava et al. (2014).

Rule: C01 is decided on test accuracy twice: at convergence (99 % on the training rows, or 1,995
updates), where each arm has what it needs, and after 1,995 updates for both. Each is supported if
dropout raises it by the smallest effect of interest. The gap after the notes' 301 epochs is
reported beside them and does not decide. C03 is supported if accuracy with dropout off is higher,
by as much, than the mean of 30 single passes with dropout on. Holm over the four.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, brief, curves, effects, run
from kerasreg.lesson.models import net6

RATE = 0.2
ARMS = {"no dropout": net6(), f"dropout {RATE}": net6(dropout=RATE)}
NOTES_EPOCHS, EPOCHS, BATCH = 301, 665, 100  # 3 updates an epoch: 903 and 1,995
PASSES = 30


def noisy_accuracy(lesson: Lesson, model, x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """Mean accuracy of single passes with dropout left on."""
    from kerasreg.layers import mc_dropout_predict

    passes = mc_dropout_predict(model, x, 2 if lesson.quick else PASSES, seed, batch_size=2000)
    return float((passes.argmax(axis=-1) == y).mean())


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    converged = Rule(
        "test accuracy at convergence is higher with dropout", "greater", smallest, unit="pp"
    )
    equal = Rule("it is so after equal updates", "greater", smallest, unit="pp")
    closes = Rule("the gap after 301 epochs is smaller with dropout", "less", smallest, unit="pp")
    off = Rule("prediction is better with dropout off than on", "greater", smallest, unit="pp")

    data = lesson.data(train_size=300)
    runs = lesson.train(ARMS, data, epochs=EPOCHS, batch_size=BATCH, every=7, histograms=list(ARMS))
    plain, dropped = runs.arms.values()
    noisy = [
        noisy_accuracy(lesson, runs.model(f"dropout {RATE}", index), data.test.x, data.test.y, seed)
        for index, seed in enumerate(runs.seeds)
    ]

    def both(measure):
        return measure(dropped), measure(plain)

    tests = {
        "test accuracy at convergence": (
            converged,
            *both(lambda arm: arm.converged("test_accuracy")),
        ),
        "test accuracy, equal updates": (equal, *both(lambda arm: arm.final("test_accuracy"))),
        "gap after 301 epochs": (closes, *both(lambda arm: arm.at("gap", NOTES_EPOCHS))),
        "dropout off − on at prediction": (off, dropped.final("test_accuracy"), noisy),
    }
    decisions = dict(zip(tests, lesson.judge(*tests.values()), strict=True))
    at_convergence, at_equal, gap, at_prediction = decisions.values()
    lesson.conclude(
        "C01",
        at_convergence,
        at_equal,
        take_home=f"Dropout changed the gap by {brief(gap)} after {NOTES_EPOCHS} epochs and test "
        f"accuracy by {brief(at_equal)} after {3 * EPOCHS} updates: a small gap alone is cheap, "
        "and dropout needs more updates.",
    )
    lesson.conclude(
        "C03",
        at_prediction,
        take_home="Keras turns dropout off in predict and evaluate by itself. Turning it off gave "
        f"{brief(at_prediction)}: one pass with it on is a smaller, random network.",
    )
    lesson.table(runs.table())
    lesson.draw(
        "Dropout on 300 training images, six hidden layers of 100",
        curves(runs, "train_accuracy", "training accuracy"),
        curves(runs, "test_accuracy", "test accuracy"),
        effects(decisions, "what dropout changes", "difference, pp"),
        caption="Training and test accuracy over epochs with and without dropout, and the "
        "differences that decide the claims, with 95 % intervals.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=4))
