"""Which initial weights learn fastest with ReLU, tanh and sigmoid?

Prediction: He's with ReLU, Xavier's with tanh and sigmoid; 0.01 hardly learns.

Source: lecture notes on chapter 6 (four hidden layers of 100, batch 128, SGD 0.01); Glorot and
Bengio (2010), who advise four times Xavier's scale for sigmoid; He et al. (2015).

Rule: judged on updates to 95 % training accuracy. A run that never gets there counts its budget;
where no run of two arms gets there, they are undecided. An own rate is the best of eight on the
tuning rows after 304 updates. C53: with ReLU, He's weights need a fifth fewer (ratio 0.8) than
Xavier's and than 0.01, at the notes' rate and at each one's own. C54, own rates: with tanh and with
sigmoid, Xavier's need a fifth fewer than 0.01, and less than 1.25 times as many as He's and as
four times Xavier's. Holm over the ten.
"""

import sys

from kerasreg.evidence import Decision, Rule
from kerasreg.lesson import Lesson, brief, curves, run, spread
from kerasreg.lesson.models import net4

WEIGHTS = {
    "0.01": {"initializer": 0.01},
    "Xavier": {"initializer": "xavier"},
    "He": {"initializer": "he"},
    "4 × Xavier": {"initializer": "xavier", "initial_scale": 4.0},
}
RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
TUNING, EPOCHS, LONG, BATCH = 38, 75, 125, 128  # of 1,000 rows: 304, 600 and 1,000 updates


RULES = {  # the claim's arm, the arm it is compared with, at the notes' or each one's own rate
    **{
        ("relu, He", f"relu, {other}", whose): Rule(
            f"ReLU: He faster than {other}, {whose} rate", "less", 1.25, "ratio"
        )
        for whose in ("noted", "own")
        for other in ("Xavier", "0.01")
    },
    **{
        (f"{kind}, Xavier", f"{kind}, {other}", "own"): Rule(
            f"{kind}: Xavier {'faster' if other == '0.01' else 'no slower'} than {other}",
            "less",
            1.25 if other == "0.01" else 1.0,
            "ratio",
            null=1.0 if other == "0.01" else 1.25,
        )
        for kind in ("tanh", "sigmoid")
        for other in ("0.01", "He", "4 × Xavier")
    },
}


def nets(activation: str, weights=tuple(WEIGHTS)) -> dict:
    return {f"{activation}, {w}": net4(activation=activation, **WEIGHTS[w]) for w in weights}


def body(lesson: Lesson) -> None:
    data = lesson.data(train_size=1000)
    relu = nets("relu", ("0.01", "Xavier", "He"))
    every = relu | nets("tanh") | nets("sigmoid")
    best = lesson.tune(every, RATES, data, epochs=TUNING, batch_size=BATCH)
    noted = lesson.train(relu, data, epochs=LONG, batch_size=BATCH, label="noted rate")
    own = lesson.train(best, data, epochs=EPOCHS, batch_size=BATCH, label="own rate")
    runs = {(arm, "noted"): noted[arm] for arm in noted} | {(arm, "own"): own[arm] for arm in own}
    updates = {key: arm.updates_to(0.95) for key, arm in runs.items()}
    there = {key: int(arm.reached(0.95).sum()) for key, arm in runs.items()}

    judged = {
        (a, b, whose): (rule, updates[a, whose], updates[b, whose])
        for (a, b, whose), rule in RULES.items()
        if lesson.quick or there[a, whose] or there[b, whose]
    }
    decided = dict(zip(judged, lesson.judge(*judged.values(), family=len(RULES)), strict=True))
    for key, rule in RULES.items():
        nowhere = Decision(rule.claim, "undecided", "neither came to 95 %")
        decided.setdefault(key, nowhere)
    of_relu = [decided[key] for key in RULES if key[0] == "relu, He"]
    of_others = [decided[key] for key in RULES if key[0] != "relu, He"]
    fastest = {
        kind: min((arm for arm in own if kind in arm), key=lambda arm: updates[arm, "own"].mean())
        for kind in ("tanh", "sigmoid")
    }
    lesson.conclude(
        "C53",
        *of_relu,
        take_home=f"With ReLU, He's weights needed {brief(of_relu[0])} of the updates of Xavier's "
        f"at the notes' rate and {brief(of_relu[2])} at each one's own.",
    )
    lesson.conclude(
        "C54",
        *of_others,
        take_home="Fastest of four: "
        + ") and ".join(f"{arm} ({updates[arm, 'own'].mean():.0f}" for arm in fastest.values())
        + " updates). Xavier's scale is made for tanh, whose slope at 0 is 1; sigmoid's is 1/4.",
    )
    lesson.table(
        {
            "weights": arm,
            "rate": f"{whose}, {runs[arm, whose].config.learning_rate:g}",
            "updates to 95 %": spread(counts, digits=0),
            "runs that get there": f"{there[arm, whose]} of {len(lesson.seeds)}",
        }
        for (arm, whose), counts in updates.items()
    )

    def accuracy(arms, kind, title):
        shown = [arm for arm in arms if kind in arm]
        return curves(arms, "train_accuracy", title, shown, per="update")

    lesson.draw(
        "Initial weights of four hidden layers of 100, training accuracy on 1,000 images",
        accuracy(noted, "relu", "ReLU, the notes' rate"),
        accuracy(own, "relu", "ReLU, own rates"),
        accuracy(own, "tanh", "tanh, own rates"),
        accuracy(own, "sigmoid", "sigmoid, own rates"),
        columns=2,
        caption="Training accuracy over updates from small, Xavier's, He's and four times Xavier's "
        "initial weights, for ReLU at the notes' rate, and for three activations at own rates.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=10))
