"""Does batch normalization regularise: better test accuracy at the same training loss?

Prediction: slightly, if at all. The noise of small batches has a part in it, so that less is left
when every update sees all rows.

Source: lecture notes ("slightly", "regularises", "suppresses overfitting"); Ioffe and Szegedy
(2015), Hoffer et al. (2017), Luo et al. (2019).

Rule: each arm trains at its own learning rate, that with the best accuracy of its worst seed on the
tuning rows. C25: test accuracy at equal training loss, for each seed the lowest that both arms had,
rises by a fifth of the errors (at most 1.5 points) in both nets, five layers of 100 and two of 256.
A run that never had 50 % training accuracy did not train; its pair is left out. Beside it: the same
where each update sees all rows, so that its statistics have no noise.
"""

import sys

from kerasreg.evidence import Rule
from kerasreg.lesson import Advice, Lesson, at_equal_loss, curves, effects, run

NETS = {"5 × 100": [100] * 5, "2 × 256": [256] * 2}
RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
EPOCHS, BATCH = 50, 100  # of 1,000 rows: 500 updates
UPDATES, EVERY = 200, 4  # where each update sees all 1,000


def network(data, hidden: list[int], norm: bool):
    """Hidden layers with batch normalization before every activation, or without."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input(data.input_shape)])
    for units in hidden:
        model.add(layers.Dense(units, use_bias=not norm, kernel_initializer="he_normal"))
        if norm:
            model.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
        model.add(layers.Activation("relu"))
    model.add(layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    data = lesson.data(train_size=1000)
    arms = {
        f"{net}, {word}": network(data, hidden, norm)
        for word, norm in (("without", False), ("batch norm", True))
        for net, hidden in NETS.items()
    }
    small = {"epochs": EPOCHS, "batch_size": BATCH}
    full = {"epochs": UPDATES, "batch_size": data.train_size}
    label = "tuning, batches of 100"
    best = lesson.tune(arms, RATES, data, label=label, worst=True, **small)
    runs = lesson.train(best, data, label="batches of 100", **small)
    best = lesson.tune(arms, RATES, data, seeds=2, label="tuning, all rows", worst=True, **full)
    whole = lesson.train(best, data, label="all rows", every=EVERY, **full)

    def tests(runs, words: str) -> dict:
        return {
            f"{net}, {words}": at_equal_loss(
                Rule(
                    f"test accuracy rises, {net}, {words}",
                    "greater",
                    lesson.smallest_effect,
                    unit="pp",
                ),
                runs[f"{net}, batch norm"],
                runs[f"{net}, without"],
            )
            for net in NETS
        }

    decided = lesson.judge(tests(runs, "batches of 100"))
    beside = lesson.judge(tests(whole, "all rows in a batch"))
    lesson.conclude(
        "C25",
        *decided.values(),
        predicted="smaller than claimed",
        setting="1,000 images, two networks, each at its own learning rate",
        advice=Advice(
            claimed="Count on a little regularisation from batch normalization, and measure it.",
            opposite="Use batch normalization to train faster, and something else to regularise.",
            none="Use batch normalization to train faster, not to regularise.",
        ),
        why="The statistics of small batches are noise, which regularises; with all rows in a "
        "batch there is none.",
        beside=list(beside.values()),
    )
    lesson.table(
        {"batches": size, **row}
        for size, trained in {"100": runs, "all rows": whole}.items()
        for row in trained.table()
    )
    shown = {name: one for name, one in (decided | beside).items() if one.comparison}
    lesson.draw(
        "Batch normalization as a regulariser on 1,000 images",
        curves(runs, "train_data_loss", "training loss, batches of 100", log=True),
        curves(runs, "test_accuracy", "test accuracy, batches of 100"),
        effects(shown, "what it changes at equal training loss", "test accuracy, pp"),
        caption="Training loss and test accuracy over epochs for two nets with and without batch "
        "normalization, and the change of test accuracy at equal training loss, for batches of 100 "
        "rows and of all rows.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
