"""Do whitened inputs make a network learn better than standardized ones?

Prediction: it learns faster, as all directions of the input have one scale; but test accuracy
falls, as directions that hold little but noise have that scale too.

Source: slides on whitening; LeCun et al. (1998) recommend it, Wadia et al. (2021) find that it can
cost generalization.

Rule: two hidden layers of 100 on 1,000 images, each arm with its own learning rate, the best on the
tuning rows after 100 updates. Statistics are those of all images that training sets are drawn from,
without labels. Whitening has two strengths: 1e-4 and 1e-2 of the mean variance is added to every
direction's. C40 has two parts for each, against standardized inputs: the training loss after 100
updates is a fifth lower; and test accuracy after 1,000 is not lower by a fifth of the errors (at
most 1.5 points). Beside it: standardized inputs against pixels from 0 to 1.
"""

import dataclasses
import sys

import numpy as np

from kerasreg.data import Split
from kerasreg.evidence import Rule
from kerasreg.lesson import FIFTH, Advice, Lesson, Runs, curves, effects, run

RAW, STANDARD, WHITE = "pixels from 0 to 1", "standardized", "whitened"
GENTLE = "whitened gently"
ADDED = {WHITE: 1e-4, GENTLE: 1e-2}
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
EPOCHS, LONG, BATCH = 10, 100, 100  # of 1,000 rows: 100 and 1,000 updates


def network(data):
    """Two hidden layers of 100."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(keras.layers.Dense(100, activation="relu", kernel_initializer="he_normal"))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


def transform(x: np.ndarray, how: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean to subtract and matrix to multiply with, from images (rows, pixels)."""
    if how == RAW:
        return np.zeros(x.shape[1]), np.eye(x.shape[1])
    mean = x.mean(axis=0)
    if how == STANDARD:
        deviation = x.std(axis=0)
        return mean, np.diag(1 / np.where(deviation < 1e-3, 1, deviation))  # borders never vary
    values, axes = np.linalg.eigh(np.cov(x.T))
    added = ADDED[how] * values.mean()
    return mean, axes @ np.diag((np.maximum(values, 0) + added) ** -0.5) @ axes.T


def body(lesson: Lesson) -> None:
    data = lesson.data(train_size=1000)
    best, arms, images = {}, {}, {}
    for how in (RAW, STANDARD, *ADDED):
        mean, matrix = transform(data.pool.x.astype("float64"), how)

        def transformed(rows: Split, mean=mean, matrix=matrix) -> Split:
            return Split(((rows.x - mean) @ matrix).astype("float32"), rows.y)

        parts = {part: transformed(getattr(data, part)) for part in ("pool", "tuning", "test")}
        own = dataclasses.replace(data, **parts)
        best |= lesson.tune(
            {how: network(own)}, RATES, own, epochs=EPOCHS, batch_size=BATCH, label=f"tuning, {how}"
        )
        trained = lesson.train({how: best[how]}, own, epochs=LONG, batch_size=BATCH, label=how)
        arms[how], images[how] = trained[how], own.pool.x[0]
    runs = Runs(arms, lesson.seeds)

    def tests(a: str, b: str) -> dict:
        faster = Rule(f"training loss after 100 updates, {a}", "less", FIFTH, "ratio", unit="nats")
        no_worse = Rule(f"test accuracy, {a}", "not less", lesson.smallest_effect, unit="pp")
        early = [runs[how].at("train_data_loss", EPOCHS) for how in (a, b)]
        late = [runs[how].final("test_accuracy") for how in (a, b)]
        pair = f"{a} against {b}"
        return {f"loss, {pair}": (faster, *early), f"accuracy, {pair}": (no_worse, *late)}

    decided = lesson.judge(tests(WHITE, STANDARD) | tests(GENTLE, STANDARD))
    beside = lesson.judge(tests(STANDARD, RAW))
    lesson.conclude(
        "C40",
        *decided.values(),
        predicted="partly",
        setting="1,000 images, two hidden layers of 100",
        advice=Advice(
            claimed="Whiten inputs of moderate size.",
            opposite="Standardize, or divide pixels by 255; leave whitening out.",
            none="Whitening is not worth its trouble here.",
            mixed="Whitening is a question of its strength: compare it with plain pixels by test "
            "accuracy.",
        ),
        why="Whitening gives directions without meaning the scale of those with meaning.",
        beside=list(beside.values()),
    )
    lesson.table({**row, "own rate": f"{best[row['arm']].learning_rate:g}"} for row in runs.table())
    side = round(data.input_shape[0] ** 0.5)

    def image(how: str):
        def panel(axes) -> None:
            axes.imshow(images[how].reshape(side, side), cmap="gray_r")
            axes.set(title=how, xticks=[], yticks=[])

        return panel

    def panel(kind: str, title: str, xlabel: str):
        named = (decided | beside).items()
        own = {name.split(", ")[1]: one for name, one in named if name.startswith(kind)}
        return effects(own, title, xlabel)

    lesson.draw(
        "Inputs: pixels, standardized, whitened; 1,000 images",
        *map(image, images),
        curves(runs, "train_data_loss", "training loss", per="update", log=True),
        curves(runs, "test_accuracy", "test accuracy", per="update"),
        panel("loss", "loss after 100", "training loss, ratio"),
        panel("accuracy", "accuracy after 1,000", "test accuracy, pp"),
        caption="An image as it is, standardized and whitened in two strengths; training loss and "
        "test accuracy over updates with each as input; ratios of training loss after 100 updates "
        "and differences of test accuracy after 1,000.",
        columns=4,
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
