"""How reliable are studies? The long forms of the checks that the everyday tests make in short.

kills    whole searches are killed (SIGKILL) at 100 moments: after random times, and in the middle
         of what they write; each is resumed until done and compared with an uninterrupted one
ray      50 workers of a Ray cluster are killed while they train, at random moments
memory   1,000 trials on digits: growth from trial 100 on, open files, threads
scores   every trial of a search is trained again by `kerasreg train` with its values and seed
noise    labels that mean nothing, 200 trials: the best validation score and the test score
files    45,000 damaged files: CSV, Parquet, NPZ, studies, checkpoints
tables   FOLDER: every CSV and Parquet file below it, each read or refused in one line, with a tally
         of reasons; the target is the last column
seconds  of `--help`, of a run that a signal ends and of a large report, on a quiet machine

The checks are tests (`tests/test_reliability_*.py`, `test_reproducible.py`, `test_data_files.py`,
`test_study_fuzz.py`, `test_cli.py`, `test_report.py`), asked for more by environment variables; a
check that fails ends as a failing test does, and so does this script. The tests record seconds and
judge none of them; `LIMITS` here does.

Run: python scripts/check_reliability.py [kills ray memory scores noise files seconds] [--share 1.0]
     python scripts/check_reliability.py tables FOLDER
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

ROOT = Path(__file__).parent.parent
# Name -> (variable and its value in the long form, what pytest is told to run).
CHECKS = {
    "kills": ("KERASREG_KILLS", 100, ["tests/test_reliability_kills.py", "-k", "killed_searches"]),
    "ray": ("KERASREG_RAY_KILLS", 50, ["tests/test_ray.py", "-k", "killed_workers"]),
    "memory": ("KERASREG_MEMORY_TRIALS", 1000, ["tests/test_reliability_memory.py"]),
    "scores": ("KERASREG_SCORES", 20, ["tests/test_reproducible.py", "-k", "reproduces"]),
    "noise": (
        "KERASREG_NOISE_TRIALS",
        200,
        ["tests/test_reliability_statistics.py", "-k", "pure_noise"],
    ),
    "files": (
        "KERASREG_FUZZ",
        40,
        [
            "tests/test_data_files.py",
            "tests/test_study_fuzz.py",
            "-k",
            "damaged or any_bytes",
            "-m",
            "slow or not slow",
        ],
    ),
    "seconds": (
        "KERASREG_SECONDS",
        1,
        [
            "tests/test_cli.py",
            "tests/test_report.py",
            "tests/test_reliability_kills.py",
            "-k",
            "answers or finished_trials_are_kept or report_of_200",
        ],
    ),
}
# What a test recorded -> the most that it may be.
LIMITS = {
    "seconds of kerasreg --help": 0.5,
    "seconds from a signal to the end": 5.0,
    "seconds of a report of 200 trials": 20.0,
    "seconds of the slowest damaged study": 20.0,
}


def run(name: str, share: float) -> tuple[bool, dict[str, list[str]], float]:
    """Run one check; whether it passed, what its tests recorded, and seconds."""
    variable, amount, what = CHECKS[name]
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "--durations=0", "-p", "no:cacheprovider",
             f"--junitxml={report}", "-o", "junit_family=xunit1", "--tb=short",
             "--hypothesis-show-statistics", *what],
            cwd=ROOT,
            env={**os.environ, variable: str(max(1, round(amount * share)))},
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        found: dict[str, list[str]] = {}
        if report.exists():
            for item in ElementTree.parse(report).iter("property"):
                found.setdefault(item.get("name"), []).append(item.get("value"))
    if ran.returncode:
        print(ran.stdout)
    # How many inputs hypothesis really made, and how many the tests that count themselves did.
    made = sum(int(n) for n in re.findall(r"(\d+) passing examples", ran.stdout))
    named = re.findall(r"test_(\d+)_damaged_\w+", ran.stdout)
    if name == "files":
        made += sum(int(n) for n in set(named))
        found["inputs"] = [f"{made:,}"]
    held = all(float(v) <= limit for name, limit in LIMITS.items() for v in found.get(name, []))
    return ran.returncode == 0 and held, found, time.monotonic() - started


def said(name: str, found: dict[str, list[str]]) -> str:
    """The figures of one check in words."""
    if name == "kills":
        return f"{sum(map(int, found.get('kills', [])))} kills survived, same trials, none lost"
    if name == "ray":
        return f"{found['kills'][0]} workers killed, same results"
    if name == "files":
        return f"{found['inputs'][0]} inputs, each read or refused in one line"
    if name == "seconds":
        return "; ".join(f"{max(map(float, values)):.2g} {what}" for what, values in found.items())
    return "; ".join(value for values in found.values() for value in values)


def sweep(folder: Path, console: Console) -> int:
    """Read every table below a folder as `kerasreg data` does; tally what came of it."""
    from kerasreg.data import load
    from kerasreg.errors import UserError

    files = sorted(path for kind in ("csv", "parquet") for path in folder.rglob(f"*.{kind}"))
    if not files:
        console.print(f"no .csv or .parquet files in {folder}")
        return 2
    tally: Counter[str] = Counter()
    faults = 0
    for path in files:
        try:
            data = load(path, target=-1)
            outcome = f"read: {data.task}"
            for kind, said in (("with warnings", data.warnings), ("with notes", data.notes)):
                tally[f"read {kind}"] += bool(said)
            console.print(f"{path.name}: {outcome}; {len(data.feature_names)} features")
        except UserError as error:
            line = str(error).removeprefix(f"{path}").lstrip(": ")
            faults += len(str(error).splitlines()) != 1
            # What differs from file to file is left out of the reason.
            reason = re.sub(r"'[^']*'|\"[^\"]*\"|[\d,.]*\d", "…", line)
            outcome = f"refused: {reason[:90]}"
            console.print(f"{path.name}: refused: {line}", markup=False, highlight=False)
        except Exception as error:
            faults += 1
            outcome = f"FAULT: {type(error).__name__}"
            console.print(f"{path.name}: FAULT: {error!r}", markup=False, style="red")
        tally[outcome] += 1
    table = Table("files", "what came of them", box=SIMPLE)
    for outcome, count in tally.most_common():
        table.add_row(f"{count:,}", Text(outcome))
    console.print(table)
    console.print(f"{len(files):,} files, {faults} faults")
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"of {', '.join(CHECKS)}")
    parser.add_argument("--share", type=float, default=1.0, help="of the long form's amount")
    given = parser.parse_args()
    if given.checks[:1] == ["tables"]:
        if len(given.checks) != 2 or not Path(given.checks[1]).is_dir():
            parser.error("tables: expected one folder of files, got " + " ".join(given.checks[1:]))
        return sweep(Path(given.checks[1]), Console())
    unknown = set(given.checks) - set(CHECKS)
    if unknown:
        parser.error(f"no check {sorted(unknown)[0]!r}; there are {', '.join(CHECKS)}")
    console = Console()
    table = Table("check", "result", "figures", "min", box=SIMPLE)
    passed = True
    for name in given.checks or CHECKS:
        console.print(f"{name} …")
        good, found, seconds = run(name, given.share)
        passed &= good
        table.add_row(name, "held" if good else "FAILED", said(name, found), f"{seconds / 60:.1f}")
    console.print(table)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
