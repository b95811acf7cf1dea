"""The data sets of the ledger, named without the places where they lie."""

import difflib
import hashlib
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasreg.errors import UserError
from kerasreg.files.npy import read_header

_LABELS = {"digits": "digits", "mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}


@dataclass(frozen=True)
class DataSet:
    """What `--data` of a lesson is given, and how it is called in writing.

    Attributes:
        argument: For the lesson's command line.
        label: For a reader: a name, never a path.
        folder: Folder of its results.
        digest: What changes when the data do: the name, or a file's SHA-256 (hex).
    """

    argument: str
    label: str
    folder: str
    digest: str


#: For lessons that read no data, whichever set they are run with.
NO_DATA = DataSet("digits", "no data", "no_data", "none")


def data_set(name: str) -> DataSet:
    """Name a data set.

    Raises:
        UserError: A file that is not there, or is no .npz with images in it.
    """
    path = Path(name)
    if name in _LABELS:
        return DataSet(name, _LABELS[name], name, name)
    if path.suffix != ".npz":
        near = difflib.get_close_matches(name, _LABELS, cutoff=0.0)
        raise UserError(
            f"data: expected names or .npz files with images, got {name!r}; near: "
            f"{', '.join(near)}."
        )
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows = sum(_rows(path, part) for part in ("x_train", "x_test"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise UserError(
            f"data: expected an .npz file with x_train, y_train, x_test, y_test, got {name!r} "
            f"({getattr(error, 'strerror', None) or error}); check the path."
        ) from None
    known = re.match(r"(fashion[_-]?)?mnist", path.stem.lower())
    label = _LABELS["fashion_mnist" if known[1] else "mnist"] if known else path.stem
    folder = re.sub(r"[^\w.-]+", "_", path.stem)
    return DataSet(str(path.resolve()), f"{label} ({rows:,} images)", folder, digest)


def data_sets(names: Sequence[str]) -> list[DataSet]:
    """Name several data sets.

    Raises:
        UserError: As `data_set`; or two that would be called the same.
    """
    sets = [data_set(name) for name in names]
    for attribute in ("folder", "label"):
        called = [getattr(one, attribute) for one in sets]
        for place, word in enumerate(called):
            if word in called[:place]:
                raise UserError(
                    f"data: expected sets of different names, got {names[called.index(word)]!r} "
                    f"and {names[place]!r}; rename one."
                )
    return sets


def _rows(path: Path, array: str) -> int:
    """Rows of an array in an .npz file, by its header alone."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{array}.npy") as file:
        return read_header(file).shape[0]
