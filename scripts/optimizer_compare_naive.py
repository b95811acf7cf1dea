"""Do momentum, AdaGrad and Adam go a shorter way down a long valley than SGD?

Prediction: yes, SGD zigzags across the valley f(x, y) = x²/20 + y², the others hardly do.

Source: lecture notes on chapter 6 (start (-7, 2), 30 steps, rates 0.95, 0.1, 1.5 and 0.3).

Rule: computed with Keras' own optimisers, so it needs neither seeds nor data. C49: at the notes'
rates SGD crosses the valley's floor (y changes sign) in at least half of its steps, and each other
optimiser crosses it at most half as often and goes a way that is a fifth shorter (contradicted if
longer); at each one's own rate, of 25 and the notes' that with the lowest f after 30 steps, f is a
fifth lower than SGD's (contradicted if higher).
"""

import sys

import numpy as np

from kerasreg.evidence import ThresholdRule
from kerasreg.lesson import Advice, Lesson, run
from kerasreg.lesson.descent import crossings, descend, path_panel, way
from kerasreg.plots import SERIES

START, STEPS = (-7.0, 2.0), 30
NOTED = {"SGD": 0.95, "momentum": 0.1, "AdaGrad": 1.5, "Adam": 0.3}  # the notes' rates
RATES = 10 ** np.linspace(-2, 1, 25)


def height(points: np.ndarray) -> np.ndarray:
    """f at points of shape (..., 2); infinite where an optimiser has left the numbers."""
    return np.nan_to_num(points[..., 0] ** 2 / 20 + points[..., 1] ** 2, nan=np.inf)


def path_of(name: str, rate: float) -> np.ndarray:
    """An optimiser's path down the valley, (31, 2)."""
    from keras import optimizers

    match name:
        case "momentum":
            optimizer = optimizers.SGD(rate, momentum=0.9)
        case "AdaGrad":  # the notes' starts to accumulate from 0, Keras' from 0.1
            optimizer = optimizers.Adagrad(rate, initial_accumulator_value=0.0)
        case _:
            optimizer = getattr(optimizers, name)(rate)
    return descend(optimizer, lambda point: point * (0.1, 2.0), START, STEPS)


def body(lesson: Lesson) -> None:
    from kerasreg.monitors import EventWriter

    crosses = ThresholdRule("SGD crosses the floor", "at_least", STEPS / 2, unit="times")
    others = list(NOTED)[1:]

    def below(claim: str, bound: float, unit: str) -> dict[str, ThresholdRule]:
        return {
            name: ThresholdRule(f"{name}: {claim}", "at_most", bound, 1.0, unit) for name in others
        }

    calmer = below("crossings at the notes' rates", 0.5, "of SGD's")
    shorter = below("way at the notes' rates", 0.8, "of SGD's")
    lower = below("f after 30 steps at its own rate", 0.8, "of SGD's")

    paths = {(name, "the notes'"): path_of(name, rate) for name, rate in NOTED.items()}
    own = {}
    for name in NOTED:
        tried = {
            rate: path_of(name, rate) for rate in (*RATES[:: 6 if lesson.quick else 1], NOTED[name])
        }
        own[name] = min(tried, key=lambda rate: height(tried[rate][-1]))
        paths[name, "its own"] = tried[own[name]]
    ways = {key: way(path) for key, path in paths.items()}
    turns = {name: crossings(paths[name, "the notes'"], axis=1) for name in NOTED}
    ends = {name: height(paths[name, "its own"][-1]) for name in NOTED}
    for (name, whose), path in paths.items():
        with EventWriter(lesson.out / "tensorboard" / f"{name}, {whose} rate") as writer:
            for step, f in enumerate(height(path)):
                writer.scalars(step, {"f": float(f)})

    lesson.conclude(
        "C49",
        crosses.decide(turns["SGD"]),
        *(rule.decide(turns[name] / max(turns["SGD"], 1)) for name, rule in calmer.items()),
        *(
            rule.decide(ways[name, "the notes'"] / ways["SGD", "the notes'"])
            for name, rule in shorter.items()
        ),
        *(rule.decide(ends[name] / ends["SGD"]) for name, rule in lower.items()),
        setting="f = x²/20 + y² from (-7, 2), 30 steps",
        advice=Advice(
            claimed="Leave plain SGD where the valley is long.",
            opposite="Stay with plain SGD on a long valley.",
            none="Any of the four will do on a long valley.",
            mixed="Compare f at the end, each at its own rate: the calmest way is not the fastest.",
        ),
        why=f"SGD's zigzag is its rate's: 0.95 is just below 1, where it diverges. Its own rate is "
        f"{own['SGD']:.2g}.",
    )
    lesson.table(
        {
            "optimiser": f"{name}, {whose} rate",
            "rate": f"{own[name] if whose == 'its own' else NOTED[name]:.2g}",
            "way": f"{ways[name, whose]:.1f}",
            "crossings": crossings(path, axis=1),
            "f after 30 steps": f"{height(path[-1]):.2g}",
        }
        for (name, whose), path in paths.items()
    )
    panels = [
        path_panel(
            path,
            height,
            f"{name}, {whose} rate\nway {ways[name, whose]:.1f}, end f = {height(path[-1]):.1g}",
            SERIES[list(NOTED).index(name)],
            x=(-8, 6),
            y=(-3.2, 3.2),
            levels=(0.1, 0.5, 1.5, 3, 5, 8),
        )
        for (name, whose), path in paths.items()
    ]
    figure = lesson.draw(
        "30 steps",
        *panels,
        columns=4,
        caption="Paths of four optimisers down f = x²/20 + y² from (-7, 2), at the notes' rates "
        "and at each one's own, with the length of the way and f at its end.",
    )
    title = "30 steps down a long valley, f = x²/20 + y², from the circle"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=11)


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
