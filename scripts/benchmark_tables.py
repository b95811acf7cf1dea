"""How good are the answers of a search, beside what people use for tables?

A folder holds tables and their tables.json: a list of `file`, `header`, `target`, `task`, and where
needed `missing` (a cell that means missing), `quote` and `drop`. Each table is split as kerasreg
splits it, `--splits` times. kerasreg runs through its command line on the whole file and sets its
test rows aside; the peers learn from its training and validation rows, and everyone predicts the
same test rows, which are scored once.

- forest: 500 trees, scikit-learn's defaults otherwise.
- mlp: `MLPClassifier` or `MLPRegressor` with defaults, behind a scaler (of the target too).
- boosting: `HistGradientBoosting` with defaults.
- xgboost: the best of 50 random settings with early stopping on the validation rows, refitted.

Peers get the cells as kerasreg reads them (texts of numbers as numbers, dates as parts), one column
a category; missing numbers are the median, with a column that says so, but for the two boostings.
kerasreg is asked twice on classification: by default for log loss, and with
`--objective val_balanced_accuracy` for balanced accuracy (its seconds are those of the first time);
`--objective O` asks once, with O.

Times are of whole commands in fresh processes: reading, training, predicting. A result that is in
the folder of `--out` is not measured again; `--again` measures kerasreg anew and keeps the peers.
XGBoost needs `pip install -e ".[benchmark]"`.

    python scripts/benchmark_tables.py tables --out runs/benchmark_tables
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kerasreg.command import quiet_import
from kerasreg.objectives import OBJECTIVES

PEERS = ("forest", "mlp", "boosting", "xgboost")
BALANCED = "val_balanced_accuracy"
PARTS = ("train", "validation", "test")
# Measure -> whether larger is better.
MEASURES = {"log loss": False, "balanced accuracy": True, "RMSE": False}


def clean_copy(folder: Path, table: dict, to: Path) -> Path:
    """The table with its quotes and marks for missing taken out, otherwise as it is."""
    path = to / "tables" / table["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.read_csv(
        folder / table["file"],
        header=0 if table["header"] else None,
        dtype=str,
        keep_default_na=False,
        na_values=[table["missing"]] if "missing" in table else [],
        quotechar=table.get("quote", '"'),
    )
    frame.to_csv(path, header=table["header"], index=False)
    return path


def split(path: Path, table: dict, seed: int, folder: Path) -> None:
    """Write the parts of one split: raw test rows, and for the peers all parts as read."""
    with quiet_import():
        import keras  # noqa: F401

        from kerasreg.data import load, read_new_rows

    header = table["header"]
    data = load(
        path,
        target=table["target"],
        header=header,
        drop=table.get("drop", []),
        task=table["task"],
        split_seed=seed,
    )
    folder.mkdir(parents=True, exist_ok=True)
    raw = pd.read_csv(path, header=0 if header else None, dtype=str, keep_default_na=False)
    fit, test = data.refit.y, data.read_test().y
    targets = dict(zip(PARTS, (*np.split(fit, [len(data.train)]), test), strict=True))
    for part, rows in data.rows.items():
        raw.iloc[rows].to_csv(folder / f"{part}.csv", header=header, index=False)
        cells, _ = read_new_rows(folder / f"{part}.csv", data.describe(), header=header)
        y = targets[part] * data.target_scale + data.target_offset
        pd.DataFrame({**cells, "target y": y}).to_parquet(folder / f"{part}.parquet")


def one_hot(numbers: Sequence[str], texts: Sequence[str], fill: bool):
    """Missing numbers filled and flagged, or left to the model; a column a category."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    median = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer(
        (median if fill else "passthrough", list(numbers)), (encoder, list(texts))
    )


def peer_model(peer: str, classes: bool):
    """A peer of scikit-learn's, for encoded rows."""
    from sklearn import ensemble, neural_network
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kind = "Classifier" if classes else "Regressor"
    if peer == "forest":
        forest = getattr(ensemble, f"RandomForest{kind}")
        return forest(n_estimators=500, n_jobs=-1, random_state=0)
    if peer == "boosting":
        return getattr(ensemble, f"HistGradientBoosting{kind}")(random_state=0)
    network = getattr(neural_network, f"MLP{kind}")(random_state=0)
    model = make_pipeline(StandardScaler(), network)
    return model if classes else TransformedTargetRegressor(model, transformer=StandardScaler())


def tuned_xgboost(parts: dict[str, tuple], classes: bool, trials: int, seed: int):
    """The best of random settings by the validation rows, refitted with them."""
    import xgboost

    rng = np.random.default_rng(seed)
    kind = xgboost.XGBClassifier if classes else xgboost.XGBRegressor
    best, setting = np.inf, {}
    for _ in range(trials):
        values = {
            "learning_rate": float(np.exp(rng.uniform(np.log(0.01), np.log(0.3)))),
            "max_depth": int(rng.integers(2, 11)),
            "min_child_weight": float(np.exp(rng.uniform(0, np.log(20)))),
            "subsample": float(rng.uniform(0.5, 1)),
            "colsample_bytree": float(rng.uniform(0.5, 1)),
            "reg_lambda": float(np.exp(rng.uniform(np.log(0.1), np.log(10)))),
            "reg_alpha": float(np.exp(rng.uniform(np.log(1e-3), np.log(1)))),
        }
        model = kind(**values, n_estimators=2000, early_stopping_rounds=50, random_state=seed)
        model.fit(*parts["train"], eval_set=[parts["validation"]], verbose=False)
        if model.best_score < best:
            best = model.best_score
            setting = {**values, "n_estimators": model.best_iteration + 1}
    both = [np.concatenate(pair) for pair in zip(parts["train"], parts["validation"], strict=True)]
    return kind(**setting, random_state=seed).fit(*both)


def run_peer(peer: str, folder: Path, classes: bool, quick: bool, seed: int) -> None:
    """One peer in this process: what it predicts for the test rows, as a file."""
    frames = {part: pd.read_parquet(folder / f"{part}.parquet") for part in PARTS}
    y = {part: frame.pop("target y").to_numpy() for part, frame in frames.items()}
    if classes:
        y = {part: values.astype(int) for part, values in y.items()}
    texts = [name for name, cells in frames["train"].items() if cells.dtype.kind != "f"]
    numbers = [name for name in frames["train"] if name not in texts]
    encode = one_hot(numbers, texts, fill=peer in ("forest", "mlp"))
    encode.fit(pd.concat([frames["train"], frames["validation"]]))
    parts = {part: (encode.transform(frame), y[part]) for part, frame in frames.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 200 iterations are the default, converged or not
        if peer == "xgboost":
            model = tuned_xgboost(parts, classes, 2 if quick else 50, seed)
        else:
            both = zip(parts["train"], parts["validation"], strict=True)
            model = peer_model(peer, classes).fit(*(np.concatenate(pair) for pair in both))
        x = parts["test"][0]
        predicted = model.predict_proba(x) if classes else model.predict(x)
    np.save(folder / f"{peer}.npy", predicted)


def timed(command: Sequence[str]) -> float:
    """Seconds of a command; its last words and an end where it fails."""
    started = time.perf_counter()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr[-1500:]}")
    return time.perf_counter() - started


def measure(side: str, path: Path, table: dict, seed: int, folder: Path, asked) -> dict:
    """Train one side, predict the test rows, score them."""
    from sklearn import metrics

    y = pd.read_parquet(folder / "test.parquet", columns=["target y"])["target y"].to_numpy()
    classes = table["task"] == "classification"
    if side in PEERS:
        arguments = [side, folder, int(classes), int(asked.quick), seed]
        seconds = timed([sys.executable, __file__, "--worker", *arguments])
        outputs = np.load(folder / f"{side}.npy")
        chosen = outputs.argmax(axis=1) if classes else None
    else:
        out = folder / side.replace(" ", "-")
        shutil.rmtree(out, ignore_errors=True)  # of a run that was interrupted
        command = [sys.executable, "-m", "kerasreg"]
        given = ["--data", path, f"--target={table['target']}", "--task", table["task"]]
        given += [word for column in table.get("drop", []) for word in ("--drop", column)]
        given += [] if table["header"] else ["--no-header"]
        given += ["--split-seed", seed, "--seed", seed, *shlex.split(asked.options)]
        objective = BALANCED if side == "kerasreg balanced" else asked.objective
        given += ["--objective", objective] if objective and (classes or asked.objective) else []
        given += ["--trials", 2, "--epochs", 2] if asked.quick else []
        seconds = timed([*command, "search", *given, "--out", out])
        predicted = folder / f"{side}.parquet"
        seconds += timed(
            [*command, "predict", out, "--data", folder / "test.csv", "--out", predicted]
        )
        found = pd.read_parquet(predicted)
        outputs = found["prediction"].to_numpy() if not classes else found.iloc[:, 1:].to_numpy()
        names = [name.removeprefix("probability: ") for name in found.columns[1:]]
        chosen = found["label"].map(names.index).to_numpy() if classes else None
    if not classes:
        return {"seconds": seconds, "RMSE": float(np.sqrt(np.mean((outputs - y) ** 2)))}
    outputs = outputs / outputs.sum(axis=1, keepdims=True)
    return {
        "seconds": seconds,
        "log loss": float(metrics.log_loss(y, outputs, labels=range(outputs.shape[1]))),
        "balanced accuracy": float(metrics.balanced_accuracy_score(y, chosen)),
    }


def ranks(values: Sequence[float], larger_is_better: bool) -> np.ndarray:
    """Rank of each value, 1 for the best; equals share the mean of their ranks."""
    from scipy.stats import rankdata

    return rankdata([-value if larger_is_better else value for value in values])


def summary(results: dict[tuple[str, int, str], dict]) -> list[str]:
    """The table in Markdown: mean ranks among the five, median ratios to the best, seconds."""
    sides = ("kerasreg", *PEERS)
    cells: dict[str, list[str]] = {side: [] for side in sides}
    heads = []
    for name, larger in MEASURES.items():
        rows = []
        for table, seed in dict.fromkeys((table, seed) for table, seed, _ in results):
            found = [_value(results, table, seed, side, name) for side in sides]
            if None not in found:
                rows.append(found)
        if not rows:
            continue
        heads += [f"rank by {name}", f"{name} / best"]
        mean = np.mean([ranks(row, larger) for row in rows], axis=0)
        best = [max(row) if larger else min(row) for row in rows]
        ratios = [
            statistics.median(
                row[k] / top if top else 1.0 for row, top in zip(rows, best, strict=True)
            )
            for k in range(len(sides))
        ]
        for k, side in enumerate(sides):
            cells[side] += [f"{mean[k]:.2f}", f"{ratios[k]:.3f}"]
    lines = [f"| | {' | '.join(heads)} | seconds |", f"|---|{'---|' * (len(heads) + 1)}"]
    for side in sides:
        seconds = sum(found["seconds"] for (_, _, one), found in results.items() if one == side)
        lines.append(f"| {side} | {' | '.join(cells[side])} | {seconds:.0f} |")
    return lines


def _value(results: dict, table: str, seed: int, side: str, measure: str) -> float | None:
    """A side's value; kerasreg's balanced accuracy is that of the search that was asked for it."""
    if side == "kerasreg" and measure == "balanced accuracy":
        asked = results.get((table, seed, "kerasreg balanced"), {})
        if measure in asked:
            return asked[measure]
    return results.get((table, seed, side), {}).get(measure)


def details(results: dict[tuple[str, int, str], dict]) -> list[str]:
    """A line a table: the mean over splits of its first measure, for each side."""
    sides = tuple(dict.fromkeys(side for *_, side in results))
    lines = [f"| table | measure | {' | '.join(sides)} |", f"|---|---|{'---|' * len(sides)}"]
    for table in dict.fromkeys(table for table, *_ in results):
        for name in MEASURES:
            found = [
                [
                    r[name]
                    for (t, _, s), r in results.items()
                    if (t, s) == (table, side) and name in r
                ]
                for side in sides
            ]
            if any(found):
                shown = (f"{statistics.mean(values):.4g}" if values else "–" for values in found)
                lines.append(f"| {table} | {name} | {' | '.join(shown)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="the tables and their tables.json")
    parser.add_argument("--out", default="runs/benchmark_tables")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--only", action="append", metavar="TABLE", help="only this file")
    parser.add_argument("--objective", metavar="O", help="of kerasreg, for all measures")
    parser.add_argument("--options", default="", help="more options of kerasreg, as one text")
    parser.add_argument("--again", action="store_true", help="measure kerasreg anew")
    parser.add_argument("--quick", action="store_true", help="one table, one split, two trials")
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        peer, folder, classes, quick, seed = asked.worker
        run_peer(peer, Path(folder), classes == "1", quick == "1", int(seed))
        return
    if not asked.folder:
        parser.error("expected the folder of tables.json")
    tables = json.loads((Path(asked.folder) / "tables.json").read_text())
    if asked.only:
        tables = [table for table in tables if table["file"] in asked.only]
    if asked.quick:
        tables, asked.splits = tables[:1], 1
    out = Path(asked.out).absolute()
    results: dict[tuple[str, int, str], dict] = {}
    for seed in range(asked.splits):
        for table in tables:
            name = Path(table["file"]).stem
            folder = out / name / f"split{seed}"
            sides = [*PEERS, "kerasreg"]
            if table["task"] == "classification" and not asked.objective and BALANCED in OBJECTIVES:
                sides.append("kerasreg balanced")
            path = clean_copy(Path(asked.folder), table, out)
            if not (folder / "test.parquet").exists():
                split(path, table, seed, folder)
            for side in sides:
                kept = folder / f"{side}.json"
                if not kept.exists() or (asked.again and side not in PEERS):
                    found = measure(side, path, table, seed, folder, asked)
                    kept.write_text(json.dumps(found))
                results[name, seed, side] = json.loads(kept.read_text())
                shown = ", ".join(f"{key} {v:.4g}" for key, v in results[name, seed, side].items())
                print(f"{name} split {seed} {side}: {shown}", flush=True)
    records = [
        {"table": table, "split": seed, "side": side, **found}
        for (table, seed, side), found in results.items()
    ]
    (out / "results.json").write_text(json.dumps(records, indent=1))
    print("\n".join(["", *details(results), "", *summary(results), "", f"{out / 'results.json'}"]))


if __name__ == "__main__":
    main()
