"""The protocol buffers that TensorBoard's dashboards read, one function for each kind of value."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
from tensorboard.compat.proto import summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.text import metadata as text_metadata

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
_TEXT = text_metadata.create_summary_metadata(**_NO_NAME)
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
    rows = np.stack([edges[:-1], edges[1:], counts], axis=1).astype("<f8")
    rows = rows[filled[0] : filled[-1] + 1] if filled.size else rows[:0]
    tensor = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_DOUBLE, tensor_shape=_shape(rows.shape), tensor_content=rows.tobytes()
    )
    return Value(tag=tag, metadata=_HISTOGRAM, tensor=tensor)


def text(tag: str, markdown: str) -> Value:
    """Return a text to be shown as Markdown."""
    return Value(tag=tag, metadata=_TEXT, tensor=_strings([markdown.encode()], shape=()))


def image(tag: str, png: bytes, width: int, height: int) -> Value:
    """Return one image from the bytes of its PNG file."""
    if not png.startswith(b"\x89PNG\r\n\x1a\n"):
        raise UserError(
            f"image {tag!r}: expected the bytes of a PNG file, got {bytes(png[:8])!r}…; "
            "save the figure as PNG."
        )
    parts = [str(width).encode(), str(height).encode(), png]
    return Value(tag=tag, metadata=_IMAGE, tensor=_strings(parts, shape=(3,)))


def experiment(
    hyperparameters: Mapping[str, HyperparameterValue | type], metrics: Sequence[str]
) -> Value:
    """Return the columns of the HParams dashboard."""
    columns = api_pb2.Experiment(time_created_secs=time.time())
    for name, example in hyperparameters.items():
        kind = example if isinstance(example, type) else type(_plain(name, example))
        if kind not in _DATA_TYPES:
            raise UserError(
                f"hyperparameter {name!r}: expected the type bool, int, float or str, "
                f"got {kind.__name__}."
            )
        columns.hparam_infos.add(name=name, type=_DATA_TYPES[kind])
    for name in metrics:
        columns.metric_infos.add(name=api_pb2.MetricName(tag=metric_tag(name)), display_name=name)
    return _hparams(
        hparams_metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=columns)
    )


def session_start(
    hyperparameters: Mapping[str, HyperparameterValue], group: str, started: float
) -> Value:
    """Return the setting of one session of the HParams dashboard."""
    start = plugin_data_pb2.SessionStartInfo(group_name=group, start_time_secs=started)
    for name, value in hyperparameters.items():
        value = _plain(name, value)
        if isinstance(value, bool):
            start.hparams[name].bool_value = value
        elif isinstance(value, str):
            start.hparams[name].string_value = value
        else:
            start.hparams[name].number_value = value
    return _hparams(
        hparams_metadata.SESSION_START_INFO_TAG,
        plugin_data_pb2.HParamsPluginData(session_start_info=start),
    )


def session_end(status: str, ended: float) -> Value:
    """Return how one session of the HParams dashboard ended."""
    end = plugin_data_pb2.SessionEndInfo(status=STATUS[status], end_time_secs=ended)
    return _hparams(
        hparams_metadata.SESSION_END_INFO_TAG,
        plugin_data_pb2.HParamsPluginData(session_end_info=end),
    )


def metric_tag(name: str) -> str:
    """Return the tag of the scalar that the HParams dashboard shows as metric `name`."""
    return f"hparams/{name}"


def _hparams(tag: str, data: plugin_data_pb2.HParamsPluginData) -> Value:
    metadata = hparams_metadata.create_summary_metadata(data)
    return Value(tag=tag, metadata=metadata, tensor=hparams_metadata.NULL_TENSOR)


def _plain(name: str, value: object) -> HyperparameterValue:
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (bool, int, float, str)):
        raise UserError(
            f"hyperparameter {name!r}: expected a bool, number or string, got "
            f"{type(value).__name__} {value!r}; give each part a name."
        )
    return value


def _strings(values: list[bytes], shape: tuple[int, ...]) -> tensor_pb2.TensorProto:
    return tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING, tensor_shape=_shape(shape), string_val=values
    )


def _shape(shape: tuple[int, ...]) -> tensor_shape_pb2.TensorShapeProto:
    dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in shape]
    return tensor_shape_pb2.TensorShapeProto(dim=dims)
