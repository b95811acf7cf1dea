"""Should a network that does not overfit have dropout?

Prediction: no. Dropout of 0.3 lowers the test accuracy of a network of 16 hidden units and of a
linear model, and raises that of a network of two layers of 512 trained on 300 images.

Source: lecture "Understanding dropout"; Goodfellow et al. (2016), section 7.12.

Rule: C15 has three parts, each on test accuracy at the end of training: lower with dropout for 16
units, lower for a linear model (dropout on its input), higher for a wide network on 300 images,
each by a fifth of the errors (at most 1.5 points). The first two apply if the model does not
overfit, by a gap of at most 2 points: they see as many images as there are (up to 6,000), at
learning rates that were set by the gap alone. The third applies if the wide network overfits, by a
gap of at least 5 points.
"""

import sys

from kerasreg.evidence import Rule, applies_if
from kerasreg.lesson import Advice, Lesson, does_not_overfit, dots, effects, overfits, run

MOST_ROWS = 6000
UPDATES, BATCH = 1500, 100


def network(data, hidden: list[int], rate: float, rate_of_input: float, optimizer):
    """Hidden layers with dropout after each, and on the input."""
    import keras
    from keras.layers import Dense, Dropout

    model = keras.Sequential([keras.Input(data.input_shape), Dropout(rate_of_input)])
    for units in hidden:
        model.add(Dense(units, activation="relu", kernel_initializer="he_normal"))
        model.add(Dropout(rate))
    model.add(Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    from keras.optimizers import SGD, Adam

    smallest = lesson.smallest_effect
    rules = {
        "16 units": Rule("dropout 0.3 on 16 units", "less", smallest, unit="pp"),
        "linear": Rule("dropout 0.3 on the input of a linear model", "less", smallest, unit="pp"),
        "wide": Rule("dropout 0.3 on 512-512 and 300 images", "greater", smallest, unit="pp"),
    }
    few = lesson.data(train_size=300)
    many = few.resized(min(MOST_ROWS, len(few.pool)))
    epochs = round(UPDATES * BATCH / many.train_size)
    small = {
        "16 units": network(many, [16], 0.0, 0.0, Adam(2e-4)),
        "16 units, dropout 0.3": network(many, [16], 0.3, 0.0, Adam(2e-4)),
        "linear": network(many, [], 0.0, 0.0, Adam(5e-4)),
        "linear, dropout 0.3": network(many, [], 0.0, 0.3, Adam(5e-4)),
    }
    wide = {
        "wide": network(few, [512, 512], 0.0, 0.0, SGD(0.05, momentum=0.9)),
        "wide, dropout 0.3": network(few, [512, 512], 0.3, 0.0, SGD(0.05, momentum=0.9)),
    }
    runs = {
        "16 units": lesson.train(small, many, epochs=epochs, batch_size=BATCH, label="many images"),
        "wide": lesson.train(wide, few, epochs=200, batch_size=BATCH, every=50, label="300 images"),
    }
    runs["linear"] = runs["16 units"]
    accuracy = {
        name: [runs[name][arm].final("test_accuracy") for arm in (f"{name}, dropout 0.3", name)]
        for name in rules
    }
    decided = lesson.judge({name: (rules[name], *accuracy[name]) for name in rules})
    premises = {
        name: (overfits if name == "wide" else does_not_overfit)(runs[name][name]) for name in rules
    }
    lesson.conclude(
        "C15",
        *(applies_if(one, premises[name]) for name, one in decided.items()),
        setting=f"{many.train_size:,} images for the small models, 300 for the wide one",
        advice=Advice(
            claimed="Look at the gap first: add dropout only to what overfits.",
            opposite="Try dropout whatever the gap is.",
            none="Without a gap dropout makes no difference: leave it out.",
            mixed="Look at the gap first, then measure.",
        ),
    )
    lesson.table(runs["16 units"].table() + runs["wide"].table())
    every = {
        arm: 100 * own[arm].final("test_accuracy")
        for own in (runs["16 units"], runs["wide"])
        for arm in own
    }
    lesson.draw(
        "Dropout where there is nothing to overfit with, and where there is",
        dots(every, f"{many.train_size} images; wide: 300", "test accuracy, %"),
        effects(decided, "dropout 0.3 − none", "test accuracy, pp"),
        caption="Test accuracy of each seed with and without dropout, and the differences with "
        "their 95 % intervals.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
