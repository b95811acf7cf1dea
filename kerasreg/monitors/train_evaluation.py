"""Metrics of the training rows in inference mode, so that the gap to validation is honest."""

import functools
import os
import re
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasreg.errors import UserError, check_whole
from kerasreg.monitors._layers import trainable_values
from kerasreg.monitors._monitor import Monitor, Rows, compiled, series


class TrainEvaluation(Monitor):
    """Adds the model's metrics on the training rows, in inference mode, to the logs.

    What `fit` logs for training is a running mean over the epoch, with dropout on and weights that
    still move; validation is measured with dropout off and the final weights. The difference of
    the two is no gap. At the end of an epoch this callback evaluates the training rows as
    `model.evaluate` would and adds to the logs, for every metric of the model,

    - `train_eval_METRIC`, among them `train_eval_loss`;
    - `train_eval_penalty`, what `loss` contains beside the data loss (weight and activity
      penalties, `add_loss`), and `train_eval_data_loss = train_eval_loss - train_eval_penalty`;
    - `gap_METRIC = train_eval_METRIC - val_METRIC`, for each `val_METRIC` in the logs
      but the penalty. For `gap_data_loss`, put a `PenaltyMonitor` before this callback.

    A metric of several values, one a class for example, is left out with a warning.

    It uses the model's `test_step`, its metrics and its loss, but not their state, and class
    weights given to `fit` are not known to it.

    Args:
        x: Training inputs as `model.evaluate` takes them: an array, a list, tuple or dict of
            arrays, or a batched `tf.data.Dataset` of `(x, y)` or `(x, y, sample_weight)`.
        y: Targets, unless `x` is a data set.
        sample_weight: Weight of each row, optional.
        log_dir: TensorBoard folder for the scalars `train_eval/METRIC` and `gap/METRIC`.
        every: Evaluate in epochs 0, every, 2 every, … In the others the logs lack these keys.
        batch_size: Most rows in one pass. Larger than that of training, since no gradients are
            kept; the result does not depend on it.

    Attributes:
        records: Name in the logs -> array `(records,)`.
        epochs: Epochs of the records, `(records,)`.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        log_dir: str | os.PathLike | None = None,
        every: int = 1,
        batch_size: int = 1024,
    ) -> None:
        super().__init__(log_dir, every)
        check_whole("batch_size", batch_size)
        if isinstance(x, tf.data.Dataset):
            if y is not None or sample_weight is not None:
                raise UserError(
                    "y: expected None when x is a tf.data.Dataset, got targets or weights; "
                    "let the data set yield (x, y) or (x, y, sample_weight)."
                )
            # Copies of a monitor share a function, and so the data set in it.
            self._batches = lambda: map(keras.utils.unpack_x_y_sample_weight, x)
        else:
            rows = Rows("x, y, sample_weight", (x, y, sample_weight))
            self._batches = functools.partial(rows.parts, batch_size)

    @property
    def records(self) -> dict[str, np.ndarray]:
        """Name in the logs -> array with one entry per record, NaN where it was not logged."""
        return series([record for _, record in self._kept], absent=np.nan)

    def _prepare(self) -> Any:
        model = self.model
        by_id = {id(v): v for metric in model.metrics for v in metric.variables}
        variables = list(by_id.values())

        def step(state: list[tf.Tensor], x: Any, y: Any, sample_weight: Any) -> Any:
            mapping = [*trainable_values(model), *zip(variables, state, strict=True)]
            with keras.StatelessScope(mapping, collect_losses=True) as scope:
                # As `fit` packs it: without a weight two values, as a `test_step` may unpack.
                logs = model.test_step(keras.utils.pack_x_y_sample_weight(x, y, sample_weight))
                penalty = sum(tf.reduce_sum(tf.cast(p, tf.float32)) for p in model.losses)
            state = [scope.get_current_value(v) for v in variables]
            return logs, tf.convert_to_tensor(penalty, tf.float32), state

        with keras.StatelessScope() as scope:
            model.reset_metrics()
        # A metric may keep something through a reset.
        state = [
            tf.convert_to_tensor(v.value if (new := scope.get_current_value(v)) is None else new)
            for v in variables
        ]
        return compiled(model, step), state

    def _record(self, step: int, logs: dict[str, float]) -> dict[str, float]:
        run, state = self._compiled
        penalties, rows = [], []
        for batch in self._batches():
            metrics, penalty, state = run(state, *batch)
            penalties.append(float(penalty))
            rows.append(keras.tree.flatten(batch[0])[0].shape[0])
        # As `fit`: of `compile_metrics` those that it holds.
        for name in [name for name in metrics if isinstance(metrics[name], dict)]:
            metrics = metrics | metrics.pop(name)
        if not rows:
            raise UserError("x: expected a data set with at least one batch, got an empty one.")
        sizes = {name: np.size(value) for name, value in metrics.items()}
        values = {n: float(np.reshape(v, ())) for n, v in metrics.items() if sizes[n] == 1}
        if not self._kept:
            missed = {n: f"it has {size} values" for n, size in sizes.items() if size != 1}
            self._warn_missed("log the metric", missed)
        if "loss" in values:
            values["penalty"] = float(np.average(penalties, weights=rows))
            values["data_loss"] = values["loss"] - values["penalty"]
        record = {f"train_eval_{name}": value for name, value in values.items()}
        record |= {
            f"gap_{name}": value - float(np.reshape(logs[f"val_{name}"], ()))
            for name, value in values.items()
            if name != "penalty" and f"val_{name}" in logs
        }
        logs.update(record)
        self._write(
            step, {re.sub("^(train_eval|gap)_", r"\1/", key): record[key] for key in record}
        )
        return record
