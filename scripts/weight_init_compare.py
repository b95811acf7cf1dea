"""Which initial weights learn fastest with ReLU, tanh and sigmoid?

Prediction: He's with ReLU, Xavier's with tanh and sigmoid; 0.01 hardly learns.

Source: lecture notes on chapter 6 (four hidden layers of 100, batch 128, SGD 0.01); Glorot and
Bengio (2010), who advise four times Xavier's scale for sigmoid; He et al. (2015).

Rule: updates to 95 % training accuracy, for which a fifth matters. Where half of an arm's runs do
not come there within the budget, training accuracy at its end is compared instead, by a fifth of
the errors (at most 1.5 points). An own rate is the best of eight on the tuning rows after 304
updates. C53: with ReLU, He's weights are faster than Xavier's and than 0.01, at the notes' rate and
at each one's own. C54, own rates: with tanh and with sigmoid, Xavier's are faster than 0.01, and no
slower than He's and than four times Xavier's.
"""

import sys

from kerasreg.lesson import Advice, Lesson, curves, run, sooner

RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
TUNING, EPOCHS, LONG, BATCH = 38, 75, 125, 128  # of 1,000 rows: 304, 600 and 1,000 updates


TESTS = {  # the claim's arm, the arm it is compared with, whose learning rates, and what is claimed
    "C53": [
        ("relu, He", f"relu, {other}", whose, "less")
        for whose in ("noted", "own")
        for other in ("Xavier", "0.01")
    ],
    "C54": [
        (f"{kind}, Xavier", f"{kind}, {other}", "own", "less" if other == "0.01" else "not greater")
        for kind in ("tanh", "sigmoid")
        for other in ("0.01", "He", "4 × Xavier")
    ],
}
ADVICE = {
    "C53": Advice(
        claimed="Use He's initial weights with ReLU (in Keras ask for them: Glorot's are default).",
        opposite="Use Xavier's initial weights with ReLU.",
        none="The initial weights hardly matter for ReLU here.",
    ),
    "C54": Advice(
        claimed="Use Xavier's initial weights with sigmoid and tanh.",
        opposite="Use larger initial weights than Xavier's with sigmoid and tanh.",
        none="The initial weights hardly matter for sigmoid and tanh here.",
        mixed="Use Xavier's initial weights with tanh, larger ones with sigmoid.",
    ),
}


def network(data, activation: str, initializer):
    """The notes' four hidden layers of 100."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(4):
        model.add(keras.layers.Dense(100, activation, kernel_initializer=initializer))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer=initializer))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    from keras.initializers import RandomNormal, VarianceScaling

    weights = {
        "0.01": RandomNormal(stddev=0.01),
        "Xavier": "lecun_normal",  # Xavier's √(1/n) goes by this name in Keras
        "He": "he_normal",  # √(2/n)
        "4 × Xavier": VarianceScaling(16.0, "fan_in", "untruncated_normal"),
    }
    data = lesson.data(train_size=1000)
    every = {
        f"{activation}, {name}": network(data, activation, initializer)
        for activation in ("relu", "tanh", "sigmoid")
        for name, initializer in weights.items()
        if (activation, name) != ("relu", "4 × Xavier")
    }
    relu = {arm: every[arm] for arm in ("relu, 0.01", "relu, Xavier", "relu, He")}
    best = lesson.tune(every, RATES, data, epochs=TUNING, batch_size=BATCH)
    noted = lesson.train(relu, data, epochs=LONG, batch_size=BATCH, label="noted rate")
    own = lesson.train(best, data, epochs=EPOCHS, batch_size=BATCH, label="own rate")
    runs = {(arm, "noted"): noted[arm] for arm in noted} | {(arm, "own"): own[arm] for arm in own}
    for claim, tests in TESTS.items():
        decided = lesson.judge(
            {
                f"{a} against {b}, {whose} rate": sooner(
                    f"updates, {a} / {b}, {whose} rate",
                    runs[a, whose],
                    runs[b, whose],
                    direction=direction,
                )
                for a, b, whose, direction in tests
            }
        )
        lesson.conclude(
            claim,
            *decided.values(),
            setting="1,000 images, four hidden layers of 100",
            advice=ADVICE[claim],
            why="ReLU drops half of the signal, which He's factor 2 restores."
            if claim == "C53"
            else "Xavier's scale is made for tanh, whose slope at 0 is 1; sigmoid's is 1/4.",
        )
    lesson.table(
        {
            "weights": arm,
            "rate": f"{whose}, {runs[arm, whose].config.learning_rate:g}",
            "updates to 95 %": trained.time_to(0.95).text(),
            "runs that get there": f"{int(trained.reached(0.95).sum())} of {len(lesson.seeds)}",
        }
        for (arm, whose), trained in runs.items()
    )

    def accuracy(arms, kind, title):
        shown = [arm for arm in arms if kind in arm]
        return curves(arms, "train_accuracy", title, shown, per="update")

    lesson.draw(
        "Initial weights of four hidden layers of 100, training accuracy on 1,000 images",
        accuracy(noted, "relu", "ReLU, the notes' rate"),
        accuracy(own, "relu", "ReLU, own rates"),
        accuracy(own, "tanh", "tanh, own rates"),
        accuracy(own, "sigmoid", "sigmoid, own rates"),
        columns=2,
        caption="Training accuracy over updates from small, Xavier's, He's and four times Xavier's "
        "initial weights, for ReLU at the notes' rate, and for three activations at own rates.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
