"""Do min-max scaling, standardization and whitening give two data sets the same distribution?

Prediction: no. They give both the same range, or the same means and variances, or the same
covariances as well; all else about the two distributions stays different.

Source: slides on normalization and whitening of the input; algebra.

Rule: two made data sets with two correlated columns and 2,000 rows, one a mixture of two normal
distributions, the other exponential, each transformed by its own statistics. Exact, within 1e-9:
min-max gives both columns of both the range 0 to 1; standardization mean 0 and variance 1;
whitening mean 0 and the identity as covariance. C39 has three parts, one a transform: the largest
Kolmogorov-Smirnov distance between the two sets' columns is at most what chance gives at level
0.01; a part is contradicted from twice that on. Beside it: two samples of one distribution.
"""

import sys

import numpy as np
from scipy import stats

from kerasreg.evidence import ExactRule, ThresholdRule
from kerasreg.lesson import Advice, Lesson, run

ROWS = 2000
CHANCE = round(stats.kstwobign.isf(0.01) * np.sqrt(2 / ROWS), 3)
MIXED = np.array([[2.0, 0.0], [1.2, 0.7]])  # correlates two independent columns


def mixture(random: np.random.Generator) -> np.ndarray:
    """Two heaps in the first column, before it is mixed into the second."""
    heap = random.choice([-2.0, 2.0], ROWS)
    return np.stack([heap + 0.5 * random.normal(size=ROWS), random.normal(size=ROWS)], 1) @ MIXED.T


def exponential(random: np.random.Generator) -> np.ndarray:
    return random.exponential(size=(ROWS, 2)) @ MIXED.T


def min_max(x: np.ndarray) -> np.ndarray:
    return (x - x.min(axis=0)) / np.ptp(x, axis=0)


def standardized(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def whitened(x: np.ndarray) -> np.ndarray:
    """Coordinates along the axes of the covariance, each divided by its deviation."""
    values, axes = np.linalg.eigh(np.cov(x.T, bias=True))
    axes = axes[:, ::-1] * np.sign(axes[:, ::-1].sum(axis=0))  # the widest first, pointing up
    return (x - x.mean(axis=0)) @ axes / np.sqrt(values[::-1])


TRANSFORMS = {"min-max": min_max, "standardized": standardized, "whitened": whitened}


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Largest Kolmogorov-Smirnov distance of a column."""
    return max(stats.ks_2samp(*pair).statistic for pair in zip(a.T, b.T, strict=True))


def moments(x: np.ndarray, name: str) -> list:
    """What the transform sets, less what it sets it to."""
    if name == "min-max":
        return [x.min(axis=0), x.max(axis=0) - 1]
    spread = np.cov(x.T, bias=True) - np.eye(2)
    return [x.mean(axis=0), *(spread if name == "whitened" else [np.diag(spread)])]


def body(lesson: Lesson) -> None:
    rules = {
        name: ThresholdRule(
            f"distance of the two sets' distributions, {name}", "at_most", CHANCE, 2 * CHANCE
        )
        for name in TRANSFORMS
    }
    random = np.random.default_rng(0)
    raw = {"two heaps": mixture(random), "exponential": exponential(random)}
    done = {"as they are": raw} | {
        name: {kind: transform(x) for kind, x in raw.items()}
        for name, transform in TRANSFORMS.items()
    }
    again = [transform(exponential(random)) for transform in TRANSFORMS.values()]
    for name in TRANSFORMS:
        exact = ExactRule(f"{name}: both sets get what it sets", tolerance=1e-9)
        decided = exact.decide([moments(x, name) for x in done[name].values()], 0)
        lesson.notes.append(f"{decided.claim}, {decided.verdict}: {decided.reason}.")
    apart = {name: distance(*own.values()) for name, own in done.items()}
    alike = {
        name: distance(done[name]["exponential"], other)
        for name, other in zip(TRANSFORMS, again, strict=True)
    }
    lesson.conclude(
        "C39",
        *(rule.decide(apart[name]) for name, rule in rules.items()),
        predicted="contradicted",
        setting="Two made data sets of 2,000 rows, two heaps and exponential",
        advice=Advice(
            claimed="Transform each data set by its own statistics, and treat them as one.",
            opposite="Transform new data by the statistics of the training data, and compare the "
            "distributions before you trust a model with other data.",
            none="Transform new data by the statistics of the training data.",
        ),
        why="Each transform sets a few numbers of a distribution; heaps stay heaps and a long tail "
        "stays one.",
        beside=[
            ThresholdRule(f"distance of two exponential samples, {name}", "at_most", CHANCE).decide(
                value
            )
            for name, value in alike.items()
        ],
    )
    lesson.table(
        {
            "transform": name,
            "set": kind,
            "means": "{:z.2f}, {:z.2f}".format(*x.mean(axis=0)),
            "variances": "{:.2f}, {:.2f}".format(*x.var(axis=0)),
            "correlation": f"{np.corrcoef(x.T)[0, 1]:z.2f}",
            "distance of the two sets": f"{apart[name]:.2f}",
        }
        for name, own in done.items()
        for kind, x in own.items()
    )

    def scatter(x: np.ndarray, title: str, colour: str):
        def panel(axes) -> None:
            axes.plot(*x[:400].T, ".", color=colour, markersize=3, alpha=0.6)
            axes.set(title=title, xlabel="first column", ylabel="second column")
            axes.set_aspect("equal", adjustable="datalim")

        return panel

    colours = dict(zip(raw, ("#0072b2", "#d55e00"), strict=True))
    lesson.draw(
        "Two data sets and three transforms",
        *(
            scatter(done[name][kind], f"{kind}, {name}", colours[kind])
            for kind in raw
            for name in done
        ),
        caption="Scatter plots of two data sets as they are, scaled to the range 0 to 1, "
        "standardized and whitened. Standardization leaves them slanted; whitening turns "
        "them upright and makes them as wide as high, but two heaps stay "
        "two and a corner a corner.",
        columns=4,
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
