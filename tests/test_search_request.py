"""The request: from text, from a study, and where its data come from."""

import json

import numpy as np
import pytest
from searching import X, Y, blobs, line, small_search, small_space

from kerasreg.data import from_arrays, load
from kerasreg.errors import UserError
from kerasreg.report import render_report
from kerasreg.search.from_cli import requested
from kerasreg.search.request import Request
from kerasreg.search.resume import stored_request
from kerasreg.search.run import load_requested, run_request
from kerasreg.search.settle import settled
from kerasreg.search.space import Choice, Range, Space
from kerasreg.search.space.default_space import DEFAULT_FIXED
from kerasreg.stacks import StackConfig
from kerasreg.study import Study


class TestWhereTheDataComeFrom:
    def test_a_loaded_data_set_is_remembered_by_its_arguments(self, tmp_path, monkeypatch):
        path = tmp_path / "blobs.npz"
        np.savez(path, x=X, y=Y)
        monkeypatch.chdir(tmp_path)
        data = load("blobs.npz", split_seed=3, fractions=(0.5, 0.25, 0.25))
        assert data.source == {
            "name_or_path": str(path), "split_seed": 3, "fractions": (0.5, 0.25, 0.25)
        }  # fmt: skip
        assert load("iris").source == {"name_or_path": "iris"}
        assert "source" not in data.describe()
        options = {"space": Space({"dropout": Range(0.1, 0.5)}), "epochs": 1, "trials": 1}
        study = small_search(tmp_path / "s", data=data, **options)
        # A version that knew no balancing begins no other study.
        info = json.loads((study.folder / "study.json").read_text())
        assert info["asked"].pop("balance") is False
        (study.folder / "study.json").write_text(json.dumps(info))
        # The command line finds the data again; so does Python, and with the same rows as arrays.
        request = stored_request(study)
        assert load_requested(request).fingerprint == data.fingerprint
        assert run_request(request, study.folder, resume=True).trials() == study.trials()
        same = from_arrays(X, Y, split_seed=3, fractions=(0.5, 0.25, 0.25), name="blobs.npz")
        small_search(tmp_path / "s", data=same, resume=True, **options)
        code = render_report(study.folder).read_text()
        assert "fractions=(0.5, 0.25, 0.25)" in code
        assert "from_arrays" not in code


class TestRequest:
    def test_a_quantity_has_no_classes_to_balance(self):
        request = Request(data=None, space=Space(), balance=True)
        request.check_task("classification")
        with pytest.raises(UserError, match="--balance: expected classes"):
            request.check_task("regression")

    def test_what_a_space_holds_fixed_is_part_of_the_base(self):
        space = Space({"dropout": Choice(0.0, 0.5)})
        space.fix("l2", 0.5)
        request = Request(data=None, space=space)
        assert request.base.l2 == 0.5
        assert request.config({"dropout": 0.5}).l2 == 0.5

    def test_a_setting_to_try_is_completed_from_the_base(self):
        given = {"try_first": ["l2=0.001"], "space": ["weight_decay=0.01:0.1:log:zero"]}
        given["fix"] = ["dropout=0.5", "l1=0"]
        given["set"] = ["weight_decay=0.05", "learning_rate=0.02"]
        request = requested("search", given, {})
        (tried,) = request.try_first
        assert tried["weight_decay"] == 0.05
        assert tried["learning_rate"] == 0.02
        assert (tried["l2"], tried["input_dropout"]) == (0.001, 0.0)

    def test_every_field_that_a_search_varies_can_be_set_for_training(self):
        values = {
            "initial_scale": 0.5, "rho": 0.8, "norm_momentum": 0.99, "norm_epsilon": 1e-5,
            "initial_accumulator": 0.2, "penalize_output": False, "units": (6, 7),
            "dropout": (0.1, 0.2),
        }  # fmt: skip
        texts = [
            f"{name}={str(value).strip('()').replace(' ', '')}" for name, value in values.items()
        ]
        assert "units=6,7" in texts
        request = requested("train", {"set": texts}, {"l2": "0.25"})
        assert request.config({}) == StackConfig(l2=0.25, **{**DEFAULT_FIXED, **values})

    @pytest.mark.parametrize(
        ("text", "words"),
        [("rho", "NAME=VALUE"), ("rhoo=1", "rho"), ("rho=x", "number"), ("l2=1", "twice")],
    )
    def test_a_wrong_set_is_one_line(self, text, words):
        with pytest.raises(UserError, match=f"--set: .*{words}"):
            requested("train", {"set": [text]}, {"l2": "0.25"})

    def test_an_edit_given_again_is_no_difference(self):
        edits, fixed = ["l2=1e-6:1e-2:log", "dropout=0.1,0.5"], ["l1=0", "normalization=none"]
        stored = requested("search", {"space": edits, "fix": fixed}, {})
        for part in ({"space": edits}, {"space": edits[1:]}, {"fix": fixed[:1]}):
            assert requested("search", part, {}, stored) == stored
        assert requested("search", {"fix": ["l1=0.5"]}, {}, stored) != stored

    @pytest.mark.parametrize(
        "name", ["seed", "trials", "epochs", "seeds", "folds", "patience", "batch_size"]
    )
    def test_numbers_that_no_file_holds_are_refused(self, name):
        with pytest.raises(UserError, match="expected a whole number from"):
            Request(data=None, space=small_space(), **{name: 99999999999999999999})

    def test_every_option_of_the_data_is_read_again(self):
        given = {"data": "a.csv", "no_header": True, "target": "y", "encoding": "cp1252"}
        given |= {"drop": ["a"], "keep": ["b"], "kinds": ["c=date"], "task": "regression"}
        request = requested("search", {**given, "train_size": 9, "split_seed": 1}, {})
        assert len(request.data) == 10
        assert Request.from_dict(request.to_dict()) == request

    def test_a_study_of_another_verb_is_not_resumed(self):
        stored = requested("train", {}, {})
        with pytest.raises(UserError, match="begun by kerasreg train"):
            requested("search", {}, {}, stored)

    @pytest.mark.parametrize(
        "damage",
        [
            {"try_first": 5},
            {"try_first": [5]},
            {"data": 5},
            {"data": {"foo": 1}},
            {"data": {"name_or_path": 5}},
            {"data": {"name_or_path": "a\0.csv"}},
            {"data": {"name_or_path": "digits", "fractions": 5}},
            {"space": 5},
            {"space": {"varied": {"l2": {"choices": 5}}, "fixed": {}}},
            {"base": 5},
            {"base": {"units": "x"}},
            {"base": {"groups": 2**70}},
            {"halving": "x"},
            {"trials": "x"},
            {"objective": []},
        ],
    )
    def test_wrong_types_in_a_study_are_one_line(self, damage):
        request = Request(data={"name_or_path": "digits"}, space=small_space())
        with pytest.raises(UserError) as caught:
            Request.from_dict({**request.to_dict(), **damage})
        assert len(str(caught.value)) < 300

    @pytest.mark.parametrize("text", ["edited", "missing"])
    def test_an_edited_study_is_one_line(self, tmp_path, text):
        asked = {"data": None, "surprise": 1} if text == "edited" else {"trials": 3}
        study = Study.create(tmp_path / "study", asked)
        with pytest.raises(UserError, match="edited or damaged"):
            stored_request(study)


def test_a_quantity_has_no_labels_to_smooth():
    usual = settled(requested("search", {}, {}), line()).space
    assert "label_smoothing" not in usual
    assert usual.fixed["label_smoothing"] == 0
    asked = requested("search", {"space": ["label_smoothing=0:0.1"]}, {})
    with pytest.raises(UserError, match="--space: expected no label_smoothing"):
        settled(asked, line())


@pytest.mark.parametrize(
    ("given", "base", "epochs", "seeds", "units"),
    [
        ({}, {}, 150, 2, (64, 64)),  # 84 rows of a fold's 105 are 3 steps
        ({"batch_size": 8}, {}, 55, 2, (64, 64)),
        ({"folds": 0, "batch_size": 4}, {}, 50, 1, (64, 64)),
        ({"epochs": 3, "seeds": 1}, {"units": "32"}, 3, 1, (32,)),
    ],
)
def test_few_rows_have_more_epochs_another_division_and_narrow_layers(
    given, base, epochs, seeds, units
):
    found = settled(requested("search", given, base), blobs())
    assert (found.epochs, found.seeds, found.base.units) == (epochs, seeds, units)
    assert settled(found, blobs()) == found
