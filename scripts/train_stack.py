"""Train one stack: what does regularisation change in a network that has too many weights?

A stack of two wide hidden layers learns a few hundred training rows by heart. The same stack with
dropout and an L2 penalty cannot. Both are trained from the same initial weights on the same batches
(one seed fixes both), the training curves are compared in inference mode (dropout off), and the
penalty is kept apart from the data loss, so that the two losses are comparable.

    python scripts/train_stack.py
    python scripts/train_stack.py --data mnist --dropout 0.3 --l2 1e-4
    python scripts/train_stack.py --quick

What you should see: without regularisation the training accuracy goes to 100 % and the gap to the
validation rows stays open; with it the gap is smaller. Whether the test accuracy is better too is
what the last table says: a smaller gap is not yet a better network.
"""

import argparse

from rich.console import Console
from rich.table import Table

import kerasreg
from kerasreg.data import load
from kerasreg.report import render_report
from kerasreg.search.run import train
from kerasreg.terminal import LiveProgress, is_live

UNITS = (128, 128)
TRAINING_ROWS = 300
EPOCHS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="digits", help="a name or an .npz file")
    parser.add_argument("--dropout", type=float, default=0.4, help="fraction dropped")
    parser.add_argument("--l2", type=float, default=1e-4, help="adds L2·Σw² to the loss")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one seed, few epochs")
    parser.add_argument("--out", default="runs/train_stack")
    asked = parser.parse_args()
    epochs, seeds = (5, 1) if asked.quick else (EPOCHS, asked.seeds)

    # The data, split into training, validation and test rows; scaled by the training rows alone.
    data = load(asked.data, train_size=TRAINING_ROWS)

    # The stack: input -> [Dense -> ReLU -> Dropout] x 2 -> Dense. A rate is the fraction dropped.
    config = kerasreg.StackConfig(units=UNITS, dropout=asked.dropout, l2=asked.l2)

    # One trial: this stack, beside the same one without any regulariser. No patience: both sides
    # run to the end, because the question is where the curves go.
    with LiveProgress(is_live()) as progress:
        study = train(
            data, config, epochs=epochs, seeds=seeds, patience=0, out=asked.out,
            progress=progress,
        )  # fmt: skip

    result = study.result
    table = Table("", "baseline", "regularised", title=f"{data.name}, {len(data.train)} rows")
    for name, text in (
        ("accuracy", "training accuracy, last epoch"),
        ("val_accuracy", "validation accuracy, last epoch"),
        ("data_loss", "training data loss, last epoch"),
        ("val_data_loss", "validation data loss, last epoch"),
        ("penalty", "penalty, last epoch"),
    ):
        table.add_row(text, *(f"{result[s]['curves'][name][-1]:.4f}" for s in ("baseline", "best")))
    tests = [result[side]["test"] for side in ("baseline", "best")]
    table.add_row("test accuracy, refitted", *(f"{test['accuracy']:.4f}" for test in tests))
    console = Console()
    console.print(table)
    console.print("Open next:", render_report(study.folder))


if __name__ == "__main__":
    main()
