"""The same seed gives the same numbers, wherever and however often they are computed.

What must be equal                                  | shown by
----------------------------------------------------|-------------------------------------------
trials.jsonl but for times: the same search twice,  | `test_the_same_search_twice`
  each engine, another process, 1 or 2 threads      |
... after an interruption                           | test_reliability_kills;
                                                    | test_search_loop, test_halving
... whatever stands beside a member                 | test_population_randomness
a recorded score and `kerasreg train` with the best | `test_train_reproduces_the_best_score`
  setting and its seed (1e-4)                       |
... one engine and the other                        | test_search_engines, test_population_exact
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

# As the command line is read; ends at the baseline, because only the trials are compared.
CODE = """
import json, sys
from kerasreg.search.from_cli import requested
from kerasreg.search.run import run_request

def progress(event):
    if event.phase == "baseline":
        sys.exit()

verb, given, base, out = json.loads(sys.argv[1])
run_request(requested(verb, given, base), out, progress=progress)
"""
TINY = {"data": "digits", "train_size": 100, "seed": 0, "seeds": 2}
SEARCHES = {
    "population": {"trials": 5, "epochs": 3, "fix": ["input_dropout=0", "normalization=batch"]},
    "keras-tuner": {"trials": 2, "epochs": 2, "searcher": "bayesian", "fix": ["input_dropout=0"]},
}


def start(folder, verb, given, base, threads=None):
    """Begin a run in a process of its own."""
    limits = {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": str(threads)}
    arguments = json.dumps([verb, {**TINY, **given}, {"units": "8", **base}, str(folder)])
    return subprocess.Popen(
        [sys.executable, "-c", CODE, arguments],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(limits if threads else {})},
        stderr=subprocess.PIPE,
        text=True,
    )


def lines(folder):
    """The lines of trials.jsonl without seconds, as text: every digit counts."""
    kept = []
    for line in (folder / "trials.jsonl").read_text().splitlines():
        record = json.loads(line)
        del record["seconds"]
        kept.append(json.dumps(record))
    return kept


@pytest.mark.parametrize("engine", SEARCHES)
def test_the_same_search_twice(tmp_path, engine):
    given = {**SEARCHES[engine], "engine": engine}
    runs = [
        start(tmp_path / f"threads{threads}", "search", given, {}, threads) for threads in (1, 2)
    ]
    for run in runs:
        _, err = run.communicate()
        assert run.returncode == 0, err
    one, two = (lines(tmp_path / f"threads{threads}") for threads in (1, 2))
    assert len(one) == given["trials"]
    assert sorted(one) == sorted(two)


def test_train_reproduces_the_best_score(tmp_path, record_property):
    """`kerasreg train` with the best setting, spelled as on the command line."""
    trials = os.environ.get("KERASREG_SCORES", "4")
    given = {"epochs": 5, "patience": 2}
    search = start(
        tmp_path / "study",
        "search",
        {**given, "trials": int(trials), "fix": ["input_dropout=0"]},
        {},
    )
    _, err = search.communicate()
    assert search.returncode == 0, err
    study = Study.open(tmp_path / "study")
    worst, scored = 0.0, 0
    records = [study.best()] if trials == "4" else study.trials()
    for record in (r for r in records if r["status"] == "completed"):
        base = {name: str(value) for name, value in record["hyperparameters"].items()}
        out = tmp_path / f"again{scored}"
        _, err = (again := start(out, "train", given, base)).communicate()
        assert again.returncode == 0, err
        (trial,) = Study.open(out).trials()
        difference = abs(trial["score"] - record["score"]) / abs(record["score"])
        worst, scored = max(worst, difference), scored + 1
        assert difference <= 1e-4, (record["trial"], difference)
        np.testing.assert_allclose(
            trial["curves"]["val_data_loss"], record["curves"]["val_data_loss"], rtol=1e-4
        )
    assert scored
    record_property("scores reproduced", f"{scored}, largest relative difference {worst:.1e}")
