"""Is a net with batch normalization still the same net at inference?

Prediction: with Keras' default momentum of 0.99 the statistics lag far behind a short training, and
accuracy on the very training rows drops; with momentum 0.9 it hardly does.

Source: lecture and slides on batch normalization at inference; Ioffe and Szegedy (2015), Algorithm
2.

Rule: 300 images, 3 updates an epoch. C29: after 20 epochs with Keras' defaults the accuracy on the
training rows is 5 points lower at inference than with training=True, where they are normalized by
their own statistics. Beside it: momentum 0.9. C35: with batch normalization folded into the dense
layers, the logits of all test rows stay what they were within 1e-5 and 1e-5 of their size.
"""

import sys

import numpy as np

from kerasreg.evidence import ExactRule, Rule
from kerasreg.lesson import Advice, Lesson, dots, run, sweep

DEFAULT, NOTES = "Keras' momentum 0.99", "momentum 0.9"
AFTER = (1, 5, 20, 100)  # epochs
DECIDING = AFTER.index(20)
BATCH = 100


def network(data, momentum: float, epsilon: float):
    """Five hidden layers of 100 with batch normalization before every activation."""
    import keras
    from keras.layers import Activation, BatchNormalization, Dense

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(5):
        model.add(Dense(100, use_bias=False, kernel_initializer="he_normal"))
        model.add(BatchNormalization(momentum=momentum, epsilon=epsilon))
        model.add(Activation("relu"))
    model.add(Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.03), "sparse_categorical_crossentropy")
    return model


def accuracy(model, split, training: bool = False) -> float:
    return float(np.mean(np.argmax(model(split.x, training=training), axis=-1) == split.y))


def body(lesson: Lesson) -> None:
    from kerasreg.layers import fold_batch_normalization, recalibrate_batch_normalization

    drops = Rule(
        "training rows lost, Keras' momentum 0.99", "greater", 0.015, needs=0.05, unit="pp"
    )
    drops_too = Rule("training rows lost, momentum 0.9", "greater", 0.015, needs=0.05, unit="pp")
    same = ExactRule("the folded net is the same", tolerance=1e-5, relative=1e-5)

    data = lesson.data(train_size=300)
    draws = [data.draw(seed) for seed in lesson.seeds]
    arms = {DEFAULT: network(data, 0.99, 1e-3), NOTES: network(data, 0.9, 1e-5)}
    lost = {arm: [] for arm in arms}
    test, logits = {}, []
    for index, epochs in enumerate(AFTER):
        runs = lesson.train(arms, data, epochs=epochs, batch_size=BATCH, label=f"{epochs} epochs")
        for arm in arms:
            models = [runs.model(arm, k) for k in range(len(draws))]
            if index == DECIDING:
                test[f"{arm}: moving average"] = runs[arm].final("test_accuracy")
                fresh = [
                    recalibrate_batch_normalization(model, draw.x, BATCH)
                    for model, draw in zip(models, draws, strict=True)
                ]
                test[f"{arm}: statistics anew"] = [
                    accuracy(model, data.judging(seed))
                    for model, seed in zip(fresh, lesson.seeds, strict=True)
                ]
                for model, seed in zip(models, lesson.seeds, strict=True):
                    x = data.judging(seed).x
                    logits.append([m(x) for m in (fold_batch_normalization(model), model)])
            own = [accuracy(m, draw, training=True) for m, draw in zip(models, draws, strict=True)]
            lost[arm].append(own - runs[arm].final("train_accuracy"))

    decided = lesson.judge({"default": (drops, lost[DEFAULT][DECIDING], 0.0)})
    beside = lesson.judge({"notes": (drops_too, lost[NOTES][DECIDING], 0.0)})
    setting = "300 images, five hidden layers of 100"
    lesson.conclude(
        "C29",
        *decided.values(),
        setting=f"{setting}, 60 updates",
        advice=Advice(
            claimed="Lower the momentum for short trainings, or estimate the statistics anew.",
            opposite="Keep Keras' momentum.",
            none="Keep Keras' momentum.",
        ),
        why="A moving average with momentum 0.99 still holds its start after hundreds of updates.",
        beside=list(beside.values()),
    )
    folded, whole = np.swapaxes(np.array(logits), 0, 1)
    lesson.conclude(
        "C35",
        same.decide(folded, whole),
        setting=setting,
        advice=Advice(
            claimed="Fold batch normalization into the layer before it to predict for free.",
            opposite="Keep batch normalization at inference.",
            none="Keep batch normalization at inference.",
        ),
    )
    lesson.table(runs.table())
    lesson.draw(
        "Batch normalization in training and at inference, 300 images",
        sweep(
            AFTER,
            {arm: 100 * np.transpose(values) for arm, values in lost.items()},
            "training rows lost at inference",
            "epochs of 3 updates",
            "accuracy, pp",
            log=True,
            ticks=[str(epochs) for epochs in AFTER],
        ),
        dots(
            {name: 100 * np.array(values) for name, values in test.items()},
            "after 20 epochs, by statistics",
            "test accuracy, %",
        ),
        caption="By how much accuracy on the training rows falls from training to inference mode, "
        "over epochs; and test accuracy after 20 epochs with the moving averages and with "
        "statistics estimated anew over the training rows.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
