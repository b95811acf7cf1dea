"""Does inverted dropout let the network be used unchanged at test?

Prediction: yes. Keras divides by the fraction kept in training, so that prediction needs no factor;
it is classic dropout with that factor moved into the kernels.

Source: lecture on normalisation and dropout; Srivastava et al. (2014), section 10.

Rule: C05 has three parts, for dropout of 0.2, 0.5 and 0.8, each an identity within 1e-4 of the
largest output: a trained network with Keras' `Dropout` predicts as the same network with none; and
`ClassicDropout`, its kernels divided by the fraction kept, gives the same outputs as Keras' layers,
at prediction and, with equal masks, in training.
"""

import sys

import numpy as np

from kerasreg.evidence import ExactRule
from kerasreg.lesson import Advice, Lesson, run

RATES = (0.2, 0.5, 0.8)
EPOCHS, BATCH = 60, 100  # of 1,000 rows: 600 updates
ROWS = 100  # of the test rows


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


def rebuilt(model, change, divide: float = 1.0):
    """A copy with other dropout layers, and the kernels behind them divided by a number."""
    import keras

    copy = keras.models.clone_model(
        model,
        clone_function=lambda layer: (
            change(layer)
            if isinstance(layer, keras.layers.Dropout)
            else type(layer).from_config(layer.get_config())
        ),
    )
    for source, target in zip(model.layers, copy.layers, strict=True):
        if isinstance(target, keras.layers.Dense):
            behind = target.name != "dense_1"
            target.set_weights([source.kernel / (divide if behind else 1), source.bias])
    return copy


def body(lesson: Lesson) -> None:
    from keras.layers import Dropout

    from kerasreg.layers import ClassicDropout

    unchanged = ExactRule("Keras predicts as without dropout", 1e-4)
    predicts = ExactRule("classic, kernels / kept: equal predictions", 1e-4)
    trains = ExactRule("and equal outputs in training", 1e-4)

    data = lesson.data(train_size=1000)
    arms = {f"dropout {rate:g}": network(data, rate) for rate in RATES}
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=20, seeds=[0])
    x, outputs = data.judging(0).x[:ROWS], {}
    for rate, arm in zip(RATES, arms, strict=True):
        keep = 1 - rate
        inverted = rebuilt(runs.model(arm), lambda d: Dropout(d.rate, seed=d.seed))
        none = rebuilt(inverted, lambda d: Dropout(0.0))
        classic = rebuilt(inverted, lambda d, k=keep: ClassicDropout(k, seed=d.seed), keep)
        top = np.abs(none(x).numpy()).max()
        for name, model in (("inverted", inverted), ("classic", classic), ("none", none)):
            for mode in (False, True):
                outputs.setdefault((name, mode), []).append(model(x, training=mode).numpy() / top)
    outputs = {key: np.array(values) for key, values in outputs.items()}
    pairs = {
        "Keras − no dropout, prediction": (("inverted", False), ("none", False)),
        "classic − Keras, prediction": (("classic", False), ("inverted", False)),
        "classic − Keras, training": (("classic", True), ("inverted", True)),
        "training − prediction, Keras": (("inverted", True), ("inverted", False)),
    }
    pairs = {name: (outputs[one], outputs[other]) for name, (one, other) in pairs.items()}
    rules = dict(zip(pairs, (unchanged, predicts, trains), strict=False))
    lesson.conclude(
        "C05",
        *(rule.decide(*pairs[name]) for name, rule in rules.items()),
        setting="1,000 images, two hidden layers of 512",
        advice=Advice(
            claimed="Never multiply by hand, nor port a rule of classic dropout to Keras.",
            opposite="Scale the network at test.",
            none="Scale the network at test.",
        ),
        why="Keras' Dropout scales in training.",
    )
    distance = {name: np.abs(one - other).max(axis=(1, 2)) for name, (one, other) in pairs.items()}
    lesson.table(
        [
            {"largest difference / largest logit": name}
            | {arm: f"{value:.1e}" for arm, value in zip(arms, values, strict=True)}
            for name, values in distance.items()
        ]
    )

    def agreement(title: str, training: bool):
        def panel(axes) -> None:
            for index, arm in enumerate(arms):
                pair = outputs["inverted", training][index], outputs["classic", training][index]
                axes.plot(*map(np.ravel, pair), "o^s"[index], markersize=3, alpha=0.4, label=arm)
            axes.axline((0, 0), slope=1, color="0.5", linewidth=1)
            axes.set(title=title, xlabel="Keras' Dropout: logits / largest")
            axes.set(ylabel="ClassicDropout: logits / largest")
            axes.legend()

        return panel

    lesson.draw(
        "Inverted and classic dropout are one network",
        agreement("at prediction", False),
        agreement("in training, with equal masks", True),
        caption="Logits of classic dropout over those of inverted dropout for three rates, at "
        "prediction and in training: all lie on the diagonal.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
