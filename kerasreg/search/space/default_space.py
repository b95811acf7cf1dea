"""The space of a search that is given none; change what is varied by default here."""

from kerasreg.search.space.ranges import Choice, Range

#: Field of `StackConfig` -> what it may be.
DEFAULT_SPACE: dict[str, Range | Choice] = {
    "dropout": Range(0.05, 0.7, zero=True),
    "input_dropout": Range(0.02, 0.3, zero=True),
    "l1": Range(1e-7, 1e-2, log=True, zero=True),
    "l2": Range(1e-7, 1e-1, log=True, zero=True),
    "weight_decay": Range(1e-3, 2.0, log=True, zero=True),
    "label_smoothing": Range(0.02, 0.15, zero=True),
    "normalization": Choice("none", "batch"),
    "learning_rate": Range(3e-4, 3e-2, log=True),
    "encoding": Choice("standard", "piecewise"),
}

#: Field -> its one value in such a search.
DEFAULT_FIXED = {"schedule": "cosine", "output_scale": 0.1, "feature_scale": True}

#: What it fixes besides, of few rows: on three small tables out of fold no worse than twice that.
SMALL_FIXED = {"units": (64, 64)}

#: What it varies and fixes besides, of images.
IMAGE_SPACE: dict[str, Range | Choice] = {
    "spatial_dropout": Range(0.05, 0.5, zero=True),
    "shift": Range(0.02, 0.2, zero=True),
    "rotation": Range(0.01, 0.1, zero=True),
    "zoom": Range(0.02, 0.2, zero=True),
    "contrast": Range(0.05, 0.5, zero=True),
    "erase": Range(0.02, 0.3, zero=True),
}
IMAGE_FIXED = {"filters": (16, 32), "feature_scale": False}
