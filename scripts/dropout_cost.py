"""Can one see that training works by the cost falling at every step, when dropout is on?

Prediction: no. With dropout off the cost of full-batch descent falls at every step; with dropout on
it jumps, as every step has the cost of another thinned network.

Source: lecture "Understanding dropout": turn it off, see the cost fall, then turn it on.

Rule: the network is the slides' (64-64, dropout 0.5), the rows are one batch of 300, and 200 steps
of gradient descent are made. C16 has two parts: with dropout off the cost rises at no step of any
seed (`check_cost_decreases`); with it on the cost rises at 10 % of the steps or more, over seeds.
Beside them: the cost of that same training, measured after each step with dropout off.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule, ThresholdRule
from kerasreg.lesson import Advice, Lesson, band, dots, run

RATE, STEPS, ROWS = 0.05, 200, 300
OFF, ON, LOOKED = "dropout off", "dropout on", "on, measured off"


def network(data):
    """The slides' network, dropout after every hidden layer."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(2):
        model.add(keras.layers.Dense(64, activation="relu", kernel_initializer="he_normal"))
        model.add(keras.layers.Dropout(0.5))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(RATE), "sparse_categorical_crossentropy")
    return model


def costs_with_dropout(model, x, y, steps: int) -> tuple[list[float], list[float]]:
    """Costs of full-batch steps as they are minimised, and measured in inference mode."""
    seen, inference = [], []
    for _ in range(steps + 1):
        model.reset_metrics()
        inference.append(float(model.test_on_batch(x, y, return_dict=True)["loss"]))
        model.reset_metrics()
        seen.append(float(model.train_on_batch(x, y, return_dict=True)["loss"]))
    return seen, inference


def rises(costs: np.ndarray) -> np.ndarray:
    """Share of the steps after which the cost is higher, beyond float32's rounding, (seeds,)."""
    return (np.diff(costs, axis=1) > 1e-6 * costs[:, :-1]).mean(axis=1)


def body(lesson: Lesson) -> None:
    from kerasreg.layers import check_cost_decreases
    from kerasreg.lesson.networks import config_of
    from kerasreg.stacks import build_stack

    falls = ThresholdRule("off: steps after which the cost rises", "at_most", 0, unit="steps")
    jumps = Rule(
        "on: share of steps at which the cost rises", "greater", 0.01, needs=0.1, unit="pp"
    )

    data = lesson.data(train_size=ROWS)
    steps, costs, increases = 20 if lesson.quick else STEPS, {OFF: [], ON: [], LOOKED: []}, 0
    config = config_of(network(data))
    for seed in lesson.seeds:
        rows = data.draw(seed)
        # The same network, with initial weights and masks of the seed.
        model = build_stack(config, data.input_shape, data.outputs, seed=seed)
        check = check_cost_decreases(model, rows.x, rows.y, learning_rate=RATE, steps=steps)
        on, looked = costs_with_dropout(model, rows.x, rows.y, steps)
        increases += check.increases
        for name, own in ((OFF, check.costs), (ON, on), (LOOKED, looked)):
            costs[name].append(own)
    costs = {name: np.array(own) for name, own in costs.items()}
    share = {name: rises(own) for name, own in costs.items()}
    for name, own in costs.items():
        lesson.log(name, np.arange(steps + 1), {"cost": own})
    decided = lesson.judge({"on": (jumps, share[ON], 0.0)})
    lesson.conclude(
        "C16",
        falls.decide(increases),
        *decided.values(),
        setting="300 images, 64-64 with dropout 0.5, 200 steps",
        advice=Advice(
            claimed="Check a new model with dropout off, or watch a loss in inference mode.",
            opposite="The cost is a guide with dropout on too.",
            none="The cost is a guide with dropout on too.",
            mixed="Watch a loss in inference mode.",
        ),
        why="With dropout on every step has the cost of another thinned network.",
    )
    lesson.table(
        [
            {
                "cost": name,
                "at first": f"{own[:, 0].mean():.3f}",
                "at the end": f"{own[:, -1].mean():.3f}",
                "steps that rise": f"{100 * share[name].mean():.1f} %",
            }
            for name, own in costs.items()
        ]
    )

    def over_steps(title: str, chosen):
        def panel(axes) -> None:
            for index, (name, own) in enumerate(costs.items()):
                band(axes, np.arange(steps + 1), own[chosen], name, index)
            axes.set(title=title, xlabel="steps of gradient descent", ylabel="cost, nats")
            axes.legend()

        return panel

    lesson.draw(
        "The cost of full-batch descent with dropout off and on, 300 images",
        over_steps("one seed", slice(0, 1)),
        over_steps("all seeds: median and quartiles", slice(None)),
        dots({n: 100 * own for n, own in share.items()}, "how often it rises", "% of the steps"),
        caption="Cost over steps with dropout off, with it on, and of the latter measured without "
        "dropout: one seed, all seeds, and the share of the steps after which it rises.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
