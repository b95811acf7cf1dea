"""Did all normalizations but batch normalization fail?

Prediction: no. With batches of 32 the others are about as good, and with batches of two better,
because their statistics need no other images.

Source: a lecture's note that everything else failed; Wu and He (2018) on group normalization, Ba et
al. (2016) on layer normalization, which is in every transformer, Ulyanov et al. (2016) on instance
normalization.

Rule: two convolutions with pooling on 200 images, 5 epochs with batches of 2 and 30 with batches
of 32, each arm at each size with its own learning rate, the best on the tuning rows. C38 has six
parts: layer, instance and group normalization (4 groups) have each, at both sizes, at least 5
points less test accuracy than batch normalization; a difference below a fifth of the errors (at
most 1.5 points) does not matter. Beside it: batch normalization against none.
"""

import sys

from kerasreg.evidence import Rule
from kerasreg.lesson import Advice, Lesson, dots, effects, run

PLAIN, BATCH_NORM = "none", "batch"
OTHERS = ("layer", "instance", "group")
RATES = (0.01, 0.03, 0.1, 0.3)
EPOCHS = {2: 5, 32: 30}  # of 200 rows: 500 and 210 updates


def network(data, kind: str):
    """Two convolutions, each with a normalization before its activation, or with none."""
    import keras
    from keras import layers

    side = round(data.input_shape[0] ** 0.5)
    model = keras.Sequential([keras.Input(data.input_shape), layers.Reshape((side, side, 1))])
    for filters in (8, 16):
        model.add(layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal"))
        if kind == "batch":  # over the batch and all positions, of each channel
            model.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
        if kind == "layer":  # over positions and channels, of each image
            model.add(layers.LayerNormalization(axis=[1, 2, 3], epsilon=1e-5))
        if kind == "instance":  # over positions, of each image and channel
            model.add(layers.GroupNormalization(groups=-1, epsilon=1e-5))
        if kind == "group":  # over positions and a quarter of the channels, of each image
            model.add(layers.GroupNormalization(groups=4, epsilon=1e-5))
        model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D(2 if side < 16 else 4))
    model.add(layers.Flatten())
    model.add(layers.Dense(data.classes, "softmax"))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    data = lesson.data(train_size=200)
    others = OTHERS[-1:] if lesson.quick else OTHERS
    test = {}
    for kind in (PLAIN, BATCH_NORM, *others):
        net = {kind: network(data, kind)}
        for size, epochs in EPOCHS.items():
            name, own = f"{kind}, batches of {size}", {"epochs": epochs, "batch_size": size}
            best = lesson.tune(net, RATES, data, seeds=1, label=f"tuning, {name}", **own)
            runs = lesson.train(best, data, every=epochs, label=name, **own)
            test[kind, size] = runs[kind].final("test_accuracy")
            lesson.table({"rows in a batch": size, **row} for row in runs.table())

    def compared(kind: str, other: str, size: int, direction: str, needs: float | None) -> tuple:
        words = f"test accuracy with {kind} against {other} normalization, batches of {size}"
        rule = Rule(words, direction, lesson.smallest_effect, needs=needs, unit="pp")
        return rule, test[kind, size], test[other, size]

    decided = lesson.judge(
        {
            f"{kind}, batches of {size}": compared(kind, BATCH_NORM, size, "less", 0.05)
            for size in EPOCHS
            for kind in others
        }
    )
    beside = lesson.judge(
        {
            f"batches of {size}": compared(BATCH_NORM, PLAIN, size, "greater", None)
            for size in EPOCHS
        }
    )
    lesson.conclude(
        "C38",
        *decided.values(),
        predicted="contradicted",
        setting="200 images, two convolutions",
        advice=Advice(
            claimed="Use batch normalization with convolutions.",
            opposite="With batches of a few images take group, layer or instance normalization.",
            none="Choose by batch size: the others do without a batch.",
            mixed="With large batches keep batch normalization; with a few images in a batch take "
            "one that looks at each image alone.",
        ),
        why="Batch normalization's mean and variance come from the other images of the batch; the "
        "others take them from the image itself.",
        beside=list(beside.values()),
    )
    lesson.draw(
        "Normalizations in a small convolutional network, 200 images",
        *(
            dots(
                {kind: 100 * test[kind, size] for kind in (PLAIN, BATCH_NORM, *others)},
                f"batches of {size}",
                "test accuracy, %",
            )
            for size in EPOCHS
        ),
        effects(decided, "against batch normalization", "test accuracy, pp"),
        caption="Test accuracy with no, batch, layer, instance and group normalization with "
        "batches of 2 and of 32 images, and differences from batch normalization.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
