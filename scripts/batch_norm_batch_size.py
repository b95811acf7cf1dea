"""Does what batch normalization gains depend on the batch size, and what happens with one row?

Prediction: with a few rows its statistics are mostly noise, so that its gain shrinks; with one row
a vector becomes beta whatever it was, while an image still has its pixels to average over.

Source: lecture notes on the limits of batch normalization; Ioffe (2017), Wu and He (2018).

Rule: two hidden layers of 100 on 500 images, 20 epochs for every batch size, each arm at each size
with its own learning rate, the best on the tuning rows. C26: the gain in test accuracy over no
normalization is smaller with batches of 2, and of 4, than with batches of 100, by a fifth of the
errors (at most 1.5 points). Beside it: the other sizes, and layer normalization, which has no batch
in it. C27 has three exact parts, with random weights, gamma and beta and one row: the output for a
vector is beta; the gradient of the kernel before it is 0; so is the standard deviation of each
channel of an image.
"""

import sys

import numpy as np

from kerasreg.evidence import ExactRule, Rule
from kerasreg.lesson import Advice, Lesson, run, sweep

PLAIN, NORM, LAYER = "without", "batch norm", "layer norm"
SIZES = (2, 4, 8, 16, 32, 100)
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
EPOCHS, ROWS = 20, 500


def network(data, kind: str):
    """Two hidden layers of 100, with a normalization before every activation or without."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(layers.Dense(100, use_bias=kind == PLAIN, kernel_initializer="he_normal"))
        if kind == NORM:
            model.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
        if kind == LAYER:
            model.add(layers.LayerNormalization(epsilon=1e-5))
        model.add(layers.Activation("relu"))
    model.add(layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


def one_row(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Output minus beta for a vector, the kernel's gradient, and an image's channel deviations."""
    import keras
    import tensorflow as tf

    random = np.random.default_rng(seed)
    dense = keras.layers.Dense(50, use_bias=False, dtype="float64")
    norm = keras.layers.BatchNormalization(epsilon=1e-5, dtype="float64")
    x = tf.constant(random.normal(size=(1, 20)))
    norm(dense(x))
    for weight in (dense.kernel, norm.gamma, norm.beta):
        weight.assign(random.normal(size=weight.shape))
    with tf.GradientTape() as tape:
        output = norm(dense(x), training=True)
        loss = tf.reduce_sum(output**2)
    gradient = tape.gradient(loss, dense.kernel.value)
    image = keras.layers.BatchNormalization()(random.normal(size=(1, 8, 8, 3)), training=True)
    return (output - norm.beta).numpy(), gradient.numpy(), np.std(image, axis=(0, 1, 2))


def body(lesson: Lesson) -> None:
    is_beta = ExactRule("a vector becomes beta", tolerance=1e-6)
    stuck = ExactRule("the kernel's gradient is 0", tolerance=1e-6)
    flat = ExactRule("an image's channels have deviation 0", tolerance=1e-6)

    data = lesson.data(train_size=ROWS)
    arms, runs = {kind: network(data, kind) for kind in (PLAIN, NORM, LAYER)}, {}
    for size in (SIZES[0], SIZES[-1]) if lesson.quick else SIZES:
        own = {"epochs": EPOCHS, "batch_size": size}
        best = lesson.tune(arms, RATES, data, seeds=2, label=f"tuning, batch {size}", **own)
        runs[size] = lesson.train(best, data, every=EPOCHS, label=f"batch {size}", **own)
        lesson.table({"batch": size, **row} for row in runs[size].table())
    test = {
        arm: np.stack([own[arm].final("test_accuracy") for own in runs.values()], axis=1)
        for arm in arms
    }
    gains = {arm: test[arm] - test[PLAIN] for arm in arms}
    percent, points = ({a: 100 * v for a, v in own.items()} for own in (test, gains))
    sizes = list(runs)

    def smaller(arm: str, size: int) -> tuple:
        rule = Rule(
            f"gain of {arm} with batches of {size}, against {sizes[-1]}",
            "less",
            lesson.smallest_effect,
            unit="pp",
        )
        one, other = gains[arm][:, sizes.index(size)], gains[arm][:, -1]
        return rule, rule.compare(one, other, reference=test[PLAIN][:, -1])

    few = [size for size in sizes if size <= 4]
    decided = lesson.judge({f"{size} rows": smaller(NORM, size) for size in few})
    beside = lesson.judge(
        {f"{size} rows": smaller(NORM, size) for size in sizes[:-1] if size not in few}
        | {f"{size} rows, layer norm": smaller(LAYER, size) for size in few}
    )
    lesson.conclude(
        "C26",
        *decided.values(),
        setting="500 images, two hidden layers of 100, 20 epochs",
        advice=Advice(
            claimed="With batches of a few rows use layer normalization, or none.",
            opposite="Batch normalization is at its best with batches of a few rows here.",
            none="Batches of a few rows are no reason against batch normalization here.",
            mixed="Measure batch normalization at the batch size that you will use.",
        ),
        why="Mean and variance of a few rows are mostly noise.",
        beside=list(beside.values()),
    )
    shift, gradient, deviations = one_row()
    lesson.conclude(
        "C27",
        is_beta.decide(shift, 0),
        stuck.decide(gradient, 0),
        flat.decide(deviations, 0),
        predicted="partly",
        setting="One row, a dense layer of 50; an image of 8 × 8 with 3 channels",
        advice=Advice(
            claimed="Keep a short last batch from being one row.",
            opposite="One row in a batch is no problem.",
            none="One row in a batch is no problem.",
            mixed="Keep a short last batch from being one row; convolutions average over positions "
            "and survive.",
        ),
    )
    axis = {"log": True, "ticks": [str(size) for size in runs]}
    lesson.draw(
        "Batch normalization and the batch size, 500 images, 20 epochs",
        sweep(list(runs), percent, "test accuracy", "rows in a batch", "accuracy, %", **axis),
        sweep(list(runs), points, "gain over no normalization", "rows in a batch", "pp", **axis),
        caption="Test accuracy over the batch size without normalization and with batch and layer "
        "normalization, each at its best learning rate, and what these gain over none.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
