"""A look inside two networks while they train: a trial is replayed by its seed and watched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasreg.monitors.activations import ActivationMonitor
from kerasreg.monitors.events import shared_writer
from kerasreg.monitors.gradients import GradientMonitor
from kerasreg.stacks import StackConfig

if TYPE_CHECKING:
    from kerasreg.data import Dataset
    from kerasreg.search.engines import Engine

PROBE_ROWS = 256
NEAR_ZERO = 1e-3  # kernel entries smaller than this in size count as near zero
_WEIGHT_BINS = 60


def watch(
    engine: Engine,
    config: StackConfig,
    seed: int,
    dataset: Dataset,
    epochs: int,
    batch_size: int,
    log_dir: Path,
) -> dict[str, np.ndarray]:
    """Train the stack again on the training rows and record what happens in its layers.

    The probe is the first `PROBE_ROWS` validation rows (of the training rows for gradients).
    Histograms and scalars go to `log_dir` for TensorBoard.

    Returns:
        Arrays named as in `DIR/inside.npz`, without the leading name: `epochs`,
        `activation/LAYER/{counts, edges, zero, dead, saturated}`, `gradient_norm/LAYER`,
        `weights/LAYER/{counts, edges, near_zero}`.
    """
    probe = dataset.validation.x[:PROBE_ROWS]
    labelled = dataset.train.x[:PROBE_ROWS], dataset.train.y[:PROBE_ROWS]
    activations = ActivationMonitor(probe, log_dir=log_dir)
    gradients = GradientMonitor(labelled, log_dir=log_dir)
    callbacks = (activations, gradients, WeightHistograms(log_dir))
    model = engine.fit(config, seed, dataset, dataset.train, epochs, batch_size, callbacks)
    arrays = {"epochs": activations.epochs + 1}
    for layer, record in activations.records.items():
        stem = f"activation/{layer}"
        arrays[f"{stem}/counts"], arrays[f"{stem}/edges"] = (
            record["histogram"],
            activations.edges[layer],
        )
        arrays[f"{stem}/zero"], arrays[f"{stem}/dead"] = record["zeros"], record["dead"]
        if np.isfinite(record["saturated"]).any():
            arrays[f"{stem}/saturated"] = record["saturated"]
    for layer, record in gradients.records.items():
        arrays[f"gradient_norm/{layer}"] = record["norm"]
    return arrays | _weights(model)


class WeightHistograms(keras.callbacks.Callback):
    """Writes a histogram of each dense layer's kernel after every epoch.

    Args:
        log_dir: Where TensorBoard looks; tags are `weights/01_dense_1`, ... in layer order.
    """

    def __init__(self, log_dir: Path):
        super().__init__()
        self._log_dir = log_dir

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write one event with all layers."""
        values = {}
        for number, layer in enumerate(_dense_layers(self.model), 1):
            counts, edges = _kernel_histogram(layer)
            values[f"weights/{number:02}_{layer.name}"] = counts, edges
        shared_writer(self._log_dir).histograms(epoch, values)


def _dense_layers(model: keras.Model) -> list[keras.layers.Dense]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]


def _kernel_histogram(layer: keras.layers.Dense) -> tuple[np.ndarray, np.ndarray]:
    values = _kernel(layer)
    bound = max(float(np.abs(values).max()), 1e-12)
    return np.histogram(values, bins=_WEIGHT_BINS, range=(-bound, bound))


def _kernel(layer: keras.layers.Dense) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer.kernel).astype(np.float64).ravel()


def _weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Histograms of the kernels, symmetric around zero."""
    arrays = {}
    for layer in _dense_layers(model):
        counts, edges = _kernel_histogram(layer)
        stem = f"weights/{layer.name}"
        arrays |= {f"{stem}/counts": counts, f"{stem}/edges": edges}
        arrays[f"{stem}/near_zero"] = np.array((np.abs(_kernel(layer)) < NEAR_ZERO).mean())
    return arrays


def named(who: str, arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Put `baseline` or `best` before every name, as small as the file can be."""
    return {
        f"{who}/{name}": np.asarray(value, np.int32 if name == "epochs" else np.float32)
        for name, value in arrays.items()
    }
