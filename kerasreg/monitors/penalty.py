"""The loss in Keras' logs, taken apart into what the data and what the penalties contribute."""

import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasreg.monitors._layers import named_layers, number_tags, variables_by_layer
from kerasreg.monitors._monitor import Monitor, compiled, series

_KEYS = ("data_loss", "penalty", "val_data_loss", "val_penalty")


class PenaltyMonitor(Monitor):
    """Adds `data_loss` and `penalty` to the logs, whose sum is Keras' `loss`, and the `val_` pair.

    Keras' `loss` and `val_loss` contain the weight penalties, so that they cannot be compared
    between strengths. At the end of each epoch this monitor adds to the logs

    - `penalty`: mean over the epoch's steps of the penalty of the weights with which each step
      began, weighted by rows as Keras weights `loss`; and `data_loss = loss - penalty`;
    - `val_penalty`: penalty of the weights at the end of the epoch, which are those that were
      validated; and `val_data_loss = val_loss - val_penalty`, in epochs with validation.

    Callbacks that come later in the list see them: `EarlyStopping("val_data_loss", mode="min")`.
    With `steps_per_execution` above 1, the penalty is taken once an execution.

    Penalties are those that Keras adds: of trainable weights whose regularizer was there when
    they were made. A penalty that depends on the data (`activity_regularizer`, `add_loss`) cannot
    be had from the weights; it stays in `data_loss`, and its layers are named in one warning.

    Args:
        log_dir: TensorBoard folder for the scalars `loss/…` (the four above) and `penalty/LAYER`;
            layers are numbered so that tags sort.

    Attributes:
        records: `data_loss`, `penalty`, `val_data_loss`, `val_penalty` -> array `(records,)`, NaN
            in epochs without validation.
        penalties: Layer -> penalty at the end of the epoch, array `(records,)`, for the layers
            that have any.
        epochs: Epochs of the records, `(records,)`.
    """

    _usage = "PenaltyMonitor(log_dir=FOLDER), without rows"

    def __init__(self, log_dir: str | os.PathLike | None = None) -> None:
        super().__init__(log_dir)
        self._begun: list[tf.Tensor | None] = []
        self._rows_at_end: float | None = None

    @property
    def records(self) -> dict[str, np.ndarray]:
        """Name in the logs -> array with one entry per epoch."""
        return {key: np.array([record[key] for _, (record, _) in self._kept]) for key in _KEYS}

    @property
    def penalties(self) -> dict[str, np.ndarray]:
        """Layer -> array with its penalty at the end of each epoch."""
        # A layer that is frozen for a while has no penalty then.
        return series([penalties for _, (_, penalties) in self._kept], absent=0.0)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._begun, self._rows_at_end = [], None

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._compiled is None and self.model.built:
            self._compiled = self._prepare()
        # A model that is built by its first step has no weights before it.
        self._begun.append(None if self._compiled is None else self._compiled[0]())

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        # Read at the last step only, and before validation resets the count.
        steps = self.params.get("steps")
        if self._compiled is not None and (steps is None or batch + 1 >= steps):
            self._rows_at_end = float(self._compiled[0]()[-1])

    def _prepare(self) -> tuple[Callable[[], tf.Tensor], dict[str, str]]:
        """Return what measures the penalties, and the tags of the layers that have any.

        It returns a vector: the penalty of each of these layers, then the rows that Keras' running
        mean of the loss has counted in this epoch (0 where a model has no such mean).
        """
        model = self.model
        groups = {
            name: penalized
            for name, variables in variables_by_layer(model).items()
            if (penalized := [v for v in variables if v.regularizer is not None])
        }
        means = [m for m in model.metrics if isinstance(m, keras.metrics.Mean) and m.name == "loss"]

        def measure() -> tf.Tensor:
            penalties = [
                tf.add_n([tf.reduce_sum(tf.cast(v.regularizer(v), tf.float32)) for v in variables])
                for variables in groups.values()
            ]
            rows = tf.cast(means[0].count, tf.float32) if means else tf.zeros(())
            return tf.stack([*penalties, rows])

        # Called at every step, so even the 0.04 ms count that `tf.function` takes to find the one
        # graph it has.
        run = compiled(model, measure)
        return run if model.run_eagerly else run.get_concrete_function(), number_tags(list(groups))

    def _record(self, step: int, logs: dict[str, float]) -> Any:
        if not self._kept:
            self._warn_missed("take the penalty from the data loss", _data_penalties(self.model))
        measure, tags = self._compiled
        final = measure().numpy()[:-1].astype(np.float64)
        record = dict.fromkeys(_KEYS, np.nan)
        if "loss" in logs:
            record["penalty"] = self._mean_penalty(float(final.sum()))
            record["data_loss"] = float(logs["loss"]) - record["penalty"]
        if "val_loss" in logs:
            record["val_penalty"] = float(final.sum())
            record["val_data_loss"] = float(logs["val_loss"]) - record["val_penalty"]
        logs.update((key, value) for key, value in record.items() if not np.isnan(value))
        penalties = dict(zip(tags, final.tolist(), strict=True))
        self._write(
            step,
            {f"loss/{key}": value for key, value in record.items()}
            | {f"penalty/{tag}": penalties[name] for name, tag in tags.items()},
        )
        return record, penalties

    def _mean_penalty(self, final: float) -> float:
        """Average over the steps, each weighted by the rows it saw."""
        known = [measured.numpy() for measured in self._begun if measured is not None]
        if not known:
            return final
        totals = np.array([measured[:-1].sum(dtype=np.float64) for measured in known])
        rows = np.diff([measured[-1] for measured in known])
        # An epoch that a callback cut short ended with a step of the usual size.
        usual = rows.max(initial=1.0)
        end = self._rows_at_end
        rows = np.append(rows, usual if end is None else end - known[-1][-1])
        if self._begun[0] is None:
            # The step that built the model counts as the one after it.
            rows[0] += known[0][-1]
        return float(np.average(totals, weights=rows if rows.all() else None))


def _data_penalties(model: keras.Model) -> dict[str, str]:
    """Return the layers whose penalties depend on the data."""
    layers = {model.name: model, **named_layers(model)}
    return {
        name: "it depends on the data, not on weights alone"
        for name, layer in layers.items()
        if getattr(layer, "activity_regularizer", None) is not None
        or (isinstance(layer, keras.layers.Layer) and layer._get_own_losses())
    }
