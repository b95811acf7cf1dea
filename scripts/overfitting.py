"""Does a network overfit few images, do more of them cure it, and how far does it go with 300?

Prediction: yes; on 300 images it is near perfect, and more than 10 points worse on new ones.

Source: lecture notes and slides (six hidden layers of 100, 300 images, SGD 0.01, batches of 100,
201 epochs).

Rule: C42, two hidden layers of 100, each trained to 99 % of its own 100 to 4,000 images: with the
logarithm of their number the gap falls and test accuracy rises, each by 1.5 points or more per
tenfold. C44, the notes' network after 201 epochs: training accuracy above 99 %, and a gap above 10
points.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, trend
from kerasreg.lesson import Advice, Lesson, band, run, spread, sweep

SIZES = (100, 200, 400, 1000, 2000, 4000)
UPDATES, BATCH = 1000, 100
PER_TENFOLD = 0.015


def network(data, depth: int, rate: float):
    """Hidden layers of 100, trained by SGD at a learning rate."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(depth):
        model.add(keras.layers.Dense(100, activation="relu", kernel_initializer="he_normal"))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    closes = Rule("gap, per tenfold images", "less", PER_TENFOLD, unit="pp")
    rises = Rule("test accuracy, per tenfold images", "greater", PER_TENFOLD, unit="pp")
    fits = Rule("accuracy on the 300, against 99 %", "greater", 0.002, needs=0.0, unit="pp")
    opens = Rule("gap", "greater", 0.015, needs=0.1, unit="pp")

    data = lesson.data(train_size=300)
    two, six = {"two layers": network(data, 2, 0.1)}, {"six layers": network(data, 6, 0.01)}
    sizes = [size for size in SIZES if size <= len(data.pool)]
    fitted = [
        lesson.train(
            two,
            data.resized(size),
            epochs=UPDATES * BATCH // size,
            batch_size=BATCH,
            every=max(1, 1000 // size),  # of 1,000 updates, about every tenth
            label=f"{size} images",
        )["two layers"]
        for size in sizes
    ]
    notes = lesson.train(six, data, epochs=201, batch_size=BATCH, every=10, label="notes")

    names = ("train_accuracy", "test_accuracy", "gap")
    train, test, gap = (np.stack([arm.converged(name) for arm in fitted], axis=1) for name in names)
    noted = notes["six layers"]
    levels = np.log10(sizes)
    by_size = lesson.judge(
        {
            "gap": (closes, trend(levels, gap, PER_TENFOLD, unit="pp")),
            "test": (rises, trend(levels, test, PER_TENFOLD, unit="pp")),
        }
    )
    lesson.conclude(
        "C42",
        *by_size.values(),
        setting="100 to 4,000 images, two hidden layers of 100, each fitted to 99 %",
        advice=Advice(
            claimed="Get more data before anything else.",
            opposite="More data of this kind do not help.",
            none="More data of this kind make no difference.",
        ),
    )
    of_notes = lesson.judge(
        {
            "fits": (fits, noted.final("train_accuracy"), 0.99),
            "opens": (opens, noted.final("gap"), 0.0),
        }
    )
    lesson.conclude(
        "C44",
        *of_notes.values(),
        setting="300 images, six hidden layers of 100, 201 epochs",
        advice=Advice(
            claimed="Judge a network by rows that it was not trained on.",
            opposite="Judge a network by rows that it was not trained on, all the same.",
            none="Judge a network by rows that it was not trained on, all the same.",
            mixed="Judge a network by rows that it was not trained on.",
        ),
        why="How far the two lie apart depends on the data.",
    )
    rows = {f"{size:,}": (train[:, k], test[:, k], gap[:, k]) for k, size in enumerate(sizes)}
    rows["300, the notes' network"] = tuple(noted.final(name) for name in names)
    lesson.table(
        {
            "images": images,
            "train accuracy": spread(100 * own[0], "%"),
            "test accuracy": spread(100 * own[1], "%"),
            "gap": spread(100 * own[2], "pp"),
        }
        for images, own in rows.items()
    )

    def over_epochs(axes) -> None:
        band(axes, noted.epochs, 100 * noted.train_accuracy, "the 300 images", 0)
        band(axes, noted.epochs, 100 * noted.test_accuracy, "new images", 1)
        axes.set(title="six hidden layers, 300 images", xlabel="epochs", ylabel="accuracy, %")
        axes.legend(loc="lower right")

    lesson.draw(
        "Accuracy on the training images and on new ones",
        sweep(
            sizes,
            {"training images": 100 * train, "new images": 100 * test},
            "two hidden layers, fitted to 99 %",
            "number of training images",
            "accuracy, %",
            log=True,
            ticks=[f"{size:,}" for size in sizes],
        ),
        over_epochs,
        caption="Accuracy on training and on new images over the number of images, and over the "
        "notes' 201 epochs on 300 images.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
