"""Data: named sets and files, split, preprocessed and ready for stacks."""

from kerasreg.data._arrays import check_array
from kerasreg.data._dataset import Dataset
from kerasreg.data._encodings import ENCODINGS
from kerasreg.data._from_arrays import from_arrays, joined_rows
from kerasreg.data._from_frame import from_frame
from kerasreg.data._inference import inference_copy
from kerasreg.data._labels import read_labels
from kerasreg.data._load import is_folder, load, locate
from kerasreg.data._named import NAMES
from kerasreg.data._new_rows import read_new_images, read_new_rows
from kerasreg.data._rows import Fold, Split
from kerasreg.data._splitting import FRACTIONS, fold_rows, split_rows, subset_rows
from kerasreg.data._story import story
