"""Should the training images of digits be mirrored at random?

Prediction: no. A mirrored 2 or 5 is no digit, or another one, so accuracy falls; 0, 1 and 8, which
look the same in a mirror, lose less.

Source: lecture notes on data augmentation; Cubuk et al. (2019).

Rule: a small convolutional network on 300 images, 360 updates, with half of the training images
mirrored at every step. C60: test accuracy falls by a fifth of the errors (at most 1.5 points).
Beside it: it falls more for the other digits than for 0, 1 and 8, by 1.5 points.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Advice, Lesson, curves, dots, effects, run

EPOCHS, BATCH = 60, 50  # of 300 rows: 360 updates
SYMMETRIC = (0, 1, 8)


def network(data, mirror: bool):
    """Two convolutions, on images half of which are mirrored in training."""
    import keras
    from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D, RandomFlip, Reshape

    model = keras.Sequential([keras.Input(data.input_shape), Reshape(data.image_shape)])
    if mirror:  # with a seed, so that the layer takes none of the draws that make others' weights
        model.add(RandomFlip("horizontal", seed=0))
    for filters in (8, 16):
        model.add(Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(MaxPooling2D())
    model.add(Flatten())
    model.add(Dense(data.classes, "softmax"))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def accuracy_of_digits(runs, arm: str, data) -> np.ndarray:
    """Test accuracy of each digit, (seeds, digits)."""
    found = []
    for index, seed in enumerate(runs.seeds):
        rows = data.judging(seed)
        right = np.asarray(runs.model(arm, index)(rows.x)).argmax(axis=1) == rows.y
        found.append([right[rows.y == digit].mean() for digit in range(data.classes)])
    return np.array(found)


def body(lesson: Lesson) -> None:
    data = lesson.data(train_size=300)
    arms = {"as they are": network(data, False), "mirrored at random": network(data, True)}
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=6)
    plain, flipped = (accuracy_of_digits(runs, arm, data) for arm in arms)
    same = np.isin(np.arange(data.classes), SYMMETRIC)
    change = flipped - plain

    falls = Rule("test accuracy falls", "less", lesson.smallest_effect, unit="pp")
    more = Rule("the other digits lose more than 0, 1 and 8", "less", 0.015, unit="pp")
    ends = [runs[arm].final("test_accuracy") for arm in ("mirrored at random", "as they are")]
    decided = lesson.judge({"all digits": (falls, *ends)})
    sides = change[:, ~same].mean(axis=1), change[:, same].mean(axis=1)
    beside = lesson.judge({"others − 0, 1 and 8": (more, *sides)})
    lesson.conclude(
        "C60",
        *decided.values(),
        setting="300 images, two convolutions",
        advice=Advice(
            claimed="Mirror images only where the mirror image is of the same class.",
            opposite="Try flips, even of digits.",
            none="Flips make no difference here.",
        ),
        why="A mirrored digit is an image that never comes up, at best; at worst another digit's.",
        beside=list(beside.values()),
    )
    lesson.table(runs.table())

    def mirrored(axes) -> None:
        rows, frame = data.draw(0), {"pad_width": 1, "constant_values": 0.3}
        first = [rows.x[rows.y == digit][0].reshape(data.image_shape[:2]) for digit in range(10)]
        pairs = [np.hstack([np.pad(x, **frame) for x in (one, one[:, ::-1])]) for one in first]
        axes.imshow(np.vstack([np.hstack(pairs[row::5]) for row in range(5)]), cmap="gray_r")
        axes.set(title="each digit, and mirrored", xticks=[], yticks=[])

    lesson.draw(
        "Mirrored training images, 300 of them",
        mirrored,
        curves(runs, "test_accuracy", "test accuracy", per="update"),
        dots(
            {str(digit): 100 * change[:, digit] for digit in range(data.classes)},
            "each digit: mirrored − as they are",
            "test accuracy, pp",
        ),
        effects(decided | beside, "what flips change", "test accuracy, pp"),
        columns=2,
        caption="Training images and their mirror images, test accuracy over updates with and "
        "without flips, and what flips change for each digit and for all of them.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
