"""Does dropout help a network that has only 300 images, and must it be off at prediction?

Prediction: with dropout, test accuracy rises if training is long enough; at the notes' 301 epochs
it costs accuracy. Leaving dropout on at prediction costs accuracy.

Source: lecture notes on chapter 6 and on dropout; Hinton et al. (2012), Srivastava et al. (2014).

Rule: C01 applies if the network overfits without dropout, by a gap of 5 points. Dropout 0.2 raises
test accuracy by a fifth of the errors (at most 1.5 points) twice: at 99 % training accuracy, pairs
that never have it left out, and after 4,002 updates. Beside it: test accuracy and gap after the
notes' 301 epochs, and there with classic dropout, as the notes' code has it. C03: prediction with
dropout off beats the mean of 30 single passes with it on by as much.
"""

import sys

from kerasreg.evidence import Rule, applies_if
from kerasreg.lesson import Advice, Lesson, at_equal_accuracy, curves, effects, overfits, run

NOTES_EPOCHS, EPOCHS, BATCH = 301, 1334, 100  # 3 updates an epoch: 903 and 4,002
PASSES = 30


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


def noisy_accuracy(lesson: Lesson, model, rows, seed: int) -> float:
    """Mean accuracy of single passes with dropout left on."""
    from kerasreg.layers import mc_dropout_predict

    count = 2 if lesson.quick else PASSES
    passes = mc_dropout_predict(model, rows.x, count, seed, batch_size=2000)
    return float((passes.argmax(axis=-1) == rows.y).mean())


def body(lesson: Lesson) -> None:
    from kerasreg.lesson.watched import WatchedNet, with_classic_dropout

    def rule(claim: str, direction: str = "greater") -> Rule:
        return Rule(claim, direction, lesson.smallest_effect, unit="pp")

    data = lesson.data(train_size=300)
    arms = {"no dropout": network(data, 0.0), "dropout 0.2": network(data, 0.2)}
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=7, histograms=list(arms))
    plain, dropped = runs.arms.values()
    updates = 6 if lesson.quick else 3 * NOTES_EPOCHS
    classic = WatchedNet(network(data, 0.2), data, BATCH, with_classic_dropout)
    old = classic.train(lesson.seeds, 0.01, updates, updates).test_accuracy[:, -1]
    early = [arm.at("test_accuracy", NOTES_EPOCHS) for arm in (dropped, plain)]

    decided = lesson.judge(
        {
            "at 99 % training accuracy": at_equal_accuracy(
                rule("test accuracy at 99 % training accuracy rises"), dropped, plain
            ),
            "after 4,002 updates": (
                rule("test accuracy after 4,002 updates rises"),
                dropped.final("test_accuracy"),
                plain.final("test_accuracy"),
            ),
        }
    )
    closes = Rule("the gap after 301 epochs falls", "less", 0.015, unit="pp")
    beside = lesson.judge(
        {
            "after 301 epochs": (rule("test accuracy after 301 epochs rises"), *early),
            "classic, 301 epochs": (rule("it rises with classic dropout"), old, early[1]),
            "gap, 301 epochs": (
                closes,
                *(arm.at("gap", NOTES_EPOCHS) for arm in (dropped, plain)),
            ),
        }
    )
    decided = {name: applies_if(one, overfits(plain)) for name, one in decided.items()}
    setting = "300 images, six hidden layers of 100"
    lesson.conclude(
        "C01",
        *decided.values(),
        setting=setting,
        advice=Advice(
            claimed="Judge dropout by test accuracy, and train longer with it.",
            opposite="Leave dropout out of such a network, or train it much longer.",
            none="Dropout is not needed here; other remedies may be.",
        ),
        why="Each step trains a part of the network, so dropout needs more of them. A gap that is "
        "small because training is not done says nothing.",
        beside=list(beside.values()),
    )
    off = dropped.final("test_accuracy")
    on = [
        noisy_accuracy(lesson, runs.model("dropout 0.2", index), data.judging(seed), seed)
        for index, seed in enumerate(runs.seeds)
    ]
    prediction = lesson.judge(
        {"off − on": (rule("prediction is better with dropout off"), off, on)}
    )
    lesson.conclude(
        "C03",
        *prediction.values(),
        setting=setting,
        advice=Advice(
            claimed="Predict with dropout off; Keras' predict and evaluate turn it off themselves.",
            opposite="Average several passes with dropout on.",
            none="One pass with dropout on would do as well; Keras turns it off.",
        ),
        why="A pass with dropout on is one smaller, random network.",
    )
    lesson.table(runs.table())
    lesson.draw(
        "Dropout on 300 training images, six hidden layers of 100",
        curves(runs, "train_accuracy", "training accuracy"),
        curves(runs, "test_accuracy", "test accuracy"),
        effects(decided | beside | prediction, "what dropout changes", "difference, pp"),
        caption="Training and test accuracy over epochs with and without dropout, and what dropout "
        "changes at convergence, after equal updates and after the notes' 301 epochs.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
