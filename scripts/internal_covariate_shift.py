"""Does batch normalization reduce internal covariate shift, and is that what hinders training?

Prediction: no and no. The shift is not smaller by both of its definitions, and a net with shift
added on purpose still trains faster than one without normalization.

Source: lecture notes (shift as a change of gradients, and of distributions); Ioffe and Szegedy
(2015), Santurkar et al. (2018).

Rule: five hidden layers of 100, 200 updates at rates 0.01 and 0.1. Shift is the change of a layer's
gradient once the layers below are updated. C30: batch normalization lowers it by a fifth at both
rates. Beside it: the change of the means of a layer's inputs on fixed rows, which batch
normalization pins by construction, as it normalizes these rows by their own statistics. C31: with
noise after each batch normalization the inputs shift a fifth more than without normalization at
rate 0.1, in the first half of the updates and in the second, else it does not apply; then the
largest rate of five that reaches 90 % training accuracy within 200 updates is smaller than that of
the plain net, by a quarter. Beside it: updates to 95 %, each at its own rate.
"""

import sys

import numpy as np

from kerasreg.evidence import Premise, Rule, applies_if
from kerasreg.lesson import FIFTH, Advice, Lesson, band, run, sooner, spread, times_to

PLAIN, NORM, NOISY = "without", "batch norm", "noisy batch norm"
RATES = (0.01, 0.1)
TUNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
STABLE_RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
UPDATES, EVERY, BUDGET, BATCH = 200, 20, 300, 100  # of 1,000 rows


def network(data, norm: bool):
    """Five hidden layers of 100, with batch normalization before every activation or without."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(5):
        model.add(layers.Dense(100, use_bias=not norm, kernel_initializer="he_normal"))
        if norm:
            model.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
        model.add(layers.Activation("relu"))
    model.add(layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


def largest_rate(net, seeds, updates: int) -> np.ndarray:
    """The largest of `STABLE_RATES` with which 90 % is reached, (seeds,); the smallest if none."""
    reached = np.stack(
        [
            (net.train(seeds, rate, updates, 10).train_accuracy >= 0.9).any(axis=1)
            for rate in STABLE_RATES
        ],
        axis=1,
    )
    return np.where(reached, STABLE_RATES, STABLE_RATES[0]).max(axis=1)


def body(lesson: Lesson) -> None:
    from kerasreg.lesson.watched import WatchedNet, with_noise

    data = lesson.data(train_size=1000)
    plain_or_norm = {PLAIN: network(data, norm=False), NORM: network(data, norm=True)}
    best = lesson.tune(plain_or_norm, TUNING_RATES, data, epochs=5, batch_size=BATCH)
    nets = {name: WatchedNet(model, data, BATCH) for name, model in plain_or_norm.items()}
    nets[NOISY] = WatchedNet(plain_or_norm[NORM], data, BATCH, with_noise)
    rate_of = {name: config.learning_rate for name, config in best.items()}
    rate_of[NOISY] = nets[NOISY].tuned(TUNING_RATES, lesson.tuning_seeds, 2 if lesson.quick else 50)
    updates, budget = (40, 20) if lesson.quick else (UPDATES, BUDGET)
    shift, accuracy = {}, {}
    for name, net in nets.items():
        for rate in RATES:
            seen = [net.shift(seed, rate, updates, EVERY) for seed in lesson.seeds]
            shift[name, rate] = {key: np.array([one[key] for one in seen]) for key in seen[0]}
        own = rate_of[name]
        accuracy[name] = net.train(lesson.seeds, own, budget, 10)
        curves = {"accuracy/train": accuracy[name].train_accuracy}
        lesson.log(name, accuracy[name].updates, curves)
        lesson.log(name, np.arange(0, updates, EVERY), shift[name, RATES[1]])

    def pair(what, rate, name=NORM):
        return [shift[one, rate][what].mean(axis=1) for one in (name, PLAIN)]

    def changes(what: str) -> dict:
        rules = {
            rate: Rule(f"change of {what} at rate {rate:g}", "less", FIFTH, "ratio")
            for rate in RATES
        }
        return {rule.claim: (rule, *pair(what, rate)) for rate, rule in rules.items()}

    decided, beside = lesson.judge(changes("gradients")), lesson.judge(changes("inputs"))
    setting = "1,000 images, five hidden layers of 100"
    lesson.conclude(
        "C30",
        *decided.values(),
        predicted="contradicted",
        setting=setting,
        advice=Advice(
            claimed="Batch normalization calms the gradients of the layers above.",
            opposite="Do not explain batch normalization by less covariate shift.",
            none="Do not explain batch normalization by less covariate shift.",
            mixed="Do not explain batch normalization by less covariate shift: it depends on the "
            "rate.",
        ),
        why="The means of the inputs hardly move because each batch is normalized by its own: that "
        "is built in and shows nothing.",
        beside=list(beside.values()),
    )
    shifted = [shift[name, RATES[1]]["inputs"] for name in (NOISY, PLAIN)]
    middle = shifted[0].shape[1] // 2
    halves = [
        float(np.exp(np.mean(np.log(noisy.mean(axis=1) / plain.mean(axis=1)))))
        for noisy, plain in (
            [values[:, :middle] for values in shifted],
            [values[:, middle:] for values in shifted],
        )
    ]
    more = Premise(
        "with noise the inputs shift a fifth more than without normalization, early and late",
        min(halves) >= FIFTH,
        f"{halves[0]:.2g} and {halves[1]:.2g} times as much",
    )
    unstable = Rule("largest rate that trains, noise against plain", "less", FIFTH, "ratio")
    few = 20 if lesson.quick else UPDATES
    largest = {name: largest_rate(nets[name], lesson.seeds, few) for name in (NOISY, PLAIN)}
    stable = lesson.judge({"rates": (unstable, largest[NOISY], largest[PLAIN])})
    speed = lesson.judge(
        {"speed": sooner("updates to 95 % with noise", accuracy[NOISY], accuracy[PLAIN])}
    )
    lesson.conclude(
        "C31",
        applies_if(stable["rates"], more),
        predicted="contradicted",
        setting=setting,
        advice=Advice(
            claimed="Keep the distributions between layers steady.",
            opposite="Do not look for covariate shift where training is unstable.",
            none="Do not look for covariate shift where training is unstable.",
        ),
        beside=list(speed.values()),
    )
    lesson.table(
        {
            "net": name,
            "rate": f"{rate:g}",
            "change of gradients": spread(own["gradients"].mean(axis=1), digits=3),
            "change of inputs": spread(own["inputs"].mean(axis=1), digits=3),
            "updates to 95 %, own rate": times_to(
                accuracy[name].train_accuracy, accuracy[name].updates, 0.95
            ).text(),
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

    gradients = {n: shift[n, RATES[1]]["gradients"] for n in plain_or_norm}
    inputs = {n: shift[n, RATES[1]]["inputs"] for n in nets}
    percent = {name: 100 * own.train_accuracy for name, own in accuracy.items()}
    lesson.draw(
        "Internal covariate shift, five hidden layers of 100",
        over_updates(gradients, "change of gradients, rate 0.1", "|G − G'| / |G|", EVERY),
        over_updates(inputs, "change of inputs, rate 0.1", "SD an update", EVERY),
        over_updates(percent, "training accuracy, own rate", "accuracy, %", 10, 10),
        caption="How much each update of the layers below changes a layer's gradient, and its "
        "inputs, over training; and training accuracy, for a net without and with batch "
        "normalization and with noise added after it.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
