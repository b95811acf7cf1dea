"""What the cells of a table mean: as people, programs and spreadsheets write them."""

import datetime
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kerasreg.data import from_frame, load, read_new_rows, story
from kerasreg.data.cells.numbers import number_of
from kerasreg.data.cells.reading import Reading
from kerasreg.errors import UserError

ROWS = 200


def write(path, lines, encoding="utf-8"):
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return path


def columns(data) -> dict:
    """Descriptions by name."""
    return {column["name"]: column for column in data.describe()["table"]["columns"]}


def raw(data, name) -> np.ndarray:
    """Every row of a numeric column as read, sorted; NaN last."""
    held, _ = data._test.read()
    both = [table.numeric[:, table.numeric_names.index(name)] for table in (data.raw, held)]
    return np.sort(np.concatenate(both))


# --- numbers ---


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1,234.50", ".", 1234.5),
        ("19.725,73", ",", 19725.73),
        ("40 430", ".", 40430),
        ("40\u202f430,5", ",", 40430.5),
        ("1'234.5", ".", 1234.5),
        ("1,23,456", ".", 123456),
        ("$5", ".", 5),
        ("-$1,234", ".", -1234),
        ("5 €", ",", 5),
        ("CHF 12.50", ".", 12.5),
        ("7.5 %", ".", 7.5),
        ("7,5%", ",", 7.5),
        ("(1,234.50)", ".", -1234.5),
        ("1234-", ".", -1234),
        ("\u22123", ".", -3),
        ("+4e-3", ".", 0.004),
        (".5", ".", 0.5),
        ("0,123", ",", 0.123),
        ("1.234", ".", 1.234),
        ("1.234", ",", 1234),
    ],
)
def test_numbers_as_people_write_them(text, decimal, value):
    assert number_of(text, decimal) == value


@pytest.mark.parametrize(
    "text",
    ["", "-", "12-34", "A5", "1.2.3", "2020-01-01", "(5", "--5", "1,2,3", "0,1,234", "12 kg"],
)
def test_what_is_no_number(text):
    assert number_of(text, ".") is None


@pytest.mark.parametrize("style", ["plain", "marks", "thousands", "money", "german", "blanks"])
def test_a_column_of_numbers_is_numbers_however_written(tmp_path, style):
    values = np.round(np.random.default_rng(0).lognormal(9, 1, ROWS), 2)
    swap = str.maketrans(",.", ".,")
    cells = {
        "plain": [f"{v:.2f}" for v in values],
        "marks": [f"{v:.2f}" if i % 20 else "-" for i, v in enumerate(values)],
        "thousands": [f'"{v:,.2f}"' for v in values],
        "money": [f'"${v:,.2f}"' for v in values],
        "german": [f"{v:,.2f}".translate(swap) for v in values],
        "blanks": [f"{v:,.2f}".replace(",", "\u00a0") for v in values],
    }[style]
    mark = ";" if style == "german" else ","
    lines = [mark.join((cell, "ab"[i % 2])) for i, cell in enumerate(cells)]
    data = load(write(tmp_path / "t.csv", [mark.join(("income", "kind")), *lines]), target="kind")
    found = raw(data, "income")
    expected = np.sort(values[np.arange(ROWS) % 20 != 0] if style == "marks" else values)
    np.testing.assert_array_equal(found[: len(expected)], expected.astype(np.float32))
    said = " ".join(data.notes)
    assert {
        "plain": said == "",
        "marks": "income: 10 of 200 cells ('-') are missing" in said,
        "thousands": "income: numbers written with thousands commas" in said,
        "money": "currency signs" in said,
        "german": "thousands points, decimal commas" in said,
        "blanks": "thousands blanks" in said,
    }[style], said


def test_odd_texts_are_named_with_their_rows_and_kept_on_demand(tmp_path):
    cells = [str(index % 50 * 0.5) for index in range(ROWS)]
    cells[3], cells[7] = "about 5", "off"
    lines = ["size,kind", *(f"{cell},{'ab'[i % 2]}" for i, cell in enumerate(cells))]
    path = write(tmp_path / "t.csv", lines)
    (warning,) = load(path, target="kind").warnings
    # As a spreadsheet counts: the header is row 1.
    assert "'about 5', 'off' are no number and read as missing (rows 5, 9)" in warning
    assert "--as size=category" in warning
    kept = load(path, target="kind", kinds={"size": "category"})
    assert columns(kept)["size"]["kind"] == "category"


def test_few_numbers_stay_text_and_that_is_said(tmp_path):
    cells = [str(index) if index % 2 else f"code {index % 3}" for index in range(ROWS)]
    lines = ["size,b,kind", *(f"{c},{i % 7},{'ab'[i // 3 % 2]}" for i, c in enumerate(cells))]
    path = write(tmp_path / "t.csv", lines)
    data = load(path, target="kind")
    assert columns(data)["size"]["kind"] == "category"
    assert "50% of the texts are numbers, fewer than 80%" in " ".join(data.warnings)
    forced = load(path, target="kind", kinds={"size": "number"})
    assert (
        columns(forced)["size"] | {"kind": "number", "missing": ROWS // 2}
        == columns(forced)["size"]
    )


@pytest.mark.parametrize("sign", [".", ","])
def test_a_sign_that_no_cell_of_the_file_decides_is_said(tmp_path, sign):
    lines = ["a;y", *(f"{1 + i % 7}{sign}{100 + i};{'pq'[i % 2]}" for i in range(ROWS))]
    data = load(write(tmp_path / "t.csv", lines), target="y")
    assert columns(data)["a"]["range"] == pytest.approx([1.1, 7.295], abs=1e-6)
    (warning,) = data.warnings
    assert warning.startswith(f"'1{sign}100' could be thousands or a decimal")
    certain = load(write(tmp_path / "c.csv", [*lines, f"0{sign}5;p"]), target="y")
    assert certain.warnings == ()
    other = "," if sign == "." else "."
    assert warning.endswith(f"if it is thousands, use --decimal {other}")
    told = load(tmp_path / "t.csv", target="y", decimal=other)
    assert columns(told)["a"]["range"] == [1100, 7295]
    # A later file that does not show it either is read as that of the training.
    rows, _ = read_new_rows(tmp_path / "t.csv", told.describe())
    assert rows["a"].max() == 7295
    with pytest.raises(UserError, match="decimal: expected a point or a comma, got 'x'"):
        load(tmp_path / "t.csv", target="y", decimal="x")


@pytest.mark.parametrize(("mark", "thousands"), [(",", True), (";", False)])
def test_a_sign_that_could_be_either_follows_the_file(tmp_path, mark, thousands):
    other = "2.5" if thousands else "2,5"
    lines = [
        mark.join((f'"{i + 1},{234 + i}"', f'"{other}{i % 9}"', "ab"[i % 2])) for i in range(ROWS)
    ]
    path = write(tmp_path / "t.csv", [mark.join(("x", "y", "kind")), *lines])
    data = load(path, target="kind")
    expected = np.float32(1234.0 if thousands else 1.234)
    assert raw(data, "x")[0] == expected
    assert any("could be thousands or a decimal" in one for one in data.warnings) == thousands


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        ([f"{i}.5%" for i in range(40)], [i + 0.5 for i in range(40)]),
        ([f"{i},0{i:02d}.50" for i in range(1, 41)], [1000 * i + i + 0.5 for i in range(1, 41)]),
    ],
)
@pytest.mark.parametrize("task", [None, "regression"])
def test_a_target_of_numbers_as_text_is_a_quantity(tmp_path, cells, values, task):
    lines = ["a,y", *(f'{(7 * i) % 40}.25,"{cell}"' for i, cell in enumerate(cells))]
    data = load(write(tmp_path / "t.csv", lines), target="y", task=task)
    assert data.task == "regression"
    y = np.concatenate([data.refit.y, data.read_test().y]) * data.target_scale + data.target_offset
    np.testing.assert_allclose(np.sort(y), values, rtol=1e-5)


# --- words and blanks ---


@pytest.mark.parametrize("word", ["None", "NA", "null", "n/a", "-"])
def test_a_frequent_word_is_a_class_and_a_rare_one_is_missing(tmp_path, word):
    labels = [(word, "Apnea", "Insomnia")[i % 3] for i in range(ROWS)]
    lines = ["a,label", *(f"{i % 17}.5,{label}" for i, label in enumerate(labels))]
    data = load(write(tmp_path / "t.csv", lines), target="label")
    assert set(data.class_names) == {word, "Apnea", "Insomnia"}
    assert sum(data.describe()["class_counts"]) == ROWS
    rare = [word if i < 3 else label for i, label in enumerate(["x", "y"] * (ROWS // 2))]
    lines = ["a,label", *(f"{i % 17}.5,{label}" for i, label in enumerate(rare))]
    data = load(write(tmp_path / "r.csv", lines), target="label")
    assert data.class_names == ("x", "y")
    assert f"3 rows without a target ({word!r}) are left out" in data.notes


def test_a_word_among_numbers_of_the_target_is_missing_and_said_with_the_remedy(tmp_path):
    lines = ["a,y", *(f"{i % 17}.5,{('None', 1, 2)[i % 3]}" for i in range(ROWS))]
    path = write(tmp_path / "t.csv", lines)
    said = "67 rows without a target ('None') are left out; --as y=category makes words a class"
    assert said in load(path, target="y").warnings
    assert set(load(path, target="y", kinds={"y": "category"}).class_names) == {"None", "1", "2"}
    path = write(path, [line.replace(",2", ",1") for line in lines])
    with pytest.raises(UserError, match="others are all alike; --as y=category"):
        load(path, target="y")


def test_blanks_are_cut_everywhere(tmp_path):
    lines = [
        " a , answer ",
        *(f" {i % 9}.5 ,{('yes', ' yes ', 'no', 'no ')[i % 4]}" for i in range(ROWS)),
    ]
    lines = [f"{line},{('p', 'p ')[i % 2] if i else 'where '}" for i, line in enumerate(lines)]
    data = load(write(tmp_path / "t.csv", lines), target="answer")
    assert data.class_names == ("no", "yes")
    assert data.target_name == "answer"
    assert columns(data)["a"]["kind"] == "number"
    assert columns(data)["where"]["different"] == 1
    frame = pd.DataFrame({"a": range(0, 80, 2), "y ": ["u", "v ", "u ", "v"] * 10})
    assert from_frame(frame.assign(b=frame["a"] % 7), "y").class_names == ("u", "v")


# --- header, encodings ---


def data_rows():
    generator = random.Random(0)
    return [
        f"{generator.randrange(2)},{generator.random():.2f},{generator.randrange(900)},"
        f"{generator.gauss(30, 5):.1f},{generator.randrange(3)}"
        for _ in range(ROWS)
    ]


def test_a_header_that_is_data_is_said_and_an_index_that_is_a_name_is_refused(tmp_path):
    path = write(tmp_path / "t.csv", ["1,0.5,0,33.6,2", *data_rows()])
    with pytest.raises(
        UserError, match=r"'0' is the name of column 2 and the index of .*--no-header"
    ):
        load(path, target="0")
    (warning,) = load(path, target="-1").warnings
    assert "the first row (1, 0.5, 0, 33.6, 2) looks like data" in warning
    assert "--no-header" in warning
    whole = load(path, target="0", header=False)
    assert sum(whole.describe()["rows"].values()) == ROWS + 1
    named = load(write(tmp_path / "n.csv", ["a,b,c,d,e", *data_rows()]), target="e")
    assert named.warnings == ()
    # pandas names columns without a name by their index.
    rows = [f"{i % 7},{i % 5},{i % 3},{'pq'[i % 2]}" for i in range(ROWS)]
    assert load(write(tmp_path / "p.csv", ["0,1,2,3", *rows]), target="3").warnings == ()


@pytest.mark.parametrize("header", ["#a,b,y", "# a,b,y", "// a,b,y"])
def test_a_header_that_is_a_comment_is_the_header(tmp_path, header):
    rows = [f"{i % 7}.5,{i % 5},{'pq'[i % 2]}" for i in range(ROWS)]
    path = write(tmp_path / "t.csv", ["# made by hand, in May", header, *rows])
    data = load(path, target="y")
    assert list(columns(data)) == ["a", "b", "y"]
    assert sum(data.describe()["class_counts"]) == ROWS
    assert "the header is a comment" in data.notes[1]
    data = load(path, target=-1, header=False)
    assert list(columns(data)) == ["0", "1", "2"]
    assert sum(data.describe()["class_counts"]) == ROWS


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["# source: WHO, UN, ILO", "2001,2002,y"], ["2001", "2002", "y"]),
        (["# counted by hand in the field, a, b", "a,b,y"], ["a", "b", "y"]),
        (["# a, b, y", "NA,1.5,0"], ["a", "b", "y"]),
        (["# WHO, UN, ILO", "2001,2002,y"], ["2001", "2002", "y"]),
    ],
)
def test_a_comment_as_wide_as_the_table_is_its_header_only_if_nothing_else_is(
    tmp_path, lines, names
):
    rows = [f"{i % 7}.5,{i % 5},{i % 2}" for i in range(ROWS)]
    data = load(write(tmp_path / "t.csv", [*lines, *rows]), target=-1)
    assert list(columns(data)) == names


@pytest.mark.parametrize(
    "line", ["{i},5;{j},25;p", "{i},5|{j},25|p", "{i};{j},2;p", '"{i}|";{j},5;"p,\nq"']
)
def test_the_separator_is_the_one_that_makes_numbers(tmp_path, line):
    rows = [line.format(i=10 + i % 7, j=i % 31) for i in range(ROWS)]
    header = "|".join("abc") if line[4:6] == "5|" else "a;b;c"
    for above in ([], ["Title", header]):
        path = write(tmp_path / "t.csv", [*above, *rows])
        data = load(path, target=1, header=bool(above))
        assert len(columns(data)) == 3
        assert data.task == "regression"


def test_a_mark_of_a_spreadsheet_is_no_comment(tmp_path):
    rows = [f"{i % 7}.5|{i % 2}" for i in range(ROWS)]
    data = load(write(tmp_path / "t.csv", ["#DIV/0!|0", *rows]), target=1, header=False)
    assert sum(data.describe()["class_counts"]) == ROWS + 1


def test_a_header_in_the_wrong_place_is_said(tmp_path):
    rows = [f"{i % 7}.5,{'pq'[i % 2]}" for i in range(ROWS)]
    data = load(write(tmp_path / "t.csv", ["size,kind", *rows]), target=0, header=False)
    assert "(size, kind) looks like names; if it is, leave out --no-header" in data.warnings[0]
    data = load(write(tmp_path / "t.csv", ["size,kind", *rows, "size,kind", *rows]), target=0)
    assert "the header is repeated in 1 row of the table" in data.warnings[0]


def test_a_first_row_of_one_cell_is_no_title_without_a_header(tmp_path):
    rows = [f"{i % 7}.5,{i % 5},{i % 2}" for i in range(ROWS)]
    data = load(write(tmp_path / "t.csv", [",,1", *rows]), target=-1, header=False)
    assert sum(data.describe()["class_counts"]) == ROWS + 1


def test_an_infinite_cell_is_named_by_its_row_in_the_file(tmp_path):
    lines = ["a,y", "1.5,", *(f"{'inf' if i == 3 else i % 7},{'pq'[i % 2]}" for i in range(ROWS))]
    with pytest.raises(UserError, match=r"column 'a': row 6 is inf"):
        load(write(tmp_path / "t.csv", lines), target="y")


@pytest.mark.parametrize(
    "above",
    [
        ["sep=;"],
        ["# made by a program", "# column a; the first"],
        ["Report of May", ""],
        ["// a", "sep=;"],
        ['"Report; of May"', "", ""],
        ["Report of May;;", ";;"],
        [";;"],
    ],
)
def test_lines_above_the_header_are_skipped_and_said(tmp_path, above):
    lines = [*above, "a;b;label", *(f"{i}0;0,{i};{i % 2}" for i in range(30))]
    if above[0] == "// a":
        lines = lines[:1] + lines[2:]
    data = load(write(tmp_path / "t.csv", lines), target="label")
    assert list(columns(data)) == ["a", "b", "label"]
    assert "above the header" in data.notes[0]
    assert repr(above[0].strip('"'))[1:20] in data.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_are_recognised_and_said(tmp_path, encoding):
    lines = ["größe,b", *(f"{'äöü'[i % 3]},{i % 2}" for i in range(60))]
    data = load(write(tmp_path / "t.csv", lines, encoding), target="b")
    assert data.feature_names == ("größe=ä", "größe=ö", "größe=ü")
    assert any(encoding in note for note in data.notes) == (not encoding.startswith("utf-8"))


def test_other_encodings_are_named_by_the_user(tmp_path):
    lines = ["город,b", *(f"{'жшя'[i % 3]},{i % 2}" for i in range(60))]
    path = write(tmp_path / "t.csv", lines, "koi8-r")
    assert load(path, target="b", encoding="koi8-r").feature_names[0] == "город=ж"
    for name in ("base64", "no such", "utf-16"):
        with pytest.raises(UserError, match="encoding") as caught:
            load(path, target="b", encoding=name)
        assert "\n" not in str(caught.value)


# --- columns that are no features ---


def test_row_numbers_and_identifiers_are_left_out_and_said():
    rng = np.random.default_rng(0)
    order = rng.permutation(ROWS)
    frame = pd.DataFrame(
        {
            "Unnamed: 0": range(ROWS),
            "id": 1000 + order,
            "code": [f"K{i}" for i in order],
            "fraction": np.arange(ROWS) / 10,
            "height": rng.permutation(ROWS) * 3,
            "label": np.repeat(["x", "y"], ROWS // 2),
        }
    )
    data = from_frame(frame, "label")
    left = {name for name, column in columns(data).items() if column["role"] == "left out"}
    assert left == {"Unnamed: 0", "id", "code"}
    assert (
        "id is left out: a row number (whole numbers in steps of one); --keep id uses it"
        in data.notes
    )
    kept = from_frame(frame, "label", keep=["id", 2], drop=["Unnamed: 0", "fraction", -2])
    assert kept.feature_names == ("id",)  # code has no text twice
    assert any("id alone predicts" in one for one in data.warnings) is False


def test_a_column_that_gives_the_target_away_is_named():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, ROWS)
    frame = pd.DataFrame({"a": rng.normal(size=ROWS), "alive": np.where(y, "yes", "no"), "y": y})
    frame["b"] = rng.normal(size=ROWS) + y
    (warning,) = from_frame(frame, "y").warnings
    assert warning.startswith("alive alone predicts the target almost perfectly: a possible leak")
    odd = frame.assign(b=[*["odd"] * 3, *frame["b"].astype(str)[3:]])
    assert from_frame(odd, "y").warnings[0] == warning  # before all others
    assert from_frame(frame, "y", drop=["alive"]).warnings == ()
    frame["y"] = 3 * frame["a"] + 1e-4 * rng.normal(size=ROWS)
    assert "a alone predicts" in from_frame(frame, "y").warnings[0]


def test_row_numbers_with_gaps_and_texts_that_are_hardly_categories_are_named():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"i": np.flatnonzero(np.arange(ROWS + 10) % 50)[:205], "a": rng.normal(size=205)}
    )
    frame["weight"] = [f"{n} kg" for n in rng.integers(0, 10**4, 205)]
    frame["nothing"] = None
    frame["y"] = np.repeat([0, 1, 2, 3, 4], 41)
    data = from_frame(frame, "y")
    assert (
        data.warnings[0] == "i rises from row to row: if it counts the rows, --drop i leaves it out"
    )
    assert "different texts in 205 rows are hardly categories; --drop weight" in data.warnings[1]
    assert "nothing is left out: empty" in data.notes
    assert len(from_frame(frame, "y", keep=["i"], drop=["weight"]).warnings) == 0
    assert from_frame(frame, "y", kinds={"weight": "category"}, drop=["i"]).warnings == ()


@pytest.mark.parametrize("texts", [("yes", "Yes", "no"), ("New  York", "New York", "Bern")])
def test_texts_that_differ_in_capitals_or_blanks_alone_are_named(texts):
    frame = pd.DataFrame({"a": np.arange(ROWS) % 7, "y": [texts[i % 3] for i in range(ROWS)]})
    data = from_frame(frame, "y")
    assert len(data.class_names) == 3
    assert f"y: {texts[0]!r} and {texts[1]!r} differ in capitals or blanks" in data.warnings[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": ["nme"]}, "drop: no column 'nme'; nearest are 'name'"),
        ({"drop": ["y"]}, "--drop y"),
        ({"keep": ["zzz"]}, "keep: no column"),
        ({"kinds": {"a": "text"}}, "--as a: expected one of number, category, date, got 'text'"),
        ({"kinds": {"name": "number"}}, "--as name=number: expected at least one number"),
        ({"kinds": {"a": "date"}}, "--as a=date: expected at least one date"),
        ({"drop": ["a", "name"]}, "no column besides the target"),
    ],
)
def test_mistakes_about_columns_end_in_one_line(options, message):
    frame = pd.DataFrame({"a": [0.5, 2.25] * 20, "name": ["p", "q"] * 20, "y": [0, 1, 1, 0] * 10})
    with pytest.raises(UserError, match=message) as caught:
        from_frame(frame, "y", **options)
    assert "\n" not in str(caught.value)


# --- dates ---

DAYS = [datetime.date(2019, 12, 25) + datetime.timedelta(3 * i) for i in range(ROWS)]


@pytest.mark.parametrize(
    "format", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y", "%Y/%m/%d", "%d-%m-%y", "timestamp"]
)
def test_dates_become_numbers(format):
    texts = pd.to_datetime(DAYS) if format == "timestamp" else [d.strftime(format) for d in DAYS]
    frame = pd.DataFrame(
        {"when": texts, "noise": np.arange(ROWS) % 7, "late": np.arange(ROWS) > 99}
    )
    data = from_frame(frame, "late")
    expected = {
        "year": [d.year for d in DAYS],
        "month": [d.month for d in DAYS],
        "weekday": [d.weekday() for d in DAYS],
        "elapsed days": [(d - DAYS[0]).days for d in DAYS],
    }
    assert data.feature_names == (*(f"when: {part}" for part in expected), "noise")
    for part, values in expected.items():
        np.testing.assert_array_equal(raw(data, f"when: {part}"), np.sort(values))


def test_days_written_as_eight_digits_are_dates_but_not_as_the_target():
    frame = pd.DataFrame({"when": [int(f"{day:%Y%m%d}") for day in DAYS], "a": np.arange(ROWS) % 7})
    data = from_frame(frame, "a")
    assert raw(data, "when: elapsed days")[-1] == (DAYS[-1] - DAYS[0]).days
    assert from_frame(frame, "a", kinds={"when": "number"}).feature_names == ("when",)
    assert from_frame(frame, "when").task == "regression"
    frame.loc[3, "when"] = 20201399
    assert from_frame(frame, "a").feature_names == ("when",)


def test_a_date_as_the_only_feature_and_hours(tmp_path):
    lines = ["when,y", *(f"2024-03-01 {i % 24:02d}:30,{i % 24 * 2}.5" for i in range(ROWS))]
    data = load(write(tmp_path / "t.csv", lines), target="y")
    assert data.feature_names == ("when: hour", "when: elapsed days")
    assert raw(data, "when: hour")[-1] == 23.5


@pytest.mark.parametrize("format", ["%H:%M", "%H:%M:%S", "%I:%M %p"])
def test_times_become_hours(format):
    times = [datetime.time(i % 24, 15 * (i % 4)) for i in range(ROWS)]
    frame = pd.DataFrame({"at": [time.strftime(format) for time in times], "y": np.arange(ROWS)})
    data = from_frame(frame, "y")
    assert data.feature_names == ("at: hour",)
    hours = [time.hour + time.minute / 60 for time in times]
    np.testing.assert_allclose(raw(data, "at: hour"), np.sort(hours))
    frame["at"] = [f"{i % 4}:{i % 3}" for i in range(ROWS)]
    assert columns(from_frame(frame, "y"))["at"]["kind"] == "category"


def test_the_order_of_day_and_month_is_said_when_no_date_shows_it():
    frame = pd.DataFrame({"when": [f"{1 + i % 12}/{1 + i % 11}/2021" for i in range(60)]})
    data = from_frame(frame.assign(b=np.arange(60) % 7, y=np.arange(60) % 2), "y")
    assert "no date shows which of day and month is first; read month first" in data.warnings[0]


def test_a_recorded_reading_reads_another_file_the_same():
    readings = (
        Reading("a", "number", decimal=","),
        Reading("b", "category", values=("na",)),
        Reading(
            "c", "date", format="%d.%m.%Y", origin="2020-01-01", parts=("month", "elapsed days")
        ),
    )
    for reading in readings:
        assert Reading.from_dict(reading.to_dict()) == reading
    cells = pd.Series(["1.234,5", " NA ", "31.01.2020", "null", None])
    assert readings[0].clean(cells)["a"].tolist()[0] == 1234.5
    assert readings[1].clean(cells)["b"].tolist()[1:3] == ["NA", "31.01.2020"]
    assert readings[1].clean(cells)["b"].isna().tolist() == [False, False, False, True, True]
    parts = readings[2].clean(cells)
    assert (parts["c: month"][2], parts["c: elapsed days"][2]) == (1, 30)


def test_the_story_is_at_most_eight_lines_and_says_what_matters():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{i}": rng.normal(size=ROWS).astype(str) for i in range(12)})
    for name in list(frame):
        frame.loc[5, name] = "off"
    frame["label"] = ["u", "v", "v", "w"] * (ROWS // 4)
    data = from_frame(frame, "label", name="t").describe()
    assert "5 folds of train and validation, divided 2 times" in "".join(story(data, 5, 2))
    lines = story(data, folds=5)
    assert len(lines) <= 8
    text = "\n".join(lines)
    for said in (
        "200 rows, 13 columns",
        "classification (3 different texts): v (100), u (50), w (50)",
        "12 of numbers",
        "12 cells: x0 1",
        "120 train, 40 validation, 40 test; 5 folds",
        "always 'v' is right in 50.0% of the rows",
        "more: the page of kerasreg data",
    ):
        assert said in text


# --- any table in any dialect ---


@st.composite
def dialects(draw):
    decimal = draw(st.sampled_from([".", ","]))
    separator = draw(st.sampled_from([";", "\t", "|"] + [","] * (decimal == ".")))
    thousands = draw(st.sampled_from(["", " ", "'", "\u00a0", "." if decimal == "," else ","]))
    return {
        "decimal": decimal,
        "separator": separator,
        "thousands": thousands,
        "money": draw(st.sampled_from(["", "$", "€"])),
        "percent": draw(st.booleans()),
        "brackets": draw(st.booleans()),
        "quote": draw(st.booleans()) or thousands == separator,
        "mark": draw(st.sampled_from(["", "-", "NA", "#DIV/0!", "n/a", "?"])),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
        "header": draw(st.booleans()),
        "blanks": draw(st.sampled_from(["", " ", "  "])),
        "newline": draw(st.sampled_from(["\n", "\r\n"])),
        "above": draw(st.sampled_from([[], ["# a comment, with commas"], ["sep="]])),
        "seed": draw(st.integers(0, 10**6)),
    }


def written(value, dialect, percent):
    if value is None:
        return dialect["mark"]
    text = f"{abs(value):,.2f}".replace(",", "\0").replace(".", dialect["decimal"])
    text = dialect["money"] + text.replace("\0", dialect["thousands"]) + " %" * percent
    if value < 0:
        text = f"({text})" if dialect["brackets"] else f"-{text}"
    return text


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(dialect=dialects())
def test_any_dialect_reads_back_the_same_numbers(tmp_path, dialect):
    rng = np.random.default_rng(dialect["seed"])
    rows = 60
    a = np.round(rng.normal(0, 30_000, rows), 2).tolist()
    b = np.round(rng.uniform(0, 100, rows), 2).tolist()
    a[3] = a[11] = None
    texts = rng.choice(["straße", "x", "été"], rows)
    labels = ["no", "yes"] * (rows // 2)
    quote = '"' if dialect["quote"] else ""
    lines = ["size", "share", "place", "kind"] if dialect["header"] else None
    lines = [lines] if lines else []
    for i in range(rows):
        cells = (written(a[i], dialect, False), written(b[i], dialect, dialect["percent"]))
        lines.append([*cells, texts[i], labels[i]])
    pad = dialect["blanks"]
    above = [one + dialect["separator"] * (one == "sep=") for one in dialect["above"]]
    body = [
        dialect["separator"].join(f"{quote}{pad}{cell}{pad}{quote}" for cell in cells)
        for cells in lines
    ]
    path = tmp_path / "t.csv"
    text = dialect["newline"].join([*above, *body, ""])
    path.write_bytes(text.encode(dialect["encoding"]))
    data = load(path, target=-1, header=dialect["header"])
    names = ("size", "share") if dialect["header"] else ("0", "1")
    for name, values in zip(names, (a, b), strict=True):
        expected = np.sort(np.array([np.nan if v is None else v for v in values], np.float32))
        np.testing.assert_allclose(raw(data, name), expected, rtol=1e-6)
    assert data.class_names == ("no", "yes")
    assert set(columns(data)[data.describe()["table"]["columns"][2]["name"]]["frequent"]) == {
        *("straße", "x", "été")
    }
