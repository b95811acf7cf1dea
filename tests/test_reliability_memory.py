"""A long search does not grow: memory, open files and threads while trials are added.

keras-tuner keeps a graph a trial. Here a program is kept a structure, and records are on the disk.

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
import gc, json, os, sys
from kerasreg.search import run, trials
from kerasreg.search.space import Space
from kerasreg.data import load
from kerasreg.stacks import StackConfig

total, first, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
run.conclude = lambda work: None  # the trials are what is repeated
if total < 1000:
    trials._ROUND["random"] = 10
seen = {}

def measure(event):
    if not event.finished or event.done % 10:
        return
    gc.collect()
    with open("/proc/self/statm") as file:
        rss = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    seen[event.done] = [rss, len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))]

run.search(load("digits", train_size=200), space=Space.default(), base=StackConfig(units=(16,)),
           trials=total, epochs=3, out=out, progress=measure)
print(json.dumps(seen))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_a_long_search_does_not_grow(tmp_path, record_property):
    arguments = [str(TRIALS), str(FIRST), str(tmp_path / "study")]
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    ran = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, env=env
    )
    assert ran.returncode == 0, ran.stderr
    seen = {int(trial): row for trial, row in json.loads(ran.stdout).items()}
    later = [row for trial, row in seen.items() if trial >= FIRST]
    memory, files, threads = zip(*later, strict=True)
    growth = memory[-1] - memory[0]
    record_property(
        "memory",
        f"{growth:+.1f} MB from trial {FIRST} to {max(seen)} (at {memory[-1]:.0f} MB); "
        f"files {min(files)} to {max(files)}, threads {min(threads)} to {max(threads)}",
    )
    # The allowance is for the whole; a short form must show no more than noise.
    assert growth <= (50 if TRIALS >= 1000 else 20), seen
    assert len(set(files[1:])) == 1, seen
    assert len(set(threads[1:])) == 1, seen
