"""Is an L2 penalty in the loss the same as decaying the weights?

Prediction: for plain SGD yes, to the last digits; for Adam no.

Source: slides and lecture notes; Loshchilov and Hutter (2019).

Rule: the penalty is l2 = λ/2, the decay λ. C47 has two exact parts: after 100 full-batch steps in
double precision all weights agree within 0.00001 for SGD, and likewise for Adam. Beside them, and
not deciding: whether the best Adam with penalty and the best AdamW, strength and learning rate
chosen on the tuning rows, have equal test accuracy within a fifth of the errors.
"""

import sys

import numpy as np

from kerasreg.evidence import ExactRule, Rule
from kerasreg.lesson import Advice, Lesson, dots, effects, run

LAMBDAS, RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0), (3e-4, 1e-3, 3e-3)
PAIRS = {"sgd": 0.1, "adam": 1e-3}  # with the learning rate of the equal steps
STEPS, EPOCHS, BATCH = 100, 20, 100


def network(data, optimizer, penalty=None):
    """Two hidden layers of 256 with a penalty on every kernel."""
    import keras

    options = {"kernel_initializer": "he_normal", "kernel_regularizer": penalty}
    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(keras.layers.Dense(256, activation="relu", **options))
    model.add(keras.layers.Dense(data.classes, activation="softmax", **options))
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def penalized(data, rule: str, rate: float, lam: float):
    """λ as a penalty ½ λ Σ w² in the loss; Keras' L2 has no ½."""
    from keras import optimizers, regularizers

    optimizer = {"sgd": optimizers.SGD, "adam": optimizers.Adam}[rule](rate)
    return network(data, optimizer, regularizers.L2(lam / 2))


def decayed(data, rule: str, rate: float, lam: float):
    """λ as w ← w − learning rate · λ · w beside the gradient step, of kernels only."""
    from keras import optimizers

    kind = {"sgd": optimizers.SGD, "adam": optimizers.Adam}[rule]
    optimizer = kind(rate, weight_decay=lam)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return network(data, optimizer)


def body(lesson: Lesson) -> None:
    same = {
        name: ExactRule(f"{name}: penalty and decay give the same weights", 1e-5) for name in PAIRS
    }
    smallest = lesson.smallest_effect
    equal = Rule(
        "tuned Adam, test accuracy with decay against penalty", "equivalent", smallest, unit="pp"
    )

    batch = lesson.data(train_size=100)
    arms = {
        f"{name}, {way.__name__}": way(batch, name, rate, 0.01)
        for name, rate in PAIRS.items()
        for way in (penalized, decayed)
    }
    steps = lesson.train(
        arms,
        batch,
        epochs=STEPS,
        batch_size=100,
        every=10,
        label="steps",
        seeds=(0,),
        dtype="float64",
    )
    weights = {arm: np.concatenate([k.ravel() for k in steps.kernels(arm)]) for arm in arms}
    exact = {
        name: same[name].decide(weights[f"{name}, penalized"], weights[f"{name}, decayed"])
        for name in PAIRS
    }
    data = lesson.data(train_size=1000)
    grid = {
        way.__name__: {
            f"λ {lam:g}, rate {rate:g}": way(data, "adam", rate, lam)
            for lam in LAMBDAS
            for rate in RATES
        }
        for way in (penalized, decayed)
    }
    best = lesson.choose(grid, data, epochs=EPOCHS, batch_size=BATCH)
    runs = lesson.train(best, data, epochs=EPOCHS, batch_size=BATCH, label="tuned Adam")
    test = {way: runs[way].final("test_accuracy") for way in best}
    beside = lesson.judge({"decay − penalty": (equal, test["decayed"], test["penalized"])})
    lesson.conclude(
        "C47",
        *exact.values(),
        predicted="partly",
        setting="100 full-batch steps in float64, two hidden layers of 256",
        advice=Advice(
            claimed="Take either, with l2 = λ/2.",
            opposite="Decide between penalty and decay, and say which you use.",
            none="Take either, with l2 = λ/2.",
            mixed="Take either with plain SGD (l2 = λ/2); with Adam say which, and tune it.",
        ),
        why="Adam rescales the penalty's gradient too.",
        beside=list(beside.values()),
    )
    lesson.table(runs.table())

    def deviations(axes):
        for name in PAIRS:
            a, b = weights[f"{name}, penalized"], weights[f"{name}, decayed"]
            axes.plot(a, a - b, ".", markersize=2, label=name, rasterized=True)
        axes.set_yscale("symlog", linthresh=1e-6)
        axes.set_title(f"weights after {STEPS} equal steps")
        axes.set_xlabel("weight with penalty")
        axes.set_ylabel("difference to weight with decay")
        axes.legend(markerscale=5)

    lesson.draw(
        "L2 penalty and weight decay of the same λ",
        deviations,
        dots({way: 100 * test[way] for way in test}, "Adam, both tuned", "test accuracy, %"),
        effects(beside, "difference", "test accuracy, pp"),
        caption="Weights trained with the penalty against the difference to those trained with "
        "decay: zero for SGD, not for Adam; test accuracy of tuned Adam with either.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
