"""Data sets that have a name: bundled with scikit-learn, or fetched by `keras.datasets`."""

import os
from pathlib import Path
from typing import Any

from kerasreg.errors import UserError

BUNDLED = ("digits", "breast_cancer", "wine", "iris", "diabetes")
# Name -> the file keras.datasets keeps, below Keras' home folder.
FETCHED = {
    "mnist": "datasets/mnist.npz",
    "fashion_mnist": "datasets/fashion-mnist/train-images-idx3-ubyte.gz",
    "cifar10": "datasets/cifar-10-batches-py-target_archive",
}
NAMES = (*BUNDLED, *FETCHED)


def read_named(name: str) -> dict[str, Any]:
    """Return what one of `NAMES` holds, as arguments of `from_arrays`.

    Raises:
        UserError: When `keras.datasets` has no copy and cannot fetch one.
    """
    return _bundled(name) if name in BUNDLED else _fetched(name)


def _bundled(name: str) -> dict[str, Any]:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    return {
        "x": bunch.data,
        "y": bunch.target,
        "feature_names": tuple(map(str, bunch.feature_names)),
        "class_names": None if name == "diabetes" else tuple(map(str, bunch.target_names)),
        "target_name": {"digits": "digit", "diabetes": "progression"}.get(name, "class"),
        # Digits are pixels of 0 to 16; standardised alone, rare ones would become outliers.
        "scaling": "unit" if name == "digits" else "standard",
    }


def _fetched(name: str) -> dict[str, Any]:
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
    arrays = {"x": x, "y": y.reshape(-1), "x_test": x_test, "y_test": y_test.reshape(-1)}
    return {**arrays, "class_names": classes, "target_name": "target"}
