"""A long search does not grow: objects, memory, open files and threads while trials are added.

keras-tuner keeps a graph a trial. Here a program is kept a structure, compiled for a few numbers of
members, and records are on the disk. What could grow is counted: graphs, functions, variables and
tensors, in Python and in TensorFlow's runtime, must not become more; other objects may by a
record's worth a trial.

Counts are exact. Resident memory is not, even after the C library has given back what is free: it
makes single steps of 5 to 10 MB at any time of a search, so its allowance is for leaks outside of
Python and is the same for 60 trials as for 1,000. A compilation needs up to 100 MB for a moment,
which the library keeps or returns as it likes, so the largest value seen is recorded too.

`KERASREG_MEMORY_TRIALS=1000` asks for the long form; `scripts/check_reliability.py` runs it.
"""

import json
import os
import subprocess
import sys

import pytest

TRIALS = int(os.environ.get("KERASREG_MEMORY_TRIALS", "60"))
FIRST = 100 if TRIALS >= 1000 else 20

CODE = """
import ctypes, gc, json, os, sys
from collections import Counter
from tensorflow.python.eager import context
from kerasreg.search import loop, run
from kerasreg.search.space import Space
from kerasreg.data import load
from kerasreg.stacks import StackConfig

total, first, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
run.conclude = lambda work: None  # the trials are what is repeated
space = Space.default()
if total < 1000:
    # One structure in rounds of one size: every program is compiled by the first trials.
    del space["normalization"]
    loop.ROUND_SIZE["random"] = 10
seen = {}

libc = ctypes.CDLL(None)

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

def measure(event):
    if not event.finished or event.done % 10:
        return
    gc.collect()
    before = resident()
    libc.malloc_trim(0)
    files, threads = (len(os.listdir(f"/proc/self/{name}")) for name in ("fd", "task"))
    kinds = Counter(type(found).__name__ for found in gc.get_objects())
    watched = ("FuncGraph", "ConcreteFunction", "ResourceVariable", "EagerTensor")
    held = {name: kinds[name] for name in watched}
    held["functions of the runtime"] = len(context.context().list_function_names())
    seen[event.done] = [resident(), files, threads, before, held, kinds.total()]

run.search(load("digits", train_size=200), space=space, base=StackConfig(units=(16,)),
           trials=total, epochs=3, out=out, progress=measure)
print(json.dumps(seen))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_a_long_search_does_not_grow(tmp_path, record_property):
    arguments = [str(TRIALS), str(FIRST), str(tmp_path / "study")]
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    ran = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, env=env
    )
    assert ran.returncode == 0, ran.stderr
    seen = {int(trial): row for trial, row in json.loads(ran.stdout).items()}
    later = [row for trial, row in seen.items() if trial >= FIRST]
    memory, files, threads, untrimmed, held, objects = zip(*later, strict=True)
    each = (objects[-1] - objects[0]) / (max(seen) - FIRST)
    growth = memory[-1] - memory[0]
    record_property(
        "memory",
        f"{growth:+.1f} MB from trial {FIRST} to {max(seen)} (at {memory[-1]:.0f} MB, "
        f"at most {max(untrimmed):.0f} with what the C library kept); "
        f"{each:.1f} objects a trial; "
        f"files {min(files)} to {max(files)}, threads {min(threads)} to {max(threads)}",
    )
    assert held[0]["FuncGraph"] > 0, "what is counted is not there"
    assert [row for row in held if row != held[0]] == [], json.dumps(seen)
    assert each <= 60, json.dumps(seen)
    assert growth <= 50, json.dumps(seen)
    assert len(set(files[1:])) == 1, json.dumps(seen)
    assert len(set(threads[1:])) == 1, json.dumps(seen)
