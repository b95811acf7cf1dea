"""Does batch normalization train faster, and does it bear larger steps?

Prediction: yes twice.

Source: lecture notes on chapter 6 (1,000 images, five hidden layers of 100, SGD 0.01, batches of
100); Ioffe and Szegedy (2015), Bjorck et al. (2018).

Rule: C20: a fifth fewer updates to 95 % training accuracy, at the notes' rate and at each arm's
own, the best on the tuning rows after 50 updates. C22: the largest rate that reaches 90 % within
200 updates is at least 3 times as large.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import FIFTH, Advice, Lesson, curves, run, sooner, sweep

PLAIN, NORM = "without", "batch norm"
RATES = 10 ** np.arange(-3, 1.51, 0.25)
TUNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
EPOCHS, LONG, BATCH = 20, 100, 100  # of 1,000 rows: 200 and 1,000 updates
SETTING = "1,000 images, five hidden layers of 100"


def network(data, norm: bool):
    """The notes' network, with batch normalization before every activation or without."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(5):  # a bias would be subtracted again by the normalization
        model.add(layers.Dense(100, use_bias=not norm, kernel_initializer="he_normal"))
        if norm:  # momentum and epsilon of the original code; Keras' defaults are 0.99 and 0.001
            model.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-6))
        model.add(layers.Activation("relu"))
    model.add(layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


def largest_rate(accuracy: np.ndarray) -> np.ndarray:
    """The largest rate that reaches 90 %, (seeds,); the smallest of all where none does."""
    return np.where(accuracy >= 0.9, RATES, RATES[0]).max(axis=1)


def body(lesson: Lesson) -> None:
    from kerasreg.lesson.networks import config_of

    data = lesson.data(train_size=1000)
    nets = {PLAIN: config_of(network(data, norm=False)), NORM: config_of(network(data, norm=True))}
    best = lesson.tune(nets, TUNING_RATES, data, epochs=5, batch_size=BATCH)
    noted = {f"{net}, rate 0.01": config for net, config in nets.items()}
    tuned = {f"{net}, own rate {c.learning_rate:g}": c for net, c in best.items()}
    speed = lesson.train(noted | tuned, data, epochs=LONG, batch_size=BATCH, label="speed")
    arms = {
        net: {f"{net}, rate {r:.2g}": config.replace(learning_rate=r) for r in RATES}
        for net, config in nets.items()
    }
    both = arms[PLAIN] | arms[NORM]
    rates = lesson.train(both, data, epochs=EPOCHS, batch_size=BATCH, every=2, label="rates")
    accuracy = {net: rates.stacked("train_accuracy", list(arms[net])) for net in nets}

    plain, norm = (speed[arm] for arm in noted)
    plain_tuned, norm_tuned = (speed[arm] for arm in tuned)
    faster = lesson.judge(
        {
            "the notes' rate": sooner("updates to 95 % at the notes' rate", norm, plain),
            "own rates": sooner("updates to 95 % at each arm's own rate", norm_tuned, plain_tuned),
        }
    )
    lesson.conclude(
        "C20",
        *faster.values(),
        setting=SETTING,
        advice=Advice(
            claimed="Add batch normalization where training is slow.",
            opposite="Leave batch normalization out here.",
            none="Do not expect fewer updates from it here.",
            mixed="Tune the learning rate of both before you compare.",
        ),
        why="At the notes' rate the plain net takes steps that are too small for it; much of the "
        "gain is that batch normalization bears larger ones.",
    )
    larger = Rule("largest rate that trains", "greater", FIFTH, "ratio", needs=3.0)
    reached = largest_rate(accuracy[NORM]), largest_rate(accuracy[PLAIN])
    lesson.conclude(
        "C22",
        *lesson.judge({"rates": (larger, *reached)}).values(),
        setting=SETTING,
        advice=Advice(
            claimed="Raise the learning rate when you add batch normalization.",
            opposite="Lower the learning rate when you add batch normalization.",
            none="Keep the learning rate when you add batch normalization.",
        ),
    )
    lesson.table(
        {**row, "updates to 95 %": speed[row["arm"]].time_to(0.95).text()} for row in speed.table()
    )
    percent = {net: 100 * values for net, values in accuracy.items()}
    words = "accuracy after 200 updates, %"
    lesson.draw(
        "Batch normalization on 1,000 images, five hidden layers of 100",
        curves(speed, "train_accuracy", "training accuracy", per="update"),
        sweep(RATES, percent, "over learning rates", "learning rate", words, log=True),
        caption="Training accuracy over updates at the notes' learning rate and at each arm's own, "
        "and after 200 updates over learning rates.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
