"""What may stand in a study's folder."""

import os
from contextlib import suppress
from pathlib import Path

from kerasreg.errors import UserError
from kerasreg.files.atomic import is_temporary
from kerasreg.files.opening import reading


def require_study(root: Path) -> None:
    """Raise UserError unless `root` is a folder with a study.json and without symbolic links."""
    with reading(root):
        found = root.is_dir()
    if not found:
        raise UserError(f"Expected a study folder, got {root}, which is none; check the path.")
    if not os.path.lexists(root / "study.json"):
        raise UserError(f"Expected a study in {root}, but it has no study.json; check the path.")
    _refuse_links(root)


def refuse_unless_empty(root: Path) -> None:
    """Raise UserError for a folder that holds more than a killed creation leaves behind."""
    names = sorted(os.listdir(root))
    if "study.json" in names:
        raise UserError(f"{root} already holds a study; resume that one or choose another folder.")
    others = [name for name in names if name != ".lock" and not is_temporary(name)]
    if others:
        raise UserError(
            f"Expected a new or empty folder, but {root} holds {others[0]!r}"
            f"{f' and {len(others) - 1} more' if len(others) > 1 else ''}; choose another."
        )


def _refuse_links(root: Path) -> None:
    """Raise UserError for a symbolic link anywhere in a study's folder."""
    folders = [root]
    while folders:
        folder = folders.pop()
        # A running search may delete what was just listed.
        with reading(folder), suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise UserError(
                        f"Expected no symbolic link in a study, got {entry.path}: kerasreg neither "
                        "reads nor writes outside the folder. Put what it points to in its place."
                    )
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
