"""Lessons: arms x seeds -> populations -> evidence, figure, results. What scripts/ is written with.

A lesson is a script of 40 to 100 lines that reads from top to bottom::

    '''Does dropout help a network that has only 300 images?

    Prediction: yes, test accuracy rises.

    Source: the lecture notes; Srivastava et al. (2014).

    Rule: supported if test accuracy after 301 epochs is higher with dropout by the smallest effect
    of interest, in a paired test over seeds.
    '''

    import sys

    from kerasreg.evidence import Rule
    from kerasreg.lesson import Lesson, curves, effects, run
    from kerasreg.lesson.models import net6

    ARMS = {"no dropout": net6(), "dropout 0.2": net6(dropout=0.2)}


    def lesson(lesson: Lesson) -> None:
        rule = Rule("dropout raises test accuracy", "greater", lesson.smallest_effect, unit="pp")
        data = lesson.data(train_size=300)
        runs = lesson.train(ARMS, data, epochs=301, batch_size=100, every=10)
        with_dropout, without = (runs[arm].final("test_accuracy") for arm in reversed(ARMS))
        decisions = lesson.judge((rule, with_dropout, without))
        lesson.conclude("C01", *decisions, take_home="…")
        lesson.table(runs.table())
        lesson.draw("Dropout on 300 images", curves(runs, "test_accuracy"), caption="…")


    if __name__ == "__main__":
        sys.exit(run(__file__, __doc__, lesson))

How the pieces work:

- **Rules come first.** They are made before the first `train` call: `Rule` (paired seeds),
  `ExactRule` (identities), `ThresholdRule` (one number). `lesson.smallest_effect` is 0.015 on
  digits and 0.01 elsewhere, a fraction of accuracy.
- **`lesson.data(n)`** gives draws of n training rows, each seed its own (all arms of a seed the
  same), `data.tuning` for learning rates and `data.test` (at most 2,000 rows) for verdicts only.
  `data.resized(m)` keeps pool, tuning and test rows; `len(data.pool)` is the most it can draw.
- **`lesson.train(arms, data, epochs=, batch_size=, every=)`** trains arms × seeds. `runs[arm]` has
  `train_accuracy`, `test_accuracy`, `train_data_loss`, `test_data_loss`, `penalty`, `gap`, all
  (seeds, measurements); `final(name)`, `converged(name, 0.99)` and `updates_to(0.95)` give one
  number a seed; `runs.stacked(name)` is (seeds, arms) for `trend` and `best_level`;
  `runs.model(arm, index)` is an ordinary Keras model, `runs.kernels(arm, index)` only the kernels
  and much cheaper. A run that diverges counts as chance.
- **`lesson.tune(arms, rates, data, epochs=, batch_size=)`** gives the arms back with their best
  learning rates, chosen on the tuning rows with seeds of its own; `lesson.choose({arm: {name:
  config}}, …)` does the same for any setting.
- **`lesson.log(arm, steps, {tag: values})`** writes curves, (seeds, steps), of what a lesson trains
  by its own means to TensorBoard, as `train` does by itself.
- **`lesson.judge((rule, a, b), ...)`** decides comparisons that belong together, with Holm's
  adjustment; tell `run(..., comparisons=N)` the most that one call has. **`lesson.conclude(id,
  *decisions, take_home=)`** records the verdict on a claim; several decisions are sub-claims.
  A test may also be `(rule, trend(levels, results, rule.smallest_effect))`. `take_home` is one
  line for a learner, or a dict of verdict to line, as no verdict is known beforehand;
  `brief(decision)` is the effect for a sentence.
- **`lesson.table(rows)`**, **`lesson.draw(title, *panels, caption=)`**: panels are `curves`,
  `sweep`, `dots`, `effects`, or any function of a matplotlib `Axes`. `lesson.notes.append(text)`.
- **`--quick`**: two seeds, two epochs, every verdict undecided; `lesson.quick` tells a script to
  shrink what it computes by itself. Everything of a script must still run.
- Written to `--out`: `figure.png` (the first figure), `results.json`, `report.html`,
  `tensorboard/`. Same seeds, same numbers; only `seconds` differs.

`kerasreg.lesson.models` builds the networks that the notes name.
"""

from kerasreg.lesson._advice import Advice
from kerasreg.lesson._comparing import (
    FIFTH,
    at_equal_accuracy,
    at_equal_loss,
    does_not_overfit,
    overfits,
    sooner,
)
from kerasreg.lesson._judging import Conclusion
from kerasreg.lesson._lesson import Lesson
from kerasreg.lesson._panels import Panel, band, brief, curves, dots, effects, sweep
from kerasreg.lesson._run import QUICK_SEEDS, parse_docstring, run, writable_folder
from kerasreg.lesson._runs import Arm, Runs, spread, squared_norm, times_to

__all__ = [
    "FIFTH",
    "QUICK_SEEDS",
    "Advice",
    "Arm",
    "Conclusion",
    "Lesson",
    "Panel",
    "Runs",
    "at_equal_accuracy",
    "at_equal_loss",
    "band",
    "brief",
    "curves",
    "does_not_overfit",
    "dots",
    "effects",
    "overfits",
    "parse_docstring",
    "run",
    "sooner",
    "spread",
    "squared_norm",
    "sweep",
    "times_to",
    "writable_folder",
]
