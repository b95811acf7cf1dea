"""A look inside networks while they train: the seed repeats a training, and callbacks watch it."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from kerasreg.files import atomic_save_npz
from kerasreg.monitors.activations import ActivationMonitor
from kerasreg.monitors.events import shared_writer
from kerasreg.monitors.gradients import GradientMonitor
from kerasreg.search import tensorboard
from kerasreg.search.context import SearchContext, Side
from kerasreg.study import NEAR_ZERO

PROBE_ROWS = 256
_WEIGHT_BINS = 60


def look_inside(context: SearchContext, sides: Mapping[str, Side]) -> None:
    """Train `baseline` and `best` again with the first seed, watched.

    Writes their runs for TensorBoard and `DIR/inside.npz`.
    """
    arrays: dict[str, np.ndarray] = {}
    # Runs of an interrupted conclusion, or of the result before the study was extended.
    for name in ("baseline", "best"):
        tensorboard.clear(context.study.tensorboard / name)
    for name, side in sides.items():
        context.enter("looking inside")
        folder = context.study.tensorboard / name
        # Held while the monitors share it: TensorBoard follows one file of a folder at a time.
        writer = shared_writer(folder, fresh=True)
        tensorboard.write_curves(writer, side.record["curves"])
        for array, value in _watch(context, side, folder).items():
            kind = np.int32 if array == "epochs" else np.float32
            arrays[f"{name}/{array}"] = np.asarray(value, kind)
    atomic_save_npz(context.study.folder / "inside.npz", arrays)


def _watch(context: SearchContext, side: Side, log_dir: Path) -> dict[str, np.ndarray]:
    """Train the stack again on the training rows and record what happens in its layers.

    The probe is the first `PROBE_ROWS` validation rows (of the training rows for gradients).
    Histograms and scalars go to `log_dir` for TensorBoard; the arrays of `DIR/inside.npz` (see
    `plots._inside`) are returned, without the leading name.
    """
    dataset, seed = context.rows_for(side.config), context.request.member_seeds[0]
    labelled = dataset.train.x[:PROBE_ROWS], dataset.train.y[:PROBE_ROWS]
    activations = ActivationMonitor(dataset.validation.x[:PROBE_ROWS], log_dir=log_dir)
    gradients = GradientMonitor(labelled, log_dir=log_dir)
    callbacks = (activations, gradients, WeightHistograms(log_dir))
    model = context.fit(side.config, seed, dataset.train, side.record["epochs"], callbacks)
    arrays = {"epochs": activations.epochs + 1}
    for layer, record in activations.records.items():
        stem = f"activation/{layer}"
        arrays[f"{stem}/counts"] = record["histogram"]
        arrays[f"{stem}/edges"] = activations.edges[layer]
        arrays[f"{stem}/zero"], arrays[f"{stem}/dead"] = record["zeros"], record["dead"]
        if np.isfinite(record["saturated"]).any():
            arrays[f"{stem}/saturated"] = record["saturated"]
    for layer, record in gradients.records.items():
        arrays[f"gradient_norm/{layer}"] = record["norm"]
    for layer in _layers_with_kernels(model):
        stem, kernel = f"weights/{layer.name}", _kernel(layer)
        arrays[f"{stem}/counts"], arrays[f"{stem}/edges"] = _histogram(kernel)
        arrays[f"{stem}/near_zero"] = (np.abs(kernel) < NEAR_ZERO).mean()
    return arrays


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
