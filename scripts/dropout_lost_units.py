"""Does a network that was trained with dropout depend less on single units?

Prediction: yes. When half of its hidden units are lost at test, it loses less than half as much
accuracy as a network trained without dropout.

Source: three of the lecture notes; Srivastava et al. (2014), section 7.1; Helmbold and Long (2015)
are cautious.

Rule: units are lost at random in both hidden layers, 20 draws, and the rest are scaled up by
1 / (1 - lost). C02: after 600 updates and with half of the units lost, the accuracy lost is, as a
share of the mean that is lost without dropout, smaller by at least half.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Advice, Lesson, dots, effects, run, sweep
from kerasreg.lesson.thinning import accuracy, dense_weights, keep_masks, thinned_logits
from kerasreg.seeds import derive

LOST = (0.0, 0.1, 0.25, 0.5, 0.75)
DRAWS = 20
EPOCHS, BATCH = 60, 100  # of 1,000 rows: 600 updates


def network(data, rate: float):
    """Two hidden layers of 512, with dropout after each."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(keras.layers.Dense(512, activation="relu", kernel_initializer="he_normal"))
        model.add(keras.layers.Dropout(rate))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def accuracies(lesson: Lesson, model, split, seed: int) -> list[float]:
    """Mean test accuracy over draws of lost units, for each share of `LOST`."""
    weights, generator = dense_weights(model), np.random.default_rng(derive(seed, "lost units"))
    means = []
    for share in LOST:
        draws = 1 if share == 0 or lesson.quick else DRAWS
        masks = [keep_masks(generator, weights, 1 - share) for _ in range(draws)]
        means.append(np.mean([accuracy(thinned_logits(weights, split.x, m), split) for m in masks]))
    return means


def body(lesson: Lesson) -> None:
    less = Rule(
        "classifier: accuracy lost with half of the units, share of that without",
        "less",
        0.2,
        needs=0.5,
        unit="pp",
    )

    data = lesson.data(train_size=1000)
    arms = {"no dropout": network(data, 0.0), "dropout 0.5": network(data, 0.5)}
    runs = lesson.train(
        arms, data, epochs=EPOCHS, batch_size=BATCH, every=20, histograms=list(arms)
    )
    cost = {}
    for arm in arms:
        left = np.array(
            [
                accuracies(lesson, runs.model(arm, index), data.judging(seed), seed)
                for index, seed in enumerate(runs.seeds)
            ]
        )
        cost[arm] = left[:, :1] - left
    plain, dropped = (own[:, LOST.index(0.5)] for own in cost.values())
    decided = lesson.judge({"with − without": (less, dropped / plain.mean(), plain / plain.mean())})
    lesson.conclude(
        "C02",
        *decided.values(),
        setting="1,000 images, two hidden layers of 512",
        advice=Advice(
            claimed="Train with dropout where units may fail.",
            opposite="Do not count on dropout where units may fail.",
            none="Do not count on dropout where units may fail.",
        ),
        why="A network withstands at test what it met in training.",
    )
    rows = runs.table()
    for row in rows:
        for index, share in enumerate(LOST[1:], start=1):
            row[f"cost of {share:.0%} lost"] = f"{100 * cost[row['arm']][:, index].mean():.1f} pp"
    lesson.table(rows)
    lesson.draw(
        "Hidden units lost at test, two hidden layers of 512, 1,000 images",
        sweep(
            [100 * share for share in LOST],
            {arm: 100 * own for arm, own in cost.items()},
            "what lost units cost",
            "hidden units lost, %",
            "test accuracy lost, pp",
        ),
        dots(
            {"no dropout": 100 * plain, "dropout 0.5": 100 * dropped},
            "with half of the units lost",
            "test accuracy lost, pp",
        ),
        effects(decided, "what dropout changes", "share of the accuracy lost without, pp"),
        caption="Test accuracy lost over the share of hidden units lost, with and without dropout; "
        "for each seed with half of the units lost; and the differences that decide.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
