"""Monitors: what they measure, that they change nothing, and how they go on."""

import copy
import gc
import pickle
import tracemalloc

import keras
import numpy as np
import pytest
from monitored import (
    CLASSES,
    FEATURES,
    MODELS,
    all_monitors,
    build,
    fit,
    read,
    rows,
)

from kerasreg.monitors import (
    ActivationMonitor,
    TrainEvaluation,
)


@pytest.fixture(scope="module")
def data():
    return rows()


class Interrupt(keras.callbacks.Callback):
    def __init__(self, epoch, batch):
        super().__init__()
        self.at = (epoch, batch)
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


# --- they change nothing --------------------------------------------------------------------------


class DrawsInInference(keras.layers.Layer):
    """Draws and counts even in inference, which a watching pass must not advance."""

    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(7)
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.calls.assign_add(1.0)
        return x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.seeds)


def drawing():
    return keras.Sequential(
        [
            keras.layers.Dense(8, "relu", kernel_regularizer="l1"),
            DrawsInInference(),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(CLASSES),
        ]
    )


@pytest.mark.parametrize("kind", [*MODELS, drawing])
@pytest.mark.filterwarnings("ignore:ActivationMonitor cannot watch:UserWarning")
@pytest.mark.filterwarnings("ignore:GradientMonitor cannot compute:UserWarning")
def test_training_is_the_same_with_and_without_monitors(data, kind, tmp_path):
    plain, watched = build(kind, eager=False), build(kind, eager=False)
    plain_history = fit(plain, data).history
    history = fit(watched, data, all_monitors(data, tmp_path)).history
    assert {key: history[key] for key in plain_history} == plain_history
    assert len(plain.variables) == len(watched.variables)
    for a, b in zip(plain.variables, watched.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    loss, watched_loss = plain.metrics[0], watched.metrics[0]
    assert watched_loss.count.numpy() == loss.count.numpy() == 10  # the validation's


def test_layers_are_left_as_they_were(data):
    model = build()
    fit(model, data, all_monitors(data))
    for layer in model._flatten_layers():
        assert "call" not in vars(layer)
    assert model.get_layer("inner").get_layer("b").activation is keras.activations.sigmoid


def test_graphs_are_watched_without_replacing_the_calls_of_their_layers(data):
    """Only the layers that a subclassed model calls from Python need it."""
    replaced = []

    class Probe(keras.layers.Layer):
        def call(self, x):
            replaced.append("call" in vars(self))
            return x * 1.0

    class Inside(keras.Model):
        def __init__(self):
            super().__init__()
            self.probe = Probe()

        def call(self, x):
            return self.probe(x)

    for make, expected in (
        (lambda: keras.Sequential([keras.Input((FEATURES,)), Probe()]), False),
        (lambda: keras.Sequential([keras.Sequential([keras.Input((FEATURES,)), Probe()])]), False),
        (Inside, True),
        (lambda: keras.Sequential([keras.Input((FEATURES,)), Inside()]), True),
    ):
        model = build(make, optimizer="sgd")
        model.compile("sgd", "mse", run_eagerly=True)
        model(data[0])
        replaced.clear()
        monitor = ActivationMonitor(data[0])
        monitor.set_model(model)
        monitor.on_train_begin()
        monitor.on_epoch_end(0)
        assert set(replaced) == {expected}
        assert [name.rpartition(".")[2] for name in monitor.records] == ["probe"]


def test_compiled_and_eager_monitors_agree(data):
    compiled, eager = all_monitors(data), all_monitors(data)
    fit(build(eager=False), data, compiled)
    fit(build(), data, eager)
    for ours, theirs in zip(compiled, eager, strict=True):
        for name, record in ours.records.items():
            for key, values in record.items() if isinstance(record, dict) else [("", record)]:
                if key != "histogram":  # a value on an edge may fall on either side
                    other = theirs.records[name][key] if key else theirs.records[name]
                    np.testing.assert_allclose(values, other, rtol=2e-3, atol=2e-4)


# --- several runs, copies, interruptions ----------------------------------------------------------


def test_several_fits_continue_and_every_is_kept(data):
    model = build()
    monitor = ActivationMonitor(data[0], every=2)
    fit(model, data, [monitor], epochs=3)
    assert monitor.epochs.tolist() == [0, 2]
    fit(model, data, [monitor], epochs=2)  # Keras' epochs 0 and 1 are 3 and 4
    assert monitor.epochs.tolist() == [0, 2, 4]
    fit(model, data, [monitor], epochs=9, initial_epoch=8)
    assert monitor.epochs.tolist() == [0, 2, 4, 8]
    assert monitor.records["a"]["histogram"].shape[0] == 4
    fit(build(), data, [monitor], epochs=1)  # another model, other records
    assert monitor.epochs.tolist() == [0]
    assert np.isnan(monitor.records["a"]["drift"][0])


def test_recompiling_is_noticed(data):
    model = build(eager=False)
    monitors = all_monitors(data)
    fit(model, data, monitors, epochs=1)
    model.get_layer("a").trainable = False
    model.compile("sgd", model.loss, metrics=["sparse_top_k_categorical_accuracy"])
    fit(model, data, monitors, epochs=1)
    assert monitors[0].penalties["a"][0] > 0
    assert monitors[0].penalties["a"][1] == 0
    assert "train_eval_sparse_top_k_categorical_accuracy" in monitors[1].records
    assert monitors[2].epochs.tolist() == [0, 1]
    assert np.isnan(monitors[3].records["a"]["norm"]).tolist() == [False, True]
    assert monitors[3].records["a"]["histogram"].sum(1).tolist() == [FEATURES * 8 + 8, 0]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_take_settings_and_records_but_no_model_and_no_file(data, tmp_path, clone):
    model = build()
    monitors = all_monitors(data, tmp_path / "run")
    fresh = [clone(monitor) for monitor in monitors]
    fit(model, data, monitors)
    copies = [clone(monitor) for monitor in monitors]
    for monitor, copied in zip(monitors, copies, strict=True):
        assert copied.epochs.tolist() == monitor.epochs.tolist() == [0, 1]
        assert copied.model is None
    np.testing.assert_array_equal(
        copies[2].records["a"]["histogram"], monitors[2].records["a"]["histogram"]
    )
    for group in (fresh, copies):
        fit(build(), data, group, epochs=1)
        assert all(copied.epochs.tolist() == [0] for copied in group)
    assert all(monitor.epochs.tolist() == [0, 1] for monitor in monitors)


def test_copies_share_the_training_rows(data):
    monitor = TrainEvaluation(np.zeros((500, 1000), "float32"), np.zeros(500, "int32"))
    tracemalloc.start()
    copy.deepcopy(monitor)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000  # bytes; the rows are 2 million


def test_an_interrupted_fit_loses_nothing_and_the_next_continues(data, tmp_path):
    model = build()
    monitors = all_monitors(data, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, [*monitors, Interrupt(epoch=2, batch=1)], epochs=9)
    assert all(monitor.epochs.tolist() == [0, 1] for monitor in monitors)
    # On disk although nothing was closed, the monitor that writes last included.
    assert [event.step for event in read(tmp_path).Scalars("gradient_norm/01_a")] == [0, 1]
    copy.deepcopy(monitors)
    history = fit(model, data, monitors, epochs=4, initial_epoch=2).history
    assert all(monitor.epochs.tolist() == [0, 1, 2, 3] for monitor in monitors)
    np.testing.assert_allclose(
        np.add(history["data_loss"], history["penalty"]), history["loss"], rtol=1e-6
    )
    assert len(list(tmp_path.iterdir())) == 1
    assert [event.step for event in read(tmp_path).Scalars("loss/penalty")] == [0, 1, 2, 3]


def test_the_file_is_closed_after_fit_and_one_file_serves_all(data, tmp_path):
    monitors = all_monitors(data, tmp_path)
    model = build()
    fit(model, data, monitors, epochs=1)
    gc.collect()
    assert len(list(tmp_path.iterdir())) == 1
    fit(model, data, monitors, epochs=1)
    assert len(list(tmp_path.iterdir())) == 2
    assert [e.step for e in read(tmp_path).Scalars("train_eval/loss")] == [0, 1]


def test_a_diverging_model_is_recorded(data):
    model = build(optimizer=keras.optimizers.SGD(1e30))
    monitors = all_monitors(data)
    fit(model, data, monitors)
    assert monitors[2].records["output"]["nonfinite"][-1] == 1
    assert np.isnan(monitors[2].records["output"]["mean"][-1])
    assert monitors[3].records["output"]["nonfinite"][-1] > 0
