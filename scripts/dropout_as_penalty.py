"""Is keeping fewer units like raising the weight penalty?

Prediction: along both knobs, dropout rate and λ, the gap, the training accuracy and the squared
norm of the weights fall.

Source: lecture "Understanding dropout"; Wager et al. (2013) for linear models.

Rule: each seed has one Spearman correlation of each measure with each knob, the other knob at 0.
A part is supported if the correlation lies below 0 over seeds and its mean is -0.8 or less, and
contradicted if it lies above 0 or within ±0.8. C12 holds if all six parts do. Holm over the six.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, trend
from kerasreg.lesson import Lesson, brief, run, squared_norm, sweep
from kerasreg.lesson.models import wide
from kerasreg.stacks import l2_from_lambda

RATES = (0.0, 0.2, 0.4, 0.6)
LAMBDAS = (0.0, 1e-3, 1e-2, 3e-2)
NET = wide(optimizer="momentum", learning_rate=0.05)
KNOBS = {
    "dropout rate": (RATES, {f"rate {r:g}": NET.replace(dropout=r) for r in RATES}),
    "λ": (LAMBDAS, {f"λ {v:g}": NET.replace(l2=l2_from_lambda(v)) for v in LAMBDAS}),
}
EPOCHS, BATCH = 40, 100  # of 1,000 rows: 400 updates


def body(lesson: Lesson) -> None:
    rule = {
        (knob, measure): Rule(f"{measure} falls with higher {knob}", "less", 0.8)
        for knob in KNOBS
        for measure in ("gap", "training accuracy", "squared norm")
    }
    data = lesson.data(train_size=1000)
    arms = {name: config for _, own in KNOBS.values() for name, config in own.items()}
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=10)
    results = {}
    for knob, (_, own) in KNOBS.items():
        results[knob, "gap"] = runs.stacked("gap", list(own))
        results[knob, "training accuracy"] = runs.stacked("train_accuracy", list(own))
        results[knob, "squared norm"] = np.stack(
            [runs.per_run(arm, squared_norm) for arm in own], axis=1
        )
    decisions = dict(
        zip(
            rule,
            lesson.judge(
                *(
                    (rule[key], trend(KNOBS[key[0]][0], results[key], 0.8, statistic="spearman"))
                    for key in rule
                )
            ),
            strict=True,
        )
    )
    norms = {knob: brief(decisions[knob, "squared norm"]) for knob in KNOBS}
    lesson.conclude(
        "C12",
        *decisions.values(),
        take_home="Both knobs limit the network, not by the same means: the rank correlation of "
        f"the squared norm is {norms['dropout rate']} with the rate, {norms['λ']} with λ.",
    )
    rows = runs.table()
    for row in rows:
        row["squared norm"] = f"{runs.per_run(row['arm'], squared_norm).mean():.0f}"
    lesson.table(rows)
    ticks = ["off", *(f"{r:g}\nλ {v:g}" for r, v in zip(RATES[1:], LAMBDAS[1:], strict=True))]
    panels = [
        sweep(
            range(len(RATES)),
            {knob: scale * results[knob, measure] for knob in KNOBS},
            measure,
            "dropout rate, or λ",
            unit,
            log_y=measure == "squared norm",
            ticks=ticks,
        )
        for measure, scale, unit in (
            ("gap", 100, "train − test accuracy, pp"),
            ("training accuracy", 100, "%"),
            ("squared norm", 1, "Σ w²"),
        )
    ]
    lesson.draw(
        "Two knobs, dropout rate and λ, each with the other off, 1,000 images",
        *panels,
        caption="Gap, training accuracy and squared norm as the dropout rate or λ rises.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=6))
