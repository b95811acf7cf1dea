"""How should one search for hyperparameters: by hand, grid, chance, narrowing, or Bayesian?

Prediction: narrowing and Bayesian search beat random search, random search beats a grid.

Source: lecture notes on chapter 6 (500 images, 100 of them for validation, six hidden layers of
100, SGD, 50 epochs, learning rate 10⁻⁶ to 10⁻², λ 10⁻⁸ to 10⁻⁴, best validation accuracy after the
last epoch); Bergstra and Bengio (2012), Snoek et al. (2012).

Rule: settings are trained once, 19 learning rates from 10⁻⁶ to 1 and 9 values of λ from 10⁻⁸ to 1,
each seed its own table; a searcher sees a part of it. Two searches are judged by the test accuracy
of the settings they choose, the mean of 200 searches of each seed's table (Bayesian: 5). What
matters is a fifth of the errors, at most 1.5 points. C56 and C57 are decided where the optimum lies
inside and both knobs matter: rates from 10⁻⁴ on, λ from 10⁻⁵ on. C56: 6 random settings and 6
between the best two of them, a step beyond included (more where they lie in a corner), beat 12
random ones. C57: 9 random ones beat a 3 × 3 grid at a random offset. Beside them: the same on the
notes' range, which ends below the best rate. C58, there too: after 4 settings to start from, 40 %
of what Bayesian search proposes is among the fifth of the settings that is best on the other seeds.
"""

import sys

import numpy as np

from kerasreg.evidence import Rule
from kerasreg.lesson import Advice, Lesson, band, dots, run, spread
from kerasreg.lesson.searchers import bayesian, grid, manual, narrowing, random
from kerasreg.lesson.trials import train_trials
from kerasreg.search import Range, Space
from kerasreg.stacks import l2_from_lambda

RATES, LAMBDAS = np.geomspace(1e-6, 1, 19), np.geomspace(1e-8, 1, 9)
#: Parts of the table: which rates and which λ.
INSIDE, NOTES = (slice(6, 19), slice(3, 9)), (slice(0, 13), slice(0, 5))
SPACE = Space(
    {
        "learning_rate": Range(1e-4, 1, log=True, step=10 ** (1 / 3)),
        "l2": Range(*map(l2_from_lambda, (1e-5, 1)), log=True, step=10.0),
    }
)
SEARCHERS = {  # scores, seed of the search -> cells of the table in the order tried
    "manual": lambda scores, seed: manual(scores, 12),
    "grid": lambda scores, seed: grid(scores, 3, seed),
    "random": lambda scores, seed: random(scores, 12, seed),
    "narrowing": lambda scores, seed: narrowing(scores, 12, seed),
    "Bayesian": lambda scores, seed: bayesian(scores, SPACE, 12, seed, initial=4),
}
REPEATS, BAYESIAN_REPEATS = 200, 5  # a proposal of the Bayesian search is dear
EPOCHS, BATCH = 50, 100  # of 400 rows: 200 updates
SETTING = "400 + 100 images, six hidden layers of 100, 12 trials of learning rate and λ"


def network(data):
    """The notes' six hidden layers of 100; the search sets learning rate and λ."""
    import keras

    model = keras.Sequential([keras.Input(data.input_shape)])
    for _ in range(6):
        model.add(keras.layers.Dense(100, activation="relu", kernel_initializer="he_normal"))
    model.add(keras.layers.Dense(data.classes, "softmax", kernel_initializer="he_normal"))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


def body(lesson: Lesson) -> None:
    from kerasreg.lesson.networks import config_of

    def beats(words: str) -> Rule:
        return Rule(words, "greater", lesson.smallest_effect, unit="pp")

    promising = Rule(
        "share of proposals in the best fifth, against a fifth",
        "greater",
        0.05,
        needs=0.2,
        unit="pp",
    )
    data = lesson.data(train_size=500)
    net = config_of(network(data))
    configs = [
        [net.replace(learning_rate=rate, l2=l2_from_lambda(value)) for value in LAMBDAS]
        for rate in RATES
    ]
    epochs = 2 if lesson.quick else EPOCHS
    every = train_trials(
        configs, data, lesson.seeds, validation=0.2, epochs=epochs, batch_size=BATCH
    )
    table = every.part(*INSIDE)
    repeats = dict.fromkeys(SEARCHERS, 5 if lesson.quick else REPEATS)
    repeats["Bayesian"] = 1 if lesson.quick else BAYESIAN_REPEATS
    searches = {name: table.search(own, repeats[name]) for name, own in SEARCHERS.items()}
    found = {name: own.found() for name, own in searches.items()}
    nine = searches["random"].found(trials=9)
    outside = {
        name: every.part(*NOTES).search(SEARCHERS[name], repeats[name])
        for name in ("grid", "random", "narrowing")
    }
    elsewhere = {name: own.found() for name, own in outside.items()}

    for claim, name, ours, theirs, advice in (
        (
            "C56",
            "narrowing against 12 random",
            (found["narrowing"], elsewhere["narrowing"]),
            (found["random"], elsewhere["random"]),
            Advice(
                claimed="Spend half of the trials at random, half around the best of them.",
                opposite="Stay with random search: narrowing too early misses the best.",
                none="Narrowing makes no difference here: look at where the best trials lie.",
            ),
        ),
        (
            "C57",
            "9 random against a 3 × 3 grid",
            (nine, outside["random"].found(trials=9)),
            (found["grid"], elsewhere["grid"]),
            Advice(
                claimed="Search at random rather than on a grid.",
                opposite="With few knobs that all matter a grid is as good: use either.",
                none="Grid or random makes no difference here; the range does.",
            ),
        ),
    ):
        decided = lesson.judge({name: (beats(name), ours[0], theirs[0])})
        on_notes = f"{name}, the notes' range"
        beside = lesson.judge({on_notes: (beats(on_notes), ours[1], theirs[1])})
        lesson.conclude(
            claim,
            *decided.values(),
            setting=SETTING,
            advice=advice,
            why="Which search wins depends on the range: the notes' ends at a rate of 0.01, below "
            "the best one.",
            beside=list(beside.values()),
        )
    share = searches["Bayesian"].share_in(table.best_fifth(), after=4)
    learns = beats("Bayesian against 12 random")
    concentrated = lesson.judge({"share": (promising, share, 0.2)})
    beside = lesson.judge({"choice": (learns, found["Bayesian"], found["random"])})
    lesson.conclude(
        "C58",
        *concentrated.values(),
        setting=SETTING,
        advice=Advice(
            claimed="Use Bayesian search where a trial is dear.",
            opposite="Use random search: the Bayesian one does not find the region.",
            none="Use random search: the Bayesian one is no better at finding the region.",
        ),
        beside=list(beside.values()),
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
        means = 100 * every.validation.mean(axis=0)
        image = axes.pcolormesh(LAMBDAS, RATES, means, cmap="viridis")
        for (rates, lambdas), colour in ((INSIDE, "white"), (NOTES, "black")):
            x, y = LAMBDAS[lambdas][[0, -1]], RATES[rates][[0, -1]]
            axes.plot(x[[0, 1, 1, 0, 0]], y[[0, 0, 1, 1, 0]], color=colour, linewidth=1.5)
        axes.set(xscale="log", yscale="log", xlabel="λ", ylabel="learning rate")
        axes.set_title("validation accuracy, %; black: the notes' range")
        axes.figure.colorbar(image, ax=axes)

    def paths(axes) -> None:
        for index, (name, own) in enumerate(searches.items()):
            trials = np.arange(1, max(map(len, own.cells[0])) + 1)
            band(axes, trials, 100 * own.path(len(trials)), name, index)
        axes.set(title="test accuracy of the best so far", xlabel="trials", ylabel="accuracy, %")
        axes.legend(loc="lower right")

    lesson.draw(
        "Searching learning rate and λ, 500 images",
        landscape,
        paths,
        dots(
            {name: 100 * values for name, values in found.items()}, "what is chosen", "accuracy, %"
        ),
        caption="Mean validation accuracy over learning rate and λ, with the part that is searched "
        "(white) and the notes' range (black); test accuracy of the setting chosen so far over "
        "trials, median and quartiles of seeds; and of that chosen in the end, a dot a seed.",
    )


if __name__ == "__main__":
    sys.exit(run(__file__, __doc__, body))
