"""The same seed gives the same numbers, wherever and however often they are computed.

What must be equal                                  | shown by
----------------------------------------------------|-------------------------------------------
trials.jsonl but for times: the same search twice,  | `test_the_same_search_twice`
  each engine, another process, 1 or 2 threads      |
... after an interruption                           | test_reliability_kills; test_search,
                                                    | test_halving
... whatever stands beside a member                 | test_population_randomness
a recorded score and `kerasreg train` with the best | `test_train_reproduces_the_best_score`
  setting and its seed (1e-4)                       |
... one engine and the other                        | test_search.TestEngines, test_population_exact
global random state neither read nor touched        | test_population_randomness, test_oracles

Threads: `TF_NUM_INTRAOP_THREADS` changes how TensorFlow divides an operation. The reference engine
and populations are checked with 1 and 2 threads on small stacks, where the numbers are equal to the
last recorded digit. It is no promise for every size: a matrix product or a sum over many rows may
be split, and added up in another order, when there are more threads; nor for another processor,
whose vector width decides how sums are grouped, or another version of TensorFlow.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from kerasreg.study import Study

TINY = ["search", "--data", "digits", "--train-size", "100", "--units", "8", "--quiet", "--seed",
        "0", "--fix", "input_dropout=0", "--seeds", "2"]  # fmt: skip
# What is run: trials and nothing after them, in a process of its own.
CODE = """
import sys
import kerasreg.report
from kerasreg.search import run
run.conclude = lambda work: None
kerasreg.report.render_report = lambda folder: None
from kerasreg.cli import main
sys.exit(main(sys.argv[1:]))
"""
SEARCHES = {
    "population": ["--trials", "5", "--epochs", "3", "--fix", "normalization=batch"],
    "keras-tuner": ["--trials", "2", "--epochs", "2", "--searcher", "bayesian"],
}


def start(folder, name, arguments, threads=None):
    limits = {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": str(threads)}
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *TINY, *arguments, "--out", name],
        cwd=folder,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(limits if threads else {})},
        stderr=subprocess.PIPE,
        text=True,
    )


def lines(folder, name):
    """The lines of trials.jsonl without seconds, as text: every digit counts."""
    kept = []
    for line in (folder / name / "trials.jsonl").read_text().splitlines():
        record = json.loads(line)
        del record["seconds"]
        kept.append(json.dumps(record))
    return kept


@pytest.mark.parametrize("engine", SEARCHES)
def test_the_same_search_twice(tmp_path, engine):
    arguments = [*SEARCHES[engine], "--engine", engine]
    runs = [start(tmp_path, f"threads{threads}", arguments, threads) for threads in (1, 2)]
    for run in runs:
        _, err = run.communicate()
        assert "Traceback" not in err, err
    one, two = (lines(tmp_path, f"threads{threads}") for threads in (1, 2))
    assert len(one) == int(arguments[1])
    assert one == two


def test_train_reproduces_the_best_score(tmp_path, record_property):
    """`kerasreg train` with the best setting, as a user would type it, in a process of its own."""
    trials = os.environ.get("KERASREG_SCORES", "4")
    search = ["--trials", trials, "--epochs", "5", "--patience", "2"]
    _, err = start(tmp_path, "study", search).communicate()
    assert "Traceback" not in err, err
    study = Study.open(tmp_path / "study")
    asked = study.request
    worst, scored = 0.0, 0
    records = [study.best()] if trials == "4" else study.trials()
    for record in (r for r in records if r["status"] == "completed"):
        values = record["hyperparameters"]
        flags = {"dropout": "--dropout", "l1": "--l1", "l2": "--l2", "normalization": "--norm",
                 "learning_rate": "--lr"}  # fmt: skip
        given = [text for name, flag in flags.items() for text in (flag, str(values[name]))]
        again = ["train", *TINY[1:-4], "--seeds", "2", "--epochs", "5", "--patience", "2", *given]
        out = f"again{scored}"
        code = [sys.executable, "-c", CODE, *again, "--out", out]
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(code, cwd=tmp_path, check=False, capture_output=True, env=env)
        (trial,) = Study.open(tmp_path / out).trials()
        difference = abs(trial["score"] - record["score"]) / abs(record["score"])
        worst, scored = max(worst, difference), scored + 1
        assert difference <= 1e-4, (record["trial"], difference)
        np.testing.assert_allclose(
            trial["curves"]["val_data_loss"], record["curves"]["val_data_loss"], rtol=1e-4
        )
    assert scored
    assert asked["seed"] == 0
    record_property("scores reproduced", f"{scored}, largest relative difference {worst:.1e}")
