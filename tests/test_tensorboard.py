"""What goes to TensorBoard besides trials, read back with TensorBoard's own reader."""

import struct
import zlib

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kerasreg.search.look_inside import WeightHistograms
from kerasreg.search.tensorboard import Live, write_figures
from kerasreg.stacks import StackConfig, build_stack


def read(folder) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0}).Reload()


def png(width: int, height: int) -> bytes:
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + b"\xff" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def test_live_shows_every_epoch_before_any_trial_has_finished(tmp_path):
    live = Live(tmp_path, "val_data_loss")
    live.epoch(np.array([3.0, 1.0, np.nan, 2.0]))
    live.epoch(np.array([np.nan]))
    # Not closed: a running TensorBoard sees it.
    events = read(tmp_path / "live")
    assert [e.value for e in events.Scalars("live/members")] == [4, 1]
    for name, expected in (("lowest", 1), ("median", 2), ("highest", 3)):
        (event,) = events.Scalars(f"live/{name} val_data_loss")
        assert (event.step, event.value) == (1, expected)
    live.close()


def test_an_earlier_sitting_s_live_curve_gives_way(tmp_path):
    for value in (5.0, 3.0):
        live = Live(tmp_path, "val_data_loss")
        live.epoch(np.array([value]))
        live.close()
    assert len(list((tmp_path / "live").glob("events.*"))) == 1
    (event,) = read(tmp_path / "live").Scalars("live/median val_data_loss")
    assert event.value == 3
    Live(tmp_path, "val_data_loss").close()  # a sitting without training keeps it
    assert len(list((tmp_path / "live").glob("events.*"))) == 1


def test_figures_replace_earlier_ones(tmp_path):
    figures = tmp_path / "pictures"
    figures.mkdir()
    (figures / "curves.png").write_bytes(png(7, 3))
    (figures / "curves.svg").write_text("<svg/>")
    for _ in range(2):
        write_figures(tmp_path, figures)
    assert len(list((tmp_path / "figures").glob("events.*"))) == 1
    events = read(tmp_path / "figures")
    (event,) = events.Tensors("figures/curves")
    assert list(event.tensor_proto.string_val[:2]) == [b"7", b"3"]
    assert event.tensor_proto.string_val[2] == png(7, 3)


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_weight_histograms_count_every_entry_of_every_kernel(tmp_path, normalization):
    model = build_stack(StackConfig(units=(5, 4), normalization=normalization), 3, 2)
    callback = WeightHistograms(tmp_path)
    callback.set_model(model)
    callback.on_epoch_end(0)
    callback.on_epoch_end(1)
    events = read(tmp_path)
    assert events.Tags()["tensors"] == [
        "weights/01_dense_1",
        "weights/02_dense_2",
        "weights/03_output",
    ]
    for tag, size in zip(events.Tags()["tensors"], (15, 20, 8), strict=True):
        first, second = events.Tensors(tag)
        assert (first.step, second.step) == (0, 1)
        buckets = np.frombuffer(first.tensor_proto.tensor_content, np.float64).reshape(-1, 3)
        assert buckets[:, 2].sum() == size
    keras.backend.clear_session()
