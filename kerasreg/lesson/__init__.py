"""Lessons: arms x seeds -> populations -> evidence, figure, results. What scripts/ is written with.

A lesson is a script that reads from top to bottom::

    '''Does dropout help a network that has only 300 images?

    Prediction: yes, test accuracy rises.

    Source: the lecture notes; Srivastava et al. (2014).

    Rule: supported if test accuracy after 301 epochs is higher with dropout by the smallest effect
    of interest, in a paired test over seeds.
    '''

    import sys

    from kerasreg.evidence import Rule
    from kerasreg.lesson import Advice, Lesson, curves, effects, run


    def network(data, rate: float):
        import keras  # late, so that --help answers at once

        model = keras.Sequential([keras.Input(data.input_shape)])
        for _ in range(6):
            model.add(keras.layers.Dense(100, activation="relu", kernel_initializer="he_normal"))
            model.add(keras.layers.Dropout(rate))
        model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
        model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
        return model


    def lesson(lesson: Lesson) -> None:
        rule = Rule("test accuracy with dropout", "greater", lesson.smallest_effect, unit="pp")
        data = lesson.data(train_size=300)
        arms = {"no dropout": network(data, 0.0), "dropout 0.2": network(data, 0.2)}
        runs = lesson.train(arms, data, epochs=301, batch_size=100, every=10)
        without, with_dropout = (runs[arm].final("test_accuracy") for arm in arms)
        decided = lesson.judge({"after 301 epochs": (rule, with_dropout, without)})
        lesson.conclude(
            "C01",
            *decided.values(),
            setting="300 images, six hidden layers of 100",
            advice=Advice(claimed="…", opposite="…", none="…"),
            why="…",
        )
        lesson.table(runs.table())
        lesson.draw("Dropout on 300 images", curves(runs, "test_accuracy"), caption="…")


    if __name__ == "__main__":
        sys.exit(run(__file__, __doc__, lesson))

How the pieces work:

- **Rules come first.** They are made before the first `train` call, and committed before the first
  run that decides with them: `Rule` (paired seeds), `ExactRule` (identities), `ThresholdRule` (one
  number). `lesson.smallest_effect` is a fifth of the errors, at most 1.5 points of accuracy.
- **Networks** are compiled Keras models, read by `kerasreg.lesson.networks.config_of` as what is
  trained: a stack with initial weights of each seed. `"he_normal"` there is a normal distribution
  that is not truncated, as in the notes, unlike Keras' own. A lesson that changes one number of a
  network many times reads it once and does `config_of(network).replace(learning_rate=0.1)`. Where
  one arm is no stack (convolution, recurrence), all train as Keras has them, several times slower.
- **Rows and runs:** `lesson.data(n)` gives draws of n training rows, and rows to tune and to judge
  on; `lesson.train` trains arms × seeds into `runs[arm]`, an `Arm` of curves (seeds, measurements);
  `lesson.tune` and `lesson.choose` find settings with rows and seeds that no verdict rests on.
- **Verdicts:** `lesson.judge` decides the comparisons of one claim together, `lesson.conclude`
  records the verdict. A premise is applied with `applies_if`. `sooner`, `at_equal_accuracy` and
  `at_equal_loss` put two arms on equal terms first.
- **What is shown:** `lesson.table`, `lesson.draw` with panels (`curves`, `sweep`, `dots`, `effects`
  or any function of a matplotlib `Axes`), `lesson.log` for curves that `train` did not measure, and
  `lesson.notes.append(text)`.
- **`--quick`**: two seeds, two epochs, every verdict undecided; `lesson.quick` tells a script to
  shrink what it computes without `train`. Everything of a script must still run.
- Written to `--out`: `figure.png`, `results.json`, `report.html`, `tensorboard/`. Same seeds, same
  numbers; only `seconds` differs.
"""

from kerasreg.lesson._comparing import (
    FIFTH,
    at_equal_accuracy,
    at_equal_loss,
    does_not_overfit,
    overfits,
    sooner,
)
from kerasreg.lesson._judging import Advice, Conclusion
from kerasreg.lesson._lesson import Lesson
from kerasreg.lesson._panels import Panel, band, curves, dots, effects, sweep
from kerasreg.lesson._run import QUICK_SEEDS, parse_docstring, run, writable_folder
from kerasreg.lesson._runs import Arm, Runs, spread, squared_norm, times_to
