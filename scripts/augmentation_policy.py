"""Do CutOut and a searched augmentation policy help on images?

Prediction: the searched policy does, since it may move, turn and zoom images as a writer would.
CutOut makes no difference: digits are few strokes on black, and hardly any can be spared.

Source: lecture notes on data augmentation; DeVries and Taylor (2017), Cubuk et al. (2019).

Rule: a small convolutional network on 300 images, 360 updates. CutOut blackens a rectangle of a
tenth of the area; the policy is the best of six drawn at random, by accuracy on tuning rows after
as many updates. C61 has two parts: neither raises test accuracy by a fifth of the errors (at most
1.5 points). Beside it: brightness and contrast at random, the colour jitter of a grey image.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Advice, Lesson, curves, effects, run

EPOCHS, BATCH = 60, 50  # of 300 rows: 360 updates
# Strongest of a policy: share of the side, of a full turn, of the size, and of images cut out.
STRONGEST = {"move": 0.15, "turn": 0.08, "zoom": 0.2, "erase": 0.5}
POLICIES = 6


def network(data, move=0.0, turn=0.0, zoom=0.0, erase=0.0, light=0.0):
    """Two convolutions, after layers that change images at random, in training only."""
    import keras
    from keras import layers

    black = {"fill_mode": "constant", "seed": 0}
    unit = {"value_range": (0, 1), "seed": 0}
    changes = [
        (move, layers.RandomTranslation(move, move, **black)),
        (turn, layers.RandomRotation(turn, **black)),
        (zoom, layers.RandomZoom(zoom, **black)),
        (erase, layers.RandomErasing(erase, (0.1, 0.1), fill_value=0, **unit)),
        (light, layers.RandomBrightness(light, **unit)),
        (light, layers.RandomContrast(2 * light, **unit)),
    ]
    model = keras.Sequential([keras.Input(data.input_shape), layers.Reshape(data.image_shape)])
    for strength, layer in changes:
        if strength:
            model.add(layer)
    for filters in (8, 16):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(data.classes, "softmax"))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    def rule(what: str) -> Rule:
        return Rule(f"{what}: accuracy no higher", "not greater", lesson.smallest_effect, unit="pp")

    data = lesson.data(train_size=300)
    policies = {}
    for draw in np.random.default_rng(0).uniform(size=(POLICIES, len(STRONGEST))):
        policy = {name: top * u for (name, top), u in zip(STRONGEST.items(), draw, strict=True)}
        words = ", ".join(f"{name} {strength:.2f}" for name, strength in policy.items())
        policies[words] = network(data, **policy)
    best = lesson.choose({"policy": policies}, data, epochs=EPOCHS, batch_size=BATCH, seeds=2)
    arms = {
        "as they are": network(data),
        "CutOut": network(data, erase=1.0),
        "searched policy": best["policy"],
        "brightness, contrast": network(data, light=0.2),
    }
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=6)
    plain, cut, searched, lit = (runs[arm].final("test_accuracy") for arm in arms)
    decided = lesson.judge(
        {
            "CutOut": (rule("CutOut"), cut, plain),
            "searched policy": (rule("the searched policy"), searched, plain),
        }
    )
    beside = lesson.judge({"jitter": (rule("brightness and contrast"), lit, plain)})
    lesson.conclude(
        "C61",
        *decided.values(),
        predicted="partly",
        setting="300 images, two convolutions",
        advice=Advice(
            claimed="Leave CutOut and searched policies out here.",
            opposite="Search for a policy, on rows of its own.",
            none="They make no difference here.",
            mixed="Search for a policy, on rows of its own, and do not take each part on trust.",
        ),
        why="A change helps if it makes images that could have come up: a digit may stand or lean "
        "otherwise, but hardly lacks a part.",
        beside=list(beside.values()),
    )
    chosen = lesson.settings["tuning"]["chosen"]["policy"]
    lesson.notes.append(f"The policy that the search chose: {chosen}.")
    lesson.table(runs.table())
    lesson.draw(
        "Ways to change 300 training images at random",
        curves(runs, "test_accuracy", "test accuracy", per="update"),
        curves(runs, "gap", "gap", per="update"),
        effects(decided | beside, "what each changes", "test accuracy, pp"),
        caption="Test accuracy and gap over updates with CutOut, with the searched policy, with "
        "random brightness and contrast and without any, and what each changes at the end.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
