"""Is a small learning rate slow, and does a large one make learning impossible?

Prediction: yes to both: the training loss after 200 updates is U-shaped over the rate.

Source: slides on hyperparameters; the network of chapter 6 with five hidden layers of 100.

Rule: C52 has three parts, judged after 200 updates of plain SGD. Slow: from 0.0001 to the best rate
on the tuning rows, the training loss falls with the rate (Spearman's correlation of -0.5 or less),
and with 0.0001 it has at least twice the loss. Impossible: with 30, training accuracy stays below
twice chance.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, trend
from kerasreg.lesson import FIFTH, Advice, Lesson, curves, run, sweep

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
SLOW, LARGE = "rate 0.0001", "rate 30"
EPOCHS, BATCH = 20, 100  # of 1,000 rows: 200 updates


def network(data, rate: float):
    """Five hidden layers of 100, trained by plain SGD."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(5):
        model.add(keras.layers.Dense(100, activation="relu", kernel_initializer="he_normal"))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    data = lesson.data(train_size=1000)
    falls = Rule("correlation of the loss with the rate, up to the best", "less", 0.1, needs=0.5)
    slow = Rule(
        "training loss with 0.0001, against the best rate",
        "greater",
        FIFTH,
        "ratio",
        needs=2.0,
        unit="nats",
    )
    chance = 1 / data.classes
    impossible = Rule(
        "training accuracy with 30, against twice chance", "less", 0.015, needs=0.0, unit="pp"
    )

    arms = {f"rate {rate:g}": network(data, rate) for rate in RATES}
    best = lesson.tune({"SGD": network(data, 0.01)}, RATES, data, epochs=EPOCHS, batch_size=BATCH)
    own = best["SGD"].learning_rate
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, histograms=[LARGE])

    loss, accuracy = (runs.stacked(name) for name in ("train_data_loss", "train_accuracy"))
    small = max(3, RATES.index(own) + 1)  # how many rates lie up to the best; a trend needs some
    decided = lesson.judge(
        {
            "falls": (
                falls,
                trend(np.log(RATES[:small]), loss[:, :small], 0.1, statistic="spearman"),
            ),
            "slow": (slow, loss[:, 0], loss[:, RATES.index(own)]),
            "impossible": (impossible, accuracy[:, -1], 2 * chance),
        }
    )
    lesson.conclude(
        "C52",
        *decided.values(),
        setting="1,000 images, five hidden layers of 100, 200 updates of SGD",
        advice=Advice(
            claimed="Look for the learning rate first, on a logarithmic scale.",
            opposite="The learning rate hardly matters here.",
            none="The learning rate hardly matters here.",
        ),
    )
    means = accuracy.mean(axis=0)
    larger = zip(RATES, means, strict=True)
    dead = [rate for rate, mean in larger if rate > own and mean < 2 * chance]
    if dead:
        lesson.notes.append(f"{own:g} was best; from {min(dead):g} on nothing was learned.")
    lesson.table(runs.table())
    early = np.stack([runs[arm].at("train_data_loss", 2) for arm in runs], axis=1)
    words = ("learning rate", "training loss, nats")
    shown = dict.fromkeys((SLOW, "rate 0.01", f"rate {own:g}", LARGE))
    lesson.draw(
        "Learning rates of plain SGD on 1,000 images, five hidden layers of 100",
        sweep(
            RATES,
            {"20 updates": early, "200 updates": loss},
            "training loss by rate",
            *words,
            log=True,
        ),
        curves(runs, "train_accuracy", "training accuracy of four", list(shown), per="update"),
        caption="Training loss after 20 and 200 updates of plain SGD over twelve learning rates, "
        "and training accuracy over updates for four of them.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
