"""Must dropout be off at prediction?

Prediction: yes: a pass with dropout on is one smaller, random network.

Source: lecture notes on dropout; Srivastava et al. (2014).

Rule: C03: of the notes' network, trained with dropout 0.2 on 300 images, prediction with dropout
off beats the mean of 30 single passes with it on by a fifth of the errors (at most 1.5 points).
"""

import sys

from kerasreg.evidence import Rule
from kerasreg.lesson import Advice, Lesson, curves, effects, run

EPOCHS, BATCH = 1334, 100  # 4,002 updates
PASSES = 30


def network(data):
    """The notes' network, with dropout after every hidden layer."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(6):
        model.add(keras.layers.Dense(100, activation="relu", kernel_initializer="he_normal"))
        model.add(keras.layers.Dropout(0.2))
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
    data = lesson.data(train_size=300)
    runs = lesson.train(
        {"dropout 0.2": network(data)}, data, epochs=EPOCHS, batch_size=BATCH, every=23
    )
    off = runs["dropout 0.2"].final("test_accuracy")
    on = [
        noisy_accuracy(lesson, runs.model("dropout 0.2", index), data.judging(seed), seed)
        for index, seed in enumerate(runs.seeds)
    ]
    better = Rule(
        "prediction is better with dropout off", "greater", lesson.smallest_effect, unit="pp"
    )
    decided = lesson.judge({"off − on": (better, off, on)})
    lesson.conclude(
        "C03",
        *decided.values(),
        setting="300 images, six hidden layers of 100 with dropout 0.2",
        advice=Advice(
            claimed="Predict with dropout off; Keras' predict and evaluate turn it off themselves.",
            opposite="Average several passes with dropout on.",
            none="One pass with dropout on would do as well; Keras turns it off.",
        ),
        why="A pass with dropout on is one smaller, random network.",
    )
    lesson.table(runs.table())
    lesson.draw(
        "Dropout 0.2 on 300 training images, six hidden layers of 100",
        curves(runs, "test_accuracy", "test accuracy, dropout off"),
        effects(decided, "what turning dropout off gains", "difference, pp"),
        caption="Test accuracy over epochs with dropout off, and how much better that is than a "
        "single pass with dropout on.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
