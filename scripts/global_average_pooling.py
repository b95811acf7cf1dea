"""Can global average pooling replace dense layers, and dropout with them?

Prediction: partly. With far fewer parameters the gap is smaller, but a mean over all places does
not say where a stroke stands, which digits need: test accuracy is lower.

Source: lecture notes on dropout; Lin et al. (2014).

Rule: 300 images, two convolutions of 16 and 32 filters, then a head: a dense layer of 128 units,
the same with dropout 0.5 after it, or each map's mean; 360 updates. C18 applies if the network with
the dense head overfits, by a gap of 2 points. It has two parts: the gap is smaller with pooling
than with the dense head, by 1.5 points; and test accuracy is not lower than with the dense head
and dropout, by a fifth of the errors (at most 1.5 points). Beside it: whether dropout does anything
for the dense head, and pooling against the dense head without it.
"""

import sys

from kerasreg.evidence import Rule, applies_if
from kerasreg.lesson import Advice, Lesson, curves, effects, overfits, run

EPOCHS, BATCH = 60, 50  # of 300 rows: 360 updates


def network(data, head):
    """Two convolutions and a head."""
    import keras
    from keras.layers import Conv2D, Dense, MaxPooling2D, Reshape

    model = keras.Sequential(
        [
            keras.Input(data.input_shape),
            Reshape(data.image_shape),
            Conv2D(16, 3, padding="same", activation="relu"),
            MaxPooling2D(),
            Conv2D(32, 3, padding="same", activation="relu"),
            MaxPooling2D(),
            *head,
            Dense(data.classes, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    from keras.layers import Dense, Dropout, Flatten, GlobalAveragePooling2D

    data = lesson.data(train_size=300)
    arms = {
        "dense": network(data, [Flatten(), Dense(128, "relu")]),
        "dense, dropout": network(data, [Flatten(), Dense(128, "relu"), Dropout(0.5)]),
        "pooling": network(data, [GlobalAveragePooling2D()]),
    }
    runs = lesson.train(arms, data, epochs=EPOCHS, batch_size=BATCH, every=6)
    dense, dropped, pooled = (runs[arm].final("test_accuracy") for arm in arms)
    gaps = [runs[arm].final("gap") for arm in ("pooling", "dense")]

    smallest = lesson.smallest_effect
    smaller = Rule("the gap, pooling against dense", "less", 0.015, unit="pp")
    kept = Rule(
        "test accuracy, pooling against dense with dropout", "not less", smallest, unit="pp"
    )
    decided = lesson.judge(
        {"gap: pooling − dense": (smaller, *gaps), "pooling − dropout": (kept, pooled, dropped)}
    )
    decided = {
        name: applies_if(one, overfits(runs["dense"], 0.02)) for name, one in decided.items()
    }
    gains = Rule("test accuracy, dropout against none", "greater", smallest, unit="pp")
    plain = Rule("test accuracy, pooling against dense", "not less", smallest, unit="pp")
    beside = lesson.judge(
        {"dropout − dense": (gains, dropped, dense), "pooling − dense": (plain, pooled, dense)}
    )
    lesson.conclude(
        "C18",
        *decided.values(),
        predicted="partly",
        setting="300 images, two convolutions",
        advice=Advice(
            claimed="Pool each map to its mean, and leave the dense layer and dropout out.",
            opposite="Keep the dense layer: what stands where matters here.",
            none="Take pooling: it has fewer parameters and does as well.",
            mixed="Do not take a small gap for a good network: compare both heads on new images.",
        ),
        why="A mean over all places forgets where a feature was seen. Deep networks for "
        "photographs can afford that, two convolutions for digits cannot.",
        beside=list(beside.values()),
    )
    rows = zip(runs.table(), arms.values(), strict=True)
    lesson.table([{**row, "parameters": f"{model.count_params():,}"} for row, model in rows])
    lesson.draw(
        "What follows two convolutions, 300 images",
        curves(runs, "train_accuracy", "training accuracy", per="update"),
        curves(runs, "test_accuracy", "test accuracy", per="update"),
        effects(decided | beside, "gap, and test accuracy", "difference, pp"),
        caption="Training and test accuracy over updates with a dense head, with dropout after it "
        "and with global average pooling, and what the heads change at the end.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
