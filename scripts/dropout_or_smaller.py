"""Does dropout work because every step trains a smaller network?

Prediction: yes. A network of half the width, without dropout, does as well as the wide network with
dropout 0.5, and better than the wide one without.

Source: lecture "Understanding dropout"; Srivastava et al. (2014) explain dropout otherwise, by
weights that many networks share.

Rule: on 300 images. C09 has two parts, on test accuracy at 99 % training accuracy, pairs that never
have it left out: half the width, without dropout, equals the wide network with dropout 0.5 within a
fifth of the errors (at most 1.5 points), and beats the wide one without dropout by as much; both
apply if the wide network overfits, by a gap of 5 points. Beside it: the same after 600 updates.
"""

import sys

from kerasreg.evidence import Rule, applies_if
from kerasreg.lesson import (
    Advice,
    Lesson,
    at_equal_accuracy,
    curves,
    dots,
    effects,
    overfits,
    run,
)

WIDE, DROPPED, HALF = "512 units", "512 units, dropout 0.5", "256 units"
EPOCHS, BATCH = 200, 100  # of 300 rows: 600 updates


def network(data, units: int, rate: float = 0.0):
    """Two hidden layers with dropout after each."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal"))
        model.add(keras.layers.Dropout(rate))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    data = lesson.data(train_size=300)
    arms = {WIDE: network(data, 512), DROPPED: network(data, 512, 0.5), HALF: network(data, 256)}
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=5)
    converged = {arm: runs[arm].converged("test_accuracy") for arm in runs}
    final = {arm: runs[arm].final("test_accuracy") for arm in runs}

    def rules(when: str) -> tuple[Rule, Rule]:
        return (
            Rule(f"half the width against dropout, {when}", "equivalent", smallest, unit="pp"),
            Rule(f"half the width against the full, {when}", "greater", smallest, unit="pp"),
        )

    as_well, better = rules("at 99 % training accuracy")
    decided = lesson.judge(
        {
            "half − dropout, converged": at_equal_accuracy(as_well, runs[HALF], runs[DROPPED]),
            "half − full, converged": at_equal_accuracy(better, runs[HALF], runs[WIDE]),
        }
    )
    as_well, better = rules("after 600 updates")
    beside = lesson.judge(
        {
            "half − dropout, 600 updates": (as_well, final[HALF], final[DROPPED]),
            "half − full, 600 updates": (better, final[HALF], final[WIDE]),
        }
    )
    decided = {name: applies_if(one, overfits(runs[WIDE])) for name, one in decided.items()}
    lesson.conclude(
        "C09",
        *decided.values(),
        setting="300 images, two hidden layers of 512",
        advice=Advice(
            claimed="A network of half the width does what dropout does, and is cheaper.",
            opposite="Use dropout rather than a smaller network.",
            none="Half the width neither helps nor hurts; that says nothing of dropout.",
            mixed="A smaller network and dropout are two things: try each.",
        ),
        why="Dropout trains many thinned networks that share weights; a small network is one.",
        beside=list(beside.values()),
    )
    lesson.table(runs.table())
    lesson.draw(
        "Dropout and a smaller network, two hidden layers, 300 images",
        curves(runs, "test_accuracy", "test accuracy"),
        dots({a: 100 * v for a, v in converged.items()}, "at convergence", "test accuracy, %"),
        effects(decided | beside, "half the width", "test accuracy, pp"),
        caption="Test accuracy over epochs of a wide network, with dropout and without, and of one "
        "of half its width; at convergence for each seed; and the differences that decide.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
