"""Does a network overfit because it has many parameters?

Prediction: the gap grows with the width, but test accuracy need not fall.

Source: slides; Zhang et al. (2017), Belkin et al. (2019) and Nakkiran et al. (2020), who find that
test accuracy need not fall with width.

Rule: one hidden layer of 1 to 1,600 units on 1,000 images, 2,000 updates, with right labels, and
with a fifth of the labels wrong. C43 has two parts for each: per tenfold width the gap rises, and
test accuracy falls, by 1.5 points or more. Beside it: the same among the widths that fit at least
95 % of their right labels, where a narrow network's failure to fit cannot hide the gap.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, trend
from kerasreg.lesson import Advice, Lesson, curves, run, sweep

WIDTHS = (1, 2, 4, 8, 16, 64, 256, 1600)  # from fewer parameters than images on
TICKS = [f"{width:,}" for width in WIDTHS]
EPOCHS, BATCH = 200, 100  # of 1,000 rows: 2,000 updates
WRONG = 0.2  # share of the labels
PER_TENFOLD = 0.015


def network(data, width: int):
    """One hidden layer."""
    import keras

    model = keras.Sequential(
        [
            keras.Input(data.input_shape),
            keras.layers.Dense(width, activation="relu", kernel_initializer="he_normal"),
            keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    data = lesson.data(train_size=1000)
    labels = {"right labels": data, "a fifth wrong": data.mislabelled(WRONG)}
    arms = {f"{width:,} units": network(data, width) for width in WIDTHS}
    trained = {
        name: lesson.train(arms, rows, epochs=EPOCHS, batch_size=BATCH, every=20, label=name)
        for name, rows in labels.items()
    }

    def per_tenfold(words: str, direction: str, results, some=slice(None)) -> tuple:
        rule = Rule(f"{words}, per tenfold width", direction, PER_TENFOLD, unit="pp")
        levels = np.log10(WIDTHS)[some]
        return rule, trend(levels, results[:, some], PER_TENFOLD, unit="pp")

    def tests(name: str, some=slice(None), words: str = "") -> dict:
        own = trained[name]
        return {
            f"gap, {name}{words}": per_tenfold(
                f"gap, {name}{words}", "greater", own.stacked("gap"), some
            ),
            f"test accuracy, {name}{words}": per_tenfold(
                f"test accuracy, {name}{words}", "less", own.stacked("test_accuracy"), some
            ),
        }

    runs = trained["right labels"]
    train, test = runs.stacked("train_accuracy"), runs.stacked("test_accuracy")
    fit = train.mean(axis=0) >= 0.95
    fit[-2:] = True  # a trend needs two widths
    decided = lesson.judge(tests("right labels") | tests("a fifth wrong"))
    beside = lesson.judge(tests("right labels", fit, ", widths that fit"))
    lesson.conclude(
        "C43",
        *decided.values(),
        predicted="partly",
        setting="1,000 images, one hidden layer of 1 to 1,600 units",
        advice=Advice(
            claimed="Keep the network as small as it can be.",
            opposite="Take the wider network.",
            none="Width is no reason to fear overfitting.",
            mixed="A larger gap is not a worse network: choose the width on held-out rows, "
            "the more so where labels are wrong.",
        ),
        why="A network too narrow to fit has no gap and is bad on new images too.",
        beside=list(beside.values()),
    )
    lesson.table({"labels": name, **row} for name, own in trained.items() for row in own.table())
    lesson.draw(
        "Width of one hidden layer, 1,000 images",
        sweep(
            WIDTHS,
            {
                "training images": 100 * train,
                "new images": 100 * test,
                "new, a fifth wrong": 100 * trained["a fifth wrong"].stacked("test_accuracy"),
            },
            "after 2,000 updates",
            "hidden units",
            "accuracy, %",
            log=True,
            ticks=TICKS,
        ),
        sweep(
            WIDTHS,
            {name: 100 * own.stacked("gap") for name, own in trained.items()},
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
    sys.exit(run(__file__, __doc__, body))
