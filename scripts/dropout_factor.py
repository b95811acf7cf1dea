"""By which fraction does classic dropout multiply at prediction, the dropped or the kept one?

Prediction: by the fraction kept. The slides multiply by the fraction dropped, which is another
number unless both are 0.5.

Source: slides on dropout, against the lecture and the code of chapter 6; Srivastava et al. (2014).

Rule: the notes' network of six hidden layers with dropout 0.2 after 1,995 updates on 300 images.
C06 (multiply by the fraction dropped) has two parts: the test accuracy equals that with the
fraction kept within a fifth of the errors (at most 1.5 points), and so does the test loss within a
quarter.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import FIFTH, Advice, Lesson, dots, run, thinning

RATE, LAYERS = 0.2, 6
ARM = "dropout 0.2"
# Keras divides by the fraction kept in training, classic dropout does not: for the same network its
# kernels are Keras' divided by it, so that a factor f becomes f / kept.
FACTORS = {"kept (0.8)": 1 - RATE, "dropped (0.2)": RATE, "1": 1.0}
EPOCHS, BATCH = 665, 100  # of 300 rows: 1,995 updates


def network(data):
    """The notes' network, with dropout after every hidden layer."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(LAYERS):
        model.add(keras.layers.Dense(100, activation="relu", kernel_initializer="he_normal"))
        model.add(keras.layers.Dropout(RATE))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    hits = Rule(
        "test accuracy, dropped against kept", "equivalent", lesson.smallest_effect, unit="pp"
    )
    loss = Rule("test loss, dropped against kept", "equivalent", FIFTH, "ratio", unit="nats")

    data = lesson.data(train_size=300)
    runs = lesson.train({ARM: network(data)}, data, epochs=EPOCHS, batch_size=BATCH, every=95)
    found = {name: [] for name in FACTORS}
    for index, seed in enumerate(runs.seeds):
        weights, rows = thinning.dense_weights(runs.model(ARM, index)), data.judging(seed)
        for name, value in FACTORS.items():
            factors = [value / (1 - RATE)] * LAYERS
            logits = thinning.thinned_logits(weights, rows.x, factors)
            found[name].append((thinning.accuracy(logits, rows), thinning.data_loss(logits, rows)))
    found = {name: np.array(pairs).T for name, pairs in found.items()}
    kept, dropped, _ = found.values()
    decided = lesson.judge(
        {"accuracy": (hits, dropped[0], kept[0]), "loss": (loss, dropped[1], kept[1])}
    )
    lesson.conclude(
        "C06",
        *decided.values(),
        predicted="contradicted",
        setting="300 images, six hidden layers of 100 with dropout 0.2",
        advice=Advice(
            claimed="Either fraction will do.",
            opposite="Multiply by the fraction kept; Keras needs no factor at all.",
            none="Either fraction will do.",
            mixed="Multiply by the fraction kept; Keras needs no factor at all.",
        ),
        why="At 0.5 the two fractions agree, which hides the mistake. A wrong factor counts once a "
        "layer.",
    )
    lesson.table(
        [
            {
                "prediction": f"× {name}",
                "test accuracy": f"{100 * accuracy.mean():.1f} %",
                "test data loss": f"{nats.mean():.3f}",
            }
            for name, (accuracy, nats) in found.items()
        ]
    )
    lesson.draw(
        "Classic dropout 0.2 by what it multiplies by at prediction, six hidden layers of 100",
        dots({f"× {n}": 100 * v[0] for n, v in found.items()}, "accuracy", "test accuracy, %"),
        dots({f"× {n}": v[1] for n, v in found.items()}, "loss", "test data loss, nats"),
        caption="Test accuracy and test loss of each seed for three factors.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
