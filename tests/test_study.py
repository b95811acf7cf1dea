"""The study folder: made, extended, reopened."""

import json
import os
import subprocess
import sys

import pytest

from kerasreg.errors import UserError
from kerasreg.study import Study

ASKED = {
    "data": "digits",
    "trials": 4,
    "objective": "val_data_loss",
    "space": {"dropout": {"low": 0.05, "high": 0.7}, "norm": ["none", "batch"]},
    "seed": 0,
}


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "a" / "s", ASKED, ["kerasreg", "search"])


def test_what_was_asked_is_there_after_reopening(study):
    again = Study.open(study.folder)
    assert again.request == ASKED
    info = json.loads((study.folder / "study.json").read_text())
    assert info == again.info
    assert info["command"] == ["kerasreg", "search"]
    assert info["created"].endswith("+00:00")
    names = {"python", "tensorflow", "keras", "keras-tuner", "numpy", "kerasreg"}
    assert set(info["versions"]) == names
    assert info["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert again.version_changes() == []
    assert os.listdir(study.folder) == ["study.json"]
    again.request["trials"] = 99
    assert again.request == ASKED


def test_creating_imports_nothing_heavy(tmp_path):
    code = (
        "import sys\nfrom kerasreg.study import Study\nStudy.create(sys.argv[1], {})\n"
        "print(*({'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


def test_paths(study):
    found = (study.tensorboard, study.figures, study.checkpoints, study.best_model, study.report)
    assert [path.name for path in found] == [
        "tensorboard",
        "figures",
        "checkpoints",
        "best.keras",
        "report.html",
    ]
    assert {path.parent for path in found} == {study.folder}


def test_a_folder_that_holds_something_is_refused(study, tmp_path):
    before = (study.folder / "study.json").read_bytes()
    with pytest.raises(UserError, match="already holds a study"):
        Study.create(study.folder, {"other": 1})
    assert (study.folder / "study.json").read_bytes() == before
    (tmp_path / "a" / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match=r"holds 's' and 1 more"):
        Study.create(tmp_path / "a", {})
    with pytest.raises(UserError, match=r"Cannot write .*thesis\.tex"):
        Study.create(tmp_path / "a" / "thesis.tex", {})


def test_a_killed_creation_is_no_obstacle(tmp_path):
    (tmp_path / ".kerasreg-999999999-0123456789abcdef-study.json").write_text("{")
    Study.create(tmp_path, {})
    assert os.listdir(tmp_path) == ["study.json"]


def test_two_creations_at_once_make_one_study(tmp_path, monkeypatch):
    listdir = os.listdir

    def beaten(path):
        names = listdir(path)
        monkeypatch.undo()
        Study.create(tmp_path / "s", {"first": 1})
        return names

    monkeypatch.setattr(os, "listdir", beaten)
    with pytest.raises(UserError, match="already holds a study"):
        Study.create(tmp_path / "s", {"second": 1})
    assert Study.open(tmp_path / "s").request == {"first": 1}


def test_a_creation_that_fails_leaves_no_folder(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match="No space left"):
        Study.create(tmp_path / "s", {})
    assert os.listdir(tmp_path) == []


def test_asked_must_be_plain(tmp_path):
    with pytest.raises(TypeError, match="JSON"):
        Study.create(tmp_path / "s", {"data": object()})
    assert os.listdir(tmp_path) == []


# Opening what is none


def broken(study, **changes):
    info = {**study.info, **changes}
    return json.dumps({key: value for key, value in info.items() if value is not ...}).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda s: b"", "not JSON"),
        (lambda s: (s.folder / "study.json").read_bytes()[:-20], "not JSON"),
        (lambda s: b"[" * 100_000, "nested|not JSON"),
        (lambda s: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested"),
        (lambda s: b'{"x": "' + b"y" * 2**24 + b'"}', "16,777,216 bytes"),
        (lambda s: b"\x89PNG\r\n", "UTF-8"),
        (lambda s: b"3", "int, not one object"),
        (lambda s: b'{"name": "my-app"}', "another program"),
        (lambda s: broken(s, format=["kerasreg study"]), "another program"),
        (lambda s: broken(s, format_version=2), "format version 1 .*got 2"),
        (lambda s: broken(s, format_version=True), "format version 1 .*got True"),
        (lambda s: broken(s, asked=[]), "'asked' of type dict"),
        (lambda s: broken(s, versions=...), "'versions' of type dict .*got None"),
        (lambda s: broken(s, command="x"), "'command' of type list"),
        (lambda s: broken(s, created=1), "'created' of type str"),
        (lambda s: broken(s, extended={}), "'extended' of type list"),
        (lambda s: broken(s, asked={"x": float("nan")}), "NaN is not JSON"),
        (lambda s: broken(s, asked={"x": float("inf")}), "Infinity is not JSON"),
    ],
)
def test_a_broken_study_ends_in_one_line(study, content, message):
    data = content(study)
    (study.folder / "study.json").write_bytes(data)
    with pytest.raises(UserError, match=message) as raised:
        Study.open(study.folder)
    assert str(study.folder / "study.json") in str(raised.value)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500
    assert (study.folder / "study.json").read_bytes() == data


def test_a_folder_without_a_study(tmp_path):
    with pytest.raises(UserError, match=r"no study\.json"):
        Study.open(tmp_path)
    with pytest.raises(UserError, match="Expected a study folder"):
        Study.open(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Expected a study folder"):
        Study.open(tmp_path / "file")


@pytest.mark.parametrize(
    "name",
    ["study.json", "trials.jsonl", "best.keras", "figures", "figures/a.png", "notes.txt"],
)
@pytest.mark.parametrize("dangling", [True, False])
def test_links_out_of_the_folder_are_refused(study, tmp_path, name, dangling):
    target = tmp_path / "outside"
    if not dangling:
        target.write_text((study.folder / "study.json").read_text())
    path = study.folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    with pytest.raises(UserError, match="symbolic link") as raised:
        Study.open(study.folder)
    assert str(path) in str(raised.value)


def test_a_study_may_be_reached_through_a_link_and_hold_other_files(study, tmp_path):
    (tmp_path / "link").symlink_to(study.folder)
    (study.folder / "notes.txt").write_text("mine")
    assert Study.open(tmp_path / "link").request == ASKED


# Extending


def test_the_same_again_changes_nothing(study):
    before = (study.folder / "study.json").read_bytes()
    assert study.extend(ASKED) is False
    assert study.extend({}) is False
    assert (
        study.extend({"space": {"norm": ("none", "batch"), "dropout": ASKED["space"]["dropout"]}})
        is False
    )
    assert (study.folder / "study.json").read_bytes() == before


def test_more_trials(study):
    assert study.extend({"trials": 9}) is True
    for one in (study, Study.open(study.folder)):
        assert one.request == {**ASKED, "trials": 9}
        assert [(e["from"], e["to"]) for e in one.info["extended"]] == [(4, 9)]


def test_extending_sees_what_another_did(study):
    other = Study.open(study.folder)
    study.extend({"trials": 9})
    with pytest.raises(UserError, match="trials: 9 → 6"):
        other.extend({"trials": 6})


@pytest.mark.parametrize(
    ("asked", "differences"),
    [
        ({"trials": 3}, "(trials: 4 → 3 (it may only grow))"),
        ({"trials": 9.5}, "(trials: 4 → 9.5 (it may only grow))"),
        ({"trials": None}, "(trials: 4 → null (it may only grow))"),
        ({"data": "wine", "trials": 9}, '(data: "digits" → "wine")'),
        ({"seed": False}, "(seed: 0 → false)"),
        ({"epochs": 5}, "(epochs: not given → 5)"),
        ({"data\x1b[31m": 1}, "(data\\x1b[31m: not given → 1)"),
        (
            {"seed": 1, "space": {"dropout": {"low": 0.05, "high": 0.5}}},
            '(seed: 0 → 1; space.dropout.high: 0.7 → 0.5; space.norm: ["none", "batch"] → '
            "not given)",
        ),
    ],
)
def test_differences_are_named(study, asked, differences):
    before = (study.folder / "study.json").read_bytes()
    with pytest.raises(UserError) as raised:
        study.extend(asked)
    assert differences in str(raised.value)
    assert str(raised.value).isprintable()
    assert (study.folder / "study.json").read_bytes() == before
    assert study.request == ASKED


def test_a_changed_version_is_told(study):
    info = study.info
    info["versions"]["keras"] = "2.0\n"
    (study.folder / "study.json").write_text(json.dumps(info))
    (change,) = Study.open(study.folder).version_changes()
    assert change.startswith("keras: 2.0\\n → 3.")


def test_other_versions_are_noted_once(study):
    assert study.note_versions() == []
    assert "other_versions" not in study.info
    info = study.info
    info["versions"] |= {"keras": "2.0"}
    del info["versions"]["numpy"]  # as an earlier kerasreg wrote it: not known, so not different
    (study.folder / "study.json").write_text(json.dumps(info))
    for _ in range(2):
        again = Study.open(study.folder)
        (change,) = again.note_versions()
        assert change.startswith("keras: 2.0 → 3.")
    (note,) = Study.open(study.folder).info["other_versions"]
    assert note["changes"] == [change]


@pytest.mark.parametrize("value", ["5", "[5]", '[{"at": "x", "changes": 5}]'])
def test_damaged_notes_are_one_line(study, value):
    info = study.info | {"other_versions": json.loads(value)}
    (study.folder / "study.json").write_text(json.dumps(info))
    with pytest.raises(UserError, match="other_versions"):
        Study.open(study.folder)


@pytest.mark.parametrize("use", [Study.open, lambda folder: Study.create(folder, {})])
def test_a_name_too_long_for_the_file_system_is_one_line(tmp_path, use):
    with pytest.raises(UserError, match=r"too long|none"):
        use(tmp_path / ("x" * 300))
    assert os.listdir(tmp_path) == []
