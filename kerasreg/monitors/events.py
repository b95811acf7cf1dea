"""Event files for TensorBoard, written without `tf.summary`.

A record of a monitor is many values of one step. `tf.summary` writes each as a separate event and
computes histograms in TensorFlow operations; here the values of a step share one event and a
histogram is whatever counts the caller already has. The files are TensorBoard's ordinary ones: its
event protocol buffers in TensorFlow's record format. TensorBoard's own `EventFileWriter` is not
used because it computes the records' checksums in Python (0.7 ms for 9 kB of histograms, here
0.02 ms) and hands them to a thread, where the error of a full disk is lost.
"""

import contextlib
import itertools
import os
import socket
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import summary as hparams_summary
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.util.tensor_util import make_tensor_proto

from kerasreg.errors import UserError

Value = summary_pb2.Summary.Value

_STATUS = {"success": api_pb2.STATUS_SUCCESS, "failure": api_pb2.STATUS_FAILURE}
_DATA_TYPES = {
    bool: api_pb2.DATA_TYPE_BOOL,
    int: api_pb2.DATA_TYPE_FLOAT64,
    float: api_pb2.DATA_TYPE_FLOAT64,
    str: api_pb2.DATA_TYPE_STRING,
}
_NO_NAME = {"display_name": None, "description": None}
_HISTOGRAM = histogram_metadata.create_summary_metadata(**_NO_NAME)
_IMAGE = image_metadata.create_summary_metadata(**_NO_NAME)
_SERIAL = itertools.count()
# As which TensorFlow reports what a disk refuses: full or over quota, read-only, broken.
_REFUSALS = (
    tf.errors.ResourceExhaustedError,
    tf.errors.PermissionDeniedError,
    tf.errors.UnknownError,
)


class EventWriter:
    """Writes one TensorBoard event file in a folder.

    Everything of a step that belongs together should come in one call: it becomes one event.
    Scalars that are not finite are left out, because TensorBoard draws nothing for them.

    Events are buffered: `flush` hands them to the operating system, where a running TensorBoard
    sees them. `close`, the end of a `with` block and the writer's garbage collection flush too.

    Raises:
        UserError: If the folder cannot be made or written to; from any method, if the file cannot
            be written (a full disk).
    """

    def __init__(self, log_dir: str | os.PathLike) -> None:
        self.log_dir = Path(log_dir)
        try:
            self.log_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"log_dir: expected a folder that can be made, got {str(log_dir)!r} "
                f"({error.strerror}); choose another folder."
            ) from error
        if not os.access(self.log_dir, os.W_OK):
            raise UserError(
                f"log_dir: expected a writable folder, got {str(log_dir)!r}; "
                "choose another or change its permissions."
            )
        # TensorBoard takes a folder's files in the order of their names, so the name has the time
        # to the nanosecond behind the seconds that it expects.
        now = time.time_ns()
        name = (
            f"events.out.tfevents.{now // 10**9:010d}.{now % 10**9:09d}."
            f"{socket.gethostname()}.{os.getpid()}.{next(_SERIAL)}"
        )
        head = event_pb2.Event(wall_time=now / 1e9, file_version="brain.Event:2")
        with _writing(self.log_dir):
            self._records = tf.io.TFRecordWriter(str(self.log_dir / name))
            self._finalizer = weakref.finalize(self, _close_unheard, self._records)
            self._records.write(head.SerializeToString())

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write scalars of one step as one event: tag -> value. Tags group at their first `/`."""
        self.write(step, scalars=values)

    def histograms(self, step: int, values: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        """Write histograms of one step as one event.

        Args:
            step: Usually the epoch.
            values: Tag -> (counts of shape `(bins,)`, edges of shape `(bins + 1,)`).
        """
        self.write(step, histograms=values)

    def write(
        self,
        step: int,
        scalars: Mapping[str, float] | None = None,
        histograms: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    ) -> None:
        """Write scalars and histograms of one step together, as one event."""
        # In the short form, which TensorBoard turns into a tensor on reading.
        values = [
            Value(tag=tag, simple_value=float(value))
            for tag, value in (scalars or {}).items()
            if np.isfinite(value)
        ]
        values += [_histogram(tag, *pair) for tag, pair in (histograms or {}).items()]
        self._add(step, values)

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Write a text, shown as Markdown."""
        self._add(step, text_pb(tag, markdown.encode()).value)

    def image(self, tag: str, png: bytes, width: int, height: int, step: int = 0) -> None:
        """Write one image from its PNG bytes; `width` and `height` are in pixels."""
        parts = [str(width).encode(), str(height).encode(), png]
        tensor = make_tensor_proto(parts, dtype=np.object_)
        self._add(step, [Value(tag=tag, metadata=_IMAGE, tensor=tensor)])

    def hparams_experiment(
        self, hyperparameters: Mapping[str, type], metrics: Sequence[str]
    ) -> None:
        """Name the columns of the HParams dashboard; write once, in the folder above all runs.

        Args:
            hyperparameters: Name -> its type (`bool`, `int`, `float`, `str`).
            metrics: Names given as keys of `metrics` to `hparams`.
        """
        columns = [
            api_pb2.HParamInfo(name=name, type=_DATA_TYPES[kind])
            for name, kind in hyperparameters.items()
        ]
        shown = [
            api_pb2.MetricInfo(name=api_pb2.MetricName(tag=f"hparams/{name}"), display_name=name)
            for name in metrics
        ]
        self._add(0, [_value(hparams_summary.experiment_pb(columns, shown))])

    def hparams(
        self,
        hyperparameters: Mapping[str, bool | int | float | str],
        metrics: Mapping[str, float],
        *,
        group: str,
        step: int = 0,
        status: str = "success",
        seconds: float = 0.0,
    ) -> None:
        """Write one session of the HParams dashboard: a setting and what came of it.

        The dashboard shows a tag's *last* value. The metrics are therefore written here, under
        separate tags (`hparams/NAME`), so that they are the chosen epoch's.

        Args:
            metrics: Name -> value at the chosen epoch.
            group: Sessions of one group are one row whose metrics are averaged: the trial's id
                for all of its seeds. Each session needs another folder, and so another writer.
            status: `"success"` or `"failure"`.
        """
        now = time.time()
        plain = {
            k: v.item() if isinstance(v, np.generic) else v for k, v in hyperparameters.items()
        }
        start = hparams_summary.session_start_pb(
            plain, group_name=group, start_time_secs=now - seconds
        )
        end = hparams_summary.session_end_pb(_STATUS[status], now)
        self._add(0, [_value(start), _value(end)])
        self.scalars(step, {f"hparams/{name}": value for name, value in metrics.items()})

    def flush(self) -> None:
        """Hand everything written so far to the operating system."""
        with _writing(self.log_dir):
            self._records.flush()

    def close(self) -> None:
        """Flush and close the file. Closing twice is allowed; writing afterwards is an error."""
        if self._finalizer.detach():
            with _writing(self.log_dir):
                self._records.close()

    def __enter__(self) -> "EventWriter":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _add(self, step: int, values: Sequence[Value]) -> None:
        if values:
            event = event_pb2.Event(
                wall_time=time.time(), step=int(step), summary=summary_pb2.Summary(value=values)
            )
            with _writing(self.log_dir):
                self._records.write(event.SerializeToString())


def _histogram(tag: str, counts: np.ndarray, edges: np.ndarray) -> Value:
    """A histogram as a (bins, 3) tensor of left edge, right edge and count.

    Empty bins at both ends are left out: they would fix the axis of the dashboard.
    """
    filled = np.flatnonzero(counts)
    rows = np.stack([edges[:-1], edges[1:], counts], axis=1).astype(np.float64)
    rows = rows[filled[0] : filled[-1] + 1] if filled.size else rows[:0]
    return Value(tag=tag, metadata=_HISTOGRAM, tensor=make_tensor_proto(rows))


def _value(summary: tf.compat.v1.Summary) -> Value:
    """The only value of a summary, as TensorBoard's class instead of TensorFlow's."""
    return Value.FromString(summary.value[0].SerializeToString())


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say in one line what the disk refuses.

    TensorFlow reports a full disk by `ResourceExhaustedError`, which also means too little memory.
    """
    try:
        yield
    except _REFUSALS as error:
        reason = str(error.message).rpartition("; ")[2]
        raise UserError(
            f"Cannot write event files in {folder}: {reason}. Free the disk, change the "
            "permissions or choose another folder, then run again."
        ) from error


def _close_unheard(records: tf.io.TFRecordWriter) -> None:
    """Close a writer that was garbage-collected, where an error has no caller to reach."""
    with contextlib.suppress(*_REFUSALS):
        records.close()


# TensorBoard follows only the newest of several files that grow in one folder, so monitors that
# log to the same folder share one writer for as long as any of them holds it.
_OPEN: weakref.WeakValueDictionary[str, EventWriter] = weakref.WeakValueDictionary()


def shared_writer(log_dir: str | os.PathLike, fresh: bool = False) -> EventWriter:
    """Return the writer that is open for a folder in this process, or open one.

    It closes when the last holder lets go of it; a holder must not call `close`.

    Args:
        fresh: Open a new one, because the file of an earlier one may be deleted.
    """
    key = os.path.abspath(log_dir)
    writer = None if fresh else _OPEN.get(key)
    if writer is None:
        writer = _OPEN[key] = EventWriter(log_dir)
    return writer
