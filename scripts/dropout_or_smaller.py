"""Does dropout work because every step trains a smaller network?

Prediction: yes. A network of half the width, without dropout, does as well as the wide network with
dropout 0.5, and better than the wide one without.

Source: lecture "Understanding dropout"; Srivastava et al. (2014) explain dropout otherwise, by
weights that many networks share.

Rule: C09 has two parts, on test accuracy after training on 300 images to convergence (99 % on the
training rows, or 600 updates): half the width equals the wide network with dropout 0.5 within the
smallest effect of interest, and beats the wide one without dropout by it. The same after 600
updates for all is reported beside them and does not decide. Holm over the four.
"""

import sys

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, brief, curves, dots, effects, run
from kerasreg.lesson.models import wide

NET = wide(optimizer="momentum", learning_rate=0.05)
WIDE, DROPPED, HALF = "512 units", "512 units, dropout 0.5", "256 units"
ARMS = {WIDE: NET, DROPPED: NET.replace(dropout=0.5), HALF: NET.replace(units=(256, 256))}
EPOCHS, BATCH = 200, 100  # of 300 rows: 600 updates


def body(lesson: Lesson) -> None:
    smallest = lesson.smallest_effect
    as_well = Rule("half the width equals dropout", "equivalent", smallest, unit="pp")
    better = Rule("half the width beats the full width", "greater", smallest, unit="pp")

    data = lesson.data(train_size=300)
    runs = lesson.train(ARMS, data, epochs=EPOCHS, batch_size=BATCH, every=5)
    converged = {arm: runs[arm].converged("test_accuracy") for arm in ARMS}
    final = {arm: runs[arm].final("test_accuracy") for arm in ARMS}
    decisions = lesson.judge(
        (as_well, converged[HALF], converged[DROPPED]),
        (better, converged[HALF], converged[WIDE]),
        (as_well, final[HALF], final[DROPPED]),
        (better, final[HALF], final[WIDE]),
    )
    lesson.conclude(
        "C09",
        *decisions[:2],
        take_home=f"Half the width − dropout: {brief(decisions[0])}; half − full width: "
        f"{brief(decisions[1])} at convergence, {brief(decisions[2])} and {brief(decisions[3])} "
        "after equal updates. Dropout and a smaller network are two things to try.",
    )
    lesson.table(runs.table())
    names = ("half width − dropout", "half − full width")
    rows = [f"{name}, {when}" for when in ("converged", "600 updates") for name in names]
    lesson.draw(
        "Dropout and a smaller network, two hidden layers, 300 images",
        curves(runs, "test_accuracy", "test accuracy"),
        dots({a: 100 * v for a, v in converged.items()}, "at convergence", "test accuracy, %"),
        effects(dict(zip(rows, decisions, strict=True)), "half the width", "test accuracy, pp"),
        caption="Test accuracy over epochs of a wide network, with dropout and without, and of one "
        "of half its width; at convergence for each seed; and the differences that decide.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=4))
