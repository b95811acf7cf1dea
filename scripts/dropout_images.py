"""Is dropout worth most where images are few?

Prediction: no. On 100 images its gain is no larger than on 1,000; it may be smaller.

Source: lecture notes on dropout, whose network of four hidden layers of 512 is used here;
Srivastava et al. (2014), section 7.4.

Rule: 100, 300 and 1,000 images, 200 updates each, dropout 0.3 against none. C17: the gain in test
accuracy falls by 1 point or more per tenfold images. It applies if the network overfits 100 images
without dropout, by a gap of 5 points. Beside it: the gain at each number of images, by a fifth of
the errors (at most 1.5 points).
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, applies_if, trend
from kerasreg.lesson import Advice, Lesson, effects, overfits, run, sweep

SIZES = (100, 300, 1000)
UPDATES, BATCH = 200, 50
PER_TENFOLD = 0.01


def network(data, rate: float):
    """The notes' network: four hidden layers of 512 with dropout after each."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(4):
        model.add(keras.layers.Dense(512, activation="relu", kernel_initializer="he_normal"))
        model.add(keras.layers.Dropout(rate))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    falls = Rule("gain of dropout, per tenfold images", "less", PER_TENFOLD, unit="pp")
    trained = {}
    for size in SIZES:
        data = lesson.data(train_size=size)
        arms = {"no dropout": network(data, 0.0), "dropout 0.3": network(data, 0.3)}
        epochs = UPDATES * BATCH // size
        trained[size] = lesson.train(
            arms, data, epochs=epochs, batch_size=BATCH, every=epochs, label=f"{size} images"
        )
    without, dropped = (
        np.stack([runs[arm].final("test_accuracy") for runs in trained.values()], axis=1)
        for arm in arms
    )
    gain = dropped - without
    decided = lesson.judge({"gain": (falls, trend(np.log10(SIZES), gain, PER_TENFOLD, unit="pp"))})
    few = overfits(trained[SIZES[0]]["no dropout"])
    names = [f"{size:,} images" for size in SIZES]
    rules = [
        Rule(f"gain on {name}", "greater", lesson.smallest_effect, unit="pp") for name in names
    ]
    sides = zip(rules, dropped.T, without.T, strict=True)
    beside = lesson.judge(dict(zip(names, sides, strict=True)))
    lesson.conclude(
        "C17",
        *(applies_if(one, few) for one in decided.values()),
        predicted="no difference seen",
        setting="four hidden layers of 512, dropout 0.3",
        advice=Advice(
            claimed="Try dropout first where images are few; see whether it gains anything at all.",
            opposite="Do not expect dropout to make up for images: it gained more where they "
            "were many.",
            none="Do not expect dropout to make up for images: it gained as little on few as "
            "on many.",
        ),
        why="Dropout keeps units from relying on each other; what the images do not show, it "
        "cannot add.",
        beside=list(beside.values()),
    )
    lesson.table(
        {"images": f"{size:,}", **row} for size, runs in trained.items() for row in runs.table()
    )
    ticks = [f"{size:,}" for size in SIZES]
    lesson.draw(
        "Dropout on 100 to 1,000 images, four hidden layers of 512",
        sweep(
            SIZES,
            {"no dropout": 100 * without, "dropout 0.3": 100 * dropped},
            "after 200 updates",
            "training images",
            "test accuracy, %",
            log=True,
            ticks=ticks,
        ),
        sweep(
            SIZES,
            {"gain": 100 * gain},
            "what dropout gains",
            "training images",
            "test accuracy, pp",
            log=True,
            ticks=ticks,
        ),
        effects(beside, "gain at each number", "test accuracy, pp"),
        caption="Test accuracy with and without dropout over the number of training images, and "
        "what dropout gains at each.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
