"""The rooms and who may import whom: imports point down only."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "kerasreg"

# From the ground up: a room may import rooms of lower floors, and itself.
FLOORS = [
    {"errors", "seeds"},
    {"files"},
    {
        "claims",
        "command",
        "data",
        "evidence",
        "layers",
        "losses",
        "monitors",
        "objectives",
        "scores",
        "statuses",
    },
    {"regularization", "stacks"},
    {"networks"},
    {"decision", "population", "words"},
    {"study"},
    {"diagnosis", "prediction", "search", "plots"},
    {"report", "tuner"},
    {"terminal"},
    {"lesson", "options"},
    {"ledger"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Libraries that one room only may import.
ONLY = {
    "keras_tuner": {"search", "tuner"},
    "matplotlib": {"plots"},
    "jinja2": {"report"},
    "ray": {"search"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> list[str]:
    """Dotted names of every import that runs, those inside functions included."""
    names = []
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.append(node.module)
            if node.module == "kerasreg":
                names += [f"kerasreg.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    room = room_of(path)
    if room == "__init__":
        return
    assert room in FLOOR, f"{path}: which floor does {room!r} stand on? Add it to FLOORS."
    for name in imported(path):
        parts = name.split(".")
        if parts[0] in ONLY:
            assert room in ONLY[parts[0]], f"{path} imports {name}"
        if parts[0] == "kerasreg" and len(parts) > 1 and parts[1] in FLOOR:
            other = parts[1]
            assert other == room or FLOOR[other] < FLOOR[room], f"{path} imports {name}"
        assert parts[0] != "scripts", f"{path}: the package never imports a script"


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_of(path) for path in FILES}


def files_imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, inside functions and for types included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (found & MODULES) or {node.module}
    return (names & MODULES) - {module_of(path)}


def test_no_files_import_each_other_in_a_circle():
    try:
        TopologicalSorter({module_of(path): files_imported(path) for path in FILES}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_no_file_is_too_long_to_hold_one_concept():
    code = [path for path in FILES if room_of(path) != "claims"]
    assert [path for path in code if len(path.read_text().splitlines()) > 300] == []


def test_every_room_is_there():
    assert {room_of(path) for path in FILES} - {"__init__"} == set(FLOOR)


def test_the_command_line_starts_without_heavy_imports():
    code = (
        "import sys, kerasreg.cli; "
        "heavy = {'tensorflow', 'keras', 'keras_tuner', 'matplotlib', 'pandas', 'ray', 'sklearn'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_lesson_answers_help_without_tensorflow():
    code = "import sys, kerasreg.lesson; print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there():
    import kerasreg

    for name in kerasreg.__all__:
        assert getattr(kerasreg, name).__doc__, name
