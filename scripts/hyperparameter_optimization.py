"""How should one search for hyperparameters: by hand, grid, chance, narrowing, or Bayesian?

Prediction: narrowing and Bayesian search beat random search, random search beats a grid.

Source: lecture notes on chapter 6 (500 images, 100 of them for validation, six hidden layers of
100, SGD, 50 epochs, learning rate 10⁻⁶ to 10⁻², λ 10⁻⁸ to 10⁻⁴, best validation accuracy after the
last epoch); Bergstra and Bengio (2012), Snoek et al. (2012).

Rule: all searchers try 12 (grids 9) settings of one table of 13 × 7, each seed its own table, and
are judged by the test accuracy of the setting they choose, as a mean over repeated searches. Each
claim asks for the smallest effect of interest. C56: 6 random settings and 6 between the best two of
them, a step beyond included (more where they lie in a corner), beat 12 random ones. C57: 9 random
ones beat a 3 × 3 grid that takes in the range's ends, and one of cell centres. C58: after 4
settings to start from, at least 40 % of what Bayesian search proposes is among the fifth of the
settings that is best on the other seeds. Whether it beats 12 random ones is reported and does not
decide. Holm over the five.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Lesson, band, brief, dots, run, spread
from kerasreg.lesson.models import net6
from kerasreg.lesson.searchers import bayesian, grid, manual, narrowing, random
from kerasreg.lesson.trials import train_trials
from kerasreg.search import Range, Space
from kerasreg.stacks import l2_from_lambda

RATES, LAMBDAS = np.geomspace(1e-6, 1e-2, 13), np.geomspace(1e-8, 1e-4, 7)
SPACE = Space(
    {
        "learning_rate": Range(1e-6, 1e-2, log=True, step=10 ** (1 / 3)),
        "l2": Range(*map(l2_from_lambda, (1e-8, 1e-4)), log=True, step=10 ** (2 / 3)),
    }
)
SEARCHERS = {  # scores, seed of the search -> cells of the table in the order tried
    "manual": lambda scores, seed: manual(scores, 12),
    "grid, ends": lambda scores, seed: grid(scores, 3, ends=True),
    "grid, centres": lambda scores, seed: grid(scores, 3, ends=False),
    "random": lambda scores, seed: random(scores, 12, seed),
    "narrowing": lambda scores, seed: narrowing(scores, 12, seed),
    "Bayesian": lambda scores, seed: bayesian(scores, SPACE, 12, seed, initial=4),
}
REPEATS, EPOCHS, BATCH = 5, 50, 100  # of 400 rows: 200 updates


def body(lesson: Lesson) -> None:
    def beats(words):
        return Rule(words, "greater", lesson.smallest_effect, unit="pp")

    narrows = beats("narrowing beats random")
    ends, centres = beats("random beats the grid of ends"), beats("random beats that of centres")
    promising = Rule("40 % of proposals in the best fifth", "greater", 0.0, null=0.4, unit="pp")
    learns = beats("Bayesian beats random")

    data = lesson.data(train_size=500)
    configs = [[net6(learning_rate=r, l2=l2_from_lambda(v)) for v in LAMBDAS] for r in RATES]
    epochs = 2 if lesson.quick else EPOCHS
    table = train_trials(
        configs, data, lesson.seeds, validation=0.2, epochs=epochs, batch_size=BATCH
    )
    means = table.validation.mean(axis=0)
    searches = {name: table.search(searcher, REPEATS) for name, searcher in SEARCHERS.items()}
    found = {name: own.found() for name, own in searches.items()}
    nine = searches["random"].found(trials=9)
    share = searches["Bayesian"].share_in(table.best_fifth(), after=4)

    narrow, to_ends, to_centres, concentrated, learned = lesson.judge(
        (narrows, found["narrowing"], found["random"]),
        (ends, nine, found["grid, ends"]),
        (centres, nine, found["grid, centres"]),
        (promising, share, np.zeros(len(lesson.seeds))),
        (learns, found["Bayesian"], found["random"]),
    )
    lesson.conclude(
        "C56",
        narrow,
        take_home=f"Narrowing changed test accuracy by {brief(narrow)} against 12 random settings.",
    )
    lesson.conclude(
        "C57",
        to_ends,
        to_centres,
        take_home=f"Nine random settings against a grid that takes in the ends: {brief(to_ends)}; "
        f"against one of cell centres: {brief(to_centres)}. The learning rate moved validation "
        f"accuracy by {np.ptp(100 * means.mean(axis=1)):.0f} points, λ by "
        f"{np.ptp(100 * means.mean(axis=0)):.1f}: a grid spends two thirds of its trials on λ.",
    )
    lesson.conclude(
        "C58",
        concentrated,
        take_home=f"{100 * share.mean():.0f} % of its proposals were in the best fifth; its choice "
        f"was {brief(learned)} against that of random search.",
    )
    best, region = table.test.max(axis=(1, 2)), table.best_fifth()
    lesson.table(
        {
            "searcher": name,
            "trials": max(map(len, own.cells[0])),
            "test accuracy": spread(100 * found[name], "%"),
            "below the table's best": spread(100 * (best - found[name]), "pp"),
            "trials in the best fifth": f"{100 * own.share_in(region, after=0).mean():.0f} %",
        }
        for name, own in searches.items()
    )

    def landscape(axes) -> None:
        image = axes.pcolormesh(LAMBDAS, RATES, 100 * means, cmap="viridis")
        for name, marker in (("grid, ends", "s"), ("grid, centres", "o")):
            rate, decay = np.transpose(searches[name].cells[0][0])
            axes.plot(LAMBDAS[decay], RATES[rate], marker, color="white", markeredgecolor="black")
        axes.set(xscale="log", yscale="log", xlabel="λ", ylabel="learning rate")
        axes.set_title("validation accuracy, %, and both grids")
        axes.figure.colorbar(image, ax=axes)

    def paths(axes) -> None:
        for index, (name, own) in enumerate(searches.items()):
            trials = np.arange(1, max(map(len, own.cells[0])) + 1)
            band(axes, trials, 100 * own.path(len(trials)), name, index)
        axes.set(title="test accuracy of the best so far", xlabel="trials", ylabel="accuracy, %")
        axes.legend(loc="lower right")

    lesson.draw(
        "Searching 13 learning rates × 7 values of λ, 500 images",
        landscape,
        paths,
        dots(
            {name: 100 * values for name, values in found.items()}, "what is chosen", "accuracy, %"
        ),
        caption="Mean validation accuracy over learning rate and λ with the two grids' settings; "
        "test accuracy of the setting chosen so far over trials, median and quartiles of seeds; "
        "and of the setting chosen in the end, a dot a seed.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body, comparisons=5))
