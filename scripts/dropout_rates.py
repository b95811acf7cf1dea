"""Which dropout rate is right, on the hidden layers and on the input?

Prediction: hidden rates of 0.2 to 0.5 are best; 0.05 does nothing, 0.8 hinders learning. On the
input a rate of 0.5 hurts.

Source: slides and lecture on dropout; Srivastava et al. (2014), section 7.3.

Rule: judged on test accuracy after 600 updates; what matters is a fifth of the errors, at most 1.5
points. C08 has three parts: the best rate lies in [0.2, 0.5] in 80 % of resamples of the seeds
(contradicted below 20 %); 0.05 equals no dropout; 0.8 is worse than the mean of 0.2, 0.3 and 0.5.
C14 has two: an input rate of 0.5 is worse than the mean of 0, 0.1 and 0.2 (a mean, as picking the
best by the same rows would favour the claim), alone and beside hidden dropout of 0.5.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, ThresholdRule, best_level
from kerasreg.lesson import Advice, Lesson, run, sweep

RATES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9)
INPUT_RATES = (0.0, 0.1, 0.2, 0.5)
EARLY, EPOCHS, BATCH = 20, 60, 100  # of 1,000 rows: 200 and 600 updates


def network(data, of_input: float, of_hidden: float):
    """Two hidden layers of 512 with dropout on the input and after each of them."""
    import keras
    from keras.layers import Dense, Dropout

    model = keras.Sequential([keras.Input(data.input_shape), Dropout(of_input)])
    for _ in range(2):
        model.add(Dense(512, activation="relu", kernel_initializer="he_normal"))
        model.add(Dropout(of_hidden))
    model.add(Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    middle = ThresholdRule("the best rate lies in [0.2, 0.5]", "at_least", 0.8, 0.2, "of resamples")
    slight = Rule("0.05 does as no dropout", "equivalent", smallest, unit="pp")
    strong = Rule("0.8 is worse than 0.2 to 0.5", "less", smallest, unit="pp")
    half = {
        hidden: Rule(f"half of the input dropped, hidden {hidden:g}", "less", smallest, unit="pp")
        for hidden in (0.0, 0.5)
    }

    data = lesson.data(train_size=1000)
    on_hidden = {f"hidden {rate:g}": network(data, 0.0, rate) for rate in RATES}
    on_input = {
        f"input {rate:g}, hidden {hidden:g}": network(data, rate, hidden)
        for hidden in half
        for rate in INPUT_RATES[1:]
    }
    runs = lesson.train(on_hidden | on_input, data, epochs=EPOCHS, batch_size=BATCH, every=EARLY)
    test = {arm: runs[arm].final("test_accuracy") for arm in runs}
    best = best_level(RATES, runs.stacked("test_accuracy", list(on_hidden)))
    middling = np.mean([test[f"hidden {rate:g}"] for rate in (0.2, 0.3, 0.5)], axis=0)
    decided = lesson.judge(
        {
            "0.05": (slight, test["hidden 0.05"], test["hidden 0"]),
            "0.8": (strong, test["hidden 0.8"], middling),
        }
    )
    setting = "1,000 images, two hidden layers of 512, 600 updates"
    lesson.conclude(
        "C08",
        middle.decide(best.share_within(0.2, 0.5)),
        *decided.values(),
        setting=setting,
        advice=Advice(
            claimed="Look for the rate between 0.2 and 0.5.",
            opposite="Look for the rate on a coarse grid from 0 to 0.8, not in a band.",
            none="The rate hardly matters here.",
            mixed="Look for the rate on a coarse grid from 0.05 to 0.7: the top is broad.",
        ),
    )

    def of_input(hidden: float) -> tuple:
        slightly = [test[f"input {r:g}, hidden {hidden:g}"] for r in (0.1, 0.2)]
        others = np.mean([test[f"hidden {hidden:g}"], *slightly], axis=0)
        return half[hidden], test[f"input 0.5, hidden {hidden:g}"], others

    of_half = lesson.judge({f"hidden {hidden:g}": of_input(hidden) for hidden in half})
    lesson.conclude(
        "C14",
        *of_half.values(),
        setting=setting,
        advice=Advice(
            claimed="Drop none or little of the input.",
            opposite="Try to drop half of the input: it helped here.",
            none="Dropping half of the input makes no difference here.",
            mixed="Try input rates with the hidden rate that you use.",
        ),
    )
    lesson.table(runs.table())

    def test_error(arms):
        return {
            f"{10 * epoch} updates": 100
            * np.stack([1 - runs[arm].at("test_accuracy", epoch) for arm in arms], axis=1)
            for epoch in (EARLY, EPOCHS)
        }

    words = ("rate (fraction dropped)", "test error, %")
    lesson.draw(
        "Dropout rates on 1,000 images, two hidden layers of 512",
        sweep(
            RATES,
            test_error(on_hidden),
            "on the hidden layers (shaded: what the notes recommend)",
            *words,
            log_y=True,
            shade=(0.2, 0.5),
        ),
        *(
            sweep(
                INPUT_RATES,
                test_error(
                    [f"hidden {h:g}", *(arm for arm in on_input if arm.endswith(f"hidden {h:g}"))]
                ),
                f"on the input, hidden {h:g}",
                *words,
                log_y=True,
            )
            for h in half
        ),
        caption="Test error over the dropout rate of the hidden layers, with the range the notes "
        "recommend shaded, and over that of the input without and with hidden dropout; medians "
        "and quartiles over seeds.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
