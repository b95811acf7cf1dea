"""Event files: what TensorBoard reads of them."""

import gc

import numpy as np
import pytest
import tensorflow as tf
from monitored import all_monitors, build, fit, read, rows
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

from kerasreg.errors import UserError
from kerasreg.monitors import EventWriter
from kerasreg.monitors.events import shared_writer


@pytest.fixture(scope="module")
def data():
    return rows()


# --- TensorBoard ----------------------------------------------------------------------------------


def test_tensorboard_reads_sorted_tags_and_packed_events(data, tmp_path):
    monitors = all_monitors(data, tmp_path)
    fit(build(eager=False), data, monitors, epochs=3)
    reader = read(tmp_path)
    tags = reader.Tags()
    layers = [f"{i:02d}_{name}" for i, name in enumerate(monitors[2].records, start=1)]
    histograms = [tag for tag in tags["tensors"] if tag.startswith("activations/")]
    assert sorted(histograms) == [f"activations/{layer}" for layer in layers]
    assert {"loss/data_loss", "loss/val_penalty", "penalty/01_a", "gap/accuracy",
            "gradient_norm/01_a", "activation_dead/01_a"} <= set(tags["scalars"])  # fmt: skip
    events = reader.Tensors("activations/03_relu_a")
    assert [event.step for event in events] == [0, 1, 2]
    rows = tf.make_ndarray(events[-1].tensor_proto)
    record = monitors[2].records["relu_a"]["histogram"][-1]
    assert rows.dtype == np.float64
    assert rows.shape[1] == 3
    assert rows[:, 2].tolist() == np.trim_zeros(record).tolist()
    np.testing.assert_array_equal(rows[1:, 0], rows[:-1, 1])
    plugin = reader.SummaryMetadata("activations/03_relu_a").plugin_data.plugin_name
    assert plugin == "histograms"
    drift = [e.value for e in reader.Scalars("activation_drift/01_a")]
    np.testing.assert_allclose(drift, monitors[2].records["a"]["drift"][1:], rtol=1e-6)
    records = sum(1 for _ in tf.data.TFRecordDataset(str(next(tmp_path.iterdir()))))
    assert records == 1 + 3 * len(monitors)


# --- event files ----------------------------------------------------------------------------------

PNG = tf.io.encode_png(np.zeros((2, 3, 1), np.uint8)).numpy()


def test_text_and_images_are_read_back(tmp_path):
    with EventWriter(tmp_path / "new" / "run") as writer:
        writer.text("settings", "**dropout** 0.3 <script>")
        writer.image("figures/curves", PNG, width=3, height=2, step=4)
        writer.scalars(4, {"a/b": 0.5, "a/nan": np.nan, "a/inf": np.float32(np.inf)})
        writer.scalars(5, {"a/nan": np.nan})
    reader = read(tmp_path / "new" / "run")
    assert reader.Tags()["scalars"] == ["a/b"]
    kinds = {tag: reader.SummaryMetadata(tag).plugin_data.plugin_name for tag in
             ("settings", "figures/curves")}  # fmt: skip
    assert kinds == {"settings": "text", "figures/curves": "images"}
    (text,) = reader.Tensors("settings")
    assert tf.make_ndarray(text.tensor_proto).item() == b"**dropout** 0.3 <script>"
    (image,) = reader.Tensors("figures/curves")
    width, height, png = tf.make_ndarray(image.tensor_proto)
    assert (int(width), int(height), image.step) == (3, 2, 4)
    assert tf.io.decode_png(png).shape == (2, 3, 1)


def hparams_request(log_dir, handler, request):
    """Ask TensorBoard's HParams plugin what its dashboard would show."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(log_dir))
    provider = MultiplexerDataProvider(multiplexer.Reload(), str(log_dir))
    context = backend_context.Context(TBContext(data_provider=provider))
    return handler(context, request)


def test_hparams_group_seeds_and_show_the_chosen_epoch(tmp_path):
    with EventWriter(tmp_path) as writer:
        writer.hparams_experiment({"dropout": float, "norm": str, "bias": bool}, ["val_loss"])
    for seed, losses in enumerate([(0.5, 0.3, 0.9), (0.6, 0.5, 0.8)]):
        with EventWriter(tmp_path / f"trial_7-seed_{seed}") as writer:
            setting = {"dropout": np.float32(0.25), "norm": "none", "bias": np.True_}
            writer.hparams(setting, {"val_loss": losses[1]}, group="7", step=1, seconds=2.0)
            for epoch, loss in enumerate(losses):
                writer.scalars(epoch, {"val_loss": loss})
    with EventWriter(tmp_path / "trial_8") as writer:
        writer.hparams({"dropout": 0}, {"val_loss": np.nan}, group="8", status="failure")

    def groups(context, request):
        handler = list_session_groups.Handler(RequestContext(), context, "", request)
        return {group.name: group for group in handler.run().session_groups}

    def columns(context, request):
        return context.experiment_from_metadata(
            RequestContext(), "", True, context.hparams_metadata(RequestContext(), ""), None
        )

    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE],
        aggregation_type=api_pb2.AGGREGATION_AVG,
        slice_size=10,
    )
    found = hparams_request(tmp_path, groups, request)
    assert set(found) == {"7", "8"}
    seven = found["7"]
    assert len(seven.sessions) == 2
    assert [session.status for session in seven.sessions] == [api_pb2.STATUS_SUCCESS] * 2
    assert seven.sessions[0].end_time_secs - seven.sessions[0].start_time_secs == pytest.approx(2)
    assert seven.hparams["dropout"].number_value == 0.25
    assert seven.hparams["norm"].string_value == "none"
    assert seven.hparams["bias"].bool_value is True
    (metric,) = seven.metric_values
    assert metric.name.tag == "hparams/val_loss"
    assert metric.value == pytest.approx(0.4)
    assert metric.training_step == 1
    assert not found["8"].metric_values
    experiment = hparams_request(tmp_path, columns, None)
    assert [info.display_name for info in experiment.metric_infos] == ["val_loss"]
    types = {info.name: info.type for info in experiment.hparam_infos}
    assert types == {
        "dropout": api_pb2.DATA_TYPE_FLOAT64,
        "norm": api_pb2.DATA_TYPE_STRING,
        "bias": api_pb2.DATA_TYPE_BOOL,
    }


def test_writers_close_when_let_go_and_refuse_afterwards(tmp_path):
    first, second = shared_writer(tmp_path), shared_writer(f"{tmp_path}/.")
    assert first is second
    first.scalars(0, {"a": 1.0})
    del first, second
    gc.collect()
    assert read(tmp_path).Scalars("a")[0].value == 1  # never flushed, but closed
    writer = shared_writer(tmp_path)
    writer.close()
    writer.close()
    with pytest.raises(tf.errors.FailedPreconditionError):
        writer.scalars(1, {"a": 1.0})
    assert len(list(tmp_path.iterdir())) == 2


def test_files_sort_by_time(tmp_path):
    for step in range(12):
        with EventWriter(tmp_path) as writer:
            writer.scalars(step, {"a": step})
    assert [event.step for event in read(tmp_path).Scalars("a")] == list(range(12))


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"log_dir: expected a folder that can be made"):
        EventWriter(tmp_path / "file" / "run")
