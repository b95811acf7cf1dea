"""Should the layer with the largest kernel drop more of its units than the others?

Prediction: yes. With equal mean rates, 0.5 on the layer with the largest kernel and 0.3 on the
others is better than one rate for all.

Source: lecture "Understanding dropout", whose network 3-7-7-3-2-1 keeps 0.5, 0.7 and 1 by the size
of the kernels; no solid literature.

Rule: judged on test accuracy after 600 updates on 300 images, in two networks, 256-256 and
64-512-32. C13 has two parts, one a network: the graded rates are better than their mean for all
layers by the smallest effect of interest. Reported beside them, without deciding: graded against
reversed, which has the lowest rate on the largest kernel. Holm over the four.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, brief, dots, effects, run
from kerasreg.stacks import StackConfig

NETS = {"256-256": (256, 256), "64-512-32": (64, 512, 32)}
HIGH, LOW = 0.5, 0.3
EPOCHS, BATCH = 200, 100  # of 300 rows: 600 updates


def rates(features: int, units: tuple[int, ...]) -> dict[str, tuple[float, ...]]:
    """Graded, uniform and reversed rates of the hidden layers, all with the same mean."""
    kernels = np.multiply((features, *units[:-1]), units)
    largest = np.arange(len(units)) == kernels.argmax()
    graded = np.where(largest, HIGH, LOW)
    total, others = graded.sum(), len(units) - 1
    uniform = np.full(len(units), total / len(units))
    reverse = np.where(largest, LOW, (total - LOW) / others)
    named = {"graded": graded, "uniform": uniform, "reversed": reverse}
    return {name: tuple(np.round(own, 4).tolist()) for name, own in named.items()}


def body(lesson: Lesson) -> None:
    rule = {
        (net, other): Rule(
            f"{net}: graded beats {other}", "greater", lesson.smallest_effect, unit="pp"
        )
        for other in ("uniform", "reversed")
        for net in NETS
    }
    data = lesson.data(train_size=300)
    arms, test = {}, {}
    for net, units in NETS.items():
        config = StackConfig(units=units, optimizer="momentum", learning_rate=0.05)
        for name, own in rates(data.input_shape[0], units).items():
            arms[f"{net} {name}"] = config.replace(dropout=own)
        arms[f"{net} none"] = config
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=50)
    test = {arm: runs[arm].final("test_accuracy") for arm in runs}
    decisions = lesson.judge(
        *((rule[net, other], test[f"{net} graded"], test[f"{net} {other}"]) for net, other in rule)
    )
    decided = dict(zip(rule, decisions, strict=True))
    uniform = [decided[net, "uniform"] for net in NETS]
    lesson.conclude(
        "C13",
        *uniform,
        take_home="Graded against one rate for all: "
        + ", ".join(f"{brief(d)} ({net})" for net, d in zip(NETS, uniform, strict=True))
        + ". Tune one rate first: it is one number to find instead of one a layer.",
    )
    rows = runs.table()
    for row in rows:
        row["rates"] = ", ".join(f"{rate:.2g}" for rate in arms[row["arm"]].dropout_rates)
    lesson.table(rows)

    def each(net: str):
        own = {arm.split()[1]: 100 * test[arm] for arm in test if arm.startswith(f"{net} ")}
        return dots(own, net, "test accuracy, %")

    lesson.draw(
        "Dropout rates by the size of the kernels, 300 images",
        *map(each, NETS),
        effects(
            {f"{net}: graded − {other}": d for (net, other), d in decided.items()},
            "graded against the others",
            "test accuracy, pp",
        ),
        caption="Test accuracy of two networks with graded, uniform, reversed and no dropout "
        "rates, and the differences that decide, with 95 % intervals.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=4))
