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
from kerasreg.lesson.models import net4

NETS = {  # the original code's AdaGrad accumulates from 0, its RMSprop decays by 0.99
    "SGD": net4(),
    "momentum": net4(optimizer="momentum"),
    "AdaGrad": net4(optimizer="adagrad", initial_accumulator=0.0),
    "Adam": net4(optimizer="adam", learning_rate=0.001),
    "Nesterov": net4(optimizer="nesterov"),
    "RMSprop": net4(optimizer="rmsprop", rho=0.99, learning_rate=0.001),
}
CLAIMED = ("momentum", "AdaGrad", "Adam")
WHOSE = ("noted", "own")
RATES = (3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
TUNING, EPOCHS, BATCH = 8, 75, 128  # of 1,000 rows: 64 and 600 updates


def body(lesson: Lesson) -> None:
    data = lesson.data(train_size=1000)
    noted = dict(list(NETS.items())[:4]) if lesson.quick else NETS
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
            "rate": config.learning_rate,
            "updates to 95 %": times[arm].text(),
            "mean rank": f"{rank[arm]:.1f}",
            "training loss": spread(runs[arm].final("train_data_loss"), "nats", 4),
            "test accuracy": spread(100 * runs[arm].final("test_accuracy"), "%"),
        }
        for arm, config in arms.items()
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
