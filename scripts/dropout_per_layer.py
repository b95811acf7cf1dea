"""Should the layer with the largest kernel drop more of its units than the others?

Prediction: yes. With equal mean rates, 0.5 on the layer with the largest kernel and 0.3 on the
others is better than one rate for all.

Source: lecture "Understanding dropout", whose network 3-7-7-3-2-1 keeps 0.5, 0.7 and 1 by the size
of the kernels; no solid literature.

Rule: judged on test accuracy after 600 updates on 300 images, in two networks, 256-256 and
64-512-32. C13 has two parts, one a network: the graded rates are better than their mean for all
layers by a fifth of the errors (at most 1.5 points). A part applies if there is room for it: if one
rate for all layers beats no dropout by as much. Beside it: graded against reversed, which has the
lowest rate on the largest kernel.
"""

import sys

import numpy as np

from kerasreg.evidence import Premise, Rule, applies_if
from kerasreg.lesson import Advice, Lesson, dots, effects, run

NETS = {"256-256": (256, 256), "64-512-32": (64, 512, 32)}
HIGH, LOW = 0.5, 0.3
EPOCHS, BATCH = 200, 100  # of 300 rows: 600 updates


def rates(features: int, units: tuple[int, ...]) -> dict[str, tuple[float, ...]]:
    """Rates of the hidden layers: graded, uniform and reversed with the same mean; and none."""
    kernels = np.multiply((features, *units[:-1]), units)
    largest = np.arange(len(units)) == kernels.argmax()
    graded = np.where(largest, HIGH, LOW)
    total, others = graded.sum(), len(units) - 1
    uniform = np.full(len(units), total / len(units))
    reverse = np.where(largest, LOW, (total - LOW) / others)
    named = {"graded": graded, "uniform": uniform, "reversed": reverse, "none": 0 * graded}
    return {name: tuple(np.round(own, 4).tolist()) for name, own in named.items()}


def network(data, hidden: tuple[int, ...], dropped: tuple[float, ...]):
    """Hidden layers with dropout after each, every layer with its own rate."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for units, rate in zip(hidden, dropped, strict=True):
        model.add(keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal"))
        model.add(keras.layers.Dropout(rate))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    def rule(net: str, other: str) -> Rule:
        return Rule(f"{net}: graded against {other}", "greater", lesson.smallest_effect, unit="pp")

    def room(net: str) -> Premise:
        gain = float((test[f"{net} uniform"] - test[f"{net} none"]).mean())
        least = lesson.smallest_effect.of(test[f"{net} none"])
        says = f"there is room: dropout is worth at least {100 * least:.1f} points in {net}"
        return Premise(says, gain >= least, f"{100 * gain:+.1f} points")

    data = lesson.data(train_size=300)
    dropped = {
        f"{net} {name}": (units, own)
        for net, units in NETS.items()
        for name, own in rates(data.input_shape[0], units).items()
    }
    arms = {arm: network(data, *own) for arm, own in dropped.items()}
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=50)
    test = {arm: runs[arm].final("test_accuracy") for arm in runs}

    def graded(other: str) -> dict:
        return {
            f"{net}: graded − {other}": (
                rule(net, other),
                test[f"{net} graded"],
                test[f"{net} {other}"],
            )
            for net in NETS
        }

    decided, beside = lesson.judge(graded("uniform")), lesson.judge(graded("reversed"))
    pairs = zip(NETS, decided.values(), strict=True)
    lesson.conclude(
        "C13",
        *(applies_if(one, room(net)) for net, one in pairs),
        setting="300 images, networks of 256-256 and 64-512-32",
        advice=Advice(
            claimed="Grade the rates by the size of the kernels.",
            opposite="Do not grade the rates by the size of the kernels.",
            none="Tune one rate for all layers: it is one value to find instead of one a layer.",
        ),
        beside=list(beside.values()),
    )
    rows = runs.table()
    for row in rows:
        row["rates"] = ", ".join(f"{rate:.2g}" for rate in dropped[row["arm"]][1])
    lesson.table(rows)

    def each(net: str):
        own = {arm.split()[1]: 100 * test[arm] for arm in test if arm.startswith(f"{net} ")}
        return dots(own, net, "test accuracy, %")

    lesson.draw(
        "Dropout rates by the size of the kernels, 300 images",
        *map(each, NETS),
        effects(decided | beside, "graded against the others", "test accuracy, pp"),
        caption="Test accuracy of two networks with graded, uniform, reversed and no dropout "
        "rates, and the differences that decide, with 95 % intervals.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
