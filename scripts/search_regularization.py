"""Search: which regularisation does this data set need, and how strong?

Dropout, input dropout, L1, L2, batch normalisation and the learning rate are searched together,
because they stand in for one another: the best rate of dropout with an L2 penalty is not the best
without. Every setting starts from the same initial weights and sees the same batches, and all
settings of one structure are trained together, as one program.

The comparison is fair in three ways: the unregularised baseline may choose its own learning rate;
settings are compared by the validation *data* loss, which no penalty is part of; and the test rows
are read once, when nothing is left to choose.

    python scripts/search_regularization.py
    python scripts/search_regularization.py --data diabetes --searcher bayesian
    python scripts/search_regularization.py --quick

What you should see: several quite different settings within a hair of the best one, and a best
validation score that the test rows do not quite confirm. The best of many trials is partly luck:
that is why the test rows were kept out of it.
"""

import argparse

from rich.console import Console

import kerasreg
from kerasreg.data import load
from kerasreg.report import render_report
from kerasreg.search.run import search
from kerasreg.search.space import Range, Space
from kerasreg.terminal import LiveProgress, describe_setting, is_live, print_summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="digits", help="a name or an .npz file")
    parser.add_argument("--searcher", default="random", help="random, bayesian or grid")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few trials, few epochs")
    parser.add_argument("--out", default="runs/search_regularization")
    asked = parser.parse_args()
    trials, epochs = (6, 3) if asked.quick else (asked.trials, asked.epochs)

    # What may vary. The default space, edited in three lines:
    space = Space.default()
    space["dropout"] = Range(0.1, 0.6, zero=True)  # exactly 0, or 0.1 to 0.6
    space["l2"] = Range(1e-6, 1e-2, log=True, zero=True)  # exactly 0, or log-uniform
    space.fix("l1", 0.0)  # not searched

    # What does not vary: the shape and the optimiser.
    base = kerasreg.StackConfig(units=(128, 128), optimizer="adam")

    with LiveProgress(is_live()) as progress:
        study = search(
            load(asked.data),
            space=space,
            base=base,
            searcher=asked.searcher,
            trials=trials,
            epochs=epochs,
            seeds=asked.seeds,
            out=asked.out,
            progress=progress,
        )

    # Every trial is a row of a table, and the five best need not look alike.
    console = Console(highlight=False)
    completed = [trial for trial in study.trials() if trial["status"] == "completed"]
    console.print(f"\n[bold]The five best of {len(study.trials())} trials[/]")
    for trial in sorted(completed, key=lambda trial: trial["score"])[:5]:
        console.print(f"{trial['score']:.4f}  {describe_setting(trial['hyperparameters'])}")

    render_report(study.folder)
    print_summary(study.folder, console)


if __name__ == "__main__":
    main()
