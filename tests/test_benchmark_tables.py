"""The benchmark on tables: everyone's rows, and what the numbers become."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kerasreg.data import load

SCRIPT = Path(__file__).parent.parent / "scripts" / "benchmark_tables.py"


@pytest.fixture(scope="module")
def benchmark():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("benchmark_tables", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_everyone_has_the_rows_of_kerasregs_split(benchmark, tmp_path):
    rng = np.random.default_rng(0)
    size = rng.normal(size=90).round(3)
    towns = rng.choice(["'Bern'", "'Chur'", "-9"], 90)
    labels = np.where(size > 0, "'up'", "'down'")
    lines = [",".join(map(str, row)) for row in zip(size, towns, labels, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    table = {"file": "t.csv", "header": False, "target": -1, "task": "classification"}
    table |= {"missing": "-9", "quote": "'"}
    path = benchmark.clean_copy(tmp_path, table, tmp_path / "out")
    benchmark.split(path, table, 1, tmp_path / "split")
    data = load(path, target=-1, header=False, split_seed=1)
    for part in benchmark.PARTS:
        rows = data.rows[part]
        raw = pd.read_csv(tmp_path / "split" / f"{part}.csv", header=None)
        read = pd.read_parquet(tmp_path / "split" / f"{part}.parquet")
        np.testing.assert_allclose(raw[0], size[rows])
        np.testing.assert_allclose(read["0"], size[rows], rtol=1e-6)
        assert read["1"].tolist() == [town.strip("'").replace("-9", "") for town in towns[rows]]
        np.testing.assert_array_equal(read["target y"], labels[rows] == "'up'")


def test_ranks_ratios_and_seconds(benchmark):
    losses = {"kerasreg": 0.2, "forest": 0.1, "mlp": 0.4, "boosting": 0.4, "xgboost": 0.3}
    results = {
        ("a", 0, side): {"seconds": 1.5, "log loss": loss, "balanced accuracy": 1 - loss}
        for side, loss in losses.items()
    }
    # Asked for balanced accuracy, kerasreg is first in it.
    results["a", 0, "kerasreg balanced"] = {"seconds": 9, "log loss": 9, "balanced accuracy": 0.95}
    lines = benchmark.summary(results)
    assert lines[2] == "| kerasreg | 2.00 | 2.000 | 1.00 | 1.000 | 2 |"
    assert lines[3] == "| forest | 1.00 | 1.000 | 2.00 | 0.947 | 2 |"
    assert lines[4].startswith("| mlp | 4.50 | 4.000 |")
    assert benchmark.details(results)[2].startswith("| a | log loss | 0.2 | 0.1 | 0.4 |")
