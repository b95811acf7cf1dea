"""What the terminal tells of the data: `kerasreg data`, before a search, and after it."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from kerasreg import cli
from kerasreg.search.progress import Event
from kerasreg.terminal import LiveProgress

ROWS = 120


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A file with a row number, prices as text and a column that gives the target away."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, ROWS)
    frame = pd.DataFrame(
        {
            "price": [f"${value:,.2f}" for value in rng.lognormal(9, 1, ROWS)],
            "size": rng.normal(size=ROWS).round(3),
            "outcome": np.where(y, "won", "lost"),
            "<b>y</b>": y,
        }
    )
    frame.to_csv(tmp_path / "t.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "t.csv"


def test_data_says_what_is_read_and_writes_a_page(table, capfd):
    assert cli.main(["data", "t.csv", "--target", "<b>y</b>"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert len(lines) <= 9
    assert lines[0] == "read      t.csv: 120 rows, 5 columns (utf-8, separated by commas)"
    assert "left out: Unnamed: 0 (a row number" in out
    assert "price: numbers written with thousands commas, currency signs" in out
    assert "warning   outcome alone predicts the target almost perfectly" in out
    assert lines[-1] == "page      t-columns.html"
    page = (table.parent / "t-columns.html").read_text()
    assert "<b>y</b>" not in page
    assert "lost (" in page
    assert "Unnamed: 0" in page


def test_data_takes_the_options_of_tables(table, capfd):
    options = ["--drop", "outcome", "--keep", "Unnamed: 0", "--as", "size=category", "--quiet"]
    assert cli.main(["data", "t.csv", "--target", "-1", *options, "--out", "page.html"]) == 0
    assert capfd.readouterr().out == ""
    assert "by --drop" in (table.parent / "page.html").read_text()
    assert cli.main(["data", "t.csv", "--target", "-1", "--as", "size"]) == 2
    assert "--as: expected COLUMN=number, category or date" in capfd.readouterr().err
    assert cli.main(["data", "t.csv", "--target", "-1", "--encoding", "klingon"]) == 2
    assert "encoding" in capfd.readouterr().err


def test_a_search_tells_it_before_and_warns_after(table, capfd):
    small = ["--units", "4", "--epochs", "1", "--trials", "2", "--fix", "normalization=none"]
    small += ["--folds", "0"]
    given = ["--data", "t.csv", "--target", "<b>y</b>", "--out", "study"]
    assert cli.main(["search", *given, *small]) == 0
    before, _, after = capfd.readouterr().out.partition("Best setting")
    assert "warning   outcome alone predicts" in before
    assert "Warning: outcome alone predicts" in after


@pytest.mark.parametrize(
    ("verbose", "expected"), [(False, ["second"]), (True, ["first", "second"])]
)
def test_a_trial_has_a_line_if_it_is_the_best_so_far_or_all_are_asked_for(verbose, expected):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system=None, width=60)
    with LiveProgress(live=True, console=console, verbose=verbose) as progress:
        progress(Event("searching", 1, 3, finished="first"))
        progress(Event("searching", 2, 3, finished="second", new_best=True))
    text = stream.getvalue()
    assert [word for word in ("first", "second") if word in text] == expected
