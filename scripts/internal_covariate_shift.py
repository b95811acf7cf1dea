"""Does batch normalization reduce internal covariate shift, and is that what hinders training?

Prediction: no and no. The shift is not smaller by both of its definitions, and a net with shift
added on purpose still trains faster than one without normalization.

Source: lecture notes (shift as a change of gradients, and of distributions); Ioffe and Szegedy
(2015), Santurkar et al. (2018).

Rule: five hidden layers of 100, 200 updates at rates 0.01 and 0.1. Shift is the change of a layer's
gradient once the layers below are updated, and the change of its inputs' means in one update. C30
is supported if batch normalization lowers both by a fifth (ratio 0.8) at both rates. C31: noise
after each batch normalization must make the inputs shift a fifth more than without normalization at
rate 0.1, else C31 is undecided. It is supported if this net takes more than 0.8 times the updates
of the plain one to 95 % training accuracy, each at its own best rate, and contradicted if fewer. A
run that never gets there counts 300. Holm over the six.
"""

import sys
from dataclasses import replace

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, band, brief, run, spread
from kerasreg.lesson.models import net5

PLAIN, NORM, NOISY = "without", "batch norm", "noisy batch norm"
NETS = {PLAIN: net5(), NORM: net5(normalization="batch", norm_epsilon=1e-5)}
RATES = (0.01, 0.1)
TUNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
UPDATES, EVERY, BUDGET, BATCH = 200, 20, 300, 100  # of 1,000 rows


def needed(accuracy: np.ndarray) -> np.ndarray:
    """Updates to 95 %, (seeds,), from accuracies after every 10 updates."""
    there = accuracy >= 0.95
    first = np.where(there.any(axis=1), there.argmax(axis=1) + 1, there.shape[1])
    return 10.0 * first


def body(lesson: Lesson) -> None:
    from kerasreg.lesson.shift import WatchedNet

    lower = [
        Rule(f"{what} change less at rate {rate:g}", "less", 1.25, "ratio")
        for what in ("gradients", "inputs")
        for rate in RATES
    ]
    more = Rule("with noise inputs change more at rate 0.1", "greater", 1.25, "ratio")
    slow = Rule("with noise it trains no faster", "greater", 1.0, "ratio", null=0.8)

    data = lesson.data(train_size=1000)
    best = lesson.tune(NETS, TUNING_RATES, data, epochs=5, batch_size=BATCH)
    nets = {name: WatchedNet(config, data, BATCH) for name, config in NETS.items()}
    nets[NOISY] = WatchedNet(NETS[NORM], data, BATCH, noisy=True)
    rate_of = {name: config.learning_rate for name, config in best.items()}
    rate_of[NOISY] = nets[NOISY].tuned(TUNING_RATES, lesson.tuning_seeds, 2 if lesson.quick else 50)
    updates, budget = (40, 20) if lesson.quick else (UPDATES, BUDGET)
    shift, accuracy = {}, {}
    for name, net in nets.items():
        for rate in RATES:
            seen = [net.shift(seed, rate, updates, EVERY) for seed in lesson.seeds]
            shift[name, rate] = {key: np.array([one[key] for one in seen]) for key in seen[0]}
        own = rate_of[name]
        accuracy[name] = np.array([net.accuracy(s, own, budget, 10) for s in lesson.seeds])
        lesson.log(name, 10 * np.arange(1, budget // 10 + 1), {"accuracy/train": accuracy[name]})
        lesson.log(name, np.arange(0, updates, EVERY), shift[name, RATES[1]])

    def pair(what, rate, name=NORM):
        return [shift[one, rate][what].mean(axis=1) for one in (name, PLAIN)]

    *less, shifts, speed = lesson.judge(
        (lower[0], *pair("gradients", RATES[0])),
        (lower[1], *pair("gradients", RATES[1])),
        (lower[2], *pair("inputs", RATES[0])),
        (lower[3], *pair("inputs", RATES[1])),
        (more, *pair("inputs", RATES[1], NOISY)),
        (slow, needed(accuracy[NOISY]), needed(accuracy[PLAIN])),
    )
    lesson.conclude(
        "C30",
        *less,
        take_home=f"At rate {RATES[1]:g} gradients changed {brief(less[1])} as much as without it, "
        f"inputs {brief(less[3])}: what the answer is depends on which shift is meant.",
    )
    if shifts.verdict != "supported":
        reason = f"the noise did not add enough shift: {shifts.reason}"
        speed = replace(speed, verdict="undecided", reason=reason)
    lesson.conclude(
        "C31",
        speed,
        take_home=f"With noise, inputs shifted {brief(shifts)} as much as in the plain net, and "
        f"training took {brief(speed)} its updates: shift alone does not say how fast a net "
        "learns.",
    )
    lesson.table(
        {
            "net": name,
            "rate": f"{rate:g}",
            "change of gradients": spread(own["gradients"].mean(axis=1), digits=3),
            "change of inputs": spread(own["inputs"].mean(axis=1), digits=3),
            "updates to 95 %, own rate": spread(needed(accuracy[name]), digits=0),
        }
        for (name, rate), own in shift.items()
    )

    def over_updates(values: dict, title: str, ylabel: str, step: int, first: int = 0):
        def panel(axes) -> None:
            for index, (name, own) in enumerate(values.items()):
                band(axes, first + step * np.arange(own.shape[1]), own, name, index)
            axes.set(title=title, xlabel="updates", ylabel=ylabel, ylim=(0, None))
            axes.legend(loc="best")

        return panel

    changes = {n: shift[n, RATES[1]]["gradients"] for n in NETS}
    inputs = {n: shift[n, RATES[1]]["inputs"] for n in nets}
    percent = {name: 100 * values for name, values in accuracy.items()}
    lesson.draw(
        "Internal covariate shift, five hidden layers of 100",
        over_updates(changes, "change of gradients, rate 0.1", "|G − G'| / |G|", EVERY),
        over_updates(inputs, "change of inputs, rate 0.1", "SD an update", EVERY),
        over_updates(percent, "training accuracy, own rate", "accuracy, %", 10, 10),
        caption="How much each update of the layers below changes a layer's gradient, and its "
        "inputs, over training; and training accuracy, for a net without and with batch "
        "normalization and with noise added after it.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=6))
