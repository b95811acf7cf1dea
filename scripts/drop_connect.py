"""Is DropConnect, which drops connections instead of units, as good as dropout?

Prediction: yes; both raise test accuracy over neither by about as much.

Source: lecture notes on DropConnect; Wan et al. (2013).

Rule: 300 images, two hidden layers of 256, 900 updates; half of the units dropped, or half of the
connections, by a mask for each update. C19 applies if the network overfits without, by a gap of 2
points, and if DropConnect comes to 98 % training accuracy, as it trains more slowly. It has two
parts: DropConnect raises test accuracy over neither, and it is not worse than dropout, each by a
fifth of the errors (at most 1.5 points). Beside it: dropout against neither.
"""

import sys

from kerasreg.evidence import Premise, Rule, applies_if
from kerasreg.lesson import Advice, Lesson, curves, effects, overfits, run

EPOCHS, BATCH = 300, 100  # of 300 rows: 900 updates


def network(data, of_units: float, of_links: float):
    """Two hidden layers of 256 that drop a fraction of their units or of their connections."""
    import keras
    from keras.layers import Dense, Dropout

    class DropConnect(Dense):
        """A dense layer that drops connections in training; what is left is scaled up."""

        def __init__(self, units, rate, **options):
            super().__init__(units, **options)
            self.rate = rate
            self.draws = keras.random.SeedGenerator(0)

        def call(self, inputs, training=None):
            kernel = self.kernel
            if training:
                kernel = keras.random.dropout(kernel, self.rate, seed=self.draws)
            return self.activation(keras.ops.matmul(inputs, kernel) + self.bias)

        def get_config(self):
            return {**super().get_config(), "rate": self.rate}

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(DropConnect(256, of_links, activation="relu", kernel_initializer="he_normal"))
        model.add(Dropout(of_units))
    model.add(Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    def rule(claim: str, direction: str = "greater") -> Rule:
        return Rule(claim, direction, lesson.smallest_effect, unit="pp")

    data = lesson.data(train_size=300)
    arms = {
        "neither": network(data, 0.0, 0.0),
        "dropout": network(data, 0.5, 0.0),
        "DropConnect": network(data, 0.0, 0.5),
    }
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=15)
    neither, units, links = (runs[arm].final("test_accuracy") for arm in arms)
    decided = lesson.judge(
        {
            "DropConnect − neither": (rule("DropConnect against neither"), links, neither),
            "DropConnect − dropout": (
                rule("DropConnect against dropout", "not less"),
                links,
                units,
            ),
        }
    )
    came_to = float(runs["DropConnect"].final("train_accuracy").mean())
    says = "DropConnect has come to 98 % training accuracy"
    done = Premise(says, came_to >= 0.98, f"{100 * came_to:.1f} %")
    for premise in (overfits(runs["neither"], 0.02), done):
        decided = {name: applies_if(one, premise) for name, one in decided.items()}
    beside = lesson.judge({"dropout − neither": (rule("dropout against neither"), units, neither)})
    lesson.conclude(
        "C19",
        *decided.values(),
        setting="300 images, two hidden layers of 256",
        advice=Advice(
            claimed="Either will do; dropout is built in and cheaper.",
            opposite="Take dropout.",
            none="Dropping connections changes little here; if anything is dropped, take dropout, "
            "which is built in.",
            mixed="Take dropout, which is built in, and compare.",
        ),
        why="A unit that is dropped takes all of its connections with it; DropConnect draws for "
        "each connection, and every unit still gives something.",
        beside=list(beside.values()),
    )
    lesson.table(runs.table())
    lesson.draw(
        "Units or connections dropped, 300 images",
        curves(runs, "train_accuracy", "training accuracy", per="update"),
        curves(runs, "test_accuracy", "test accuracy", per="update"),
        effects(decided | beside, "after 900 updates", "test accuracy, pp"),
        caption="Training and test accuracy over updates with dropout, with DropConnect and with "
        "neither, and their differences at the end.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
