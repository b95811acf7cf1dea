"""Files nobody vouches for: read right, or refused in one line, in bounded time and memory."""

import io
import os
import resource
import struct
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kerasreg.data import load
from kerasreg.data.files.npz_file import MOST_BYTES
from kerasreg.errors import UserError

ROWS = 60
# KERASREG_FUZZ=40 runs forty times the 500 damaged files of the everyday suite.
FUZZ = int(os.environ.get("KERASREG_FUZZ", "1"))


def examples(count):
    """Settings of a fuzz test: no deadline, and one folder for all examples."""
    quiet = [HealthCheck.function_scoped_fixture]
    return settings(max_examples=count * FUZZ, deadline=None, suppress_health_check=quiet)


def one_line(call, *arguments, **options) -> str:
    """Run `call`, which must end in a UserError of one line; return the line."""
    with pytest.raises(UserError) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1500
    return message


def write(path, text, encoding="utf-8"):
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def table(separator=",", quote='"', header=True, decimal=".", rows=ROWS):
    """CSV text of a numeric, a quoted text and a target column."""
    lines = [separator.join(("size", "place", "kind"))] if header else []
    for index in range(rows):
        size = f"{index * 1.5 + 0.25}".replace(".", decimal)
        place = f"{quote}P{separator} {index % 3}{quote}"
        lines.append(separator.join((size, place, "ab"[index % 2])))
    return "\n".join(lines) + "\n"


# --- CSV ---


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_separators_and_quotes_are_found(tmp_path, separator, quote, newline):
    text = table(separator, quote).replace("\n", newline)
    data = load(write(tmp_path / "t.csv", text), target="kind")
    places = tuple(f"place=P{separator} {index}" for index in range(3))
    assert data.feature_names == ("size", *places)
    assert data.class_names == ("a", "b")
    sizes = np.concatenate([data.refit.x[:, 0], data.read_test().x[:, 0]])
    assert len(np.unique(sizes)) == ROWS


def test_decimal_commas(tmp_path):
    data = load(write(tmp_path / "t.csv", table(";", decimal=",")), target="kind")
    assert data.feature_names[0] == "size"


@pytest.mark.parametrize("target", [-1, "-1", 2, "2"])
def test_columns_by_index_without_a_header(tmp_path, target):
    path = write(tmp_path / "t.CSV", table(header=False))
    data = load(path, target=target, header=False)
    assert data.target_name == "2"
    assert data.feature_names[0] == "0"
    assert len(data.refit) + data.test_size == ROWS


def test_a_name_and_an_index_that_disagree_are_refused(tmp_path):
    path = write(tmp_path / "t.csv", table().replace("size", "-1", 1))
    line = one_line(load, path, target="-1")
    assert "name of column 0 and the index of column 'kind'; say -3 for the first, 2" in line
    assert load(path, target=-1).target_name == "kind"
    assert load(path, target="-3").target_name == "-1"


def test_byte_order_mark_blank_lines_and_missing_marks(tmp_path):
    text = "\ufeff" + table().replace("0.25,", "?,", 1).replace("1.75,", ",", 1) + "\n\n"
    data = load(write(tmp_path / "t.csv", text), target="kind")
    assert data.feature_names[:2] == ("size", "size is missing")


def test_one_column_besides_nothing_is_refused(tmp_path):
    path = write(tmp_path / "t.csv", "y\n" + "a\nb\n" * 20)
    assert "no column besides the target" in one_line(load, path, target="y")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \r\n\n", "is empty"),
        (b"a,b\n", "has a header but no rows"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 fields, the first row has 2"),
        (b"a,b\n1,2\n3,4,5\n", "line 3 has 3 fields"),
        (b"a,b\n1,2\n\x00\x01,3\n", "binary"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "binary or not UTF-8"),
        ("a,kind\n1,\x01é\n".encode("latin-1"), "not UTF-8"),
        ("a,kind\n1,2\n".encode("utf-16") + b"\xd8", "not text in utf-16"),
        (b'a,b\n1,"2\n3,4\n', "inside string"),
        (b"a,kind\n" + b"1,x\n" * 9 + b"1," + b"x" * 200_000 + b"\n", "field larger"),
        (b",".join(b"c%d" % i for i in range(2_001)) + b"\n", "2,001 columns"),
        (b"a,kind\n" + b",x\n,y\n" * 20, "every value of every feature column is missing"),
        (b"a,kind\n" + b"inf,x\n1,y\n" * 20, "column 'a': row 2 is inf"),
        (b"a,kind\n" + b"1,x\n2,x\n" * 20, "constant"),
        (b"a,kind\n" + b"1,x\n2,x\n" * 20 + b"3,y\n", "class 'y' has 1 row,"),
        (b"a,kind\n" + b"1,1.5\n2,2.5\n" * 20, None),
    ],
)
def test_bad_csv(tmp_path, content, message):
    path = write(tmp_path / "t.csv", content)
    if message is None:
        assert load(path, target="kind").task == "regression"
        return
    line = one_line(load, path, target="kind")
    assert message in line
    assert str(path) in line


def test_a_large_csv_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "t.csv"
    with open(path, "wb") as file:
        file.truncate(2**30)  # sparse: takes no disk
    assert "more than the 256 MB" in one_line(load, path, target="a")


def test_special_files_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    os.symlink("/dev/zero", tmp_path / "zero.csv")
    for name in ("pipe.csv", "folder.csv", "zero.csv"):
        assert "folder, pipe or device" in one_line(load, tmp_path / name, target="a")
    for name in ("none.csv", "none.npz", "none.parquet"):
        options = {} if name.endswith("npz") else {"target": "a"}
        assert "no such file" in one_line(load, tmp_path / name, **options)


# --- NPZ ---

X = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
Y = np.arange(ROWS) % 2


def archive(path, **members):
    """Write raw member bytes as a zip, whatever they claim."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name + ".npy", content)
    return path


def npy(array, **options):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def claim(header: str) -> bytes:
    """A `.npy` of any header and no content."""
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "x",
    [
        X,
        X.astype(">f8"),
        np.asfortranarray(X),
        (X * 10).astype(np.int16),
        X > 0,
        np.random.default_rng(0).integers(0, 255, (ROWS, 2, 3), dtype=np.uint8),
        X.astype(np.float16),
    ],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_what_numpy_wrote(tmp_path, x, save):
    from kerasreg.data.files.npz_file import read_npz

    labels = np.array(["no", "ÿes"])[Y]
    save(tmp_path / "a.npz", x=x, y=labels, other=np.arange(3))
    arrays = read_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(arrays["x"], x)
    np.testing.assert_array_equal(arrays["y"], labels)
    assert load(tmp_path / "a.npz").class_names == ("no", "ÿes")


def test_npz_with_a_test_part(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_test=X[:20], y_test=Y[:20])
    data = load(tmp_path / "a.npz")
    assert [len(data.train), len(data.validation), data.test_size] == [45, 15, 20]


class Planted:
    """Unpickling this would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickles_are_refused_and_not_run(tmp_path):
    planted = tmp_path / "planted"
    objects = np.empty(ROWS, dtype=object)
    objects[:] = [Planted(planted)] * ROWS
    np.savez(tmp_path / "a.npz", x=X, y=objects)
    assert "y: an object array (a pickle" in one_line(load, tmp_path / "a.npz")
    assert not planted.exists()


def header(descr="<f4", shape="(60, 3)", fortran="False"):
    return f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (claim(header(shape="(1000000000, 1000)")), "claims 4,000,000,000,000 bytes"),
        (claim(header(shape="(999999999999999999, 999999999999999999)")), "claims"),
        (claim(header()), "damaged or truncated"),
        (npy(X)[:-1], "damaged or truncated"),
        (npy(X) + b"\0", "damaged or truncated"),
        (npy(X)[:5], "not a NumPy array"),
        (b"", "not a NumPy array"),
        (claim(header(descr="|O")), "object array"),
        (claim(header(descr="<f16")), "got dtype"),
        (claim(header(descr="<c8")), "got dtype"),
        (claim(header(descr="<M8")), "got dtype"),
        (claim(header(descr="<U0", shape="(999999999999,)")), "got dtype"),
        (claim(header(shape="(0, 3)")), "is empty"),
        (claim(header(shape="(-1, 3)")), "not a plain array"),
        (claim(header(shape="(" * 5000)), "not a plain array"),
        (claim("-" * 9000 + "1"), "not a plain array"),
        (claim(header().replace("'<f4'", "[('a', '<f4')]")), "not a plain array"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<L", 2**31), "header claims 2,147,483,648 bytes"),
        (npy(np.full(ROWS, "a"))[:-4] + b"\xff\xff\xff\xff", "not Unicode"),
        (npy(np.full(ROWS, "a"))[:-4] + b"\x00\xd8\x00\x00", "not Unicode"),
        (npy(np.where(np.arange(ROWS) > 5, np.nan, 1.0)[:, None]), "row 6, feature 0 is nan"),
        (npy(np.array("text")), "expected numbers"),
    ],
)
def test_bad_npy_members(tmp_path, x, message):
    path = archive(tmp_path / "a.npz", x=x, y=npy(Y))
    assert message in one_line(load, path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "a.npz"
    size = MOST_BYTES + 2**20
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        with file.open("x.npy", "w") as member:
            member.write(claim(header(descr="|u1", shape=f"({size}, 1)")))
            for _ in range(size // 2**20):
                member.write(bytes(2**20))
        file.writestr("y.npy", npy(Y))
    assert path.stat().st_size < 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "unpacks to 513 MB" in one_line(load, path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path):
    """The directory says 60 rows; the deflated stream holds 256 MB."""
    path = tmp_path / "a.npz"
    content = claim(header(descr="|u1", shape="(60, 3)"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        with file.open("x.npy", "w") as member:
            member.write(content)
            for _ in range(256):
                member.write(bytes(2**20))
        file.writestr("y.npy", npy(Y))
    whole = bytearray(path.read_bytes())
    true, lie = struct.pack("<L", len(content) + 2**28), struct.pack("<L", len(content) + 180)
    assert whole.count(true) >= 1
    path.write_bytes(whole.replace(true, lie))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "damaged" in one_line(load, path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_archives_of_many_members_other_compression_or_passwords(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as file:
        for index in range(2000):
            file.writestr(f"member{index}", b"")
    assert "more members" in one_line(load, path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("x.npy", npy(X))
        file.writestr("y.npy", npy(Y))
    assert "compression" in one_line(load, path)
    archive(path, x=npy(X), y=npy(Y))
    locked = bytearray(path.read_bytes())
    position = locked.find(b"PK\x01\x02")
    locked[position + 8] |= 1
    path.write_bytes(locked)
    assert "encrypted" in one_line(load, path)


def test_other_keys_and_other_files(tmp_path):
    np.savez(tmp_path / "a.npz", images=X, labels=Y)
    assert "holds 'images', 'labels'; expected the arrays x, y" in one_line(
        load, tmp_path / "a.npz"
    )
    archive(tmp_path / "b.npz", **{"../../x": npy(X), "y": npy(Y)})
    assert "expected the arrays" in one_line(load, tmp_path / "b.npz")
    np.save(tmp_path / "c.npz.npy", X)
    os.rename(tmp_path / "c.npz.npy", tmp_path / "c.npz")
    assert "no npz file" in one_line(load, tmp_path / "c.npz")
    assert "empty" in one_line(load, write(tmp_path / "d.npz", b""))
    np.savez(tmp_path / "e.npz", x=X, y=Y[:-1])
    assert "x has 60 rows and y has 59" in one_line(load, tmp_path / "e.npz")


# --- Parquet ---


def parquet(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_is_read_as_pandas_wrote_it(tmp_path):
    frame = pd.DataFrame(
        {
            "size": np.where(np.arange(ROWS) % 5 == 0, np.nan, np.arange(ROWS) * 1.5),
            "place": pd.Categorical(["x", "y", None] * 20),
            "member": [True, False, None] * 20,
            "kind": ["a", "b"] * 30,
        },
        index=np.arange(ROWS) + 7,
    )
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = load(tmp_path / "t.parquet", target="kind")
    assert data.feature_names == (
        *("size", "member", "size is missing", "member is missing"),
        *("place is missing", "place=x", "place=y"),
    )
    np.testing.assert_array_equal(data.train.x[:, 0], load_csv_sizes(tmp_path / "t.csv"))


def load_csv_sizes(path):
    return load(path, target="kind").train.x[:, 0]


def test_bad_parquet(tmp_path):
    path = tmp_path / "t.parquet"
    y = np.arange(ROWS) % 2
    good = parquet(path, a=X[:, 0], y=y).read_bytes()
    for content in (b"PAR1", b"PAR1" + b"\xff" * 40 + b"PAR1", good[:-9], good[9:]):
        assert "damaged" in one_line(load, write(path, content), target="y")
    assert "empty" in one_line(load, write(path, b""), target="y")
    when = pa.array(np.arange(ROWS, dtype=np.int32)).cast(pa.time32("s"))
    line = one_line(load, parquet(path, when=when, y=y), target="y")
    assert "column 'when' holds time32" in line
    nested = pa.array([[1]] * ROWS)
    assert "column 'n' holds list" in one_line(load, parquet(path, n=nested, y=y), target="y")
    assert "no rows" in one_line(load, parquet(path, a=X[:0, 0], y=y[:0]), target="y")
    assert "--no-header" in one_line(load, path, target="y", header=False)


def test_a_parquet_bomb_is_refused_within_its_memory(tmp_path):
    """A dictionary of one text of 1 MB, used 4,000 times: 50 kB that decode to 4 GB."""
    text = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(4000, dtype=np.int32)), pa.array(["z" * 2**20])
    )
    path = parquet(tmp_path / "t.parquet", s=text, y=np.arange(4000) % 2)
    assert path.stat().st_size < 100_000
    # The largest of all children so far: another test's may have been larger.
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert str(path) in one_line(load, path, target="y")
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(2**21, before + 1)
    many = pa.array(np.zeros(30_000_000, dtype=np.int8))
    path = parquet(tmp_path / "t.parquet", a=many, y=many)
    assert "60,000,000 cells" in one_line(load, path, target="y")


def test_parquet_names_that_pandas_would_not_write(tmp_path):
    columns = [pa.array(X[:, 0]), pa.array(X[:, 1]), pa.array(X[:, 2]), pa.array(Y)]
    names = ["twin", "twin", "", "y"]
    pq.write_table(pa.Table.from_arrays(columns, names=names), tmp_path / "t.parquet")
    data = load(tmp_path / "t.parquet", target="y")
    assert data.feature_names == ("twin", "twin.1", "Unnamed: 2")


# --- anything at all ---


def loads_or_says_why(path, **options):
    """The only two outcomes allowed."""
    why = None
    try:
        data = load(path, **options)
    except UserError as error:
        why = str(error)
    if why is None:
        assert np.isfinite(data.train.x).all()
    else:
        assert "\n" not in why


def damaged(original: bytes):
    """Copies of a file with bytes changed, cut, doubled or inserted."""
    position = st.integers(0, len(original) - 1)
    changes = st.lists(
        st.tuples(
            st.sampled_from(["set", "cut", "insert", "double"]), position, st.binary(max_size=6)
        ),
        min_size=1,
        max_size=6,
    )

    def apply(changes):
        content = bytearray(original)
        for kind, at, extra in changes:
            if kind == "set":
                content[at : at + len(extra)] = extra
            elif kind == "cut":
                del content[at : at + 1 + len(extra) * 7]
            elif kind == "insert":
                content[at:at] = extra
            else:
                content[at:at] = content[at : at + 40]
        return bytes(content)

    return changes.map(apply)


@examples(150)
@given(content=damaged(table().encode()))
def test_damaged_csv(tmp_path, content):
    loads_or_says_why(write(tmp_path / "t.csv", content), target="kind")


@examples(100)
@given(content=st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)))
def test_any_bytes_as_csv(tmp_path, content):
    loads_or_says_why(write(tmp_path / "t.csv", content), target=-1, header=False)


def sample_npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=X[:20], y=np.array(["a", "b"] * 10))
    return buffer.getvalue()


@examples(220)
@given(content=damaged(sample_npz()))
def test_damaged_npz(tmp_path, content):
    loads_or_says_why(write(tmp_path / "a.npz", content))


def sample_parquet() -> bytes:
    buffer = io.BytesIO()
    columns = {"a": X[:, 0], "s": ["u", "v", None] * 20, "y": Y}
    pq.write_table(pa.table(columns), buffer, compression="snappy")
    return buffer.getvalue()


@examples(30)
@given(content=damaged(sample_parquet()))
def test_damaged_parquet(tmp_path, content):
    loads_or_says_why(write(tmp_path / "t.parquet", content), target="y")
