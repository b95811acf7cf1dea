"""Data: named sets and files, split, preprocessed and ready for stacks."""

from kerasreg.data._dataset import Dataset, Fold, Split
from kerasreg.data._load import from_arrays, from_frame, load, locate
from kerasreg.data._named import NAMES
from kerasreg.data._splitting import subset_rows

__all__ = [
    "NAMES",
    "Dataset",
    "Fold",
    "Split",
    "from_arrays",
    "from_frame",
    "load",
    "locate",
    "subset_rows",
]
