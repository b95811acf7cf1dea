"""Should a network that does not overfit have dropout?

Prediction: no. Dropout of 0.3 lowers the test accuracy of a network of 16 hidden units and of a
linear model, and raises that of a network of two layers of 512 trained on 300 images.

Source: lecture "Understanding dropout"; Goodfellow et al. (2016), section 7.12.

Rule: C15 has three parts, each on test accuracy at the end of training: lower with dropout for 16
units, lower for a linear model (dropout on its input), higher for a wide network on 300 images,
each by a fifth of the errors (at most 1.5 points). The first two apply if the model does not
overfit, by a gap of at most 2 points: they see as many images as there are (up to 6,000), at
learning rates that were set by the gap alone. The third applies if the wide network overfits, by a
gap of at least 5 points.
"""

import sys

from kerasreg.evidence import Rule, applies_if
from kerasreg.lesson import Advice, Lesson, does_not_overfit, dots, effects, overfits, run
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


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    rules = {
        "16 units": Rule("dropout 0.3 on 16 units", "less", smallest, unit="pp"),
        "linear": Rule("dropout 0.3 on the input of a linear model", "less", smallest, unit="pp"),
        "wide": Rule("dropout 0.3 on 512-512 and 300 images", "greater", smallest, unit="pp"),
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
    decided = lesson.judge({name: (rules[name], *accuracy[name]) for name in rules})
    premises = {
        name: (overfits if name == "wide" else does_not_overfit)(runs[name][name]) for name in rules
    }
    lesson.conclude(
        "C15",
        *(applies_if(one, premises[name]) for name, one in decided.items()),
        setting=f"{many.train_size:,} images for the small models, 300 for the wide one",
        advice=Advice(
            claimed="Look at the gap first: add dropout only to what overfits.",
            opposite="Try dropout whatever the gap is.",
            none="Without a gap dropout makes no difference: leave it out.",
            mixed="Look at the gap first, then measure.",
        ),
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
        effects(decided, "dropout 0.3 − none", "test accuracy, pp"),
        caption="Test accuracy of each seed with and without dropout, and the differences with "
        "their 95 % intervals.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
