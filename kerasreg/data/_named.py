"""Data sets that have a name: bundled with scikit-learn, or fetched by `keras.datasets`."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasreg.errors import UserError

BUNDLED = ("digits", "breast_cancer", "wine", "iris", "diabetes")
# Name -> the file keras.datasets keeps, below Keras' home folder.
FETCHED = {
    "mnist": "datasets/mnist.npz",
    "fashion_mnist": "datasets/fashion-mnist/train-images-idx3-ubyte.gz",
    "cifar10": "datasets/cifar-10-batches-py-target_archive",
}
NAMES = (*BUNDLED, *FETCHED)


@dataclass(frozen=True)
class NamedArrays:
    """Raw arrays of a named set; test arrays only where the set comes with a test part."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    feature_names: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None
    target_name: str = "target"
    scaling: str = "auto"


def read_named(name: str) -> NamedArrays:
    """Return the raw arrays of one of `NAMES`.

    Raises:
        UserError: When `keras.datasets` has no copy and cannot fetch one.
    """
    return _bundled(name) if name in BUNDLED else _fetched(name)


def _bundled(name: str) -> NamedArrays:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    regression = name == "diabetes"
    names = getattr(bunch, "target_names", None)
    return NamedArrays(
        x=bunch.data,
        y=bunch.target,
        feature_names=tuple(str(feature) for feature in bunch.feature_names),
        class_names=None if regression else tuple(str(label) for label in names),
        target_name={"digits": "digit", "diabetes": "progression"}.get(name, "class"),
        # Digits are pixels of 0 to 16; standardised alone, rare ones would become outliers.
        scaling="unit" if name == "digits" else "standard",
    )


def _fetched(name: str) -> NamedArrays:
    import keras

    module = getattr(keras.datasets, name)
    try:
        (x, y), (x_test, y_test) = module.load_data()
    # get_file raises a bare Exception when the download fails, whatever the reason.
    except Exception as error:
        home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{name}: {home / FETCHED[name]} is missing and could not be fetched ({reason}); "
            "put it there, or use an .npz with x_train, y_train, x_test, y_test"
        ) from error
    classes = {
        "fashion_mnist": (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        "cifar10": (
            *("airplane", "automobile", "bird", "cat", "deer"),
            *("dog", "frog", "horse", "ship", "truck"),
        ),
    }.get(name)
    return NamedArrays(x, y.reshape(-1), x_test, y_test.reshape(-1), class_names=classes)
