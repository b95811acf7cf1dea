"""Do momentum, AdaGrad and Adam learn handwritten digits faster than SGD?

Prediction: yes at the notes' rates, where SGD's is too small; less so at each one's own best rate.

Source: lecture notes on chapter 6 (four hidden layers of 100, batch 128, rates 0.01 and for Adam
0.001); Choi et al. (2019), Schmidt et al. (2021).

Rule: C50: each of the three needs a fifth fewer updates than SGD to 95 % training accuracy, at the
notes' rates, and at each optimiser's own, the best of nine on the tuning rows after 64 updates.
Where half of an arm's runs do not come there in 600, training accuracy is compared instead, by a
fifth of the errors (at most 1.5 points). Nesterov's momentum and RMSprop, and the ranks of all six
by Friedman's test with Nemenyi's distance, are shown and do not decide.
"""

import sys

import numpy as np

from kerasreg.evidence import rank_test
from kerasreg.lesson import Advice, Lesson, curves, effects, run, sooner, spread

CLAIMED = ("momentum", "AdaGrad", "Adam")
WHOSE = ("noted", "own")
RATES = (3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
TUNING, EPOCHS, BATCH = 8, 75, 128  # of 1,000 rows: 64 and 600 updates


def network(data, optimizer):
    """The notes' four hidden layers of 100."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(4):
        model.add(keras.layers.Dense(100, activation="relu", kernel_initializer="he_normal"))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    from keras import optimizers

    rules = {  # the original code's AdaGrad accumulates from 0, its RMSprop decays by 0.99
        "SGD": optimizers.SGD(0.01),
        "momentum": optimizers.SGD(0.01, momentum=0.9),
        "AdaGrad": optimizers.Adagrad(0.01, initial_accumulator_value=0.0),
        "Adam": optimizers.Adam(0.001),
        "Nesterov": optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        "RMSprop": optimizers.RMSprop(0.001, rho=0.99),
    }
    data = lesson.data(train_size=1000)
    names = list(rules)[:4] if lesson.quick else list(rules)
    noted = {name: network(data, rules[name]) for name in names}
    best = lesson.tune(noted, RATES, data, epochs=TUNING, batch_size=BATCH)
    nets = dict(zip(WHOSE, (noted, best), strict=True))
    arms = {f"{name}, {whose} rate": nets[whose][name] for whose in WHOSE for name in noted}
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH)
    times = {arm: runs[arm].time_to(0.95) for arm in arms}
    updates = {arm: one.values for arm, one in times.items()}
    decided = lesson.judge(
        {
            f"{name}, {whose} rate": sooner(
                f"updates, {name}, {whose} rate",
                runs[f"{name}, {whose} rate"],
                runs[f"SGD, {whose} rate"],
            )
            for whose in WHOSE
            for name in CLAIMED
        }
    )
    lesson.conclude(
        "C50",
        *decided.values(),
        predicted="partly",
        setting="1,000 images, four hidden layers of 100",
        advice=Advice(
            claimed="Start with momentum or Adam.",
            opposite="Start with plain SGD, its learning rate tuned.",
            none="Tune the learning rate before you change the optimiser.",
            mixed="Tune the learning rate before you change the optimiser.",
        ),
        why="At the notes' rates SGD's is too small; at own rates less is left.",
    )
    ranks = [
        rank_test(np.stack([updates[a] for a in arms if whose in a], axis=1), maximize=False)
        for whose in WHOSE
    ]
    rank = dict(zip(arms, [r for test in ranks for r in test.mean_ranks], strict=True))
    lesson.notes.append(
        f"Two of the {len(noted)} differ in updates if their mean ranks are more than "
        f"{ranks[0].critical_difference:.1f} apart."
    )
    lesson.table(
        {
            "optimiser": arm,
            "rate": runs[arm].config.learning_rate,
            "updates to 95 %": times[arm].text(),
            "mean rank": f"{rank[arm]:.1f}",
            "training loss": spread(runs[arm].final("train_data_loss"), "nats", 4),
            "test accuracy": spread(100 * runs[arm].final("test_accuracy"), "%"),
        }
        for arm in runs
    )

    def losses(whose, title):
        shown = [arm for arm in arms if whose in arm]
        return curves(runs, "train_data_loss", title, shown, per="update", log=True)

    figure = lesson.draw(
        "Optimisers on 1,000 images, four hidden layers of 100",
        losses("noted", "training loss, the notes' rates"),
        losses("own", "training loss, each one's own rate"),
        effects(
            {name: one for name, one in decided.items() if one.comparison.scale == "ratio"},
            "against SGD",
            "ratio of updates to 95 %",
        ),
        caption="Training loss over updates at the notes' learning rates and at each optimiser's "
        "own, and the ratios of updates to 95 % training accuracy with 95 % intervals.",
    )
    for axes in figure.axes[:2]:
        axes.get_legend().remove()
    lines = figure.axes[0].get_lines()
    figure.legend(lines, list(noted), loc="outside lower left", ncols=6, frameon=False, fontsize=9)


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
