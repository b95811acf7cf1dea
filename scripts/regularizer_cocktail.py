"""Do weight decay, dropout and batch normalization add to one another?

Prediction: yes. All three together are better on new images than any one of them alone.

Source: lecture notes on chapter 6, which list the three as remedies for overfitting; Li et al.
(2019), van Laarhoven (2017) and Kadra et al. (2021) for the ways in which they meet.

Rule: all eight combinations of the three, each with the best of four learning rates on the tuning
rows, after 600 updates on 300 images. C48 has four parts, on test accuracy: all three beat none by
a fifth of none's errors (at most 1.5 points); and for each pair, one gains no less where the other
is there than where it is not, within the same. The pairs apply if there is something to add: if
each of the two gains by itself. Beside it: all three against each alone.
"""

import sys
from itertools import combinations

import numpy as np

from kerasreg.evidence import Premise, Rule, applies_if
from kerasreg.lesson import Advice, Lesson, dots, effects, run

REMEDIES = ("decay", "dropout", "batch norm")
ALL = " + ".join(REMEDIES)
RATES = (0.01, 0.03, 0.1, 0.3)
EPOCHS, BATCH = 200, 100  # of 300 rows: 600 updates


def has(cell: str, *remedies: str) -> bool:
    return set(remedies) <= set(cell.split(" + "))


def network(data, cell: str):
    """Two hidden layers of 256 with the remedies of a cell."""
    import keras
    from keras import layers

    norm = has(cell, "batch norm")
    options = {"kernel_initializer": "he_normal"}
    if has(cell, "decay"):  # the notes' ½ λ Σ w² with λ = 0.001; Keras' L2 has no ½
        options["kernel_regularizer"] = keras.regularizers.L2(1e-3 / 2)
    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(layers.Dense(256, use_bias=not norm, **options))
        if norm:
            model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.Activation("relu"))
        model.add(layers.Dropout(0.3 if has(cell, "dropout") else 0.0))
    model.add(layers.Dense(data.classes, "softmax", **options))
    model.compile(keras.optimizers.SGD(0.001, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    data = lesson.data(train_size=300)
    every = [" + ".join(some) or "none" for n in range(4) for some in combinations(REMEDIES, n)]
    nets = {cell: network(data, cell) for cell in every}
    cells = lesson.tune(nets, RATES, data, epochs=EPOCHS, batch_size=BATCH, seeds=5)
    runs = lesson.train(cells, data, epochs=EPOCHS, batch_size=BATCH, every=50)
    test = {cell: runs[cell].final("test_accuracy") for cell in runs}

    def gain(remedy: str, given=lambda cell: True) -> np.ndarray:
        def mean(chosen) -> np.ndarray:
            return np.mean([test[cell] for cell in test if chosen(cell) and given(cell)], axis=0)

        return mean(lambda cell: has(cell, remedy)) - mean(lambda cell: not has(cell, remedy))

    def meets(one: str, other: str) -> tuple:
        rule = Rule(f"gain of {one}, with {other} against without", "not less", smallest, unit="pp")
        more = gain(one, lambda cell: has(cell, other)) - gain(
            one, lambda cell: not has(cell, other)
        )
        return rule, rule.compare(more, 0.0, reference=test["none"])

    def alone(remedy: str) -> Premise:
        points = 100 * float((test[remedy] - test["none"]).mean())
        return Premise(f"{remedy} gains by itself", points > 0, f"{points:+.1f} points")

    together = Rule("all three against none", "greater", smallest, unit="pp")
    pairs = list(combinations(REMEDIES, 2))
    decided = lesson.judge(
        {"all − none": (together, test[ALL], test["none"])}
        | {f"{one} with {other}": meets(one, other) for one, other in pairs}
    )
    for one, other in pairs:
        name = f"{one} with {other}"
        decided[name] = applies_if(decided[name], alone(one), alone(other))
    beside = lesson.judge(
        {
            f"all − {remedy}": (
                Rule(f"all three against {remedy} alone", "greater", smallest, unit="pp"),
                test[ALL],
                test[remedy],
            )
            for remedy in REMEDIES
        }
    )
    lesson.conclude(
        "C48",
        *decided.values(),
        setting="300 images, two hidden layers of 256",
        advice=Advice(
            claimed="Stack the three remedies.",
            opposite="Choose one remedy: they stand in one another's way.",
            none="None of the three makes a difference here.",
            mixed="Try each remedy by itself before you stack them.",
        ),
        why="What one remedy has mended is not left for the next.",
        beside=list(beside.values()),
    )
    rows = runs.table()
    for row in rows:
        row["learning rate"] = f"{cells[row['arm']].learning_rate:g}"
    lesson.table(rows)
    lesson.draw(
        "Three remedies in all combinations, each at its best learning rate, 300 images",
        dots({c: 100 * v for c, v in test.items()}, "the eight combinations", "test accuracy, %"),
        effects(decided, "together", "accuracy, pp"),
        effects(beside, "or alone", "accuracy, pp"),
        caption="Test accuracy of the eight combinations; all three against none, and what each "
        "adds more where another is there; and all three against each alone, with 95 % intervals.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
