"""The loss in Keras' logs, taken apart into what the data and what the penalties contribute."""

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasreg.monitors._layers import named_layers, number_tags, variables_by_layer
from kerasreg.monitors._monitor import Monitor, compiled


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

    def __init__(self, log_dir: str | os.PathLike | None = None) -> None:
        super().__init__(log_dir)
        self._begun: list[tf.Tensor | None] = []
        self._rows: list[float] = []

    @property
    def records(self) -> dict[str, np.ndarray]:
        """Name in the logs -> array with one entry per epoch."""
        return {
            key: np.array([record[key] for _, (record, _) in self._kept])
            for key in ("data_loss", "penalty", "val_data_loss", "val_penalty")
        }

    @property
    def penalties(self) -> dict[str, np.ndarray]:
        """Layer -> array with its penalty at the end of each epoch."""
        names = dict.fromkeys(name for _, (_, penalties) in self._kept for name in penalties)
        # A layer that is frozen for a while has no penalty then.
        return {
            name: np.array([penalties.get(name, 0.0) for _, (_, penalties) in self._kept])
            for name in names
        }

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._begun, self._rows = [], []

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._compiled is None and self.model.built:
            self._compiled = self._prepare()
        # A model that is built by its first step has no weights before it.
        self._begun.append(None if self._compiled is None else self._compiled[0]())

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        counter = None if self._compiled is None else self._compiled[2]
        self._rows.append(batch + 1.0 if counter is None else float(counter.numpy()))

    def _prepare(self) -> Any:
        model = self.model
        groups = {
            name: penalized
            for name, own in variables_by_layer(model).items()
            if (penalized := [v for v in own if v.regularizer is not None])
        }

        def penalties() -> tf.Tensor:
            return tf.stack(
                [
                    tf.add_n([tf.reduce_sum(tf.cast(v.regularizer(v), tf.float32)) for v in own])
                    for own in groups.values()
                ]
            )

        run = compiled(model, penalties) if groups else _nothing
        # Keras' running mean of the loss counts the rows of each step.
        counts = [m.count for m in model.metrics if isinstance(m, keras.metrics.Mean)][:1]
        return run, number_tags(list(groups)), counts[0] if counts else None

    def _record(self, step: int, logs: dict[str, float]) -> Any:
        if not self._kept:
            self._warn_missed("take the penalty from the data loss", _data_penalties(self.model))
        run, tags, _ = self._compiled
        final = run().numpy().astype(np.float64)
        record = dict.fromkeys(("data_loss", "penalty", "val_data_loss", "val_penalty"), np.nan)
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
        steps = min(len(self._begun), len(self._rows))
        if not steps:
            return final
        totals = [final if p is None else float(p.numpy().sum()) for p in self._begun[:steps]]
        if self._begun[0] is None and steps > 1:
            totals[0] = totals[1]  # The nearest that is known of the step that built the model.
        rows = np.diff(self._rows[:steps], prepend=0.0)
        return float(np.average(totals, weights=rows if rows.sum() > 0 else None))


def _nothing() -> tf.Tensor:
    return tf.zeros([0])


def _data_penalties(model: keras.Model) -> dict[str, str]:
    """Return the layers whose penalties depend on the data."""
    layers = {model.name: model, **named_layers(model)}
    return {
        name: "it depends on the data, not on weights alone"
        for name, layer in layers.items()
        if getattr(layer, "activity_regularizer", None) is not None
        or (isinstance(layer, keras.layers.Layer) and layer._get_own_losses())
    }
