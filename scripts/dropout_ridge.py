"""Is dropout an L2 penalty that adapts to the size of the activations?

Prediction: exactly so in linear regression; not in a network.

Source: lecture "Understanding dropout"; Srivastava et al. (2014), section 9.1; Wager et al. (2013);
Helmbold and Long (2015) for networks.

Rule: C11 has three parts. Linear regression of ten class indicators on the images, half of the
pixels kept: the mean error over 2,000 masks lies within 4 standard errors of the error without
dropout plus w'Pw, P = (1 - keep) / keep diag(X'X), for each output; and the weights that dropout
asks for are those of scikit-learn's ridge regression on scaled columns, within 1e-6. A trained
network: the rise of its training loss by dropout in its last hidden layer equals the adaptive
penalty of that layer, to second order, within a quarter, at a rate of 0.1, and of 0.5.
"""

import sys

import numpy as np

from kerasreg.evidence import ExactRule, Rule, ThresholdRule
from kerasreg.lesson import FIFTH, Advice, Lesson, run, sweep, thinning
from kerasreg.seeds import derive

KEEP = 0.5
RATES = (0.05, 0.1, 0.2, 0.35, 0.5)
ARM = "dropout 0.5"
EPOCHS, BATCH = 60, 100  # of 1,000 rows: 600 updates


def network(data, rate: float):
    """Two hidden layers of 512, with dropout after each."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(keras.layers.Dense(512, activation="relu", kernel_initializer="he_normal"))
        model.add(keras.layers.Dropout(rate))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def linear_regression(rows, classes: int, masks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors by masks and by penalty, in standard errors; weights by dropout and by ridge."""
    from sklearn.linear_model import Ridge

    from kerasreg.layers import dropout_penalty, dropout_ridge

    used = rows.x.std(axis=0) > 0  # a pixel that is always 0 has no weight to find
    x, y = rows.x[:, used].astype(float), np.eye(classes)[rows.y]
    weights, generator = dropout_ridge(x, y, KEEP), np.random.default_rng(derive(0, "masks"))
    draws = np.empty((masks, classes))
    for index in range(masks):
        kept = (generator.random(x.shape, "float32") < KEEP) / KEEP
        draws[index] = ((y - (x * kept) @ weights) ** 2).sum(axis=0)
    expected = ((y - x @ weights) ** 2).sum(axis=0)
    expected += np.einsum("ij,ik,kj->j", weights, dropout_penalty(x, KEEP), weights)
    distance = (draws.mean(axis=0) - expected) / (draws.std(axis=0, ddof=1) / np.sqrt(masks))
    length = np.sqrt((x**2).sum(axis=0))
    ridge = Ridge(alpha=(1 - KEEP) / KEEP, fit_intercept=False).fit(x / length, y)
    return distance, weights, ridge.coef_.T / length[:, None]


def rises(weights: thinning.Weights, rows, seed: int) -> tuple[list, list]:
    """Rise of the loss by dropout in the last hidden layer for `RATES`, measured and predicted."""
    generator = np.random.default_rng(derive(seed, "last layer"))
    hidden, last = thinning.hidden_units(weights, rows.x)[-1], weights[-1:]
    plain = thinning.data_loss(thinning.thinned_logits(last, hidden), rows)
    measured = []
    for rate in RATES:
        masks = (
            (generator.random(hidden.shape, "float32") >= rate) / (1 - rate) for _ in range(20)
        )
        logits = (thinning.thinned_logits(last, hidden * mask) for mask in masks)
        measured.append(np.mean([thinning.data_loss(own, rows) for own in logits]) - plain)
    return measured, [thinning.softmax_penalty(hidden, last, rate) for rate in RATES]


def body(lesson: Lesson) -> None:
    error = ThresholdRule("linear: error = fit + penalty", "at_most", 4.0, unit="standard errors")
    same = ExactRule("linear: dropout's weights are ridge's", 1e-6)
    deep = {
        rate: Rule(
            f"network: rise of the loss against the penalty, rate {rate:g}",
            "equivalent",
            FIFTH,
            "ratio",
        )
        for rate in (0.1, 0.5)
    }

    data = lesson.data(train_size=1000)
    rows = data.draw(0)
    masks = 20 if lesson.quick else 2000
    distance, weights, ridge = linear_regression(rows, data.classes, masks)
    runs = lesson.train(
        {ARM: network(data, 1 - KEEP)}, data, epochs=EPOCHS, batch_size=BATCH, every=20
    )
    both = [
        rises(thinning.dense_weights(runs.model(ARM, i)), data.draw(seed), seed)
        for i, seed in enumerate(runs.seeds)
    ]
    measured, penalty = (np.array(values) for values in zip(*both, strict=True))
    decided = lesson.judge(
        {
            f"rate {rate:g}": (
                rule,
                measured[:, RATES.index(rate)],
                penalty[:, RATES.index(rate)],
            )
            for rate, rule in deep.items()
        }
    )
    lesson.conclude(
        "C11",
        error.decide(np.abs(distance).max()),
        same.decide(weights, ridge),
        *decided.values(),
        predicted="partly",
        setting="Linear regression of 1,000 images; two hidden layers of 512",
        advice=Advice(
            claimed="Think of dropout as an L2 penalty.",
            opposite="Do not think of dropout as an L2 penalty.",
            none="Do not think of dropout as an L2 penalty.",
            mixed="Think of dropout as a cousin of L2, and tune both.",
        ),
        why="In linear regression dropout is ridge, each weight's penalty scaled by its column. In "
        "a network that holds to second order, for small rates.",
    )
    lesson.table(runs.table())

    def agreement(axes) -> None:
        axes.plot(ridge.ravel(), weights.ravel(), "o", markersize=3, alpha=0.5)
        axes.axline((0, 0), slope=1, color="0.5", linewidth=1)
        axes.set(title="linear regression: all weights", ylabel="by dropout, closed form")
        axes.set(xlabel="by ridge regression on scaled columns")

    lesson.draw(
        "Dropout and its L2 penalty, half of the units kept",
        agreement,
        sweep(
            RATES,
            {"dropout, measured": measured, "adaptive L2 penalty": penalty},
            "last hidden layer of a network",
            "rate (fraction dropped)",
            "rise of the training loss, nats",
            log_y=True,
        ),
        caption="Weights of linear regression by dropout's closed form over those of ridge "
        "regression; and the rise of a network's loss by dropout against the adaptive penalty.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
