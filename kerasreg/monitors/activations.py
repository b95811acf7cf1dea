"""Distributions of every layer's output on a fixed probe."""

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.monitors._monitor import LayerRecord, Monitor, Rows, compiled
from kerasreg.monitors._outputs import watch_outputs
from kerasreg.monitors.statistics import (
    ACTIVATION_EDGES,
    ACTIVATION_STATISTICS,
    BOUNDS,
    activation_statistics,
    histogram,
    sort_finite,
)


class ActivationMonitor(Monitor):
    """Records how the outputs of every layer are distributed on a fixed probe.

    At the end of an epoch the probe passes through the model once, in inference mode (dropout
    off, normalisation by moving averages). For each layer are kept

    - `histogram`: counts in fixed bins, see `edges`;
    - `mean`, `std`: of all outputs;
    - `zeros`: fraction of outputs that are exactly 0;
    - `dead`: fraction of units (indices of the last axis) that are 0 on the whole probe;
    - `saturated`: fraction within 5 % of the range of a bound, for bounded activations;
    - `drift`: 1-D Wasserstein distance from the record before, in units of that record's standard
      deviation (see `kerasreg.monitors.statistics.drift` for definition and sources);
    - `nonfinite`: fraction of outputs that are NaN or infinite. The others ignore them.

    What is not defined is NaN: `drift` in the first record, `saturated` without bounds.

    Layers are named as in the model, nested ones `outer.inner`, in the order of their calls. A
    layer that applies its activation itself, such as `Dense(8, activation="relu")`, appears twice:
    `dense.pre` before the activation and `dense` after it. Layers that hand on what they get, such
    as dropout in inference, are left out. What cannot be watched is named in one warning.

    Args:
        probe: Inputs as `model.predict` takes them: an array `(rows, ...)`, or a list, tuple or
            dict of arrays. A few hundred rows are enough.
        log_dir: TensorBoard folder for histograms `activations/LAYER` and scalars
            `activation_STATISTIC/LAYER`; layers are numbered so that tags sort.
        every: Record in epochs 0, every, 2 every, …
        edges: Bin edges for all layers, increasing. By default 100 even bins over the range of a
            bounded activation, and else 160 bins from -100 to 100, even (0.01) near zero and 10 %
            of the value beyond. Outputs outside are counted in the outermost bins.

    Attributes:
        records: Layer -> statistic -> array `(records,)`; `histogram` is `(records, bins)`.
        epochs: Epochs of the records, `(records,)`.
        edges: Layer -> bin edges, `(bins + 1,)`.

    Example:

    ```python
    monitor = ActivationMonitor(x_validation[:256], log_dir="logs/run")
    model.fit(x, y, epochs=20, callbacks=[monitor])
    monitor.records["dense_1"]["dead"]  # one value an epoch
    ```
    """

    _usage = "ActivationMonitor(x, log_dir=FOLDER), without targets"

    def __init__(
        self,
        probe: Any,
        log_dir: str | os.PathLike | None = None,
        every: int = 1,
        edges: np.ndarray | None = None,
    ) -> None:
        super().__init__(log_dir, every)
        self._probe = Rows("probe", probe)
        self._given_edges = None if edges is None else _checked(edges)
        self._edges: dict[str, np.ndarray] = {}
        self._bounds: dict[str, tuple[float, float] | None] = {}
        self._before: dict[str, np.ndarray] = {}

    @property
    def records(self) -> dict[str, dict[str, np.ndarray]]:
        """Layer -> statistic -> array with one entry per record."""
        return {
            name: {
                key: np.array([record[name][key] for _, record in self._kept])
                for key in (*ACTIVATION_STATISTICS, "histogram")
            }
            for name in self._edges
        }

    @property
    def edges(self) -> dict[str, np.ndarray]:
        """Layer -> bin edges of its histograms."""
        return dict(self._edges)

    def _prepare(self) -> Any:
        model = self.model
        traced: dict[str, dict[str, str]] = {}

        def outputs(inputs: Any) -> dict[str, tf.Tensor]:
            watched = watch_outputs(model, inputs)
            traced["activations"], traced["missed"] = watched.activations, watched.missed
            return watched.tensors

        inputs = keras.tree.map_structure(tf.convert_to_tensor, self._probe.arrays)
        run = compiled(model, outputs)
        run(inputs)
        activations = traced["activations"]
        self._warn_missed("watch the output", traced["missed"])
        if self._kept and list(activations) != list(self._edges):
            self._start_anew()
        self._bounds = {name: BOUNDS.get(kind) for name, kind in activations.items()}
        self._edges = {name: self._choose_edges(bounds) for name, bounds in self._bounds.items()}
        return run, inputs

    def _record(self, step: int, logs: dict[str, float]) -> LayerRecord:
        run, inputs = self._compiled
        record: LayerRecord = {}
        now: dict[str, np.ndarray] = {}
        outputs = run(inputs)
        for name in self._edges:
            values = outputs[name].numpy()
            now[name] = sort_finite(values)
            record[name] = activation_statistics(
                values, now[name], self._before.get(name), self._bounds[name]
            )
            record[name]["histogram"] = histogram(now[name], self._edges[name])
        self._write_layers(step, "activation", record, ACTIVATION_STATISTICS, self._edges)
        self._before = now
        return record

    def _start_anew(self) -> None:
        super()._start_anew()
        self._edges, self._bounds, self._before = {}, {}, {}

    def _choose_edges(self, bounds: tuple[float, float] | None) -> np.ndarray:
        if self._given_edges is not None:
            return self._given_edges
        return ACTIVATION_EDGES if bounds is None else np.linspace(*bounds, 101)


def _checked(edges: Any) -> np.ndarray:
    array = np.asarray(edges, dtype=np.float64)
    if array.ndim != 1 or array.size < 2 or not np.all(np.diff(array) > 0):
        raise UserError(
            "edges: expected at least two increasing bin edges, "
            f"got {np.array2string(array, threshold=6)}; np.linspace(low, high, bins + 1) "
            "makes some."
        )
    return array
