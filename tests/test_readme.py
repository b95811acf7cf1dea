"""The README's Python blocks run, one after the other, as a reader would paste them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kerasreg

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)


def network():
    """A network of a reader's own, whose plan the README shows."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(2, 3, activation="relu", name="conv_1"),
            layers.MaxPooling2D(name="pool_1"),
            layers.Conv2D(2, 3, name="conv_2"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.GlobalAveragePooling2D(name="features"),
            layers.Dense(4, activation="relu", name="hidden"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    return model


def test_the_plan_is_printed_as_the_readme_shows_it():
    asked = kerasreg.Regularizers(dropout=0.3, spatial_dropout=0.1, l2=1e-4)
    assert str(kerasreg.plan_regularization(network(), asked)) in README.read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the study of a table, as the first block expects."""
    folder = tmp_path_factory.mktemp("readme")
    generator = np.random.default_rng(0)
    ages = generator.integers(18, 70, 200)
    towns = generator.choice(["Bern", "Basel", "Chur"], 200)
    table = pd.DataFrame({"age": ages, "town": towns, "income": np.where(ages > 40, "high", "low")})
    table.to_csv(folder / "people.csv", index=False)
    network().save(folder / "network.keras")
    data = kerasreg.load(folder / "people.csv", target="income")
    kerasreg.search_regularization(data, trials=2, epochs=2, out=folder / "study")
    return folder


def test_the_python_blocks_run_in_order(folder, monkeypatch):
    import keras
    import tensorflow as tf

    monkeypatch.chdir(folder)
    data = kerasreg.load("digits")
    names = {
        "keras": keras,
        "tf": tf,
        "x": data.train.x,
        "y": data.train.y,
        "x_val": data.validation.x,
        "y_val": data.validation.y,
    }
    assert len(BLOCKS) == 5
    exec(BLOCKS[0], names)
    assert names["regularized"].get_layer("drop").rate == 0.3
    exec(BLOCKS[1], names)
    assert names["probabilities"].shape[0] == 2
    (folder / "study").rename(folder / "table-study")
    for block in BLOCKS[2:]:
        exec(block, names)
    assert (folder / "study" / "report.html").exists()
    assert names["best"].predict(data.validation.x, verbose=0).shape == (359, 10)


def test_every_command_of_the_readme_exists():
    """Commands that start with kerasreg parse; scripts and make targets are there."""
    from kerasreg.options import build_parser

    root = README.parent
    lines = [
        line.split("#")[0].strip()
        for block in re.findall(r"```sh\n(.*?)```", README.read_text(), re.S)
        for line in block.splitlines()
    ]
    targets = re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.M)
    verbs = ("search", "train", "report", "predict", "data", "diagnose")
    checked = 0
    for line in lines:
        words = line.removeprefix(".venv/bin/").split()
        if words[:1] == ["kerasreg"]:
            build_parser(dict.fromkeys(verbs)).parse_args(words[1:])
        elif words[:1] == ["make"]:
            assert words[1] in targets, line
        elif words[:1] == ["python"] and words[1].startswith("scripts/"):
            assert (root / words[1]).exists(), line
        else:
            continue
        checked += 1
    assert checked >= 10


def test_the_verdicts_are_those_of_the_ledger():
    """The short table repeats what the lessons' page says, as it says it."""
    ledger = re.findall(
        r"^\| ?(C\d\d) ?\| ?(.*?) ?\| ?(.*?) ?\| ?(.*?) ?\|(?: ?\[.*\|)?$",
        (README.parent / "LESSONS.md").read_text(),
        re.M,
    )
    rows = re.findall(r"^\| (C\d\d) \| (.*?) \| (.*?) \| (.*?) \|$", README.read_text(), re.M)
    assert len(rows) >= 8
    assert [row for row in rows if row not in ledger] == []
