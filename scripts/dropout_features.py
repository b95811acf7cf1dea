"""What features does an autoencoder find with dropout, and does it depend less on single ones?

Prediction: with dropout 0.5 its features are clearer to the eye, fewer of its units are active at a
time, and losing half of them costs it less than half as much as without dropout.

Source: lecture on normalisation and dropout; slides, whose figure is that of Srivastava et al.
(2014), sections 7.1 and 7.2.

Rule: one hidden layer of 256 ReLU units, Adam, 600 updates on 1,000 images; half of the units are
lost at test, 10 draws, the rest scaled by 2. C02: the rise of the test error (mean square) is less
than half of that without dropout. How many units are active is in the table.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import FIFTH, Advice, Lesson, dots, run, spread
from kerasreg.seeds import derive

UNITS, KEEP = 256, 0.5
ARMS = {"no dropout": 0.0, "dropout 0.5": 0.5}
EPOCHS, BATCH, DRAWS = 60, 100, 10
SHOWN = 6  # by 6 features
ADVICE = Advice(
    claimed="Train with dropout where units may fail.",
    opposite="Do not count on dropout where units may fail.",
    none="Do not count on dropout where units may fail.",
)


def autoencoder(x: np.ndarray, rate: float, seed: int, epochs: int) -> list[np.ndarray]:
    """Train one with Keras; kernel, bias, kernel, bias."""
    from keras import Sequential, initializers, layers, optimizers

    # Small initial weights, so that what one sees in the features was learned.
    small = [initializers.RandomNormal(0.0, 0.01, derive(seed, "kernel", i)) for i in range(2)]
    model = Sequential(
        [
            layers.Input(x.shape[1:]),
            layers.Dense(UNITS, "relu", kernel_initializer=small[0]),
            layers.Dropout(rate, seed=derive(seed, "dropout")),
            layers.Dense(x.shape[1], kernel_initializer=small[1]),
        ]
    )
    model.compile(optimizers.Adam(3e-3), "mse")
    order = np.random.default_rng(derive(seed, "order"))
    for _ in range(epochs):
        rows = order.permutation(len(x))
        for start in range(0, len(x), BATCH):
            batch = x[rows[start : start + BATCH]]
            model.train_on_batch(batch, batch)
    return model.get_weights()


def test_errors(weights: list[np.ndarray], x: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Mean square error with all units and with half of them, and the share of active units."""
    hidden = np.maximum(x @ weights[0] + weights[1], 0)

    def error(units: np.ndarray) -> float:
        return float(np.square(units @ weights[2] + weights[3] - x).mean())

    generator = np.random.default_rng(derive(seed, "lost units"))
    masks = (generator.random((DRAWS, UNITS)) < KEEP) / KEEP
    return error(hidden), float(np.mean([error(hidden * m) for m in masks])), (hidden > 0).mean()


def body(lesson: Lesson) -> None:
    less = Rule(
        "autoencoder: error that half of the units lost adds", "less", FIFTH, "ratio", needs=2.0
    )

    data = lesson.data(train_size=1000)
    weights, found = {}, {arm: [] for arm in ARMS}
    for seed in lesson.seeds:
        rows = data.draw(seed).x
        for arm, rate in ARMS.items():
            trained = autoencoder(rows, rate, seed, 1 if lesson.quick else EPOCHS)
            weights.setdefault(arm, trained)
            found[arm].append(test_errors(trained, data.judging(seed).x, seed))
    found = {arm: np.array(values).T for arm, values in found.items()}
    cost = {arm: lost - whole for arm, (whole, lost, _) in found.items()}
    decided = lesson.judge({"error": (less, cost["dropout 0.5"], cost["no dropout"])})
    lesson.conclude(
        "C02",
        *decided.values(),
        setting="1,000 images, an autoencoder of 256 units",
        advice=ADVICE,
        why="Its price is a larger error with all units there.",
    )
    lesson.table(
        [
            {
                "arm": arm,
                "test error": spread(whole, "", 4),
                "half of the units lost": spread(lost, "", 4),
                "active units": spread(100 * active, "%"),
            }
            for arm, (whole, lost, active) in found.items()
        ]
    )
    side = round(data.input_shape[0] ** 0.5)

    def features(arm: str):
        def panel(axes) -> None:
            kernels = weights[arm][2]  # a row is what a unit draws
            largest = np.argsort(-np.square(kernels).sum(axis=1))[: SHOWN**2]
            tiles = kernels[largest].reshape(SHOWN, SHOWN, side, -1)
            tiles = tiles / np.abs(tiles).max(axis=(2, 3), keepdims=True)
            tiles = np.pad(tiles, [(0, 0)] * 2 + [(1, 1)] * 2, constant_values=np.nan)
            axes.imshow(np.hstack(np.hstack(tiles)), "gray", vmin=-1, vmax=1)
            axes.set_title(f"{arm}: what {SHOWN**2} units draw")
            axes.set_axis_off()

        return panel

    lesson.draw(
        "An autoencoder of 256 units with and without dropout, 1,000 images",
        *map(features, ARMS),
        dots(cost, "what half of the units lost cost", "rise of the test error (mean square)"),
        caption="What the 36 strongest hidden units draw, without and with dropout, and how "
        "much the reconstruction error rises when half of the units are lost.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
