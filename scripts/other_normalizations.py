"""Do layer and group normalization bear larger learning rates too, as batch normalization does?

Prediction: yes. Any of them makes a layer's output independent of the scale of its weights, so that
a step that is too large makes the next ones smaller.

Source: lecture notes on normalizations; Santurkar et al. (2018) find other normalizations as good.

Rule: the experiment of batch normalization: five hidden layers of 100, 1,000 images, plain SGD,
batches of 100. C37 has two parts for layer and two for group normalization (10 groups): the largest
of ten rates that reaches 90 % training accuracy within 200 updates is at least 3 times the largest
without normalization; and 95 % takes a fifth fewer updates, each arm at its own rate, the best on
the tuning rows after 50 updates. Beside it: the same of batch normalization. Instance normalization
needs an image's positions: of a vector, each unit would be a group of one.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import FIFTH, Advice, Lesson, curves, effects, run, sooner, sweep

PLAIN, BATCH_NORM = "without", "batch norm"
KINDS = (PLAIN, BATCH_NORM, "layer norm", "group norm")
RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
TUNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
EPOCHS, LONG, BATCH = 20, 40, 100  # of 1,000 rows: 200 and 400 updates


def network(data, kind: str):
    """Five hidden layers of 100 with a normalization before every activation, or without."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(5):  # a bias would be subtracted again by the normalization
        model.add(layers.Dense(100, use_bias=kind == PLAIN, kernel_initializer="he_normal"))
        if kind == BATCH_NORM:
            model.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
        if kind == "layer norm":
            model.add(layers.LayerNormalization(epsilon=1e-5))
        if kind == "group norm":
            model.add(layers.GroupNormalization(groups=10, epsilon=1e-5))
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
    nets = {kind: config_of(network(data, kind)) for kind in KINDS}
    best = lesson.tune(nets, TUNING_RATES, data, epochs=5, batch_size=BATCH)
    speed = lesson.train(best, data, epochs=LONG, batch_size=BATCH, label="speed")
    at_rate = {}
    for kind, net in nets.items():
        arms = {f"{kind}, rate {rate:g}": net.replace(learning_rate=rate) for rate in RATES}
        rates = lesson.train(
            arms, data, epochs=EPOCHS, batch_size=BATCH, every=2, label=f"rates, {kind}"
        )
        at_rate[kind] = rates.stacked("train_accuracy")
    largest = {kind: largest_rate(accuracy) for kind, accuracy in at_rate.items()}

    def tests(kind: str) -> dict:
        larger = Rule(f"largest rate that trains, {kind}", "greater", FIFTH, "ratio", needs=3.0)
        return {
            f"largest rate, {kind}": (larger, largest[kind], largest[PLAIN]),
            f"updates to 95 %, {kind}": sooner(
                f"updates to 95 % with {kind}", speed[kind], speed[PLAIN]
            ),
        }

    decided = lesson.judge(tests("layer norm") | tests("group norm"))
    beside = lesson.judge(tests(BATCH_NORM))
    lesson.conclude(
        "C37",
        *decided.values(),
        setting="1,000 images, five hidden layers of 100",
        advice=Advice(
            claimed="Layer and group normalization bear larger steps too: choose by batch size and "
            "kind of network.",
            opposite="For large steps take batch normalization.",
            none="For large steps take batch normalization.",
            mixed="Layer and group normalization do not gain on every count: tune the rate.",
        ),
        why="The scale of a layer's weights cancels in each of them: what grows too large takes "
        "smaller steps.",
        beside=list(beside.values()),
    )
    lesson.table(
        {
            "arm": kind,
            "largest rate that trains": f"{np.median(largest[kind]):.2g}",
            "own rate": f"{best[kind].learning_rate:g}",
            "updates to 95 %": speed[kind].time_to(0.95).text(),
            "test accuracy": row["test accuracy"],
        }
        for kind, row in zip(KINDS, speed.table(), strict=True)
    )
    shown = decided | beside
    lesson.draw(
        "Normalizations on 1,000 images, five hidden layers of 100",
        sweep(
            RATES,
            {kind: 100 * accuracy for kind, accuracy in at_rate.items()},
            "over learning rates",
            "learning rate",
            "training accuracy after 200 updates, %",
            log=True,
        ),
        curves(speed, "train_accuracy", "each at its own rate", per="update"),
        effects(
            {name: one for name, one in shown.items() if name.startswith("largest")},
            "with normalization ÷ without",
            "largest rate that trains",
        ),
        caption="Training accuracy after 200 updates over learning rates without and with batch, "
        "layer and group normalization; training accuracy over updates, each at its own rate; and "
        "the largest rate that trains, divided by that without normalization.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
