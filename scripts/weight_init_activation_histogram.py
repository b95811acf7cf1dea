"""Which initial weights let a signal through five layers of sigmoid, tanh or ReLU?

Prediction: He's through ReLU, Xavier's through tanh and sigmoid; small ones none, large ones only
by saturating.

Source: lecture notes on chapter 6 (1,000 rows of standard normal numbers, five layers of 100,
standard deviations 1, 0.01, √(1/n) and √(2/n)); Glorot and Bengio (2010), He et al. (2015).

Rule: the signal of a layer is the standard deviation of a unit's output over the rows, as a root
mean square over units. It is kept if each of the four layers after the first loses less than a
fifth: last over first above 0.8⁴ = 0.41. C62 has three parts: Xavier's weights keep it through
sigmoid and through tanh, He's through ReLU. Beside it, as the notes' other choices: Xavier's and
0.01 through ReLU. The inputs are noise: no data set is read, and verdicts are on signals;
weight_init_compare gives those on learning.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import FIFTH, Advice, Lesson, run
from kerasreg.lesson.layers import layer_outputs, ridges
from kerasreg.plots import SERIES

ROWS, UNITS, KEPT = 1000, 100, 0.8**4
ACTIVATIONS = {"sigmoid": (0, 1), "tanh": (-1, 1), "ReLU": (0, 3)}  # with the range to draw


def network(activation: str, initializer):
    """The notes' five layers of 100."""
    import keras

    model = keras.Sequential([keras.Input((UNITS,))])
    for _ in range(5):
        model.add(keras.layers.Dense(UNITS, activation, kernel_initializer=initializer))
    model.add(keras.layers.Dense(10, "softmax", kernel_initializer=initializer))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def signal(outputs: np.ndarray) -> float:
    """How much a layer's outputs (rows, units) still tell the rows apart."""
    return float(np.sqrt(outputs.var(axis=0, dtype=np.float64).mean()))


def times(share: np.ndarray) -> str:
    """Mean over seeds of a share, short."""
    return f"{share.mean():,.0f}×" if share.mean() >= 10 else f"{share.mean():.2g}×"


def saturated(outputs: np.ndarray, activation: str) -> str:
    """Share of outputs within 5 % of the range of a bound."""
    low, high = ACTIVATIONS[activation]
    margin = 0.05 * (high - low)
    share = np.mean((outputs < low + margin) | (outputs > high - margin))
    return f"{100 * share:.0f} %" if activation != "ReLU" else "no upper bound"


def body(lesson: Lesson) -> None:
    from keras.initializers import RandomNormal

    from kerasreg.monitors import EventWriter

    starts = {
        "1": RandomNormal(stddev=1.0),
        "0.01": RandomNormal(stddev=0.01),
        "Xavier": "lecun_normal",  # Xavier's √(1/n) goes by this name in Keras
        "He": "he_normal",  # √(2/n)
    }

    def rule(weights: str, activation: str) -> Rule:
        words = f"{weights} through {activation}: signal kept, against 0.41"
        return Rule(words, "greater", FIFTH, "ratio", needs=1.0)

    signals, first = {}, {}
    for activation, limits in ACTIVATIONS.items():
        for name, initializer in starts.items():
            net = network(activation.lower(), initializer)
            outputs = []
            for seed in lesson.seeds:
                x = np.random.default_rng(seed).normal(size=(ROWS, UNITS))
                outputs.append(layer_outputs(net, x, seed))
            signals[activation, name] = np.array([[signal(a) for a in own] for own in outputs])
            first[activation, name] = outputs[0]
            with EventWriter(lesson.out / "tensorboard" / f"{activation} {name}") as writer:
                for layer, values in enumerate(outputs[0], start=1):
                    counts = np.histogram(np.clip(values, *limits), 30, limits)
                    writer.histograms(layer, {"outputs of layer": counts})

    def tests(*pairs: tuple[str, str]) -> dict:
        return {
            f"{weights}, {activation}": (
                rule(weights, activation),
                signals[activation, weights][:, -1] / signals[activation, weights][:, 0],
                KEPT,
            )
            for weights, activation in pairs
        }

    decided = lesson.judge(tests(("Xavier", "sigmoid"), ("Xavier", "tanh"), ("He", "ReLU")))
    beside = lesson.judge(tests(("Xavier", "ReLU"), ("0.01", "ReLU")))
    lesson.conclude(
        "C62",
        *decided.values(),
        setting="1,000 rows of noise, five layers of 100 before training",
        advice=Advice(
            claimed="Use He's weights for ReLU, Xavier's for sigmoid and tanh.",
            opposite="Choose the scale of the weights by the slope of the activation.",
            none="The scale of the weights hardly matters for the signal.",
            mixed="Use He's weights for ReLU and Xavier's for tanh; sigmoid needs larger ones.",
        ),
        why="ReLU drops half, which He's factor 2 restores. A sigmoid's slope at 0 is 1/4: however "
        "broad its histogram, each unit gives all rows the same.",
        beside=list(beside.values()),
    )
    kept = {key: s[:, -1] / np.maximum(s[:, 0], 1e-30) for key, s in signals.items()}
    lesson.table(
        {
            "activation": activation,
            "standard deviation": name,
            "signal of layer 1": f"{signals[activation, name][:, 0].mean():.2g}",
            "of layer 5": f"{signals[activation, name][:, -1].mean():.2g}",
            "5 over 1": times(share),
            "saturated in layer 5": saturated(first[activation, name][-1], activation),
        }
        for (activation, name), share in kept.items()
    )
    figure = lesson.draw(
        "Outputs of five layers before training",
        *(
            ridges(
                [a[a > 0] if activation == "ReLU" else a for a in first[activation, name]],
                ACTIVATIONS[activation],
                f"{activation}, {name}: {times(kept[activation, name])}",
                xlabel="above 0; last bin: 3 or more" if activation == "ReLU" else "output",
                colour=SERIES[list(ACTIVATIONS).index(activation)],
            )
            for activation, name in signals
        ),
        columns=4,
        caption="Histograms of the outputs of five layers before training, for three activations "
        "and four scales of the initial weights, and the fifth layer's signal over the first's.",
    )
    title = "Outputs of five layers before training (×: signal of layer 5 over that of layer 1)"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=11)


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
