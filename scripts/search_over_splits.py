"""Does the searched stack beat the unregularised one on rows that nobody chose by?

One search proves little: another split of the same rows might have answered otherwise. Here the
whole of it is repeated over ten splits of digits: search on the training and validation rows, refit
the best setting and the baseline (the same shape without a regulariser, at the best of 8 learning
rates), read the test rows once. The differences are paired by split.

Rule, written before the numbers: regularisation helps if the mean difference of test accuracy is at
least 0.5 points and its 95 % interval is above zero.

    python scripts/search_over_splits.py --out runs/search_over_splits
"""

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

import kerasreg
from kerasreg.evidence import Rule
from kerasreg.terminal import LiveProgress, is_live

RULE = Rule("regularisation raises test accuracy", "greater", smallest_effect=0.005, unit="pp")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="a name or an .npz file")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="two splits, few trials and epochs")
    parser.add_argument("--out", default="runs/search_over_splits")
    asked = parser.parse_args()
    splits, trials, epochs = asked.splits, asked.trials, asked.epochs
    if asked.quick:
        splits, trials, epochs = 2, 4, 2

    table = Table("split", "baseline", "best", "best setting", title="Test accuracy")
    best, baseline = [], []
    for split in range(splits):
        data = kerasreg.load(asked.data, split_seed=split)
        with LiveProgress(is_live()) as progress:
            study = kerasreg.search_regularization(
                data,
                trials=trials,
                epochs=epochs,
                seed=split,
                out=Path(asked.out) / f"split{split}",
                progress=progress,
            )
        result = study.result
        best.append(result["best"]["test"]["accuracy"])
        baseline.append(result["baseline"]["test"]["accuracy"])
        values = result["best"]["hyperparameters"]
        setting = ", ".join(
            f"{name} {value:.2g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in values.items()
            if value
        )
        table.add_row(str(split), f"{baseline[-1]:.4f}", f"{best[-1]:.4f}", setting)

    console = Console()
    console.print(table)
    comparison = RULE.compare(best, baseline)
    console.print(f"Best minus baseline: {comparison.text()}, {splits} splits")
    answer = {"best": best, "baseline": baseline, "comparison": comparison.to_dict()}
    if not asked.quick:
        decision = RULE.decide(comparison)
        console.print(f"Verdict: {decision.verdict}")
        answer["verdict"] = decision.verdict
    path = Path(asked.out) / "results.json"
    path.write_text(json.dumps(answer, indent=1))
    console.print(f"Results: {path}")


if __name__ == "__main__":
    main()
