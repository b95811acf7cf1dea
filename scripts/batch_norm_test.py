"""Does batch normalization train faster, from any initial weights, and with larger steps?

Prediction: yes three times.

Source: lecture notes on chapter 6 (16 scales of the initial weights, 1,000 images, five hidden
layers of 100, SGD 0.01, batches of 100, 20 epochs); Ioffe and Szegedy (2015), Bjorck et al. (2018).

Rule: C20 is supported if the updates to 95 % training accuracy fall by a fifth (ratio 0.8) twice:
at the notes' learning rate, and at each arm's own, the best on the tuning rows after 50 updates. A
run that never gets there counts 1,000. C21 is supported if the standard deviation of the accuracy
over the scales is below half of that without; "independent", a range within 5 points, and the
number of scales that reach 90 % are reported and do not decide. C22 is supported if the largest
rate that reaches 90 % within 200 updates is at least 3 times as large. Holm over the five.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, brief, curves, run, sweep
from kerasreg.lesson.models import net5

PLAIN, NORM = "without", "batch norm"
NETS = {  # momentum and epsilon of the original code; Keras' defaults are 0.99 and 0.001
    PLAIN: net5(),
    NORM: net5(normalization="batch", norm_momentum=0.9, norm_epsilon=1e-6),
}
SCALES = np.logspace(0, -4, 16)  # standard deviations of all initial kernels
RATES = 10 ** np.arange(-3, 1.51, 0.25)
TUNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
EPOCHS, LONG, BATCH = 20, 100, 100  # of 1,000 rows: 200 and 1,000 updates


def arms(net: str, field: str, word: str, values: np.ndarray) -> dict:
    return {f"{net}, {word} {v:.2g}": NETS[net].replace(**{field: v}) for v in values}


def largest_rate(accuracy: np.ndarray) -> np.ndarray:
    """The largest rate that reaches 90 %, (seeds,); the smallest of all where none does."""
    return np.where(accuracy >= 0.9, RATES, RATES[0]).max(axis=1)


def body(lesson: Lesson) -> None:
    same = Rule("fewer updates at the same rate", "less", 1.25, "ratio")
    own = Rule("fewer updates at each arm's own rate", "less", 1.25, "ratio")
    steady = Rule("accuracy varies less than half as much", "less", 1.0, "ratio", null=0.5)
    independent = Rule("it varies by less than 5 points", "less", 0.0, null=0.05, unit="pp")
    larger = Rule("rates may be 3 times as large", "greater", 1.0, "ratio", null=3.0)

    data = lesson.data(train_size=1000)
    best = lesson.tune(NETS, TUNING_RATES, data, epochs=5, batch_size=BATCH)
    noted = {f"{net}, rate 0.01": config for net, config in NETS.items()}
    tuned = {f"{net}, own rate {c.learning_rate:g}": c for net, c in best.items()}
    speed = lesson.train(noted | tuned, data, epochs=LONG, batch_size=BATCH, label="speed")
    scale = {net: arms(net, "initializer", "scale", SCALES) for net in NETS}
    rate = {net: arms(net, "learning_rate", "rate", RATES) for net in NETS}
    short = {"epochs": EPOCHS, "batch_size": BATCH, "every": 2}
    scales = lesson.train(scale[PLAIN] | scale[NORM], data, label="scales", **short)
    rates = lesson.train(rate[PLAIN] | rate[NORM], data, label="rates", **short)

    updates = {arm: speed[arm].updates_to(0.95) for arm in speed}
    at_scale = {net: scales.stacked("train_accuracy", list(scale[net])) for net in NETS}
    at_rate = {net: rates.stacked("train_accuracy", list(rate[net])) for net in NETS}
    trained = {net: (values >= 0.9).sum(axis=1).mean() for net, values in at_scale.items()}
    quicker, quicker_own, steadier, span, steps = lesson.judge(
        (same, *(updates[arm] for arm in reversed(noted))),
        (own, *(updates[arm] for arm in reversed(tuned))),
        (steady, at_scale[NORM].std(axis=1), at_scale[PLAIN].std(axis=1)),
        (independent, np.ptp(at_scale[NORM], axis=1), np.zeros(len(lesson.seeds))),
        (larger, largest_rate(at_rate[NORM]), largest_rate(at_rate[PLAIN])),
    )
    lesson.conclude(
        "C20",
        quicker,
        quicker_own,
        take_home=f"Updates to 95 %, with against without: {brief(quicker)} at one learning rate, "
        f"{brief(quicker_own)} at each arm's own.",
    )
    lesson.conclude(
        "C21",
        steadier,
        take_home=f"It reached 90 % at {trained[NORM]:.1f} of the 16 scales, without at "
        f"{trained[PLAIN]:.1f}. Its accuracy varied {brief(steadier)} as much; bear in mind that a "
        f"net which fails almost everywhere varies little. Its own range was {brief(span)}.",
    )
    lesson.conclude(
        "C22",
        steps,
        take_home=f"The largest rate that trains was {brief(steps)} that without: raise the "
        "learning rate when you add batch normalization.",
    )
    lesson.table(
        {**row, "updates to 95 %": f"{np.median(updates[row['arm']]):.0f}"} for row in speed.table()
    )

    def percent(accuracy):
        return {net: 100 * values for net, values in accuracy.items()}

    words = "accuracy after 200 updates, %"
    lesson.draw(
        "Batch normalization on 1,000 images, five hidden layers of 100",
        curves(speed, "train_accuracy", "training accuracy", per="update"),
        sweep(SCALES, percent(at_scale), "over initial scales", "SD of kernels", words, log=True),
        sweep(RATES, percent(at_rate), "over learning rates", "learning rate", words, log=True),
        caption="Training accuracy over updates at the notes' learning rate and at each arm's own, "
        "over 16 scales of the initial weights, and over learning rates.",
    )
    pairs = zip(SCALES, scale[PLAIN], scale[NORM], strict=True)
    panels = [curves(scales, "train_accuracy", f"scale {s:.2g}", pair) for s, *pair in pairs]
    figure = lesson.draw(
        "Training accuracy for 16 scales of the initial weights",
        *panels,
        columns=4,
        caption="The notes' figure: training accuracy over epochs with and without batch "
        "normalization, a panel for each standard deviation of the initial kernels.",
    )
    for axes in figure.axes:
        axes.set_ylim(0, 103)


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=5))
