"""Do standardized values keep a sigmoid in its linear part, and do gamma and beta help?

Prediction: a standard normal value hardly leaves the sigmoid's linear part. Gamma and beta let a
unit leave it, but the network learns as well without: the next kernel can do the same.

Source: lecture notes and slides on batch normalization, where gamma and beta answer a quiz; Ioffe
and Szegedy (2015), section 3.

Rule: three hidden layers of 100 with sigmoid on 1,000 images, batch normalization before it with
gamma and beta or with neither, each at its own rate, the best on the tuning rows after 100 updates.
C33 has three parts. Linear: a line explains at least 95 % of the variance of sigmoid(z) for a
standard normal z. After training it explains a smaller share of what the units give with gamma and
beta, by 5 points. And test accuracy after 600 updates is higher with them, by a fifth of the errors
(at most 1.5 points). Beside it: z of SD 3, and the updates to 95 % training accuracy.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, ThresholdRule
from kerasreg.lesson import Advice, Lesson, curves, dots, run, sooner

BARE, FULL = "only standardized", "gamma and beta"
RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
TUNING_EPOCHS, EPOCHS, BATCH = 10, 60, 100  # of 1,000 rows: 100 and 600 updates


def network(data, learned: bool):
    """Three hidden layers of sigmoid units on values that batch normalization standardizes."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(3):
        model.add(layers.Dense(100, use_bias=False, kernel_initializer="glorot_normal"))
        model.add(
            layers.BatchNormalization(momentum=0.9, epsilon=1e-5, center=learned, scale=learned)
        )
        model.add(layers.Activation("sigmoid"))
    model.add(layers.Dense(data.classes, "softmax", kernel_initializer="glorot_normal"))
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def share_of_line(deviation: float) -> float:
    """Share of the variance of sigmoid(z), z normal with mean 0, that a line explains."""
    z, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / weights.sum()
    y = sigmoid(deviation * z) - 0.5  # its mean, by symmetry
    return float((weights @ (z * y)) ** 2 / (weights @ y**2))


def mean_share(model, x: np.ndarray) -> float:
    """Share of the variance of a sigmoid unit that a line explains, mean over all units."""
    import keras

    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Activation)]
    outputs = keras.Model(model.input, [(layer.input, layer.output) for layer in layers])(x)
    z, y = np.array(outputs).swapaxes(0, 1)  # (layers, rows, units) each
    z, y = z - z.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    return float(((z * y).sum(axis=1) ** 2 / ((z**2).sum(axis=1) * (y**2).sum(axis=1))).mean())


def body(lesson: Lesson) -> None:
    linear = ThresholdRule("share of the sigmoid that a line explains", "at_least", 0.95)
    leaves = Rule("share that a line explains after training", "less", 0.015, needs=0.05, unit="pp")
    better = Rule("test accuracy with gamma and beta", "greater", lesson.smallest_effect, unit="pp")

    data = lesson.data(train_size=1000)
    arms = {BARE: network(data, learned=False), FULL: network(data, learned=True)}
    best = lesson.tune(arms, RATES, data, epochs=TUNING_EPOCHS, batch_size=BATCH, seeds=2)
    runs = lesson.train(best, data, epochs=EPOCHS, batch_size=BATCH)
    x = data.tuning.x[:200]
    places = range(len(lesson.seeds))
    shares = {
        arm: np.array([mean_share(runs.model(arm, place), x) for place in places]) for arm in arms
    }
    decided = lesson.judge(
        {
            "line": (leaves, shares[FULL], shares[BARE]),
            "accuracy": (better, *(runs[arm].final("test_accuracy") for arm in (FULL, BARE))),
        }
    )
    beside = lesson.judge({"updates": sooner("updates to 95 %", runs[FULL], runs[BARE])})
    exact = {deviation: share_of_line(deviation) for deviation in (1, 3)}
    lesson.conclude(
        "C33",
        linear.decide(exact[1]),
        *decided.values(),
        predicted="partly",
        setting="1,000 images, three hidden layers of 100 with sigmoid",
        advice=Advice(
            claimed="Keep gamma and beta.",
            opposite="Gamma and beta may be left out before a sigmoid.",
            none="Keep gamma and beta, they cost little; do not expect accuracy from them.",
            mixed="Keep gamma and beta, they cost little; do not expect accuracy from them.",
        ),
        why=f"A line explains {100 * exact[1]:.1f} % of the sigmoid of a standard normal value, "
        f"and {100 * exact[3]:.1f} % at SD 3. A layer that is nearly linear is still not linear.",
        beside=list(beside.values()),
    )
    lesson.table(
        {
            **row,
            "own rate": f"{best[row['arm']].learning_rate:g}",
            "a line explains": f"{100 * shares[row['arm']].mean():.1f} %",
        }
        for row in runs.table()
    )

    def sigmoids(axes) -> None:
        z = np.linspace(-9, 9, 181)
        axes.plot(z, sigmoid(z), color="#000000", label="sigmoid")
        for deviation, colour in ((1, "#0072b2"), (3, "#d55e00")):
            inside = np.abs(z) <= 2 * deviation
            axes.plot(
                z[inside],
                sigmoid(z[inside]),
                color=colour,
                linewidth=7 - 2 * deviation,
                label=f"95 % of values of SD {deviation}",
            )
        axes.set(title="where values meet the sigmoid", xlabel="value", ylabel="output")
        axes.legend(loc="upper left")

    lesson.draw(
        "A sigmoid on standardized values, 1,000 images, three hidden layers of 100",
        sigmoids,
        dots(
            {arm: 100 * values for arm, values in shares.items()},
            "trained units",
            "share of variance that a line explains, %",
        ),
        curves(runs, "train_accuracy", "training accuracy", per="update"),
        curves(runs, "test_accuracy", "test accuracy", per="update"),
        caption="The sigmoid with the ranges that hold 95 % of normal values of SD 1 and 3; how "
        "much of a trained unit's variance a line explains; and training and test accuracy over "
        "updates, with and without gamma and beta.",
        columns=2,
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
