"""Does weight decay with λ = 0.1 suppress overfitting on 300 images?

Prediction: yes, the gap shrinks and test accuracy rises.

Source: lecture notes on chapter 6 (six hidden layers of 100, SGD 0.01, batch 100, 201 epochs);
Krogh and Hertz (1991).

Rule: λ is the notes': a penalty of ½ λ Σ w², which is l2 = λ/2 in Keras. C45 has two parts, after
1,998 updates for λ = 0.1 against none: the gap is smaller by 1.5 points, and test accuracy is
higher by a fifth of the errors (at most 1.5 points). They apply if the network overfits without, by
a gap of 5 points. Beside them: the same after the notes' 201 epochs, and test accuracy with the
best of eight λ on the tuning rows.
"""

import sys

from kerasreg.evidence import Rule, applies_if
from kerasreg.lesson import Advice, Lesson, curves, effects, overfits, run, sweep

LAMBDAS = (0.0, 1e-4, 1e-3, 1e-2, 0.03, 0.05, 0.1, 0.2)
NONE, NOTES = "λ = 0", "λ = 0.1"
NOTES_EPOCHS, EPOCHS, BATCH = 201, 666, 100  # 3 updates an epoch: 603 and 1,998


def network(data, decay: float):
    """The notes' network with a penalty of ½ λ Σ w² on every kernel; Keras' L2 has no ½."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for units, activation in [(100, "relu")] * 6 + [(data.classes, "softmax")]:
        layer = keras.layers.Dense(
            units,
            activation,
            kernel_initializer="he_normal",
            kernel_regularizer=keras.regularizers.L2(decay / 2),
        )
        model.add(layer)
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    data = lesson.data(train_size=300)
    arms = {f"λ = {value:g}": network(data, value) for value in LAMBDAS}
    pair = {name: arms[name] for name in (NONE, NOTES)}
    runs = lesson.train(pair, data, epochs=EPOCHS, batch_size=BATCH, every=3, histograms=list(pair))
    ends = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=EPOCHS, label="all λ")
    own = lesson.choose(
        {"best λ": arms}, data, epochs=EPOCHS, batch_size=BATCH, label="the best λ on tuning rows"
    )["best λ"]
    best = next(name for name in arms if ends[name].config == own)

    def tests(epoch: int) -> dict:
        closes = Rule(f"gap after {3 * epoch:,} updates", "less", 0.015, unit="pp")
        helps = Rule(
            f"test accuracy after {3 * epoch:,} updates",
            "greater",
            lesson.smallest_effect,
            unit="pp",
        )
        return {
            rule.claim: (rule, runs[NOTES].at(name, epoch), runs[NONE].at(name, epoch))
            for rule, name in ((closes, "gap"), (helps, "test_accuracy"))
        }

    tuned = Rule(f"test accuracy with {best}", "greater", lesson.smallest_effect, unit="pp")
    decided = lesson.judge(tests(EPOCHS))
    beside = lesson.judge(
        tests(NOTES_EPOCHS)
        | {tuned.claim: (tuned, *(ends[arm].final("test_accuracy") for arm in (best, NONE)))}
    )
    decided = {name: applies_if(one, overfits(runs[NONE])) for name, one in decided.items()}
    lesson.conclude(
        "C45",
        *decided.values(),
        setting="300 images, six hidden layers of 100, λ = 0.1",
        advice=Advice(
            claimed="Use weight decay against overfitting, λ tuned on validation rows.",
            opposite="Do not use so strong a weight decay; tune λ on validation rows.",
            none="Weight decay of this strength makes no difference here.",
            mixed="A smaller gap is not a better network: tune λ by validation accuracy.",
        ),
        why="A penalty that keeps the network from fitting its images closes the gap from above.",
        beside=list(beside.values()),
    )
    lesson.table(ends.table())
    lesson.draw(
        "Weight decay on 300 training images, six hidden layers of 100",
        curves(runs, "train_accuracy", "accuracy on the 300 images", [NONE, NOTES]),
        curves(runs, "test_accuracy", "accuracy on new images", [NONE, NOTES]),
        sweep(
            LAMBDAS,
            {
                "300 images": 100 * ends.stacked("train_accuracy"),
                "new images": 100 * ends.stacked("test_accuracy"),
            },
            "after 1,998 updates",
            "λ (Keras' l2 is half of it)",
            "accuracy, %",
            log=True,
        ),
        effects(decided | beside, "λ against none", "difference, pp"),
        caption="Accuracy over epochs without penalty and with the notes' λ of 0.1, accuracy over "
        "eight values of λ, and the differences that decide, with their 95 % intervals.",
        columns=2,
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
