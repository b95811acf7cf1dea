"""Does the network scaled at test give what training with dropout expects?

Prediction: yes. Multiplying by the fraction kept gives the expected output exactly for a linear
layer, and closely for a network.

Source: lecture on normalisation and dropout; Baldi and Sadowski (2013); Goodfellow et al. (2016),
section 7.12.

Rule: C04 has two parts, for a fraction kept of 0.5. For a linear layer, the mean of 10,000 random
passes lies within 4 standard errors of the scaled output, for all of 100 outputs tried. For a
trained network, the mean of 200 random passes is off the scaled output by less than 10 % of the
logits' standard deviation over rows, over seeds.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, ThresholdRule
from kerasreg.lesson import Advice, Lesson, dots, run, sweep, thinning
from kerasreg.seeds import derive

KEEP = 0.5
ARM = "dropout 0.5"
PASSES = (1, 2, 5, 10, 20, 50, 100, 200)
EPOCHS, BATCH = 60, 100  # of 1,000 rows: 600 updates
ROWS = 100  # of the test rows


def network(data, rate: float):
    """Two hidden layers of 512, with dropout after each."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(keras.layers.Dense(512, activation="relu", kernel_initializer="he_normal"))
        model.add(keras.layers.Dropout(rate))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def linear_layer(passes: int) -> np.ndarray:
    """Distance of mean random outputs from the scaled ones, in standard errors, 100 outputs."""
    generator = np.random.default_rng(derive(0, "linear layer"))
    x, kernel = generator.normal(size=(10, 64)), generator.normal(size=(64, 10))
    random = (generator.random((passes, *x.shape)) < KEEP) * x @ kernel
    standard_error = random.std(axis=0, ddof=1) / np.sqrt(passes)
    return (random.mean(axis=0) - KEEP * (x @ kernel)) / standard_error


def off_by(weights: thinning.Weights, x: np.ndarray, seed: int, passes: tuple) -> list[float]:
    """Mean distance of means of random passes from the scaled logits, in the logits' spread."""
    generator = np.random.default_rng(derive(seed, "random passes"))
    scaled = thinning.thinned_logits(weights, x)
    total, distances = 0.0, []
    for count in range(1, passes[-1] + 1):
        masks = thinning.keep_masks(generator, weights, KEEP, rows=len(x))
        total = total + thinning.thinned_logits(weights, x, masks)
        if count in passes:
            distances.append(np.abs(total / count - scaled).mean() / scaled.std())
    return distances


def body(lesson: Lesson) -> None:
    linear = ThresholdRule("exact for a linear layer", "at_most", 4.0, unit="standard errors")
    deep = Rule(
        "network: mean distance of 200 passes, in the logits' spread",
        "less",
        0.01,
        needs=0.0,
        unit="pp",
    )

    data = lesson.data(train_size=1000)
    runs = lesson.train(
        {ARM: network(data, 1 - KEEP)}, data, epochs=EPOCHS, batch_size=BATCH, every=20
    )
    passes = PASSES[:4] if lesson.quick else PASSES
    distances = np.array(
        [
            off_by(
                thinning.dense_weights(runs.model(ARM, i)),
                data.judging(seed).x[:ROWS],
                seed,
                passes,
            )
            for i, seed in enumerate(runs.seeds)
        ]
    )
    errors = linear_layer(100 if lesson.quick else 10_000)
    decided = lesson.judge({"network": (deep, distances[:, -1], 0.1)})
    lesson.conclude(
        "C04",
        linear.decide(np.abs(errors).max()),
        *decided.values(),
        setting="A linear layer; 1,000 images, two hidden layers of 512 with dropout 0.5",
        advice=Advice(
            claimed="Scaling stands for the mean of many passes.",
            opposite="Average passes: scaling is not their mean.",
            none="Scaling stands for the mean of many passes.",
            mixed="Scaling is the mean for what is linear; average passes if that is not enough.",
        ),
        why="Expectation passes through a linear layer, and through ReLU nearly.",
    )
    lesson.table(runs.table())

    def linear_errors(axes) -> None:
        bins = np.arange(-4.25, 4.5, 0.5)
        axes.hist(errors.ravel(), bins, edgecolor="white")
        normal = errors.size * 0.5 * np.exp(-(np.linspace(-4, 4) ** 2) / 2) / np.sqrt(2 * np.pi)
        axes.plot(np.linspace(-4, 4), normal, "--", label="chance alone")
        axes.set(title="linear layer: mean of passes − scaled", xlabel="standard errors")
        axes.set(ylabel="outputs")
        axes.legend()

    lesson.draw(
        "What random passes average to, fraction kept 0.5",
        linear_errors,
        sweep(
            passes,
            {"two hidden layers of 512": 100 * distances},
            "network: mean of passes − scaled",
            "random passes averaged",
            "mean distance, % of the logits' spread",
            log=True,
            log_y=True,
            ticks=[str(count) for count in passes],
        ),
        dots(
            {"one pass": 100 * distances[:, 0], "mean of 200": 100 * distances[:, -1]},
            "network, each seed",
            "mean distance, % of the logits' spread",
        ),
        caption="Distance of the mean of random passes from the scaled output: for a linear layer "
        "in standard errors, for trained networks over the number of passes.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
