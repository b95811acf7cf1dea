"""Should the first hidden layer be wider than the input?

Prediction: it makes no difference from about half of the inputs on; a much narrower layer hurts.

Source: slides on hyperparameters; Bengio (2012).

Rule: 1,000 images, a first hidden layer of a sixteenth to twice as many units as inputs, then one
of 64 units; 600 updates. C55: twice as many units as inputs raise test accuracy by a fifth of the
errors (at most 1.5 points) over half as many. Beside it: half as many units against an eighth.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Advice, Lesson, curves, effects, run, sweep

SHARES = {"1/16": 1 / 16, "1/8": 1 / 8, "1/4": 1 / 4, "1/2": 1 / 2, "1": 1.0, "2": 2.0}
EPOCHS, BATCH = 30, 50  # of 1,000 rows: 600 updates


def network(data, width: int):
    """A first hidden layer of some width, and a second one of 64 units."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for units in (width, 64):
        model.add(keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal"))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    def rule(claim: str) -> Rule:
        return Rule(claim, "greater", lesson.smallest_effect, unit="pp")

    data = lesson.data(train_size=1000)
    inputs = data.input_shape[0]
    arms = {
        f"{name} × inputs": network(data, int(share * inputs)) for name, share in SHARES.items()
    }
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=2)
    test = {name: runs[f"{name} × inputs"].final("test_accuracy") for name in SHARES}
    decided = lesson.judge(
        {"2 × against 1/2": (rule("twice as many units as inputs"), test["2"], test["1/2"])}
    )
    beside = lesson.judge(
        {"1/2 against 1/8": (rule("half as many as inputs, not 1/8"), test["1/2"], test["1/8"])}
    )
    lesson.conclude(
        "C55",
        *decided.values(),
        predicted="no difference seen",
        setting=f"1,000 images of {inputs} pixels, two hidden layers",
        advice=Advice(
            claimed="Take a wide first hidden layer; the width of the input is no threshold.",
            opposite="Make the first hidden layer narrower than the input.",
            none="Any width from half of the inputs on will do: take the cheaper one.",
        ),
        why="Accuracy rises smoothly with the width, by less and less: nothing changes at the "
        "width of the input itself.",
        beside=list(beside.values()),
    )
    lesson.table(runs.table())
    errors = {name: 100 * (1 - runs.stacked(f"{name}_accuracy")) for name in ("train", "test")}
    lesson.draw(
        "Width of the first hidden layer, 1,000 images",
        sweep(
            np.array(list(SHARES.values())),
            {"training images": errors["train"], "new images": errors["test"]},
            "after 600 updates (shaded: as advised)",
            "units / inputs",
            "error, %",
            log=True,
            shade=(1.0, 2.0),
            ticks=list(SHARES),
        ),
        curves(runs, "test_accuracy", "test accuracy", per="update"),
        effects(decided | beside, "what width changes", "test accuracy, pp"),
        caption="Error on training and on new images over the width of the first hidden layer, "
        "test accuracy over updates, and what twice the inputs' width changes.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
