"""By which fraction does classic dropout multiply at prediction, the dropped or the kept one?

Prediction: by the fraction kept. The slides multiply by the fraction dropped, which is another
number unless both are 0.5.

Source: slides on dropout, against the lecture and the code of chapter 6; Srivastava et al. (2014).

Rule: C06 (multiply by the fraction dropped) has two parts, for networks trained with a rate of 0.2:
the test accuracy equals that with the fraction kept within the smallest effect of interest, and so
does the test loss within 20 %. Holm over the two. Rate 0.5 is shown beside them.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, brief, dots, run, thinning
from kerasreg.lesson.models import wide

RATES = (0.2, 0.5)
NET = wide(optimizer="momentum", learning_rate=0.05)
ARMS = {f"rate {rate:g}": NET.replace(dropout=rate) for rate in RATES}
EPOCHS, BATCH = 60, 100  # of 1,000 rows: 600 updates


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    hits = Rule("as accurate as with the fraction kept", "equivalent", smallest, unit="pp")
    loss = Rule("the same test loss as with it", "equivalent", 1.2, "ratio")

    data = lesson.data(train_size=1000)
    runs = lesson.train(ARMS, data, epochs=EPOCHS, batch_size=BATCH, every=20)
    found = {}
    for rate, arm in zip(RATES, ARMS, strict=True):
        for index in range(len(runs.seeds)):
            weights = thinning.dense_weights(runs.model(arm, index))
            # Keras divides by the fraction kept in training, classic dropout does not: for the same
            # network its kernels are Keras' divided by it, so that a factor f becomes f / kept.
            choices = {f"kept ({1 - rate:g})": 1 - rate, f"dropped ({rate:g})": rate, "1": 1.0}
            for word, factor in choices.items():
                factors = [factor / (1 - rate)] * len(NET.units)
                logits = thinning.thinned_logits(weights, data.test.x, factors)
                pair = thinning.accuracy(logits, data.test), thinning.data_loss(logits, data.test)
                found.setdefault((arm, f"× {word}"), []).append(pair)
    found = {key: np.array(pairs).T for key, pairs in found.items()}
    kept, dropped, _ = (pair for (arm, _), pair in found.items() if arm == "rate 0.2")
    right, costs = lesson.judge((hits, dropped[0], kept[0]), (loss, dropped[1], kept[1]))
    lesson.conclude(
        "C06",
        right,
        costs,
        take_home="Multiply by the fraction kept. At rate 0.2 the fraction dropped changes "
        f"accuracy by {brief(right)} and the loss to {brief(costs)}; at 0.5 the two agree, which "
        "hides the mistake. Keras needs no factor.",
    )
    lesson.table(
        [
            {
                "network": arm,
                "prediction": factor,
                "test accuracy": f"{100 * hit.mean():.1f} %",
                "test data loss": f"{nats.mean():.3f}",
            }
            for (arm, factor), (hit, nats) in found.items()
        ]
    )
    names = {key: f"{key[0]}: {key[1]}" for key in found}
    lesson.draw(
        "Classic dropout by what it multiplies by at prediction, two hidden layers of 512",
        dots({names[k]: 100 * v[0] for k, v in found.items()}, "accuracy", "test accuracy, %"),
        dots({names[k]: v[1] for k, v in found.items()}, "loss", "test data loss, nats"),
        caption="Test accuracy and test loss of each seed for two rates and three factors.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=2))
