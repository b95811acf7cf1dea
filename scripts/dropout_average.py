"""Does scaling once at test do as well as averaging many thinned networks?

Prediction: yes, as well as the mean of 50 of them.

Source: slides on dropout; Srivastava et al. (2014), section 7.5; Warde-Farley et al. (2014).

Rule: the networks are two hidden layers of 512 with dropout 0.5, after 600 updates. A thinned
network lacks the same random half of its units for all test rows; an average is one of
probabilities. C07 is supported if the test accuracy of the scaled network (Keras' prediction) is
within 0.5 points of that of the mean of 50. The loss is drawn beside it and does not decide.
"""

import sys

import numpy as np
from scipy.special import softmax

from kerasreg.evidence import Rule
from kerasreg.lesson import Advice, Lesson, effects, run, sweep, thinning
from kerasreg.seeds import derive

ARM = "dropout 0.5"
SAMPLES = (1, 2, 5, 10, 20, 50)
EPOCHS, BATCH = 60, 100  # of 1,000 rows: 600 updates


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


def averaged(weights: thinning.Weights, split, seed: int, samples: tuple) -> list[tuple]:
    """Accuracy and loss of the mean over ever more thinned networks, for each of `samples`."""
    generator = np.random.default_rng(derive(seed, "thinned networks"))
    total, results = 0.0, []
    for count in range(1, samples[-1] + 1):
        logits = thinning.thinned_logits(
            weights, split.x, thinning.keep_masks(generator, weights, 0.5)
        )
        # In float32 the probability of what a network rules out would be 0, its logarithm infinite.
        total = total + softmax(logits.astype("float64"), axis=-1)
        if count in samples:
            mean = np.log(total / count)  # its softmax is the mean probability
            results.append((thinning.accuracy(mean, split), thinning.data_loss(mean, split)))
    return results


def body(lesson: Lesson) -> None:
    once = Rule("scaling once equals averaging 50", "equivalent", 0.005, unit="pp")
    single = Rule("scaling once beats a single thinned network", "greater", 0.005, unit="pp")

    data = lesson.data(train_size=1000)
    runs = lesson.train({ARM: network(data, 0.5)}, data, epochs=EPOCHS, batch_size=BATCH, every=20)
    samples = SAMPLES[:3] if lesson.quick else SAMPLES
    hits, loss = np.moveaxis(
        [
            averaged(
                thinning.dense_weights(runs.model(ARM, index)), data.judging(seed), seed, samples
            )
            for index, seed in enumerate(runs.seeds)
        ],
        2,
        0,
    )
    scaled = {"hits": runs[ARM].final("test_accuracy"), "loss": runs[ARM].final("test_data_loss")}
    decided = lesson.judge({"scaled − mean of 50": (once, scaled["hits"], hits[:, -1])})
    beside = lesson.judge({"scaled − one": (single, scaled["hits"], hits[:, 0])})
    lesson.conclude(
        "C07",
        *decided.values(),
        setting="1,000 images, two hidden layers of 512 with dropout 0.5",
        advice=Advice(
            claimed="Predict by one pass with dropout off.",
            opposite="Average many passes with dropout on where accuracy is worth the time.",
            none="Predict by one pass with dropout off.",
        ),
        beside=list(beside.values()),
    )
    lesson.table(
        [
            {
                "prediction": name,
                "test accuracy": f"{100 * accuracy.mean():.2f} %",
                "test data loss": f"{nats.mean():.4f}",
            }
            for name, accuracy, nats in [
                ("scaled once", scaled["hits"], scaled["loss"]),
                *((f"mean of {n}", hits[:, i], loss[:, i]) for i, n in enumerate(samples)),
            ]
        ]
    )

    def over_samples(values: np.ndarray, reference: np.ndarray, title: str, ylabel: str):
        level = np.repeat(reference[:, None], len(samples), axis=1)
        lines = {"mean of thinned networks": values, "scaled once": level}
        words = ("thinned networks averaged", ylabel)
        return sweep(samples, lines, title, *words, log=True, ticks=[str(n) for n in samples])

    lesson.draw(
        "Averaging thinned networks or scaling once, dropout 0.5",
        over_samples(100 * hits, 100 * scaled["hits"], "accuracy", "test accuracy, %"),
        over_samples(loss, scaled["loss"], "loss", "test data loss, nats"),
        effects(decided | beside, "scaled once", "accuracy, pp"),
        caption="Test accuracy and loss of the mean of ever more thinned networks against one pass "
        "with scaled weights, and the differences in accuracy.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
