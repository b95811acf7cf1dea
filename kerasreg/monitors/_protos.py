"""The protocol buffers that TensorBoard's dashboards read, one function for each kind of value."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import summary as hparams_summary
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.util.tensor_util import make_tensor_proto

from kerasreg.errors import UserError

HyperparameterValue = bool | int | float | str
Value = summary_pb2.Summary.Value

STATUS = {
    "success": api_pb2.STATUS_SUCCESS,
    "failure": api_pb2.STATUS_FAILURE,
    "running": api_pb2.STATUS_RUNNING,
}
_DATA_TYPES = {
    bool: api_pb2.DATA_TYPE_BOOL,
    int: api_pb2.DATA_TYPE_FLOAT64,
    float: api_pb2.DATA_TYPE_FLOAT64,
    str: api_pb2.DATA_TYPE_STRING,
}
_NO_NAME = {"display_name": None, "description": None}
_HISTOGRAM = histogram_metadata.create_summary_metadata(**_NO_NAME)
_IMAGE = image_metadata.create_summary_metadata(**_NO_NAME)


def scalar(tag: str, value: float) -> Value:
    """Return a scalar in the short form, which TensorBoard turns into a tensor on reading."""
    return Value(tag=tag, simple_value=float(value))


def histogram(tag: str, counts: np.ndarray, edges: np.ndarray) -> Value:
    """Return a histogram as a (bins, 3) tensor of left edge, right edge and count.

    Empty bins at both ends are left out: they would fix the axis of the dashboard.
    """
    counts, edges = np.asarray(counts), np.asarray(edges)
    if counts.ndim != 1 or edges.shape != (counts.size + 1,):
        raise UserError(
            f"histogram {tag!r}: expected counts of shape (bins,) and edges of shape (bins + 1,), "
            f"got {counts.shape} and {edges.shape}."
        )
    filled = np.flatnonzero(counts)
    rows = np.stack([edges[:-1], edges[1:], counts], axis=1).astype(np.float64)
    rows = rows[filled[0] : filled[-1] + 1] if filled.size else rows[:0]
    return Value(tag=tag, metadata=_HISTOGRAM, tensor=make_tensor_proto(rows))


def text(tag: str, markdown: str) -> Value:
    """Return a text to be shown as Markdown."""
    return text_pb(tag, markdown.encode()).value[0]


def image(tag: str, png: bytes, width: int, height: int) -> Value:
    """Return one image from the bytes of its PNG file."""
    if not png.startswith(b"\x89PNG\r\n\x1a\n"):
        raise UserError(
            f"image {tag!r}: expected the bytes of a PNG file, got {bytes(png[:8])!r}…; "
            "save the figure as PNG."
        )
    parts = [str(width).encode(), str(height).encode(), png]
    return Value(tag=tag, metadata=_IMAGE, tensor=make_tensor_proto(parts, dtype=np.object_))


def experiment(
    hyperparameters: Mapping[str, HyperparameterValue | type], metrics: Sequence[str]
) -> Value:
    """Return the columns of the HParams dashboard."""
    columns = []
    for name, example in hyperparameters.items():
        kind = example if isinstance(example, type) else type(_plain(name, example))
        if kind not in _DATA_TYPES:
            raise UserError(
                f"hyperparameter {name!r}: expected the type bool, int, float or str, "
                f"got {kind.__name__}."
            )
        columns.append(api_pb2.HParamInfo(name=name, type=_DATA_TYPES[kind]))
    shown = [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=metric_tag(name)), display_name=name)
        for name in metrics
    ]
    return _value(hparams_summary.experiment_pb(columns, shown))


def session_start(
    hyperparameters: Mapping[str, HyperparameterValue], group: str, started: float
) -> Value:
    """Return the setting of one session of the HParams dashboard."""
    plain = {name: _plain(name, value) for name, value in hyperparameters.items()}
    return _value(
        hparams_summary.session_start_pb(plain, group_name=group, start_time_secs=started)
    )


def session_end(status: str, ended: float) -> Value:
    """Return how one session of the HParams dashboard ended."""
    return _value(hparams_summary.session_end_pb(STATUS[status], ended))


def metric_tag(name: str) -> str:
    """Return the tag of the scalar that the HParams dashboard shows as metric `name`."""
    return f"hparams/{name}"


def _value(summary: tf.compat.v1.Summary) -> Value:
    """Return the only value of a summary, as TensorBoard's class instead of TensorFlow's."""
    return Value.FromString(summary.value[0].SerializeToString())


def _plain(name: str, value: object) -> HyperparameterValue:
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (bool, int, float, str)):
        raise UserError(
            f"hyperparameter {name!r}: expected a bool, number or string, got "
            f"{type(value).__name__} {value!r}; give each part a name."
        )
    return value
