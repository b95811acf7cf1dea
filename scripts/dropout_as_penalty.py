"""Is keeping fewer units like raising the weight penalty?

Prediction: along both knobs, dropout rate and λ, the training loss rises, and the gap and the
squared norm of the weights fall.

Source: lecture "Understanding dropout"; Wager et al. (2013) for linear models.

Rule: the strongest value of each knob, rate 0.6 and λ 0.03, is compared with none, the other knob
at 0, after 400 updates. C12 has three parts a knob: the training loss rises by a quarter, the gap
falls by 1.5 points, and the squared norm of the weights falls by a fifth.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import FIFTH, Advice, Lesson, run, squared_norm, sweep

RATES = (0.0, 0.2, 0.4, 0.6)
LAMBDAS = (0.0, 1e-3, 1e-2, 3e-2)
KNOBS = {
    "dropout rate": (RATES, [f"rate {rate:g}" for rate in RATES]),
    "λ": (LAMBDAS, [f"λ {value:g}" for value in LAMBDAS]),
}
EPOCHS, BATCH = 40, 100  # of 1,000 rows: 400 updates


def network(data, rate: float, decay: float):
    """Two hidden layers of 512 with dropout after each, and ½ λ Σ w²; Keras' L2 has no ½."""
    import keras

    options = {
        "kernel_initializer": "he_normal",
        "kernel_regularizer": keras.regularizers.L2(decay / 2),
    }
    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(keras.layers.Dense(512, activation="relu", **options))
        model.add(keras.layers.Dropout(rate))
    model.add(keras.layers.Dense(data.classes, activation="softmax", **options))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    def rules(knob: str) -> dict[str, Rule]:
        return {
            "training loss": Rule(f"{knob}: training loss", "greater", FIFTH, "ratio", unit="nats"),
            "gap": Rule(f"{knob}: gap", "less", 0.015, unit="pp"),
            "squared norm": Rule(f"{knob}: squared norm", "less", FIFTH, "ratio"),
        }

    data = lesson.data(train_size=1000)
    arms = {f"rate {rate:g}": network(data, rate, 0.0) for rate in RATES}
    arms |= {f"λ {value:g}": network(data, 0.0, value) for value in LAMBDAS}
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=10)
    results = {}
    for knob, (_, own) in KNOBS.items():
        results[knob, "gap"] = runs.stacked("gap", list(own))
        results[knob, "training loss"] = runs.stacked("train_data_loss", list(own))
        results[knob, "squared norm"] = np.stack(
            [runs.per_run(arm, squared_norm) for arm in own], axis=1
        )
    decided = lesson.judge(
        {
            f"{knob}, {measure}": (
                rule,
                results[knob, measure][:, -1],
                results[knob, measure][:, 0],
            )
            for knob in KNOBS
            for measure, rule in rules(knob).items()
        }
    )
    lesson.conclude(
        "C12",
        *decided.values(),
        setting="1,000 images, two hidden layers of 512, strongest against none",
        advice=Advice(
            claimed="Treat dropout and weight decay as two knobs for the same thing: tune one.",
            opposite="Do not trade dropout for weight decay: they do opposite things here.",
            none="Neither knob does much here.",
            mixed="Both knobs hold the network back, by other means: tune each for itself.",
        ),
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
            log_y=measure != "gap",
            ticks=ticks,
        )
        for measure, scale, unit in (
            ("gap", 100, "train − test accuracy, pp"),
            ("training loss", 1, "nats"),
            ("squared norm", 1, "Σ w²"),
        )
    ]
    lesson.draw(
        "Two knobs, dropout rate and λ, each with the other off, 1,000 images",
        *panels,
        caption="Gap, training loss and squared norm as the dropout rate or λ rises.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
