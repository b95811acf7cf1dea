"""Is batch normalization hard to use with recurrence, and does layer normalization solve that?

Prediction: only in part. Between recurrent layers both work; batch normalization suffers when
sequences at test are longer than those of training, as its moving statistics are of other steps.

Source: lecture notes on the limits of batch normalization; Ba et al. (2016), Laurent et al. (2016);
Cooijmans et al. (2016) make it work with statistics of each step.

Rule: two layers of 32 units, of GRU and of LSTM, read 500 images in seven or eight strips, 200
updates of Adam, each arm at its own rate, the best on the tuning rows after 100. Normalizations
stand after each recurrent layer. C28 has two parts for GRU and two for LSTM, on test accuracy:
batch normalization is worse than none, and layer normalization better than batch normalization,
each by a fifth of the errors (at most 1.5 points). Beside it: layer normalization against none, and
both normalizations where as many blank strips stand before every test image.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Advice, Lesson, curves, effects, run

CELLS = ("GRU", "LSTM")
KINDS = ("none", "batch norm", "layer norm")
RATES = (0.001, 0.003, 0.01, 0.03)
TUNING_EPOCHS, EPOCHS, BATCH = 10, 20, 50  # of 500 rows: 100 and 200 updates


def network(data, cell: str, kind: str, longer: int = 1):
    """Two recurrent layers that read an image from top to bottom, with a normalization after each.

    Args:
        longer: How many times as many strips as an image has.
    """
    import keras
    from keras import layers

    side = round(data.input_shape[0] ** 0.5)
    features = side * max(1, side // 7)  # of 28 rows four at once
    recurrent = {"GRU": layers.GRU, "LSTM": layers.LSTM}[cell]
    model = keras.Sequential([keras.Input((longer * side * side,)), layers.Reshape((-1, features))])
    for last in (False, True):
        model.add(recurrent(32, return_sequences=not last))
        if kind == "batch norm":
            model.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
        if kind == "layer norm":
            model.add(layers.LayerNormalization(epsilon=1e-5))
    model.add(layers.Dense(data.classes, "softmax"))
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    return model


def longer_accuracy(data, model, cell: str, kind: str, seed: int) -> float:
    """Test accuracy where as many blank strips as an image has stand before it."""
    rows = data.judging(seed)
    longer = network(data, cell, kind, longer=2)
    longer.set_weights(model.get_weights())
    found = longer(np.concatenate([np.zeros_like(rows.x), rows.x], axis=1))
    return float((np.argmax(found, axis=-1) == rows.y).mean())


def body(lesson: Lesson) -> None:
    data = lesson.data(train_size=500)
    cells = CELLS[:1] if lesson.quick else CELLS
    arms = {f"{cell}, {kind}": network(data, cell, kind) for cell in cells for kind in KINDS}
    best = lesson.tune(arms, RATES, data, epochs=TUNING_EPOCHS, batch_size=BATCH, seeds=1)
    runs = lesson.train(best, data, epochs=EPOCHS, batch_size=BATCH, every=2)
    test = {arm: runs[arm].final("test_accuracy") for arm in arms}
    longer = {
        arm: np.array(
            [
                longer_accuracy(data, runs.model(arm, place), *arm.split(", "), seed)
                for place, seed in enumerate(lesson.seeds)
            ]
        )
        for arm in arms
    }

    def compared(cell: str, a: str, b: str, direction: str, on=test, where: str = "") -> tuple:
        words = f"test accuracy of {cell} with {a} against {b}{where}"
        rule = Rule(words, direction, lesson.smallest_effect, unit="pp")
        return rule, on[f"{cell}, {a}"], on[f"{cell}, {b}"]

    none, batch, layer = KINDS
    tests, others = {}, {}
    for cell in cells:
        tests[f"{cell}: batch − none"] = compared(cell, batch, none, "less")
        tests[f"{cell}: layer − batch"] = compared(cell, layer, batch, "greater")
        others[f"{cell}: layer − none"] = compared(cell, layer, none, "greater")
        for a, b, direction in ((batch, none, "less"), (layer, batch, "greater")):
            others[f"{cell}, blank strips: {a.split()[0]} − {b.split()[0]}"] = compared(
                cell, a, b, direction, longer, ", blank strips before each image"
            )
    decided, beside = lesson.judge(tests), lesson.judge(others)
    lesson.conclude(
        "C28",
        *decided.values(),
        predicted="no difference seen",
        setting="500 images read strip by strip, two recurrent layers of 32",
        advice=Advice(
            claimed="Take layer normalization between recurrent layers.",
            opposite="Batch normalization between recurrent layers does well here.",
            none="Between recurrent layers either will do.",
            mixed="Try both between recurrent layers; layer normalization does not depend on the "
            "length of sequences.",
        ),
        why="Between layers all steps share one mean and variance, which is enough while "
        "sequences have one length. Inside the recurrence it is harder.",
        beside=list(beside.values()),
    )
    lesson.table(
        {
            **row,
            "with blank strips": f"{100 * longer[row['arm']].mean():.1f} %",
            "own rate": f"{best[row['arm']].learning_rate:g}",
        }
        for row in runs.table()
    )
    lesson.draw(
        "Normalization between recurrent layers, 500 images strip by strip",
        *(
            curves(
                runs,
                "test_accuracy",
                f"test accuracy, {cell}",
                [arm for arm in arms if arm.startswith(cell)],
                per="update",
            )
            for cell in cells
        ),
        effects(decided | beside, "what normalization changes", "test accuracy, pp"),
        caption="Test accuracy over updates of GRU and LSTM without normalization and with batch "
        "and layer normalization between layers; and differences, also where blank strips stand "
        "before every image.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
