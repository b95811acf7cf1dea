"""How much does momentum speed up a step, where the gradient always points the same way?

Prediction: tenfold with momentum 0.9, and nine tenths of that after 22 steps.

Source: slides on hyperparameters.

Rule: computed with Keras' own SGD under a gradient that never changes, so it needs neither seeds
nor data. C51 is supported if each of 60 steps is rate * gradient * (1 - 0.9^t) / (1 - 0.9) to a
relative 1e-4: tenfold in the limit. Float32 positions do not hold a step more exactly.
"""

import sys

import numpy as np

from kerasreg.evidence import ExactRule
from kerasreg.lesson import Advice, Lesson, run
from kerasreg.lesson.descent import descend
from kerasreg.plots import SERIES

RATE, GRADIENT, STEPS = 0.1, -1.0, 60
MOMENTA = (0.0, 0.5, 0.9, 0.95)


def speed_up(momentum: float, t: np.ndarray) -> np.ndarray:
    """Step number t over the step without momentum, by the sum of the geometric series."""
    return (1 - momentum**t) / (1 - momentum)


def body(lesson: Lesson) -> None:
    from keras.optimizers import SGD

    from kerasreg.monitors import EventWriter

    formula = ExactRule("every step follows the formula", tolerance=0.0, relative=1e-4)

    t = np.arange(1, STEPS + 1)
    measured = {}
    for momentum in MOMENTA:
        path = descend(SGD(RATE, momentum=momentum), lambda point: [GRADIENT], [0.0], STEPS)
        measured[momentum] = np.diff(path[:, 0]) / (-RATE * GRADIENT)
        with EventWriter(lesson.out / "tensorboard" / f"momentum {momentum}") as writer:
            for step, factor in zip(t, measured[momentum], strict=True):
                writer.scalars(int(step), {"speed-up": float(factor)})

    steps = measured[0.9]
    lesson.conclude(
        "C51",
        formula.decide(steps, speed_up(0.9, t)),
        setting="Keras' SGD under a gradient that never changes",
        advice=Advice(
            claimed="Divide the learning rate by ten when you add momentum 0.9.",
            opposite="Keep the learning rate when you add momentum.",
            none="Keep the learning rate when you add momentum.",
        ),
        why=f"After {STEPS} steps it made {steps[-1]:.1f} times the step, after "
        f"{t[steps >= 9][0]} nine times: the sum of a geometric series.",
    )
    lesson.table(
        {
            "momentum": f"{momentum:g}",
            "limit": f"{1 / (1 - momentum):.3g}×",
            "after 10 steps": f"{factors[9]:.2f}×",
            f"after {STEPS} steps": f"{factors[-1]:.2f}×",
            "steps to nine tenths of the limit": int(t[factors >= 0.9 / (1 - momentum)][0]),
        }
        for momentum, factors in measured.items()
    )

    def panel(axes) -> None:
        for momentum, colour in zip(reversed(MOMENTA), SERIES, strict=False):
            axes.plot(t, speed_up(momentum, t), color=colour, alpha=0.5)
            axes.plot(t, measured[momentum], "o", color=colour, markersize=3)
            axes.annotate(
                f"momentum {momentum:g}",
                (t[-1], measured[momentum][-1]),
                xytext=(-2, 5 if momentum else -13),
                textcoords="offset points",
                ha="right",
                color=colour,
            )
        axes.axhline(10, color="#5b6370", linewidth=1, linestyle=":")
        axes.set(ylim=(-1, 21), xlim=(0, STEPS + 1), xlabel="step")
        axes.set_ylabel("step / step without momentum")
        axes.set_title("dots: Keras' SGD; lines: the formula; dotted: tenfold")

    figure = lesson.draw(
        "Momentum",
        panel,
        caption="Length of each step under a constant gradient, as a multiple of the step without "
        "momentum, for four momenta: as Keras' SGD makes it and by the formula.",
    )
    title = "Momentum under a gradient that never changes"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=11)


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
