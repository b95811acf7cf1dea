"""A look inside two networks while they train: a trial is replayed by its seed and watched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasreg.monitors.activations import ActivationMonitor
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
    model = engine.fit(
        config, seed, dataset, dataset.train, epochs, batch_size, (activations, gradients)
    )
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


def _weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Histograms of the kernels, symmetric around zero."""
    arrays = {}
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Dense):
            continue
        values = keras.ops.convert_to_numpy(layer.kernel).astype(np.float64).ravel()
        bound = max(float(np.abs(values).max()), 1e-12)
        counts, edges = np.histogram(values, bins=_WEIGHT_BINS, range=(-bound, bound))
        stem = f"weights/{layer.name}"
        arrays |= {f"{stem}/counts": counts, f"{stem}/edges": edges}
        arrays[f"{stem}/near_zero"] = np.array((np.abs(values) < NEAR_ZERO).mean())
    return arrays


def named(who: str, arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Put `baseline` or `best` before every name, as small as the file can be."""
    return {
        f"{who}/{name}": np.asarray(value, np.int32 if name == "epochs" else np.float32)
        for name, value in arrays.items()
    }
