"""Size and distribution of every layer's gradient on a fixed probe."""

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasreg.errors import UserError
from kerasreg.monitors._layers import call_arguments, trainable_values, variables_by_layer
from kerasreg.monitors._monitor import LayerRecord, Monitor, Rows, compiled
from kerasreg.monitors.statistics import GRADIENT_EDGES, histogram, sort_finite

GRADIENT_STATISTICS = ("norm", "weight_norm", "ratio", "nonfinite")
_NO_COUNTS = np.zeros(GRADIENT_EDGES.size - 1, dtype=np.int64)


class GradientMonitor(Monitor):
    """Records the gradient of the training loss with respect to every layer's weights.

    At the end of an epoch the gradient of the loss that `fit` minimises, penalties included, is
    computed once on a fixed probe, in training mode: batch statistics in normalisation layers and
    a dropout mask, as the next step would see them. Neither moving averages nor random seeds nor
    metrics advance. For each layer are kept, over all the trainable weights that it holds directly,

    - `histogram`: counts of the gradient's entries in fixed bins, see `edges`;
    - `norm`: Euclidean norm ‖g‖;
    - `weight_norm`: Euclidean norm ‖w‖;
    - `ratio`: ‖g‖ / ‖w‖, NaN for weights that are all zero. Times the learning rate it is the
      relative size of a step of plain gradient descent;
    - `nonfinite`: fraction of entries that are NaN or infinite.

    A layer none of whose weights the loss depends on is named in one warning; its gradient is 0. A
    layer that is frozen for a while is NaN then.

    Args:
        probe: `(x, y)` or `(x, y, sample_weight)` as `model.fit` takes them, with a few hundred
            rows.
        log_dir: TensorBoard folder for histograms `gradients/LAYER` and scalars
            `gradient_norm/LAYER` and `gradient_ratio/LAYER`; layers are numbered so that tags sort.
        every: Record in epochs 0, every, 2 every, …

    Attributes:
        records: Layer -> statistic -> array `(records,)`; `histogram` is `(records, bins)`.
        epochs: Epochs of the records, `(records,)`.
        edges: Bin edges of all layers, `(161,)`, from -10 to 10, even (2e-7) near zero and 17 % of
            the value beyond. Entries outside are counted in the outermost bins.
    """

    edges = GRADIENT_EDGES

    _usage = "GradientMonitor((x, y), log_dir=FOLDER), with rows and targets as one tuple"

    def __init__(
        self, probe: Any, log_dir: str | os.PathLike | None = None, every: int = 1
    ) -> None:
        super().__init__(log_dir, every)
        if not isinstance(probe, tuple | list | str) or len(probe) < 2:
            raise UserError(
                f"probe: expected (x, y) or (x, y, sample_weight), got {type(probe).__name__}; a "
                "gradient needs targets (None for a model that has none)."
            )
        self._probe = Rows("probe", keras.utils.unpack_x_y_sample_weight(probe))

    @property
    def records(self) -> dict[str, dict[str, np.ndarray]]:
        """Layer -> statistic -> array with one entry per record."""
        names = dict.fromkeys(name for _, record in self._kept for name in record)
        absent = {**dict.fromkeys(GRADIENT_STATISTICS, np.nan), "histogram": _NO_COUNTS}
        return {
            name: {
                key: np.array([record.get(name, absent)[key] for _, record in self._kept])
                for key in absent
            }
            for name in names
        }

    def _prepare(self) -> Any:
        model = self.model
        groups = variables_by_layer(model)
        missed: dict[str, str] = {}

        def gradients(x: Any, y: Any, sample_weight: Any) -> dict[str, list[tf.Tensor]]:
            values = trainable_values(model)
            by_id = {id(variable): value for variable, value in values}
            weights = {
                name: [by_id[id(v)] for v in variables] for name, variables in groups.items()
            }
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(list(by_id.values()))
                with keras.StatelessScope(values, collect_losses=True):
                    y_pred = model(x, **call_arguments(model, training=True))
                    loss = model.compute_loss(
                        x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True
                    )
            slopes = tape.gradient(loss, weights)
            flat = {}
            for name, weight in weights.items():
                slope = slopes[name]
                if all(g is None for g in slope):
                    missed[name] = "the loss does not depend on its weights"
                pairs = zip(slope, weight, strict=True)
                slope = [tf.zeros_like(w) if g is None else g for g, w in pairs]
                flat[name] = [_flat(slope), _flat(weight)]
            return flat

        data = keras.tree.map_structure(
            lambda a: None if a is None else tf.convert_to_tensor(a), self._probe.arrays
        )
        run = compiled(model, gradients)
        run(*data)
        self._warn_missed("compute the gradient", missed)
        return run, data, list(groups)

    def _record(self, step: int, logs: dict[str, float]) -> LayerRecord:
        run, data, names = self._compiled
        record: LayerRecord = {}
        measured = run(*data)
        for name in names:
            slope, weight = (tensor.numpy() for tensor in measured[name])
            norm, weight_norm = _norm(slope), _norm(weight)
            record[name] = {
                "norm": norm,
                "weight_norm": weight_norm,
                "ratio": norm / weight_norm if weight_norm else float("nan"),
                "nonfinite": 1.0 - float(np.mean(np.isfinite(slope))),
                "histogram": histogram(sort_finite(slope), self.edges),
            }
        edges = dict.fromkeys(record, self.edges)
        self._write_layers(step, "gradient", record, ("norm", "ratio"), edges)
        return record


def _flat(tensors: list[Any]) -> tf.Tensor:
    dense = [tf.reshape(tf.cast(tf.convert_to_tensor(t), tf.float32), [-1]) for t in tensors]
    return tf.concat(dense, axis=0)


def _norm(values: np.ndarray) -> float:
    # Not `np.linalg.norm`: its BLAS threads compete with TensorFlow's (up to 3 ms a call).
    return float(np.sqrt(np.sum(np.square(values, dtype=np.float64))))
