"""The yardstick: a plain network on the same rows."""

from dataclasses import replace

import keras
import numpy as np

from kerasreg.diagnosis.copies import fresh_copy
from kerasreg.diagnosis.rows import Rows
from kerasreg.stacks import StackConfig, build_stack

#: Two hidden layers of so many units, as kerasreg's default stack.
UNITS = (128, 128)
#: Most numbers of a row that it sees, evenly chosen: larger rows would make it large and slow.
MOST_FEATURES = 4096


def plain_network(rows: Rows, seed: int) -> tuple[keras.Model, Rows]:
    """A network of 128-128 units with Adam's defaults, and the rows as it takes them.

    Inputs are flattened and standardised, and so are quantities to predict.
    """
    flat = [leaf.reshape(len(leaf), -1) for leaf in keras.tree.flatten(rows.x)]
    x = np.concatenate(flat, axis=1)
    x = x[:, :: -(-x.shape[1] // MOST_FEATURES)].astype(np.float32)
    x = _standardised(x, x[rows.used])
    labels, outputs, task = rows.labels, 1, "regression"
    if rows.classification:
        task = "classification"
        outputs = len(rows.class_names) if len(rows.class_names) > 2 else 1
    else:
        labels = _standardised(labels, labels[rows.used])
    config = StackConfig(units=UNITS)
    network = fresh_copy(build_stack(config, x.shape[1], outputs, task, seed), seed, keep=True)
    return network, replace(rows, x=x, y=labels, labels=labels, threshold=0.0)


def _standardised(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    spread = used.std(axis=0)
    return (values - used.mean(axis=0)) / np.where(spread > 0, spread, 1)
