"""Do batch normalization and whitening make values normally distributed?

Prediction: no. Mean and variance become 0 and 1; the shape of a distribution stays as it was,
because the map is affine. Whitening comes nearer where it adds many variables up, as with pixels.

Source: lecture notes ("the result is a normal distribution"); algebra.

Rule: eight chi-squared variables with 3 degrees of freedom, scaled by 1, 2, 4, ..., and the pixels
of the images, in float64. Exact: after batch normalization mean and variance of each variable
are 0 and 1, skewness and kurtosis what they were, within 1e-6. C34 has two parts, batch
normalization and PCA whitening: a Kolmogorov-Smirnov test against the standard normal, at level
0.01 divided by the number of variables, lets at least 95 % of them pass, of both kinds. A part is
contradicted if less than half pass of either kind.
"""

import sys

import numpy as np
from scipy import stats

from kerasreg.evidence import ExactRule, ThresholdRule
from kerasreg.lesson import Advice, Lesson, run

LEVEL, VARIABLES = 0.01, 8


def batch_normalized(x: np.ndarray) -> np.ndarray:
    from keras.layers import BatchNormalization

    return np.asarray(BatchNormalization(epsilon=1e-12, dtype="float64")(x, training=True))


def whitened(x: np.ndarray) -> np.ndarray:
    """Coordinates along the principal components that hold variance, each divided by its SD."""
    centred = x - x.mean(axis=0)
    left, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    left = left * np.sign(axes.sum(axis=1))  # which way an axis points is arbitrary
    return left[:, sizes > 1e-3 * sizes[0]] * np.sqrt(len(x))


def normal_share(x: np.ndarray) -> float:
    """Share of the columns that pass for standard normal."""
    p = np.array([stats.kstest(column, "norm").pvalue for column in x.T])
    return float((p > LEVEL / len(p)).mean())


def body(lesson: Lesson) -> None:
    moments = ExactRule("mean and variance become 0 and 1", tolerance=1e-6)
    shape = ExactRule("skewness and kurtosis stay", tolerance=1e-6, relative=1e-6)
    after = {
        "batch normalization": ThresholdRule(
            "values pass for normal after batch normalization", "at_least", 0.95, 0.5
        ),
        "whitening": ThresholdRule("they do after whitening", "at_least", 0.95, 0.5),
    }
    images = lesson.data().pool.x.astype("float64")
    values = {
        "chi-squared": np.random.default_rng(0).chisquare(3, (len(images), VARIABLES))
        * 2.0 ** np.arange(VARIABLES),
        "pixels": images[:, images.var(axis=0) > 1e-3],
    }
    done = {
        name: {"batch normalization": batch_normalized(x), "whitening": whitened(x)}
        for name, x in values.items()
    }
    for name, x in values.items():
        normed = done[name]["batch normalization"]
        is_set = moments.decide([normed.mean(axis=0), normed.var(axis=0) - 1], 0)
        stays = shape.decide(
            [stats.skew(normed), stats.kurtosis(normed)], [stats.skew(x), stats.kurtosis(x)]
        )
        for exact in (is_set, stays):
            lesson.notes.append(f"{name}: {exact.claim}, {exact.verdict}: {exact.reason}.")
    shares = {(name, how): normal_share(x) for name, own in done.items() for how, x in own.items()}
    lesson.conclude(
        "C34",
        *(rule.decide(min(shares[name, how] for name in values)) for how, rule in after.items()),
        predicted="contradicted",
        setting="Chi-squared numbers, and the pixels of the images",
        advice=Advice(
            claimed="You may count on normal values after it.",
            opposite="Transform skewed values (logarithm, ranks) if they have to be normal.",
            none="Transform skewed values (logarithm, ranks) if they have to be normal.",
        ),
        why="An affine map sets mean and variance and leaves skewness and kurtosis as they were.",
    )
    lesson.table(
        {
            "values": name,
            "after": how,
            "variables": x.shape[1],
            "pass for normal": f"{100 * shares[name, how]:.0f} %",
            "median |skewness|": f"{np.median(np.abs(stats.skew(x))):.2f}",
            "median excess kurtosis": f"{np.median(stats.kurtosis(x)):.2f}",
        }
        for name, own in done.items()
        for how, x in own.items()
    )

    def histogram(x: np.ndarray, title: str):
        def panel(axes) -> None:
            grid = np.linspace(-4, 4, 81)
            axes.hist(x, bins=grid[::2], density=True, color="#0072b2", alpha=0.55)
            axes.plot(grid, stats.norm.pdf(grid), color="#d55e00", label="standard normal")
            axes.set(title=title, xlabel="value", ylabel="density", xlim=(-4, 4))
            axes.legend(loc="upper right")

        return panel

    lesson.draw(
        "After batch normalization and whitening",
        *(
            histogram(x[:, 0] if name == "chi-squared" else x[:, x.shape[1] // 2], f"{name}, {how}")
            for name, own in done.items()
            for how, x in own.items()
        ),
        caption="Histograms of chi-squared numbers and of an image's pixel after batch "
        "normalization and after whitening, with the standard normal density.",
        columns=2,
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
