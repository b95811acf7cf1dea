"""Does batch normalization keep gradients from vanishing, and from exploding?

Prediction: with sigmoid the first layer gets a gradient at last and the net trains. Explosion is
another matter: batch normalization undoes too large weights, but makes gradients of its own.

Source: lecture notes on batch normalization; Glorot and Bengio (2010), Yang et al. (2019).

Rule: C23, five hidden layers, Xavier: before the first update the first kernel's gradient, relative
to the last hidden one's, is 10 times as large with batch normalization for sigmoid and twice for
tanh; after 300 updates sigmoid has 20 points more training accuracy, each arm at its own learning
rate. C24, ReLU and He, before the first update: over 30 layers the second kernel's gradient is less
than twice that of the last hidden one, which has the same shape; with 15 layers and weights of
twice He's scale, batch normalization makes it 2 times smaller. Holm over the five.
"""

import sys

import numpy as np

from kerasreg.evidence import ExactRule, Rule
from kerasreg.lesson import Lesson, brief, curves, dots, run, sweep
from kerasreg.lesson.models import net5

PLAIN, NORM = "without", "batch norm"
NETS = {PLAIN: net5(), NORM: net5(normalization="batch", norm_epsilon=1e-5)}
DEPTHS = (5, 15, 30)
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
EPOCHS, BATCH = 30, 100  # of 1,000 rows: 300 updates


def arms(**changes) -> dict:
    return {net: config.replace(**changes) for net, config in NETS.items()}


def body(lesson: Lesson) -> None:
    from kerasreg.lesson.gradients import gradient_check, initial_gradient_norms

    reaches = Rule("sigmoid: gradients reach the first layer", "greater", 1.0, "ratio", null=10.0)
    trains = Rule("sigmoid: training accuracy rises by 20 pp", "greater", 0.0, null=0.2, unit="pp")
    reaches_tanh = Rule("tanh: the same", "greater", 1.0, "ratio", null=2.0)
    flat = Rule("30 layers: gradients grow less than twofold", "less", 1.0, "ratio", null=2.0)
    calms = Rule("weights twice as large: smaller gradients", "less", 2.0, "ratio")
    exact = ExactRule("gradients equal central differences", tolerance=1e-6)

    data = lesson.data(train_size=1000)

    def gradients(config):
        return initial_gradient_norms(config, data, lesson.seeds, BATCH)

    def reach(config, first=0):  # a kernel's gradient relative to the last hidden one's
        norms = gradients(config)
        return norms[:, first] / norms[:, -2]

    sigmoid, tanh = (arms(activation=kind, initializer="xavier") for kind in ("sigmoid", "tanh"))
    at_start = {f"sigmoid, {net}": reach(config) for net, config in sigmoid.items()}
    at_start |= {f"tanh, {net}": reach(config) for net, config in tanh.items()}
    deep = [arms(units=(100,) * depth) for depth in DEPTHS]
    growth = {net: np.transpose([reach(nets[net], 1) for nets in deep]) for net in NETS}
    large = {n: gradients(c)[:, 1] for n, c in arms(units=(100,) * 15, initial_scale=2.0).items()}
    tuned = lesson.tune(sigmoid, RATES, data, epochs=EPOCHS, batch_size=BATCH)
    runs = lesson.train(tuned, data, epochs=EPOCHS, batch_size=BATCH)

    share, gain, share_tanh, grows, calmer = lesson.judge(
        (reaches, at_start[f"sigmoid, {NORM}"], at_start[f"sigmoid, {PLAIN}"]),
        (trains, runs[NORM].final("train_accuracy"), runs[PLAIN].final("train_accuracy")),
        (reaches_tanh, at_start[f"tanh, {NORM}"], at_start[f"tanh, {PLAIN}"]),
        (flat, growth[NORM][:, -1], np.ones(len(lesson.seeds))),
        (calms, large[NORM], large[PLAIN]),
    )
    lesson.conclude(
        "C23",
        share,
        gain,
        share_tanh,
        take_home=f"The first layer's share of the gradient became {brief(share)} as large with "
        f"sigmoid, and {brief(share_tanh)} with tanh, where Xavier weights already carry it.",
    )
    lesson.conclude(
        "C24",
        grows,
        calmer,
        take_home=f"Over 30 layers gradients grew {brief(grows)} towards the input, and weights "
        f"of twice the scale gave {brief(calmer)} the gradient of a net without. Very deep nets "
        "are trained with skip connections besides.",
    )
    check = net5(normalization="batch", units=(100, 100))  # the notes' net, in float64
    error, _ = gradient_check(check, data, rows=8)
    _, largest = gradient_check(check, data, rows=1)
    lesson.notes.append(
        f"Gradient check with 8 rows, {exact.decide(error, 0).verdict}: {exact.claim}, largest "
        f"relative deviation {error:.1g}. With the notes' one row every hidden kernel's gradient "
        f"is {largest:.1g}, so that their check cannot fail."
    )
    lesson.table(runs.table())
    at_start = {arm: np.log10(values) for arm, values in at_start.items()}
    lesson.draw(
        "Gradients of the kernels with and without batch normalization",
        dots(at_start, "first kernel, before training", "log10 of gradient relative to the last"),
        curves(runs, "train_accuracy", "training accuracy with sigmoid", per="update"),
        sweep(
            DEPTHS,
            growth,
            "second kernel, ReLU and He",
            "hidden layers",
            "gradient relative to the last",
            log_y=True,
        ),
        caption="The first kernel's gradient relative to the last hidden one's before training, "
        "training accuracy with sigmoid, and the second kernel's gradient over depth with ReLU.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=5))
