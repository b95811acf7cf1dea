"""Do random crops of the training images help, and averaging over crops at test?

Prediction: both do on MNIST, whose digits stand in a wide black border. On digits of 8 × 8 pixels a
shift by one pixel cuts strokes off, and helps less or not at all.

Source: lecture notes on randomness in training and averaging at test; Krizhevsky et al. (2012).

Rule: a small convolutional network on 300 images, 360 updates; in training each image is moved at
random by up to an eighth of its side in both directions. At test the softmax outputs of five crops
are averaged: the image itself and moved by as much towards each corner. C59 has two parts, each by
a fifth of the errors (at most 1.5 points): random crops raise test accuracy; averaging raises that
of the network trained with them. Beside it: averaging with the network trained without.
"""

import sys
from itertools import product

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Advice, Lesson, curves, effects, run

EPOCHS, BATCH = 60, 50  # of 300 rows: 360 updates
PART = 8  # crops are moved by this part of a side


def network(data, move: float):
    """Two convolutions, on images that are moved at random in training."""
    import keras
    from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D, RandomTranslation, Reshape

    model = keras.Sequential([keras.Input(data.input_shape), Reshape(data.image_shape)])
    if move:  # with a seed, so that the layer takes none of the draws that make the others' weights
        model.add(RandomTranslation(move, move, fill_mode="constant", seed=0))
    for filters in (8, 16):
        model.add(Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(MaxPooling2D())
    model.add(Flatten())
    model.add(Dense(data.classes, "softmax"))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def five_crops(x: np.ndarray, side: int) -> list[np.ndarray]:
    """The images, and cut from their four corners with a black border, (rows, side, side) each."""
    step = side // PART
    images = np.pad(x.reshape(-1, side, side), [(0, 0), (step, step), (step, step)])
    corners = [(step, step), *product((0, 2 * step), repeat=2)]
    return [images[:, top : top + side, left : left + side] for top, left in corners]


def body(lesson: Lesson) -> None:
    import keras

    def rule(claim: str) -> Rule:
        return Rule(claim, "greater", lesson.smallest_effect, unit="pp")

    data = lesson.data(train_size=300)
    side, *_ = data.image_shape
    arms = {"as they are": network(data, 0.0), "moved at random": network(data, 1 / PART)}
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=6)

    def averaged(arm: str) -> np.ndarray:
        found = []
        for index, seed in enumerate(runs.seeds):
            rows, model = data.judging(seed), runs.model(arm, index)  # the model gives logits
            crops = [crop.reshape(rows.x.shape) for crop in five_crops(rows.x, side)]
            outputs = [keras.ops.softmax(model(crop)) for crop in crops]
            found.append((np.mean(outputs, axis=0).argmax(axis=1) == rows.y).mean())
        return np.array(found)

    plain, moved = (runs[arm].final("test_accuracy") for arm in arms)
    plain_averaged, moved_averaged = (averaged(arm) for arm in arms)
    after, alone = "five crops at test, after random ones", "five crops at test alone"
    in_training = rule("random crops in training"), moved, plain
    decided = lesson.judge(
        {"random crops": in_training, after: (rule(after), moved_averaged, moved)}
    )
    beside = lesson.judge({alone: (rule(alone), plain_averaged, plain)})
    lesson.conclude(
        "C59",
        *decided.values(),
        setting="300 images, two convolutions",
        advice=Advice(
            claimed="Move training images at random, and average over crops at test.",
            opposite="Leave the images where they are: here what is cut off is needed.",
            none="Crops make no difference here.",
            mixed="Try random crops in training; average over crops at test only if tuning rows "
            "gain by it.",
        ),
        why="Random crops show images that could have come up, unless they cut off what matters. "
        "At test the corner crops are the farthest moves: their outputs are worse than the image's "
        "own.",
        beside=list(beside.values()),
    )
    lesson.table(runs.table())

    def shown(axes) -> None:
        frame = {"pad_width": [(0, 0), (1, 1), (1, 1)], "constant_values": 0.3}
        crops = [np.pad(crop, **frame) for crop in five_crops(data.draw(0).x[:4], side)]
        axes.imshow(np.vstack([np.hstack(images) for images in crops]), cmap="gray_r")
        axes.set(title="images, and their four crops", xticks=[], yticks=[])

    lesson.draw(
        "Crops of 300 images",
        shown,
        curves(runs, "test_accuracy", "test accuracy", per="update"),
        effects(decided | beside, "what crops change", "test accuracy, pp"),
        caption="Images with the four crops that are averaged, test accuracy over updates with and "
        "without random crops in training, and what crops change in training and at test.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
