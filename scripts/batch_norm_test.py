"""Does batch normalization make training independent of the initial weights?

Prediction: many more scales train; independent it is not.

Source: lecture notes on chapter 6 (16 scales of the initial weights, 1,000 images, five hidden
layers of 100, SGD 0.01, batches of 100, 20 epochs); Ioffe and Szegedy (2015).

Rule: C21 has two parts, after 200 updates: at least twice as many of the 16 scales reach 90 %
training accuracy (none counts as one); and training does not depend on the scale, as its accuracies
lie within 5 points.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import FIFTH, Advice, Lesson, curves, run, sweep

PLAIN, NORM = "without", "batch norm"
SCALES = np.logspace(0, -4, 16)  # standard deviations of all initial kernels
EPOCHS, BATCH = 20, 100  # of 1,000 rows: 200 updates


def network(data, norm: bool, scale: float):
    """The notes' network, with batch normalization before every activation or without."""
    import keras
    from keras import layers

    kernel = keras.initializers.RandomNormal(stddev=scale)
    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(5):  # a bias would be subtracted again by the normalization
        model.add(layers.Dense(100, use_bias=not norm, kernel_initializer=kernel))
        if norm:  # momentum and epsilon of the original code; Keras' defaults are 0.99 and 0.001
            model.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-6))
        model.add(layers.Activation("relu"))
    model.add(layers.Dense(data.classes, "softmax", kernel_initializer=kernel))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    data = lesson.data(train_size=1000)
    arms = {
        net: {f"{net}, scale {s:.2g}": network(data, net == NORM, s) for s in SCALES}
        for net in (PLAIN, NORM)
    }
    runs = lesson.train(arms[PLAIN] | arms[NORM], data, epochs=EPOCHS, batch_size=BATCH, every=2)
    accuracy = {net: runs.stacked("train_accuracy", list(arms[net])) for net in arms}
    trained = {net: np.maximum((v >= 0.9).sum(axis=1), 1) for net, v in accuracy.items()}

    more = Rule("scales that train", "greater", FIFTH, "ratio", needs=2.0, unit="of 16")
    steady = Rule(
        "accuracy over the scales lies within 5 points", "less", 0.015, needs=0.0, unit="pp"
    )
    decided = lesson.judge(
        {
            "scales that train": (more, trained[NORM], trained[PLAIN]),
            "independent": (steady, np.ptp(accuracy[NORM], axis=1), 0.05),
        }
    )
    lesson.conclude(
        "C21",
        *decided.values(),
        setting="1,000 images, five hidden layers of 100",
        advice=Advice(
            claimed="Batch normalization forgives initial weights.",
            opposite="Choose the initial weights with care, with batch normalization too.",
            none="Choose the initial weights with care, with batch normalization too.",
            mixed="Batch normalization forgives a wrong scale of the initial weights, within "
            "limits: still use He's for ReLU.",
        ),
        why="The scale of a layer's weights cancels in the normalization; what is left is how "
        "large a step is beside the weights.",
    )
    lesson.table(runs.table())
    percent = {net: 100 * values for net, values in accuracy.items()}
    words = "accuracy after 200 updates, %"
    lesson.draw(
        "Batch normalization and the initial weights",
        sweep(SCALES, percent, "over initial scales", "SD of kernels", words, log=True),
        caption="Training accuracy after 200 updates over 16 scales of the initial weights.",
    )
    pairs = zip(SCALES, arms[PLAIN], arms[NORM], strict=True)
    figure = lesson.draw(
        "Training accuracy for 16 scales of the initial weights",
        *(
            curves(runs, "train_accuracy", f"scale {s:.2g}", {PLAIN: plain, NORM: norm})
            for s, plain, norm in pairs
        ),
        columns=4,
        caption="The notes' figure: training accuracy over epochs with and without batch "
        "normalization, a panel for each standard deviation of the initial kernels.",
    )
    for axes in figure.axes:
        axes.set_ylim(0, 103)
    for axes in figure.axes[1:]:  # one legend for all
        axes.get_legend().remove()


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
