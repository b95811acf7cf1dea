"""Does a network do worse where images at test look unlike those it was trained on?

Prediction: yes, the more they differ. A network that was trained on images changed in the same way
hardly loses anything: what hurts is the difference, not the change.

Source: slides on covariate shift; Shimodaira (2000).

Rule: two hidden layers of 100 on 1,000 images, each training at its own learning rate, the best on
the tuning rows; test images moved to the right by up to 16 % of their width, with contrast lowered
by up to 90 %, or with noise of SD up to 0.4. C41 has two parts for each of the three: test accuracy
falls with the strength (Spearman's correlation of -0.9 or less), and at the strongest it is 5
points lower. Beside it: what remains of the fall if the training images are changed in the same
way.
"""

import dataclasses
import sys

import numpy as np
from scipy import ndimage

from kerasreg.data import Split
from kerasreg.evidence import Rule, trend
from kerasreg.lesson import Advice, Lesson, Runs, effects, run, sweep

STRONGEST = {
    "moved": (0.16, "moved by 16 % of their width"),
    "less contrast": (0.9, "with 90 % less contrast"),
    "noise": (0.4, "with noise of SD 0.4"),  # pixels are 0 to 1
}
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the strongest
RATES = (0.1, 0.3, 1.0, 3.0)
EPOCHS, BATCH = 40, 50  # of 1,000 rows: 800 updates


def changed(x: np.ndarray, how: str, strength: float) -> np.ndarray:
    """Images (rows, pixels) that show the same digits and look otherwise."""
    if how == "moved":
        side = round(x.shape[1] ** 0.5)
        images = x.reshape(-1, side, side)
        return ndimage.shift(images, (0, 0, strength * side), order=1).reshape(x.shape)
    if how == "less contrast":  # pixels come nearer to grey
        return (1 - strength) * x + strength / 2
    noise = np.random.default_rng(len(x)).normal(0, strength, x.shape)
    return (x + noise).astype(x.dtype)


def network(data):
    """Two hidden layers of 100."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(keras.layers.Dense(100, activation="relu", kernel_initializer="he_normal"))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    def changed_rows(rows: Split, how: str, strength: float) -> Split:
        return Split(changed(rows.x, how, strength), rows.y)

    data = lesson.data(train_size=1000)

    def train(arm: str, data) -> Runs:
        own = {"epochs": EPOCHS, "batch_size": BATCH}
        best = lesson.tune({arm: network(data)}, RATES, data, label=f"tuning, {arm}", **own)
        runs = lesson.train(best, data, every=EPOCHS, label=arm, **own)
        lesson.table({**row, "own rate": f"{best[arm].learning_rate:g}"} for row in runs.table())
        return runs

    runs = train("as they are", data)
    models = [runs.model("as they are", place) for place in range(len(lesson.seeds))]
    tests, beside, curves = {}, {}, {}
    for how, (strongest, words) in STRONGEST.items():
        strengths = np.multiply(SHARES, strongest)
        test = np.empty((len(models), len(strengths)))
        for place, (seed, model) in enumerate(zip(lesson.seeds, models, strict=True)):
            rows = data.judging(seed)
            for level, strength in enumerate(strengths):
                found = np.argmax(model(changed(rows.x, how, strength)), axis=-1)
                test[place, level] = (found == rows.y).mean()
        curves[how] = 100 * test
        falls = Rule(f"correlation of accuracy with strength, {how}", "less", 0.1, needs=0.9)
        lower = Rule(
            f"test accuracy on images {words}, against unchanged",
            "less",
            lesson.smallest_effect,
            needs=0.05,
            unit="pp",
        )
        ranks = trend(strengths, test, 0.1, statistic="spearman")
        tests |= {how: (lower, test[:, -1], test[:, 0]), f"{how}: trend": (falls, ranks)}
        parts = {
            part: changed_rows(getattr(data, part), how, strongest)
            for part in ("pool", "tuning", "test")
        }
        same = train(f"trained {how}", dataclasses.replace(data, **parts))
        rule = dataclasses.replace(
            lower, claim=f"{lower.claim}, in training {words} too", needs=None
        )
        beside[how] = (
            rule,
            same[f"trained {how}"].final("test_accuracy"),
            test[:, 0],
        )
    decided, kept = lesson.judge(tests), lesson.judge(beside)
    lesson.conclude(
        "C41",
        *decided.values(),
        setting="1,000 images, two hidden layers of 100",
        advice=Advice(
            claimed="Test with images like those that will come, and train with such, or with "
            "changes that make them so.",
            opposite="Differences of this kind do no harm.",
            none="Differences of this kind do no harm.",
            mixed="Measure which differences hurt, and train with those.",
        ),
        why="A network knows nothing of images unlike those it saw. Trained on such it does "
        "better; but noise hides for good what it covers.",
        beside=list(kept.values()),
    )
    drops = {
        name: one
        for how in STRONGEST
        for name, one in {how: decided[how], f"{how}, in training too": kept[how]}.items()
    }
    first = data.test.x[:1]
    side = round(first.size**0.5)

    def image(how: str, strength: float):
        def panel(axes) -> None:
            pixels = changed(first, how, strength).reshape(side, side)
            axes.imshow(pixels, cmap="gray_r", vmin=0, vmax=1)
            axes.set(title=how if strength else "unchanged", xticks=[], yticks=[])

        return panel

    lesson.draw(
        "Test images that look otherwise, 1,000 training images",
        image("moved", 0.0),
        *(image(how, strongest) for how, (strongest, _) in STRONGEST.items()),
        sweep(
            np.multiply(SHARES, 100),
            curves,
            "test accuracy",
            "strength, % of the strongest",
            "accuracy, %",
        ),
        effects(drops, "strongest change − none", "test accuracy, pp"),
        caption="An image unchanged and in three ways changed; test accuracy as "
        "test images are moved, lose contrast or get noise; and by how much it falls at the "
        "strongest, with training images as they are and changed likewise.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
