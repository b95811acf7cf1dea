"""Nonsense in a study's files: each input ends in one clear line or in a valid reading."""

import io
import json
import os
import random
import time

import numpy as np
import pytest
from made_studies import finished
from rich.console import Console

from kerasreg.errors import UserError
from kerasreg.files import atomic_save_npz, load_npz
from kerasreg.report import _pictures, render_report
from kerasreg.search.resume import stored_request
from kerasreg.search.space import Space
from kerasreg.study import Study, failed_record
from kerasreg.study._contract import check
from kerasreg.terminal import print_summary

TOKENS = [
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1e-999",
    b"9" * 5000,
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'"',
    b"\\ud800",
    b"\\u0000",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r",
    b"\xe2\x80\xa8",
    b"[" * 2000,
    b'{"a":' * 2000,
    b"../../etc/passwd",
    b"<script>alert(1)</script>",
    b"\x1b[31m",
    b"-1",
    b"1e308",
    b'"failed"',
    b'"completed"',
]


def mutate(rng, data):
    """Return `data` damaged in one to four places."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice([0, 1, 1, 8, 64]))
        kind = rng.randrange(6)
        if kind == 0:  # truncate
            data = data[:start]
        elif kind == 1 and start < end:  # flip a bit
            data = data[:start] + bytes([data[start] ^ 1 << rng.randrange(8)]) + data[start + 1 :]
        elif kind == 2:  # delete
            data = data[:start] + data[end:]
        elif kind == 3:  # repeat
            data = data[:end] + data[start:]
        elif kind == 4:  # a token in place of what is there
            data = data[:start] + rng.choice(TOKENS) + data[end:]
        else:  # a JSON value in place of another, so that the syntax survives
            spots = [i for i, byte in enumerate(data) if byte in b":,["]
            if spots:
                spot = rng.choice(spots) + 1
                rest = min(
                    (data.find(c, spot) for c in b",]}" if data.find(c, spot) > 0), default=spot
                )
                data = data[:spot] + rng.choice(TOKENS) + data[rest:]
    return data


@pytest.fixture
def study(tmp_path):
    study = Study.create(tmp_path / "s", {"trials": 3, "space": {"l2": [0, 1e-3]}}, ["kerasreg"])
    curves = {"val_data_loss": [0.5, 0.25], "val_accuracy": [0.5, 0.75]}
    good = {
        "trial": "1",
        "hyperparameters": {"dropout": 0.5, "norm": "batch", "loss": None},
        "status": "completed",
        "seeds": [0],
        "score": 0.25,
        "score_std": None,
        "metrics": {"val_data_loss": 0.25, "val_accuracy": 0.75},
        "chosen_epoch": 2,
        "epochs": 2,
        "curves": curves,
        "members": [
            {"seed": 0, "fold": None, "score": 0.25, "curves": curves, "status": "completed"}
        ],
        "seconds": 0.5,
        "engine": "population",
    }
    study.append(good)
    study.append(failed_record("2", {"dropout": 0.25}, "boom <b>"))
    study.append({**good, "trial": "3"})
    study.count_test_read()
    study.write_result({"test": {"accuracy": 0.5}})
    return study


def read_everything(folder, extend=True):
    """Use every reader; whatever comes back is valid."""
    study = Study.open(folder)
    json.dumps(study.info, allow_nan=False)
    study.version_changes()
    json.dumps(study.result, allow_nan=False)
    trials = study.trials()
    for record in trials:
        check(record)
    json.dumps(trials, allow_nan=False).encode()
    table = study.dataframe()
    assert len(table) == len(trials)
    assert table.columns.is_unique
    best = study.best()
    assert best is None or (best["status"] == "completed" and np.isfinite(best["score"]))
    if extend:  # writes nothing, but takes the lock, which costs two flushes, and compares
        study.extend({})
    return trials


def fuzz(study, inputs, seed=0):
    """Damage one file at a time; return how many inputs were read and how many refused."""
    rng = random.Random(seed)
    # study.json and trials.jsonl are what people exchange: most inputs go there.
    whole = {
        name: (study.folder / name).read_bytes()
        for name in ("study.json", "trials.jsonl", "trials.jsonl", "result.json")
    }
    outside = sorted(os.listdir(study.folder.parent))
    read = refused = 0
    for number in range(inputs):
        name = rng.choice(["study.json", "trials.jsonl", "trials.jsonl", "result.json"])
        data = mutate(rng, whole[name])
        (study.folder / name).write_bytes(data)
        try:
            read_everything(study.folder, extend=number % 10 == 0)
            read += 1
        except UserError as error:
            message = str(error)
            assert message.isprintable(), (number, data)
            assert len(message) < 600, (number, data)
            refused += 1
        except Exception as error:
            raise AssertionError(f"input {number} of seed {seed}, {name}: {data!r}") from error
        (study.folder / name).write_bytes(whole[name])
    assert sorted(os.listdir(study.folder.parent)) == outside
    assert sorted(os.listdir(study.folder)) == ["result.json", "study.json", "trials.jsonl"]
    assert len(read_everything(study.folder)) == 3
    return read, refused


def test_500_damaged_studies(study):
    read, refused = fuzz(study, 500)
    assert read > 25
    assert refused > 250


@pytest.mark.slow
def test_20000_damaged_studies(study):
    print("read, refused:", fuzz(study, 20_000, seed=1))


def fuzz_arrays(folder, inputs, seed=0):
    """Damage a checkpoint; what still loads holds the numbers that were saved."""
    state = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.int64(7)}
    path = folder / "a.npz"
    atomic_save_npz(path, state)
    whole = path.read_bytes()
    rng = random.Random(seed)
    for number in range(inputs):
        data = mutate(rng, whole)
        path.write_bytes(data)
        try:
            again = load_npz(path)
        except UserError as error:
            message = str(error)
            assert message.isprintable(), (number, data)
            continue
        except Exception as error:
            raise AssertionError(f"input {number} of seed {seed}: {data!r}") from error
        for array in again.values():
            assert any(np.array_equal(array, original) for original in state.values())


def test_100_damaged_checkpoints(tmp_path):
    fuzz_arrays(tmp_path, 100)


@pytest.mark.slow
def test_5000_damaged_checkpoints(tmp_path):
    fuzz_arrays(tmp_path, 5000, seed=1)


# Valid JSON of wrong types: what a hand or another program makes of a study.
VALUES = [5, -1, 0, None, True, "x", "", [], {}, [5], {"a": 5}, 1e308, 1.5, "\u0000", "a\n<b>",
          [[]], 2**62, "9" * 400]  # fmt: skip


def paths(value, start=()):
    """Where a value stands in parsed JSON: everything below, of lists the first three."""
    if start:
        yield start
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value[:3]) if isinstance(value, list) else inner
    for key, item in inner:
        yield from paths(item, (*start, key))


def replaced(rng, text):
    """Return the JSON with one value replaced or left out, more often near the top."""
    value = json.loads(text)
    places = list(paths(value))
    if rng.random() < 0.6:
        places = [place for place in places if len(place) <= 3]
    *way, last = rng.choice(places)
    holder = value
    for key in way:
        holder = holder[key]
    if isinstance(holder, dict) and rng.random() < 0.2:
        del holder[last]
    else:
        holder[last] = rng.choice(VALUES)
    return json.dumps(value)


def use_everything(folder):
    """What reads a study but for its records: going on with it, its page, the closing table.

    Yields:
        Whether each worked, and the seconds that it took.
    """
    for use in (
        lambda: stored_request(Study.open(folder)),
        lambda: render_report(folder),
        lambda: print_summary(folder, Console(file=io.StringIO(), width=100)),
    ):
        started, message = time.monotonic(), None
        try:
            use()
        except UserError as error:
            message = str(error)
        assert message is None or (message.isprintable() and len(message) < 600)
        yield message is None, time.monotonic() - started


def fuzz_types(folder, inputs, seed=0):
    """Replace one value of a finished study at a time.

    Returns:
        How many uses worked, how many did not, and the seconds of the slowest.
    """
    asked = {"space": Space.default().to_dict(), "try_first": [{"l2": 0.1}], "command": "search"}
    study = finished(folder, count=4, asked=asked)
    assert all(worked for worked, _ in use_everything(study.folder))
    rng = random.Random(seed)
    names = ("study.json", "result.json", "trials.jsonl")
    whole = {name: (study.folder / name).read_text() for name in names}
    worked = refused = slowest = 0
    for number in range(inputs):
        name = rng.choice(names)
        lines = whole[name].splitlines() if name == "trials.jsonl" else [whole[name]]
        line = rng.randrange(len(lines))
        lines[line] = replaced(rng, lines[line])
        (study.folder / name).write_text("\n".join(lines) + "\n")
        try:
            for through, seconds in use_everything(study.folder):
                worked, refused = worked + through, refused + (not through)
                slowest = max(slowest, seconds)
        except Exception as error:
            raise AssertionError(
                f"input {number} of seed {seed}, {name}: {lines[line][:2000]}"
            ) from error
        (study.folder / name).write_text(whole[name])
    return worked, refused, slowest


def test_150_studies_of_wrong_types(tmp_path, monkeypatch):
    # Drawing takes most of a page's time; the long run draws.
    for name, nothing in (("curves", None), ("inside", []),
                          ("region", {"pictures": [], "scored": 0, "names": [], "needed": 0,
                                      "importance": None})):  # fmt: skip
        monkeypatch.setattr(_pictures, name, lambda view, figures, nothing=nothing: nothing)
    worked, refused, _ = fuzz_types(tmp_path / "s", 150)
    assert worked > 100
    assert refused > 50


@pytest.mark.slow
def test_2000_studies_of_wrong_types(tmp_path, record_property):
    worked, refused, slowest = fuzz_types(tmp_path / "s", 2000, seed=1)
    print("worked, refused:", worked, refused)
    record_property("seconds of the slowest damaged study", slowest)
