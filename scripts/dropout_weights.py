"""Does dropout spread the weights and shrink their squared norm?

Prediction: yes. With dropout 0.5 the squared norm is smaller at equal training loss, and the
weights of a unit are spread more evenly over its inputs.

Source: lecture "Understanding dropout"; Wager et al. (2013) and Mianjy et al. (2018) for simple
models; Helmbold and Long (2015), who show that norms can grow in deep ones.

Rule: C10 has two parts, with dropout 0.5 against none. The squared norm of all kernels grows less
from its start, by a fifth, until equal training loss (for each seed the lowest that both arms
reach, interpolated). The spread of a unit's d weights, (Σw²)² / (d Σw⁴), which is 1 if all are
equal and 1/3 if they are normal, is larger by 10 % after 600 updates.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import FIFTH, Advice, Lesson, band, dots, run, squared_norm

# A penalty of 1e-12 times the squared norm trains nothing; its curve is how the norm is watched.
TINY = 1e-12
RATES = (0.0, 0.2, 0.5)
PLAIN, HALF = "dropout 0", "dropout 0.5"
EPOCHS, BATCH = 60, 100  # of 1,000 rows: 600 updates


def network(data, rate: float):
    """Two hidden layers of 512, with dropout after each and a penalty too small to matter."""
    import keras

    options = {
        "kernel_initializer": "he_normal",
        "kernel_regularizer": keras.regularizers.L2(TINY),
    }
    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(keras.layers.Dense(512, activation="relu", **options))
        model.add(keras.layers.Dropout(rate))
    model.add(keras.layers.Dense(data.classes, activation="softmax", **options))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def evenness(kernels: list[np.ndarray]) -> float:
    """Mean over hidden units of (Σw²)² / (d Σw⁴)."""
    units = [(k**2).sum(axis=0) ** 2 / (len(k) * (k**4).sum(axis=0)) for k in kernels[:-1]]
    return float(np.concatenate(units).mean())


def initial_norm(config, data, seeds) -> np.ndarray:
    """Squared norm of all kernels before training, (seeds,)."""
    from kerasreg.lesson.gradients import start
    from kerasreg.stacks import build_stack

    model, norms = build_stack(config, data.input_shape, data.outputs), []
    for seed in seeds:
        start(model, config, seed)
        kernels = [v.numpy() for v in model.trainable_variables if v.name == "kernel"]
        norms.append(squared_norm(kernels))
    return np.array(norms)


def body(lesson: Lesson) -> None:
    shrinks = Rule("growth of the squared norm until equal training loss", "less", FIFTH, "ratio")
    spreads = Rule("spread of a unit's weights", "greater", 1.1, "ratio")

    data = lesson.data(train_size=1000)
    arms = {f"dropout {rate:g}": network(data, rate) for rate in RATES}
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=3)
    lowest = np.maximum(*(runs[arm].train_data_loss.min(axis=1) for arm in (PLAIN, HALF)))
    norm = {arm: runs[arm].at_train_loss("penalty", lowest) / TINY for arm in arms}
    started = initial_norm(runs[PLAIN].config, data, lesson.seeds)
    # A norm that did not grow counts as grown by 1, of about 2,000.
    growth = {arm: np.maximum(values - started, 1.0) for arm, values in norm.items()}
    even = {arm: runs.per_run(arm, evenness) for arm in arms}
    decided = lesson.judge(
        {
            "growth": (shrinks, growth[HALF], growth[PLAIN]),
            "spread": (spreads, even[HALF], even[PLAIN]),
        }
    )
    lesson.conclude(
        "C10",
        *decided.values(),
        setting="1,000 images, two hidden layers of 512, dropout 0.5",
        advice=Advice(
            claimed="Use dropout to keep weights small and spread.",
            opposite="Ask for small weights with a penalty: dropout made them grow.",
            none="Ask for small weights with a penalty: dropout makes no difference to them.",
            mixed="Ask for small weights with a penalty, not with dropout.",
        ),
        why="Most of the squared norm is that of the initial weights, so its growth is compared.",
    )
    rows = runs.table()
    for row in rows:
        arm = row["arm"]
        row["norm² at the end"] = f"{(runs[arm].final('penalty') / TINY).mean():.0f}"
        row["growth of norm² until equal loss"] = f"{growth[arm].mean():.0f}"
        row["spread"] = f"{even[arm].mean():.3f}"
    lesson.table(rows)

    def norm_over_loss(axes) -> None:
        for index, arm in enumerate(arms):
            loss = np.median(runs[arm].train_data_loss, axis=0)
            band(axes, loss, runs[arm].penalty / TINY, arm, index)
        axes.axvline(np.median(lowest), color="0.5", linewidth=1, linestyle=":")
        axes.set(title="squared norm (dotted: compared)", ylabel="Σ w²")
        axes.set(xscale="log", xlabel="training loss, nats: training goes to the right")
        axes.invert_xaxis()
        axes.legend()

    lesson.draw(
        "What dropout does to the weights, two hidden layers of 512, 1,000 images",
        norm_over_loss,
        dots(growth, "growth of the squared norm until equal training loss", "Σ w²"),
        dots(even, "spread of a unit's weights", "(Σw²)² / (d Σw⁴)"),
        caption="Squared norm of the weights over the training loss for three dropout rates, its "
        "growth until equal training loss, and how evenly the weights of a unit are spread.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
