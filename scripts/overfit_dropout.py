"""Does dropout help a network that has only 300 images?

Prediction: test accuracy rises if training is long enough; at the notes' 301 epochs dropout costs
accuracy.

Source: lecture notes on chapter 6 and on dropout; Hinton et al. (2012), Srivastava et al. (2014).

Rule: C01 applies if the network overfits without dropout, by a gap of 5 points. Dropout 0.2 raises
test accuracy by a fifth of the errors (at most 1.5 points) twice: at 99 % training accuracy, pairs
that never have it left out, and after 4,002 updates. Beside it: test accuracy and gap after the
notes' 301 epochs, and there with classic dropout, as the notes' code has it.
"""

import sys

from kerasreg.evidence import Rule, applies_if
from kerasreg.lesson import Advice, Lesson, at_equal_accuracy, curves, effects, overfits, run

NOTES_EPOCHS, EPOCHS, BATCH = 301, 1334, 100  # 3 updates an epoch: 903 and 4,002


def network(data, rate: float):
    """The notes' network, with dropout after every hidden layer."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(6):
        model.add(keras.layers.Dense(100, activation="relu", kernel_initializer="he_normal"))
        model.add(keras.layers.Dropout(rate))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    from kerasreg.lesson.watched import WatchedNet, with_classic_dropout

    data = lesson.data(train_size=300)
    arms = {"no dropout": network(data, 0.0), "dropout 0.2": network(data, 0.2)}
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=7, histograms=list(arms))
    plain, dropped = runs.arms.values()
    updates = 6 if lesson.quick else 3 * NOTES_EPOCHS
    classic = WatchedNet(network(data, 0.2), data, BATCH, with_classic_dropout)
    old = classic.train(lesson.seeds, 0.01, updates, updates).test_accuracy[:, -1]
    early, early_plain = (arm.at("test_accuracy", NOTES_EPOCHS) for arm in (dropped, plain))
    gap, gap_plain = (arm.at("gap", NOTES_EPOCHS) for arm in (dropped, plain))

    def rises(when: str) -> Rule:
        return Rule(f"test accuracy {when} rises", "greater", lesson.smallest_effect, unit="pp")

    final = dropped.final("test_accuracy"), plain.final("test_accuracy")
    decided = lesson.judge(
        {
            "at 99 % training accuracy": at_equal_accuracy(
                rises("at 99 % training accuracy"), dropped, plain
            ),
            "after 4,002 updates": (rises("after 4,002 updates"), *final),
        }
    )
    decided = {name: applies_if(one, overfits(plain)) for name, one in decided.items()}
    falls = Rule("the gap after 301 epochs falls", "less", 0.015, unit="pp")
    beside = lesson.judge(
        {
            "after 301 epochs": (rises("after 301 epochs"), early, early_plain),
            "classic, 301 epochs": (rises("with classic dropout"), old, early_plain),
            "gap, 301 epochs": (falls, gap, gap_plain),
        }
    )
    lesson.conclude(
        "C01",
        *decided.values(),
        setting="300 images, six hidden layers of 100",
        advice=Advice(
            claimed="Judge dropout by test accuracy, and train longer with it.",
            opposite="Leave dropout out of such a network, or train it much longer.",
            none="Dropout is not needed here; other remedies may be.",
        ),
        why="Each step trains a part of the network, so dropout needs more of them. A gap that is "
        "small because training is not done says nothing.",
        beside=list(beside.values()),
    )
    lesson.table(runs.table())
    lesson.draw(
        "Dropout on 300 training images, six hidden layers of 100",
        curves(runs, "train_accuracy", "training accuracy"),
        curves(runs, "test_accuracy", "test accuracy"),
        effects(decided | beside, "what dropout changes", "difference, pp"),
        caption="Training and test accuracy over epochs with and without dropout, and what dropout "
        "changes at convergence, after equal updates and after the notes' 301 epochs.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
