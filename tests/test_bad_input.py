"""What a user gets wrong, through the command line: one clear line, exit 2, nothing lost."""

import errno
import os

import numpy as np
import pandas as pd
import pytest

from kerasreg import cli
from kerasreg.study import Study

RNG = np.random.default_rng(0)
SMALL = ["--units", "4", "--epochs", "1", "--trials", "2", "--fix", "normalization=none",
         "--folds", "0", "--fix", "encoding=standard",
         "--fix", "learning_rate=0.01"]  # fmt: skip


def csv(path, text):
    path.write_text(text)
    return str(path)


def npz(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def rows(count=60, classes=2):
    return {"x": RNG.normal(size=(count, 3)), "y": np.arange(count) % classes}


def table(count=60):
    body = "\n".join(f"{k},{k % 7},{'ab'[k % 2]}" for k in range(count))
    return f"size,shape,kind\n{body}\n"


def holes(value):
    arrays = rows()
    arrays["x"][7, 1] = value
    return arrays


# name -> (arguments made from a folder, words of the message)
FILES = {
    "missing file": (lambda d: [str(d / "no.csv"), "--target", "kind"], ["no.csv"]),
    "empty file": (lambda d: [csv(d / "d.csv", ""), "--target", "kind"], ["d.csv", "empty"]),
    "header only": (lambda d: [csv(d / "d.csv", "a,b\n"), "--target", "b"], ["d.csv", "rows"]),
    "binary file": (
        lambda d: [_bytes(d / "d.csv", bytes(range(256)) * 9), "--target", "-1"],
        ["d.csv"],
    ),
    "ragged file": (
        lambda d: [csv(d / "d.csv", table() + "1,2,3,4,5\n"), "--target", "kind"],
        ["d.csv"],
    ),
    "all missing": (
        lambda d: [csv(d / "d.csv", "a,b\n" + ",\n" * 40), "--target", "b"],
        ["missing"],
    ),
    "target absent": (
        lambda d: [csv(d / "d.csv", table()), "--target", "kund"],
        ["kund", "kind"],
    ),
    "target not given": (lambda d: [csv(d / "d.csv", table())], ["--target"]),
    "target constant": (
        lambda d: [csv(d / "d.csv", table().replace("b\n", "a\n")), "--target", "kind"],
        ["kind", "a"],
    ),
    "class too small": (
        lambda d: [csv(d / "d.csv", table() + "1,2,rare\n"), "--target", "kind"],
        ["rare", "1"],
    ),
    "NaN in an array": (lambda d: [npz(d / "d.npz", **holes(np.nan))], ["nan", "row 7"]),
    "infinite in an array": (lambda d: [npz(d / "d.npz", **holes(np.inf))], ["inf", "row 7"]),
    "object array": (
        lambda d: [npz(d / "d.npz", x=np.array([{}, 1], dtype=object), y=np.arange(2))],
        ["object"],
    ),
    "lengths that do not match": (
        lambda d: [npz(d / "d.npz", x=np.zeros((9, 2)), y=np.arange(8))],
        ["9", "8"],
    ),
    "npz of other keys": (lambda d: [npz(d / "d.npz", a=np.zeros(3))], ["x", "y"]),
    "not an npz": (lambda d: [_bytes(d / "d.npz", b"PK\x03\x04 nothing")], ["d.npz"]),
    "a folder": (lambda d: [str(d)], [""]),
}

# arguments after `search --data digits` -> words of the message
OPTIONS = {
    "unknown data": (["--data", "digit"], ["digit", "did you mean digits"]),
    "rate of 1": (["--space", "dropout=0:1"], ["dropout", "[0, 1)"]),
    "rate above 1": (["--fix", "dropout=1.5"], ["dropout", "1.5"]),
    "negative strength": (["--fix", "l2=-1"], ["l2", "-1"]),
    "too many rates": (["--fix", "dropout=0.1,0.2,0.3"], ["dropout", "3"]),
    "unknown name": (["--space", "droput=0:0.5"], ["droput", "dropout"]),
    "empty range": (["--space", "l2=1e-2:1e-4:log"], ["l2", "low < high"]),
    "unreadable range": (["--space", "l2"], ["l2", "NAME="]),
    "unknown searcher": (["--searcher", "hyperband"], ["searcher", "hyperband", "bayesian"]),
    "unknown engine": (["--engine", "torch"], ["engine", "torch", "population"]),
    "unknown objective": (["--objective", "val_loss"], ["objective", "val_loss", "val_data_loss"]),
    "objective of the other task": (["--objective", "val_mae"], ["objective", "val_accuracy"]),
    "no trials": (["--trials", "0"], ["trials", "0"]),
    "no epochs": (["--epochs", "0"], ["epochs", "0"]),
    "no seeds": (["--seeds", "0"], ["seeds", "0"]),
    "one fold": (["--folds", "1"], ["folds", "1"]),
    "more folds than rows of a class": (["--folds", "200"], ["200"]),
    "no minutes": (["--minutes", "0"], ["minutes", "0"]),
    "negative patience": (["--patience", "-1"], ["patience", "-1"]),
    "no batch": (["--batch-size", "0"], ["batch-size", "0"]),
    "negative seed": (["--seed", "-1"], ["seed", "-1"]),
    "no units": (["--units", "0"], ["units", "0"]),
    "words as units": (["--units", "many"], ["units", "many"]),
    "unknown activation": (["--activation", "rellu"], ["activation", "rellu", "relu"]),
    "a try outside the space": (["--try", "dropout=0.9"], ["dropout", "0.9"]),
    "a try of an unknown name": (["--try", "dropuot=0.1"], ["dropuot", "dropout"]),
    "nothing that varies": (
        [f"--fix={n}={v}" for n, v in {"dropout": 0, "input_dropout": 0, "l1": 0, "l2": 0,
                                       "normalization": "none", "learning_rate": 0.01,
                                       "weight_decay": 0, "label_smoothing": 0,
                                       "encoding": "standard"}.items()],
        ["--space"],
    ),
    "a seed of 67 bits": (["--seed", "9" * 20], ["seed", "9" * 20]),
    "a split seed of 67 bits": (["--split-seed", "9" * 20], ["split_seed", "9" * 20]),
    "more epochs than can be counted": (["--epochs", "9" * 20], ["epochs", "9" * 20]),
    "more trials than can be counted": (["--trials", "9" * 20], ["trials", "9" * 20]),
    "units of 67 bits": (["--units", "9" * 20], ["units", "9" * 20]),
    "a choice that cannot be built": (
        ["--units", "100,100", "--space", "normalization=none,batch,group"],
        ["--space", "normalization=group", "groups"],
    ),
    "lists of different lengths": (
        ["--space", "dropout=0.1x0.2x0.3,0.5"],
        ["--space", "dropout=0.1x0.2x0.3", "2"],
    ),
    "too small a subset": (["--train-size", "3"], ["3"]),
    "regression of a classification": (["--target", "class"], ["target"]),
}  # fmt: skip

STACKS = {
    "rate of 1": (["--dropout", "1"], ["dropout", "[0, 1)"]),
    "negative rate": (["--input-dropout", "-0.1"], ["input_dropout", "-0.1"]),
    "negative l1": (["--l1", "-1e-3"], ["l1", "-0.001"]),
    "list of the wrong length": (["--dropout", "0.1,0.2,0.3"], ["dropout", "2", "3"]),
    "l2 list of the wrong length": (["--l2", "1e-4,1e-3"], ["l2", "3", "2"]),
    "words as a rate": (["--dropout", "half"], ["dropout", "half"]),
    "unknown norm": (["--norm", "instance"], ["normalization", "instance", "group"]),
    "groups that do not divide": (["--norm", "group", "--groups", "5"], ["groups", "5", "128"]),
    "no learning rate": (["--lr", "0"], ["learning_rate", "0"]),
    "NaN": (["--l2", "nan"], ["l2", "nan"]),
    "an unknown field": (["--set", "roh=0.5"], ["--set", "roh", "rho"]),
    "a field out of range": (["--set", "rho=1"], ["rho", "[0, 1)"]),
    "groups of 67 bits": (["--groups", "9" * 20], ["groups", "9" * 20]),
    "no value": (["--l2"], ["--l2", "expected one argument", "--help"]),
    "unknown option": (["--dropuot", "0.1"], ["--dropuot"]),
    "words as a number": (["--epochs", "ten"], ["--epochs", "ten"]),
}


def _bytes(path, data):
    path.write_bytes(data)
    return str(path)


def refused(arguments, capfd, words, begun=False):
    """Run, expect exit 2 and one line on stderr with these words; return the line.

    Nothing is said on stdout before, but what was read when the search had `begun`.
    """
    status = cli.main([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    assert status == 2, err
    assert out.startswith("read ") if begun else out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("kerasreg: ")
    assert "Traceback" not in err
    for word in words:
        assert word.lower() in err.lower(), err
    return err


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", FILES)
def test_files(case, tmp_path, capfd):
    arguments, words = FILES[case]
    refused(["search", "--data", *arguments(tmp_path), "--out", "study"], capfd, words)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("case", OPTIONS)
def test_options(case, tmp_path, capfd):
    options, words = OPTIONS[case]
    refused(["search", "--data", "digits", "--out", "study", *options], capfd, words)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("case", STACKS)
def test_stacks(case, tmp_path, capfd):
    options, words = STACKS[case]
    refused(["train", "--data", "iris", "--out", "study", *options], capfd, words)
    assert not (tmp_path / "study").exists()


def test_no_output_folder(capfd):
    refused(["search", "--data", "iris"], capfd, ["--out"])


def test_a_message_with_a_newline_in_it_stays_one_line(tmp_path, capfd):
    refused(["search", "--data", "iris\nset", "--out", "study"], capfd, ["iris"])


class TestOutputFolder:
    def test_it_holds_another_study(self, tmp_path, capfd):
        study = Study.create(tmp_path / "study", {"trials": 1})
        before = (study.folder / "study.json").read_bytes()
        refused(["search", "--data", "iris", "--out", "study"], capfd, ["study", "resume"])
        assert (study.folder / "study.json").read_bytes() == before

    def test_it_holds_other_files(self, tmp_path, capfd):
        (tmp_path / "study").mkdir()
        (tmp_path / "study" / "thesis.tex").write_text("precious")
        refused(["search", "--data", "iris", "--out", "study"], capfd, ["thesis.tex"])
        assert [path.name for path in (tmp_path / "study").iterdir()] == ["thesis.tex"]

    def test_it_is_a_file(self, tmp_path, capfd):
        (tmp_path / "study").write_text("precious")
        refused(["search", "--data", "iris", "--out", "study"], capfd, ["study"])
        assert (tmp_path / "study").read_text() == "precious"

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
    def test_it_is_read_only(self, tmp_path, capfd):
        (tmp_path / "study").mkdir(mode=0o500)
        refused(["search", "--data", "iris", "--out", "study"], capfd, ["study", "ermission"])

    @pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
    def test_the_disk_refuses(self, tmp_path, capfd, monkeypatch, number):
        # Whatever the user running this may do: the folder cannot be made.
        def refuse(*arguments, **options):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "mkdir", refuse)
        refused(
            ["search", "--data", "iris", "--out", "study"], capfd, ["study", os.strerror(number)]
        )

    def test_the_disk_fills_up_during_the_search(self, tmp_path, capfd, monkeypatch):
        write = os.write
        lines = []

        def full(descriptor, data):
            if bytes(data).startswith(b'{"trial"'):
                lines.append(data)
                if len(lines) == 2:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data)

        monkeypatch.setattr(os, "write", full)
        arguments = ["search", "--data", "iris", "--out", "study", *SMALL]
        refused(arguments, capfd, ["No space", "kept"], begun=True)
        monkeypatch.undo()
        os.chdir(tmp_path)
        assert len(Study.open("study").trials()) == 1
        assert cli.main(["search", "--resume", "--out", "study", "--quiet"]) == 0
        assert len(Study.open("study").trials()) == 2

    @pytest.mark.parametrize(
        "arguments",
        [
            ["search", "--data", "iris", "--out", "x" * 300],
            ["search", "--resume", "--out", "x" * 300],
            ["search", "--data", "x" * 300 + ".csv", "--target", "y", "--out", "study"],
            ["search", "--data", "x" * 300 + ".npz", "--out", "study"],
            ["search", "--data", "x" * 300 + ".parquet", "--target", "y", "--out", "study"],
            ["report", "x" * 300],
        ],
    )
    def test_a_name_too_long_for_the_file_system(self, tmp_path, capfd, arguments):
        refused(arguments, capfd, ["xxx"])
        assert list(tmp_path.iterdir()) == []

    def test_resuming_what_is_not_there(self, capfd):
        refused(["search", "--resume", "--out", "nowhere"], capfd, ["nowhere"])

    def test_reporting_what_is_not_there(self, capfd):
        refused(["report", "nowhere"], capfd, ["nowhere"])


def test_a_batch_larger_than_the_data_works_and_says_so(tmp_path, capfd):
    arguments = ["search", "--data", "iris", "--batch-size", "5000", "--out", "study", *SMALL]
    assert cli.main(arguments) == 0
    out, err = capfd.readouterr()
    assert "5000" in err
    assert "all 90 rows" in err
    assert "Open next" in out


def test_hostile_names_are_text_everywhere(tmp_path, capfd):
    frame = pd.DataFrame({"<script>alert(1)</script>": RNG.normal(size=60), "[bold]": range(60)})
    frame["class"] = ["[red]x[/]", "y\nz"] * 30
    frame.to_csv(tmp_path / "hostile.csv", index=False)
    arguments = [
        "search",
        "--data",
        "hostile.csv",
        "--target",
        "class",
        "--out",
        "[b]study",
        *SMALL,
    ]
    assert cli.main(arguments) == 0
    assert "[b]study" in capfd.readouterr().out
    assert "<script>alert(1)" not in (tmp_path / "[b]study" / "report.html").read_text()
