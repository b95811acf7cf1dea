"""Should a network that does not overfit have dropout?

Prediction: no. Dropout of 0.3 lowers the test accuracy of a network of 16 hidden units and of a
linear model, and raises that of a network of two layers of 512 trained on 300 images.

Source: lecture "Understanding dropout"; Goodfellow et al. (2016), section 7.12.

Rule: C15 has three parts, each on test accuracy at the end of training: lower with dropout for the
16 units, lower for the linear model (dropout on its input), higher for the wide network, each by
the smallest effect of interest. Holm over the three. The small models see as many images as there
are (up to 6,000) and end before they overfit: their learning rates were set by the gap alone, so
that it stays below 2 points. Where it does not, a note says so.
"""

import sys

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, brief, dots, effects, run
from kerasreg.lesson.models import wide
from kerasreg.stacks import StackConfig

SMALL = StackConfig(units=(16,), learning_rate=2e-4)
LINEAR = StackConfig(units=(), learning_rate=5e-4)
WIDE = wide(optimizer="momentum", learning_rate=0.05)
FEW = {"wide": WIDE, "wide, dropout 0.3": WIDE.replace(dropout=0.3)}
MANY = {
    "16 units": SMALL,
    "16 units, dropout 0.3": SMALL.replace(dropout=0.3),
    "linear": LINEAR,
    "linear, dropout 0.3": LINEAR.replace(input_dropout=0.3),
}
MOST_ROWS = 6000
UPDATES, BATCH = 1500, 100
MOST_GAP = 2.0  # percentage points: the claim's "does not overfit"


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    rules = {
        "16 units": Rule("dropout hurts 16 units", "less", smallest, unit="pp"),
        "linear": Rule("dropout hurts a linear model", "less", smallest, unit="pp"),
        "wide": Rule("dropout helps a wide network on 300 images", "greater", smallest, unit="pp"),
    }
    few = lesson.data(train_size=300)
    many = few.resized(min(MOST_ROWS, len(few.pool)))
    epochs = round(UPDATES * BATCH / many.train_size)
    runs = {
        "16 units": lesson.train(MANY, many, epochs=epochs, batch_size=BATCH, label="many images"),
        "wide": lesson.train(FEW, few, epochs=200, batch_size=BATCH, every=50, label="300 images"),
    }
    runs["linear"] = runs["16 units"]
    accuracy = {
        name: [runs[name][arm].final("test_accuracy") for arm in (f"{name}, dropout 0.3", name)]
        for name in rules
    }
    decisions = dict(
        zip(rules, lesson.judge(*((rules[n], *accuracy[n]) for n in rules)), strict=True)
    )
    gaps = {name: 100 * runs[name][name].final("gap").mean() for name in rules}
    for name in ("16 units", "linear"):
        if gaps[name] >= MOST_GAP:
            lesson.notes.append(f"The premise fails: {name} overfits, by {gaps[name]:.1f} pp.")
    lesson.conclude(
        "C15",
        *decisions.values(),
        take_home="Look at the gap first: at "
        + ", at ".join(
            f"{gaps[name]:.1f} pp ({name}) dropout changed test accuracy by {brief(decision)}"
            for name, decision in decisions.items()
        )
        + ".",
    )
    lesson.table(runs["16 units"].table() + runs["wide"].table())
    every = {
        arm: 100 * own[arm].final("test_accuracy")
        for own in (runs["16 units"], runs["wide"])
        for arm in own
    }
    lesson.draw(
        "Dropout where there is nothing to overfit with, and where there is",
        dots(every, f"{many.train_size} images; wide: 300", "test accuracy, %"),
        effects(decisions, "dropout 0.3 − none", "test accuracy, pp"),
        caption="Test accuracy of each seed with and without dropout, and the differences with "
        "their 95 % intervals.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=3))
