"""Rows that are not divided at random: groups stay together, time runs one way."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searching import Stop, small_search, stop_after
from sklearn.model_selection import StratifiedGroupKFold, TimeSeriesSplit

from kerasreg import cli
from kerasreg.data import from_frame, load, read_new_rows, story
from kerasreg.data._division import Division
from kerasreg.errors import UserError
from kerasreg.search.resume import stored_request
from kerasreg.search.run import run_request
from kerasreg.study import Study

FRACTIONS = (0.6, 0.2, 0.2)


def visits(rows=120, seed=0):
    """Visits of persons over time, with an outcome."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2024-01-01", periods=rows, freq="7h")[rng.permutation(rows)]
    return pd.DataFrame(
        {
            "person": rng.choice(["Ada", "Bo", *(f"P{k}" for k in range(20))], rows),
            "size": rng.normal(size=rows),
            "when": times.strftime("%d.%m.%Y %H:%M"),
            "outcome": np.arange(rows) % 2,
        }
    )


keys = st.lists(st.integers(0, 12), min_size=30, max_size=60).filter(lambda v: len(set(v)) >= 6)


@given(keys, st.integers(2, 5), st.integers(0, 9))
@settings(deadline=None)
def test_no_group_is_in_two_parts_or_two_folds(groups, k, seed):
    division = Division("group", "g", np.array(groups))
    y = np.arange(len(groups)) % 2
    parts = division.parts(y, FRACTIONS, seed, None)
    for blocks in (parts, [fold for _, fold in division.folds(y, k, seed, ("a", "b"))]):
        found = [set(division.keys[block]) for block in blocks]
        assert all(found)
        assert sum(map(len, found)) == len(set(groups))
        assert sorted(np.concatenate(blocks)) == list(range(len(y)))
    for train, validation in division.folds(y, k, seed, None):
        assert not set(division.keys[train]) & set(division.keys[validation])
        assert len(train) + len(validation) == len(y)


@given(keys, st.integers(2, 4))
@settings(deadline=None)
def test_no_row_is_before_those_that_are_learned_from(times, k):
    division = Division("time", "t", np.array(times))
    y = np.zeros(len(times))
    parts = division.parts(y, FRACTIONS, 0, None)
    assert sorted(np.concatenate(parts)) == list(range(len(y)))
    pairs = [*division.folds(y, k, 0, None), parts[:2], parts[1:]]
    for before, after in pairs:
        assert division.keys[before].max() < division.keys[after].min()


def test_groups_of_one_size_and_class_meet_the_fractions():
    groups, y = np.repeat(np.arange(50), 4), np.repeat(np.arange(50) % 2, 4)
    division = Division("group", "g", groups)
    parts = division.parts(y, FRACTIONS, 3, ("a", "b"))
    assert [np.bincount(y[part]).tolist() for part in parts] == [[60, 60], [20, 20], [20, 20]]
    assert not np.array_equal(parts[0], division.parts(y, FRACTIONS, 4, ("a", "b"))[0])


def test_classes_are_spread_as_evenly_as_scikit_learn_spreads_them():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, 500)
    y = (rng.random(60)[groups] > 0.7).astype(int)

    def unevenness(folds):
        return np.std([np.bincount(y[fold], minlength=2) for fold in folds], axis=0).sum()

    ours = Division("group", "g", groups).folds(y, 5, 0, ("a", "b"))
    theirs = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(y, y, groups)
    assert unevenness([v for _, v in ours]) <= unevenness([v for _, v in theirs]) + 1


def test_folds_in_time_are_those_of_scikit_learn():
    order = np.random.default_rng(0).permutation(60)
    folds = Division("time", "t", np.argsort(order)).folds(np.zeros(60), 5, 0, None)
    expected = TimeSeriesSplit(5).split(order)
    for ours, theirs in zip(folds, expected, strict=True):
        for rows, places in zip(ours, theirs, strict=True):
            assert sorted(rows) == sorted(order[places])


def test_a_dataset_keeps_persons_together():
    frame = visits()
    frame.loc[3:5, "person"] = None  # each a group of its own
    data = from_frame(frame, "outcome", group="person")
    persons = [set(frame["person"][rows].dropna()) for rows in data.rows.values()]
    assert sum(map(len, persons)) == frame["person"].nunique()
    assert sorted(np.concatenate(list(data.rows.values()))) == list(range(120))
    assert not any("person" in name for name in data.feature_names)
    described = data.describe()
    assert described["split"]["group"] == "person"
    assert described["table"]["columns"][0]["role"] == "group"
    assert any("25 groups of person stay together" in line for line in story(described))
    # A later file need not have the column.
    assert "size" in read_new_rows(frame.drop(columns="person"), described)[0]
    for fold in data.folds(3, 0):
        assert len(fold.train) + len(fold.validation) == len(data.train) + len(data.validation)


def test_a_dataset_in_time_learns_from_the_past():
    frame = visits()
    data = from_frame(frame, "outcome", time="when", keep=["person"])
    times = pd.to_datetime(frame["when"], format="%d.%m.%Y %H:%M")
    train, validation, test = (times[rows] for rows in data.rows.values())
    assert train.max() < validation.min()
    assert validation.max() < test.min()
    assert [len(train), len(validation), len(test)] == [72, 24, 24]
    # What never comes again is no feature.
    parts = [name for name in data.feature_names if name.startswith("when")]
    assert parts == ["when: month", "when: weekday", "when: hour"]
    assert any(line.endswith("in order of when") for line in story(data.describe()))
    assert any("become month, weekday, hour" in note for note in data.notes)
    assert from_frame(frame.assign(t=times.rank()), "outcome", time="t").rows["test"].tolist() == (
        data.rows["test"].tolist()
    )


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, {"group": "gone"}, "group: no column 'gone'"),
        ({}, {"group": "person", "time": "when"}, "one of them"),
        ({}, {"group": "outcome"}, "another column than the target"),
        ({}, {"group": "person", "drop": ["person"]}, "got both"),
        ({"person": "Ada"}, {"group": "person"}, "at least 3 groups"),
        ({}, {"time": "person"}, "expected numbers or dates"),
        ({"when": "01.02.2024"}, {"time": "when"}, "at least 3 different times"),
        ({"when": [*["01.02.2024"] * 119, ""]}, {"time": "when"}, "such as row 119"),
        ({"when": range(120), "outcome": np.arange(120) > 80}, {"time": "when"}, "later than"),
    ],
)
def test_mistakes_end_in_one_line(change, options, words):
    with pytest.raises(UserError, match=words) as error:
        from_frame(visits().assign(**change), "outcome", **options)
    assert "\n" not in str(error.value)


def test_more_folds_than_groups_are_refused():
    frame = visits().assign(person=[f"P{k % 4}" for k in range(120)])
    with pytest.raises(UserError, match="at least 9 groups"):
        from_frame(frame, "outcome", group="person").folds(9, 0)


def test_a_search_by_groups_is_recorded_and_goes_on(tmp_path, capsys):
    visits().to_csv(tmp_path / "visits.csv", index=False)
    data = load(tmp_path / "visits.csv", target="outcome", group="person")
    study = tmp_path / "study"
    with pytest.raises(Stop):
        small_search(study, data, folds=2, progress=stop_after(1))
    asked = json.loads((study / "study.json").read_text())["asked"]
    assert asked["data"]["group"] == "person"
    assert asked["dataset"]["split"]["group"] == "person"
    resumed = ["search", "--resume", "--out", str(study), "--quiet"]
    assert cli.main([*resumed, "--group", "size"]) == 2
    assert "group" in capsys.readouterr().err
    request = stored_request(Study.open(study))
    assert run_request(request, study, resume=True).result["best"]["test"]
