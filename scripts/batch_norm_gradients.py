"""Does batch normalization keep gradients from vanishing, and from exploding?

Prediction: with sigmoid the first layer gets a gradient at last and the net trains. Explosion is
another matter: batch normalization undoes too large weights, but makes gradients of its own.

Source: lecture notes on batch normalization; Glorot and Bengio (2010), Yang et al. (2019).

Rule: the gradient of the first kernel before the first update. C23: with sigmoid, five layers and
Xavier's weights, it is 10 times as large with batch normalization, relative to the last hidden
one's; with tanh, 15 layers and half of Xavier's scale, it is 10 times as large; both apply if it
vanishes without, below a tenth (sigmoid: of the last one's; tanh: of what Xavier's scale gives).
After 300 updates sigmoid has 20 points more training accuracy, each arm at its own rate. C24, ReLU
and He: over 30 layers the second kernel's gradient is less than twice that of the last hidden one,
which has the same shape; with 15 layers and twice He's scale, batch normalization halves it.
"""

import sys

import numpy as np

from kerasreg.evidence import ExactRule, Premise, Rule, applies_if
from kerasreg.lesson import FIFTH, Advice, Lesson, curves, dots, run, sweep

PLAIN, NORM = "without", "batch norm"
DEPTHS = (5, 15, 30)
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
EPOCHS, BATCH = 30, 100  # of 1,000 rows: 300 updates


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


def body(lesson: Lesson) -> None:
    from kerasreg.lesson.gradients import gradient_check, initial_gradient_norms
    from kerasreg.lesson.networks import config_of

    reaches = Rule(
        "sigmoid: first kernel's share of the gradient", "greater", FIFTH, "ratio", needs=10.0
    )
    trains = Rule(
        "sigmoid: training accuracy", "greater", lesson.smallest_effect, needs=0.2, unit="pp"
    )
    reaches_tanh = Rule(
        "tanh, small weights: first kernel's gradient", "greater", FIFTH, "ratio", needs=10.0
    )
    flat = Rule(
        "30 layers: gradient of the second kernel, against the last", "not greater", 2.0, "ratio"
    )
    calms = Rule("twice He's scale: the gradient", "less", FIFTH, "ratio", needs=2.0)
    exact = ExactRule("gradients equal central differences", tolerance=1e-6)

    data = lesson.data(train_size=1000)
    nets = {PLAIN: config_of(network(data, norm=False)), NORM: config_of(network(data, norm=True))}

    def arms(**changes) -> dict:
        return {net: config.replace(**changes) for net, config in nets.items()}

    def gradients(config):
        return initial_gradient_norms(config, data, lesson.seeds, BATCH)

    def reach(config, first=0):  # a kernel's gradient relative to the last hidden one's
        norms = gradients(config)
        return norms[:, first] / norms[:, -2]

    sigmoid, tanh = (arms(activation=kind, initializer="xavier") for kind in ("sigmoid", "tanh"))
    at_start = {f"sigmoid, {net}": reach(config) for net, config in sigmoid.items()}
    small = {net: c.replace(units=(100,) * 15, initial_scale=0.5) for net, c in tanh.items()}
    first = {f"tanh, {net}": gradients(config)[:, 0] for net, config in small.items()}
    xavier = gradients(tanh[PLAIN].replace(units=(100,) * 15))[:, 0]
    deep = [arms(units=(100,) * depth) for depth in DEPTHS]
    growth = {net: np.transpose([reach(own[net], 1) for own in deep]) for net in nets}
    large = {n: gradients(c)[:, 1] for n, c in arms(units=(100,) * 15, initial_scale=2.0).items()}
    tuned = lesson.tune(sigmoid, RATES, data, epochs=EPOCHS, batch_size=BATCH)
    runs = lesson.train(tuned, data, epochs=EPOCHS, batch_size=BATCH)

    vanishes = [
        Premise("without it the gradient vanishes, below a tenth", share < 0.1, f"{share:.2g}")
        for share in (
            np.median(at_start[f"sigmoid, {PLAIN}"]),
            np.median(first[f"tanh, {PLAIN}"] / xavier),
        )
    ]
    decided = lesson.judge(
        {
            "sigmoid": (reaches, at_start[f"sigmoid, {NORM}"], at_start[f"sigmoid, {PLAIN}"]),
            "tanh": (reaches_tanh, first[f"tanh, {NORM}"], first[f"tanh, {PLAIN}"]),
            "trains": (
                trains,
                runs[NORM].final("train_accuracy"),
                runs[PLAIN].final("train_accuracy"),
            ),
        }
    )
    lesson.conclude(
        "C23",
        applies_if(decided["sigmoid"], vanishes[0]),
        applies_if(decided["tanh"], vanishes[1]),
        decided["trains"],
        setting="1,000 images, layers of 100",
        advice=Advice(
            claimed="Use batch normalization where saturating units stop the gradient.",
            opposite="Batch normalization does not help saturating units: use ReLU.",
            none="Batch normalization makes no difference to saturating units here.",
        ),
        why="Normalized inputs lie where sigmoid and tanh have a slope, whatever the scale of the "
        "weights.",
    )
    explodes = lesson.judge(
        {
            "30 layers": (flat, growth[NORM][:, -1], 1.0),
            "twice the scale": (calms, large[NORM], large[PLAIN]),
        }
    )
    lesson.conclude(
        "C24",
        *explodes.values(),
        predicted="partly",
        setting="Layers of 100 with ReLU, before training",
        advice=Advice(
            claimed="Batch normalization keeps gradients from exploding.",
            opposite="Give very deep nets skip connections; batch normalization adds to explosion.",
            none="Batch normalization makes no difference to explosion here.",
            mixed="Batch normalization undoes too large weights, yet very deep nets need skip "
            "connections besides.",
        ),
    )
    check = nets[NORM].replace(units=(100, 100), norm_epsilon=1e-3)  # the notes' net, in float64
    error, _ = gradient_check(check, data, rows=8)
    _, largest = gradient_check(check, data, rows=1)
    lesson.notes.append(
        f"Gradient check with 8 rows, {exact.decide(error, 0).verdict}: {exact.claim}, largest "
        f"relative deviation {error:.1g}. With the notes' one row every hidden kernel's gradient "
        f"is {largest:.1g}, so that their check cannot fail."
    )
    lesson.table(runs.table())
    at_start |= {arm: values / xavier for arm, values in first.items()}
    at_start = {arm: np.log10(values) for arm, values in at_start.items()}
    lesson.draw(
        "Gradients of the kernels with and without batch normalization",
        dots(at_start, "first kernel, before training", "log10 of its relative gradient"),
        curves(runs, "train_accuracy", "training accuracy with sigmoid", per="update"),
        sweep(
            DEPTHS,
            growth,
            "second kernel, ReLU and He",
            "hidden layers",
            "gradient relative to the last",
            log_y=True,
        ),
        caption="The first kernel's gradient before training, relative to the last hidden one's "
        "(sigmoid) and to that at Xavier's scale (tanh), training accuracy with sigmoid, and the "
        "second kernel's gradient over depth with ReLU.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
