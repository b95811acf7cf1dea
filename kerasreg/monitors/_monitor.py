"""What all monitors do alike: count epochs, keep one writer, and leave training alone."""

import functools
import os
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasreg.errors import UserError, check_whole
from kerasreg.monitors._layers import number_tags
from kerasreg.monitors.events import shared_writer

LayerRecord = dict[str, dict[str, Any]]
"""Layer -> statistic -> its value in one epoch; `histogram` has the counts."""

_OF_A_RUN = {
    "_model": None,  # Keras' reference
    "_trained": None,  # weak reference to the model that the records are of
    "_compiled": None,  # what `_prepare` returned
    "_compiled_for": None,  # the train function it goes with
    "_last_epoch": None,
    "_offset": None,
    "_writer": None,
}


class Monitor(keras.callbacks.Callback):
    """A callback that records something at the end of an epoch and changes nothing.

    Subclasses implement `_prepare`, which compiles what they need of a model, and `_record`.

    One monitor may see several calls of `fit`. As long as they train the same model, the records
    go on and epochs count on: a second `fit` that starts at Keras' epoch 0 continues after the
    last epoch seen, one with a later `initial_epoch` starts there. Another model starts new
    records. A `fit` that ended in an exception is continued the same way; its records are complete
    and on disk up to the last finished epoch. A deep copy takes the settings and the records with
    it and neither the model nor open files; its first `fit` starts new records.

    Args:
        log_dir: Folder of the TensorBoard run, or `None` to write nothing. Monitors with the same
            folder share one event file.
        every: Record in epochs 0, every, 2 every, …
    """

    #: How to construct it, for messages.
    _usage = "log_dir=FOLDER"

    def __init__(self, log_dir: str | os.PathLike | None = None, every: int = 1) -> None:
        super().__init__()
        check_whole("every", every)
        if not isinstance(log_dir, str | os.PathLike | None):
            raise UserError(
                f"log_dir: expected the path of a folder, got {type(log_dir).__name__}; "
                f"write {self._usage}."
            )
        self.log_dir = None if log_dir is None else os.fspath(log_dir)
        self.every = int(every)
        self._kept: list[tuple[int, Any]] = []
        self.__dict__.update(_OF_A_RUN)

    @property
    def epochs(self) -> np.ndarray:
        """Epochs of the records, shape `(records,)`, int64."""
        return np.array([epoch for epoch, _ in self._kept], dtype=np.int64)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if self._trained is None or self._trained() is not self.model:
            self._start_anew()
            self._trained = weakref.ref(self.model)
        # `compile` makes Keras build its train function anew: what was compiled here is old too.
        if self._compiled_for is not self.model.train_function:
            self._compiled, self._compiled_for = None, self.model.train_function
        self._offset = None
        if self.log_dir is not None:
            self._writer = shared_writer(self.log_dir)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._offset is None:
            last = self._last_epoch
            self._offset = 0 if last is None or epoch > last else last + 1 - epoch
        step = self._last_epoch = epoch + self._offset
        if step % self.every == 0:
            if self._compiled is None:
                self._compiled = self._prepare()
            # One append, at the end: an interruption leaves whole records only.
            self._kept.append((step, self._record(step, {} if logs is None else logs)))

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._writer = None  # The file closes when no other monitor holds it.

    def _prepare(self) -> Any:
        """Return what `_record` needs compiled of `self.model`, which is built by now."""
        raise NotImplementedError

    def _record(self, step: int, logs: dict[str, float]) -> Any:
        """Measure, add to `logs`, write, and return what is to be kept."""
        raise NotImplementedError

    def _start_anew(self) -> None:
        """Drop the records of an earlier model."""
        self._kept.clear()
        self._last_epoch = None

    def _write(
        self,
        step: int,
        scalars: Mapping[str, float],
        histograms: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    ) -> None:
        """Write one event and see it on disk: whatever interrupts `fit` next, nothing is lost."""
        if self._writer is not None:
            self._writer.write(step, scalars, histograms)
            self._writer.flush()

    def _write_layers(
        self,
        step: int,
        kind: str,
        record: LayerRecord,
        scalars: Sequence[str],
        edges: Mapping[str, np.ndarray],
    ) -> None:
        """Write what was measured in every layer, in the order of the layers.

        The tags are `KIND_STATISTIC/LAYER` for scalars and `KINDs/LAYER` for histograms.
        """
        tags = number_tags(list(record))
        self._write(
            step,
            {
                f"{kind}_{key}/{tag}": record[name][key]
                for key in scalars
                for name, tag in tags.items()
            },
            {
                f"{kind}s/{tag}": (record[name]["histogram"], edges[name])
                for name, tag in tags.items()
            },
        )

    def _warn_missed(self, what: str, missed: Mapping[str, str]) -> None:
        if missed:
            named = "; ".join(f"{name}: {reason}" for name, reason in missed.items())
            warnings.warn(f"{type(self).__name__} cannot {what} of {named}.", stacklevel=2)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, **_OF_A_RUN}


class Rows:
    """Arrays of a data set, shared by all copies of a monitor: they are only read.

    Args:
        name: The argument's name, for messages.
        arrays: An array, or a tuple, list or dict of arrays, all with equally many rows.
    """

    def __init__(self, name: str, arrays: object) -> None:
        for text in keras.tree.flatten(arrays):
            if isinstance(text, str | os.PathLike):
                raise UserError(
                    f"{name}: expected arrays of rows, got the text {str(text)[:60]!r}; a folder "
                    "is given as log_dir=FOLDER."
                )
        self.arrays = keras.tree.map_structure(_array, arrays)
        lengths = {
            a.shape[0] if a.ndim else None for a in keras.tree.flatten(self.arrays) if a is not None
        }
        if len(lengths) != 1 or not next(iter(lengths)):
            raise UserError(
                f"{name}: expected arrays with equally many rows, at least 1, "
                f"got {sorted(map(str, lengths))} rows; check what you pass."
            )
        self.count = next(iter(lengths))

    def parts(self, most: int) -> Iterator[Any]:
        """The arrays in parts of at most so many rows, as even as can be."""
        count = -(-self.count // most)
        for part in range(count):
            rows = slice(self.count * part // count, self.count * (part + 1) // count)
            yield keras.tree.map_structure(
                lambda a, rows=rows: None if a is None else a[rows], self.arrays
            )

    def __deepcopy__(self, memo: dict) -> "Rows":
        return self


def _array(value: object) -> np.ndarray | None:
    if value is None:
        return None
    array = np.asarray(value)
    return array.astype(keras.config.floatx()) if array.dtype == np.float64 else array


def series(records: Sequence[Mapping[str, float]], absent: float) -> dict[str, np.ndarray]:
    """Return name -> array with one entry per record, `absent` where a record lacks the name."""
    names = dict.fromkeys(name for record in records for name in record)
    return {name: np.array([record.get(name, absent) for record in records]) for name in names}


def compiled(model: keras.Model, function: Callable) -> Callable:
    """Return `function` as one TensorFlow graph, or as it is where the model runs eagerly."""
    if model.run_eagerly:
        return function
    # TensorFlow counts tracings by code, and warns of models in a row as of retracing; a partial
    # has no code and is counted by itself.
    return tf.function(functools.partial(function), autograph=False, reduce_retracing=True)
