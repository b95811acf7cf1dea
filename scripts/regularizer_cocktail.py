"""Do weight decay, dropout and batch normalization add to one another?

Prediction: yes. All three together are better on new images than any one of them alone.

Source: lecture notes on chapter 6, which list the three as remedies for overfitting; Li et al.
(2019), van Laarhoven (2017) and Kadra et al. (2021) for the ways in which they meet.

Rule: all eight combinations of the three, each with the best of four learning rates on the tuning
rows, are judged on test accuracy after 600 updates on 300 images. C48 has three parts: all three
together are better than each one alone by the smallest effect of interest. Holm over the three.
Reported beside them, without deciding: what each adds on average over the other two, and how much
more it adds where another is there too (Holm over the six).
"""

import sys
from itertools import combinations

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, brief, dots, effects, run
from kerasreg.stacks import StackConfig, l2_from_lambda

NET = StackConfig(units=(256, 256), optimizer="momentum")
REMEDIES = {
    "decay": {"l2": l2_from_lambda(1e-3)},
    "dropout": {"dropout": 0.3},
    "batch norm": {"normalization": "batch"},
}
CELLS = {
    " + ".join(chosen) or "none": NET.replace(
        **{k: v for r in chosen for k, v in REMEDIES[r].items()}
    )
    for number in range(4)
    for chosen in combinations(REMEDIES, number)
}
ALL = " + ".join(REMEDIES)
RATES = (0.01, 0.03, 0.1, 0.3)
EPOCHS, BATCH = 200, 100  # of 300 rows: 600 updates


def has(cell: str, *remedies: str) -> bool:
    return set(remedies) <= set(cell.split(" + "))


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    beats = {r: Rule(f"all three beat {r} alone", "greater", smallest, unit="pp") for r in REMEDIES}
    adds = {r: Rule(f"{r} adds on average", "greater", smallest, unit="pp") for r in REMEDIES}
    meets = {
        pair: Rule(f"{pair[0]} adds as much with {pair[1]}", "equivalent", smallest, unit="pp")
        for pair in combinations(REMEDIES, 2)
    }
    data = lesson.data(train_size=300)
    cells = lesson.tune(CELLS, RATES, data, epochs=EPOCHS, batch_size=BATCH, seeds=5)
    runs = lesson.train(cells, data, epochs=EPOCHS, batch_size=BATCH, every=50)
    test = {cell: runs[cell].final("test_accuracy") for cell in runs}

    def mean(chosen) -> np.ndarray:
        return np.mean([test[cell] for cell in test if chosen(cell)], axis=0)

    def gain(remedy: str, given=lambda cell: True) -> np.ndarray:
        with_it = mean(lambda cell: has(cell, remedy) and given(cell))
        return with_it - mean(lambda cell: not has(cell, remedy) and given(cell))

    alone = dict(
        zip(
            beats,
            lesson.judge(*((rule, test[ALL], test[r]) for r, rule in beats.items())),
            strict=True,
        )
    )
    factors = [(rule, gain(r), 0.0) for r, rule in adds.items()]
    for (one, other), rule in meets.items():
        with_other = gain(one, lambda cell, other=other: has(cell, other))
        factors.append(
            (rule, with_other, gain(one, lambda cell, other=other: not has(cell, other)))
        )
    names = [*adds, *(f"{one}, more with {other}" for one, other in meets)]
    decided = dict(zip(names, lesson.judge(*factors), strict=True))
    best = max(test, key=lambda cell: test[cell].mean())
    lesson.conclude(
        "C48",
        *alone.values(),
        take_home=f"The best of the eight was {best}. On average over the others, "
        + ", ".join(f"{remedy} gave {brief(decided[remedy])}" for remedy in REMEDIES)
        + ": try each by itself before you stack them.",
    )
    rows = runs.table()
    for row in rows:
        row["learning rate"] = f"{cells[row['arm']].learning_rate:g}"
    lesson.table(rows)
    lesson.draw(
        "Three remedies in all combinations, each at its best learning rate, 300 images",
        dots({c: 100 * v for c, v in test.items()}, "the eight combinations", "test accuracy, %"),
        effects(
            {f"all three − {r}": d for r, d in alone.items()}, "together or alone", "accuracy, pp"
        ),
        effects(decided, "what each adds", "accuracy, pp"),
        caption="Test accuracy of the eight combinations; all three against each alone; and what "
        "each adds on average, and more where another is there, with 95 % intervals.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=6))
