"""A look inside the networks that are refitted: callbacks watch them while they train."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from kerasreg.monitors.activations import ActivationMonitor
from kerasreg.monitors.events import shared_writer
from kerasreg.monitors.gradients import GradientMonitor
from kerasreg.search import tensorboard
from kerasreg.search.context import SearchContext, Side
from kerasreg.study import NEAR_ZERO

PROBE_ROWS = 256
_WEIGHT_BINS = 60


class LookInside:
    """What happens in the layers of `baseline` or `best` while it is refitted.

    The probe is the first `PROBE_ROWS` validation rows (of the training rows for gradients).
    Histograms and scalars go to the side's run for TensorBoard, beside the curves of its record.

    Attributes:
        callbacks: What has to watch the training.
    """

    def __init__(self, context: SearchContext, name: str, side: Side):
        folder = context.study.tensorboard / name
        # Held while the monitors share it: TensorBoard follows one file of a folder at a time.
        self._writer = shared_writer(folder, fresh=True)
        tensorboard.write_curves(self._writer, side.record["curves"])
        dataset = context.rows_for(side.config)
        labelled = dataset.train.x[:PROBE_ROWS], dataset.train.y[:PROBE_ROWS]
        self._activations = ActivationMonitor(dataset.validation.x[:PROBE_ROWS], log_dir=folder)
        self._gradients = GradientMonitor(labelled, log_dir=folder)
        self.callbacks = (self._activations, self._gradients, WeightHistograms(folder))

    def arrays(self, model: keras.Model) -> dict[str, np.ndarray]:
        """What was seen, and the kernels at the end: a side's arrays of `plots._inside`."""
        arrays = {}
        for layer, record in self._activations.records.items():
            stem = f"activation/{layer}"
            arrays[f"{stem}/counts"] = record["histogram"]
            arrays[f"{stem}/edges"] = self._activations.edges[layer]
            arrays[f"{stem}/zero"], arrays[f"{stem}/dead"] = record["zeros"], record["dead"]
            if np.isfinite(record["saturated"]).any():
                arrays[f"{stem}/saturated"] = record["saturated"]
        for layer, record in self._gradients.records.items():
            arrays[f"gradient_norm/{layer}"] = record["norm"]
        for layer in _layers_with_kernels(model):
            stem, kernel = f"weights/{layer.name}", _kernel(layer)
            arrays[f"{stem}/counts"], arrays[f"{stem}/edges"] = _histogram(kernel)
            arrays[f"{stem}/near_zero"] = (np.abs(kernel) < NEAR_ZERO).mean()
        epochs = np.asarray(self._activations.epochs + 1, np.int32)
        return {"epochs": epochs, **{k: np.asarray(a, np.float32) for k, a in arrays.items()}}


class WeightHistograms(keras.callbacks.Callback):
    """Writes a histogram of each kernel after every epoch.

    Args:
        log_dir: Where TensorBoard looks; tags are `weights/01_dense_1`, ... in layer order.
    """

    def __init__(self, log_dir: Path):
        super().__init__()
        self._log_dir = log_dir

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write one event with all layers."""
        histograms = {
            f"weights/{position:02}_{layer.name}": _histogram(_kernel(layer))
            for position, layer in enumerate(_layers_with_kernels(self.model), 1)
        }
        shared_writer(self._log_dir).histograms(epoch, histograms)


def _layers_with_kernels(model: keras.Model) -> list[keras.layers.Layer]:
    kinds = (keras.layers.Dense, keras.layers.Conv2D)
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def _kernel(layer: keras.layers.Layer) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer.kernel).astype(np.float64).ravel()


def _histogram(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts and edges over an interval that is symmetric around zero."""
    bound = max(float(np.abs(kernel).max()), 1e-12)
    return np.histogram(kernel, bins=_WEIGHT_BINS, range=(-bound, bound))
