"""Does an L1 penalty set weights to zero where L2 only makes them small?

Prediction: yes. In a linear model Lasso has exact zeros and Ridge has none. In a network trained by
gradient steps L1 leaves many more weights near zero than L2 does, but none exactly there.

Source: slides on regularisation; Tibshirani (1996), Ng (2004).

Rule: C46 has four parts. Lasso sets at least one coefficient in ten exactly to zero, and Ridge
none, the mean over seeds. A network trained with L1 has more weights below 0.001 in absolute value
than one with L2, by ten points in a hundred. And, taken at its word: a network trained with L1 has
at least one weight in ten exactly at zero. All strengths are chosen on the tuning rows, from five
each.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, ThresholdRule
from kerasreg.lesson import Advice, Lesson, dots, run

STRENGTHS = {"L1": (1e-4, 2e-4, 5e-4, 1e-3, 2e-3), "L2": (1e-4, 5e-4, 2e-3, 5e-3, 2e-2)}
EPOCHS, BATCH = 100, 100  # of 300 rows: 300 updates
NEAR = 1e-3


def network(data, penalty=None):
    """Two hidden layers of 100 with a penalty on every kernel."""
    import keras

    options = {"kernel_initializer": "he_normal", "kernel_regularizer": penalty}
    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(keras.layers.Dense(100, activation="relu", **options))
    model.add(keras.layers.Dense(data.classes, activation="softmax", **options))
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


def near_zero(kernels: list[np.ndarray]) -> float:
    """Share of all weights below `NEAR` in absolute value."""
    return float(np.mean(np.abs(np.concatenate([k.ravel() for k in kernels])) < NEAR))


def exactly_zero(kernels: list[np.ndarray]) -> float:
    """Share of all weights that are 0."""
    return float(np.mean(np.concatenate([k.ravel() for k in kernels]) == 0))


def linear_zeros(data, seeds) -> dict[str, float]:
    """Share of exact zeros among the coefficients that tell one class from the others.

    Mean over the seeds' draws; each model at the strength that is best on the tuning rows.
    """
    from sklearn.linear_model import Lasso, Ridge

    alphas = {"Lasso": np.geomspace(1e-4, 1e-1, 5), "Ridge": np.geomspace(1e-1, 1e3, 5)}
    models = {"Lasso": lambda a: Lasso(alpha=a, max_iter=10_000), "Ridge": lambda a: Ridge(alpha=a)}
    shares: dict[str, list[float]] = {name: [] for name in models}
    for seed in seeds:
        rows = data.draw(seed)
        used = rows.x.std(axis=0) > 0  # a constant pixel has a coefficient of 0 in any model
        for name, model in models.items():
            fitted = [model(a).fit(rows.x[:, used], rows.y == 0) for a in alphas[name]]
            x, y = data.tuning.x[:, used], data.tuning.y == 0
            best = min(fitted, key=lambda one: np.mean((one.predict(x) - y) ** 2))
            shares[name].append(float(np.mean(best.coef_ == 0)))
    return {name: float(np.mean(own)) for name, own in shares.items()}


def body(lesson: Lesson) -> None:
    from keras import regularizers

    lasso = ThresholdRule("Lasso has exact zeros", "at_least", 0.1, unit="of the coefficients")
    ridge = ThresholdRule("Ridge has none", "at_most", 0.0, unit="of the coefficients")
    nearer = Rule(
        "network: weights near zero with L1, against L2", "greater", 0.01, needs=0.1, unit="pp"
    )
    exact = ThresholdRule("a network with L1 has exact zeros", "at_least", 0.1, unit="of weights")

    data = lesson.data(train_size=300)
    strengths = {
        kind: {
            f"{kind.lower()} {v:g}": network(data, getattr(regularizers, kind)(v)) for v in values
        }
        for kind, values in STRENGTHS.items()
    }
    best = lesson.choose(strengths, data, epochs=EPOCHS, batch_size=BATCH)
    runs = lesson.train(
        {"none": network(data)} | best, data, epochs=EPOCHS, batch_size=BATCH, every=10
    )
    zeros = linear_zeros(data, lesson.seeds)
    near = {arm: runs.per_run(arm, near_zero) for arm in runs}
    decided = lesson.judge({"near zero": (nearer, near["L1"], near["L2"])})
    lesson.conclude(
        "C46",
        lasso.decide(zeros["Lasso"]),
        ridge.decide(zeros["Ridge"]),
        *decided.values(),
        exact.decide(runs.per_run("L1", exactly_zero).mean()),
        predicted="partly",
        setting="300 images, linear models and two hidden layers of 100",
        advice=Advice(
            claimed="Use L1 where you want zeros, L2 where you want small weights.",
            opposite="Do not expect zeros from L1.",
            none="Do not expect zeros from L1.",
            mixed="Use Lasso for zeros; in a network cut small weights after training with L1.",
        ),
        why="Lasso is solved coordinate by coordinate; gradient steps overshoot zero.",
    )
    rows = runs.table()
    for row in rows:
        row[f"|w| < {NEAR:g}"] = f"{100 * near[row['arm']].mean():.1f} %"
        row["w = 0"] = f"{100 * runs.per_run(row['arm'], exactly_zero).mean():.1f} %"
    lesson.table(rows)
    for name, share in zeros.items():
        lesson.notes.append(f"{name}: {100 * share:.0f} % of the coefficients are exactly 0.")

    def distribution(axes):
        edges = np.linspace(-0.15, 0.15, 61)
        for arm in runs:
            weights = np.concatenate([k.ravel() for k in runs.kernels(arm)])
            share = 100 * np.histogram(weights, edges)[0] / len(weights)
            axes.step(edges[:-1], np.maximum(share, 1e-3), where="post", label=arm)
        axes.set_yscale("log")
        axes.set_title("weights of one trained network")
        axes.set_xlabel("weight")
        axes.set_ylabel("share in a bin of 0.005, %")
        axes.legend()

    lesson.draw(
        "What L1 and L2 do to weights, 300 images, two hidden layers of 100",
        distribution,
        dots({arm: 100 * near[arm] for arm in runs}, f"weights below {NEAR:g}", "share, %"),
        dots({arm: 100 * runs[arm].final("test_accuracy") for arm in runs}, "test accuracy", "%"),
        caption="Distribution of the weights without penalty, with L1 and with L2, the share of "
        "weights near zero and test accuracy, each seed a dot.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
