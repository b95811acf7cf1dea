"""New rows through a study's model: read as in training, labelled as the study chose."""

import json

import numpy as np
import pandas as pd
import pytest
from searching import X_TEST, line, small_search, small_space

import kerasreg
from kerasreg import cli
from kerasreg.data import read_new_rows
from kerasreg.prediction import _classified

ROWS = 120


def messy(seed: int = 0) -> pd.DataFrame:
    """Numbers and dates as text, categories, missing cells, two classes."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=ROWS)
    days = pd.Timestamp("2021-05-01") + pd.to_timedelta(rng.integers(0, 700, ROWS), unit="D")
    return pd.DataFrame(
        {
            "won": np.where(size + rng.normal(size=ROWS) > 0, "yes", "no"),
            "price": [f"${value:,.2f}" for value in rng.lognormal(9, 1, ROWS)],
            "size": np.where(np.arange(ROWS) % 7 == 2, np.nan, size),
            "town": rng.choice(["Bern", "Basel", "Chur"], ROWS),
            "day": days.strftime("%d.%m.%Y"),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table, a study of it, and a study of arrays with a quantity."""
    folder = tmp_path_factory.mktemp("prediction")
    space = small_space()
    messy().to_csv(folder / "table.csv", index=False)
    messy().to_csv(folder / "bare.csv", index=False, header=False)
    data = kerasreg.load(folder / "table.csv", target="won")
    small_search(folder / "table", data, space=space, trials=1, epochs=3)
    small_search(folder / "arrays", line(), space=space, trials=1)
    np.savez(folder / "x.npz", x=X_TEST)
    return folder


@pytest.fixture
def chosen(folder):
    """Writes what a search chose into result.json; undone afterwards."""
    path = folder / "table" / "result.json"
    before = path.read_text()
    yield lambda **values: path.write_text(json.dumps({**json.loads(before), **values}))
    path.write_text(before)


def silent(_: str) -> None:
    """Nothing is said."""


def test_the_test_rows_have_the_results_that_the_search_had(folder):
    study = kerasreg.Study.open(folder / "table")
    frame = messy()
    rows = kerasreg.load(folder / "table.csv", target="won").rows["test"]
    # Without the target, columns and rows in another order.
    new = frame.drop(columns="won").iloc[rows[::-1], ::-1]
    new.to_csv(folder / "new.csv", index=False)
    said = []
    table = kerasreg.predict(study.folder, folder / "new.csv", say=said.append)
    assert list(table) == ["label", "probability: no", "probability: yes"]
    truth = frame["won"].to_numpy()[rows[::-1]]
    test = study.result["best"]["test"]
    assert np.mean(table["label"] == truth) == pytest.approx(test["accuracy"])
    of_truth = [
        row[f"probability: {name}"] for (_, row), name in zip(table.iterrows(), truth, strict=True)
    ]
    assert -np.mean(np.log(of_truth)) == pytest.approx(test["data_loss"], rel=1e-4)
    assert said == [f"size: {new['size'].isna().sum()} of {len(new)} cells are missing"]


def test_what_training_did_not_know_is_said(folder):
    new = messy(1).assign(town="Genf", price="")
    said = []
    table = kerasreg.predict(folder / "table", new, say=said.append)
    assert len(table) == ROWS
    assert f"price: {ROWS} of {ROWS} cells are missing (in training none)" in said
    assert "town: training knew no 'Genf'; they count as no category" in said


@pytest.mark.parametrize("target", [True, False])
def test_without_a_header_columns_stand_as_in_training(folder, target):
    described = kerasreg.load(folder / "bare.csv", target=0, header=False).describe()
    new = messy() if target else messy().drop(columns="won")
    new.to_csv(folder / "rows.csv", index=False, header=False)
    bare, _ = read_new_rows(folder / "rows.csv", described, header=False)
    named, _ = read_new_rows(messy().set_axis(range(5), axis=1), described)
    assert list(bare) == list(named)
    for name, cells in bare.items():
        np.testing.assert_array_equal(cells, named[name])
    (folder / "rows.csv").write_text("1,2\n3,4\n")
    with pytest.raises(kerasreg.UserError, match="expected 5 columns as in training, or 4 without"):
        read_new_rows(folder / "rows.csv", described, header=False)


def test_quantities_have_the_unit_of_the_target(folder):
    table = kerasreg.predict(folder / "arrays", folder / "x.npz")
    assert list(table) == ["prediction"]
    study = kerasreg.Study.open(folder / "arrays")
    y = line().read_test().y * line().target_scale + line().target_offset
    error = np.mean(np.abs(table["prediction"] - y))
    assert error == pytest.approx(study.result["best"]["test"]["mae"], rel=1e-4)


def test_a_threshold_is_applied(folder, chosen):
    plain = kerasreg.predict(folder / "table", messy(), say=silent)["probability: yes"]
    threshold = float(np.quantile(plain, 0.9))
    chosen(threshold=threshold)
    table = kerasreg.predict(folder / "table", messy(), say=silent)
    assert (table["label"] == "yes").sum() == (plain >= threshold).sum()


@pytest.mark.parametrize("values", [{"threshold": "0.5"}, {"threshold": [1, 2, 3]}])
def test_a_rule_that_was_edited_is_refused(folder, chosen, values):
    chosen(**values)
    with pytest.raises(kerasreg.UserError, match=r"result\.json: expected a threshold"):
        kerasreg.predict(folder / "table", messy(), say=silent)


def test_weights_of_several_classes():
    outputs = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    table = _classified(outputs, ["a", "b", "c"], [1.0, 2.0, 1.0])
    assert list(table["label"]) == ["b", "c"]
    np.testing.assert_array_equal(table.iloc[:, 1:], outputs)


def test_the_command_writes_a_file_and_says_what_it_did(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    for name, read in (("p.csv", pd.read_csv), ("p.parquet", pd.read_parquet)):
        assert cli.main(["predict", "table", "--data", "table.csv", "--out", name]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert out.splitlines()[-1] == f"{ROWS} rows predicted: {name}"
        table = kerasreg.predict("table", messy(), say=silent)
        pd.testing.assert_frame_equal(read(name), table, check_dtype=False)
    arguments = ["--data", "table.csv", "--out", "p.csv", "--quiet"]
    assert cli.main(["predict", "table", *arguments]) == 0
    assert capsys.readouterr().out == ""


def test_an_ensemble_is_preferred(folder, capsys):
    ensemble = folder / "table" / "ensemble.keras"
    ensemble.write_bytes(b"no model")
    arguments = ["--data", str(folder / "table.csv"), "--out", str(folder / "p.csv"), "--quiet"]
    assert cli.main(["predict", str(folder / "table"), *arguments]) == 2
    error = capsys.readouterr().err
    assert "ensemble.keras: expected a model that kerasreg wrote" in error
    assert error.count("\n") == 1
    assert cli.main(["predict", str(folder / "table" / "best.keras"), *arguments]) == 0
    ensemble.unlink()


@pytest.mark.parametrize(
    ("model", "data", "out", "words"),
    [
        ("nowhere", "table.csv", "p.csv", "nowhere"),
        ("elsewhere.keras", "table.csv", "p.csv", "in its study's folder"),
        ("table/gone.keras", "table.csv", "p.csv", "found none"),
        ("table", "x.npz", "p.csv", ".csv or .parquet"),
        ("table", "gone.csv", "p.csv", "gone.csv"),
        ("table", "bare.csv", "p.csv", "are not there"),
        ("table", "table.csv", "p.xlsx", ".csv or .parquet"),
        ("table", "table.csv", "a/b/p.csv", "Cannot write"),
        ("arrays", "table.csv", "p.csv", "expected an .npz with x"),
        ("arrays", "wide.npz", "p.csv", "expected rows of shape (5,)"),
        ("arrays", "y.npz", "p.csv", "expected the arrays x"),
    ],
)
def test_mistakes_are_one_line(folder, model, data, out, words, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    np.savez("wide.npz", x=np.zeros((3, 6)))
    np.savez("y.npz", y=np.zeros(3))
    (folder / "elsewhere.keras").write_bytes(b"")
    assert cli.main(["predict", model, "--data", data, "--out", out]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_study_without_a_result_is_refused(folder, chosen):
    path = folder / "table" / "result.json"
    path.write_text('{"test_reads": 0}')
    with pytest.raises(kerasreg.UserError, match="no result yet"):
        kerasreg.predict(folder / "table", messy())
