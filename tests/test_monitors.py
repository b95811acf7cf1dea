"""Monitors: what they measure, that they change nothing, and what TensorBoard reads of them."""

import copy
import gc
import pickle

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

from kerasreg.errors import UserError
from kerasreg.monitors import (
    ActivationMonitor,
    EventWriter,
    GradientMonitor,
    PenaltyMonitor,
    TrainEvaluation,
    statistics,
)
from kerasreg.monitors.events import shared_writer

ROWS, FEATURES, CLASSES, BATCH = 50, 6, 3, 16


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype("float32")
    return x, (np.abs(x[:, 0]) * 2).astype("int32") % CLASSES


class Subclassed(keras.Model):
    """Layers called from Python."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(8, "tanh", kernel_regularizer="l2", name="hidden")
        self.dropout = keras.layers.Dropout(0.3)
        self.logits = keras.layers.Dense(CLASSES, name="logits")

    def call(self, x, training=False):
        return self.logits(self.dropout(self.hidden(x), training=training))


class Unwatchable(Subclassed):
    """One layer is never called, one from inside a loop, and one gives whole numbers."""

    def __init__(self):
        super().__init__()
        self.unused = keras.layers.Dropout(0.5, name="unused")
        self.looped = keras.layers.Dense(8, "tanh", name="looped")
        self.buckets = keras.layers.Discretization([0.0], name="buckets")

    def call(self, x, training=False):
        x = self.hidden(x)
        x = self.looped(x)
        x = tf.while_loop(lambda i, _: i < 2, lambda i, x: (i + 1, self.looped(x)), (0, x))[1]
        return self.logits(x) + 0.0 * keras.ops.cast(self.buckets(x)[:, :1], "float32")


def functional():
    inputs = keras.Input((FEATURES,))
    x = keras.layers.Dense(8, kernel_regularizer=keras.regularizers.L1L2(0.01, 0.02), name="a")(
        inputs
    )
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Activation("relu", name="relu_a")(x)
    x = keras.layers.Dropout(0.4, name="drop")(x)
    inner = keras.Sequential([keras.Input((8,)), keras.layers.Dense(5, "sigmoid", name="b")])
    inner.name = "inner"
    x = keras.ops.relu(inner(x))
    outputs = keras.layers.Dense(CLASSES, kernel_regularizer="l2", name="output")(x)
    return keras.Model(inputs, outputs)


def sequential():
    """Not built before the first step."""
    return keras.Sequential(
        [
            keras.layers.GaussianNoise(0.1),
            keras.layers.Dense(8, "relu", kernel_regularizer="l2", name="first"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(CLASSES, name="second"),
        ]
    )


MODELS = {"functional": functional, "sequential": sequential, "subclassed": Subclassed}


# Models run eagerly unless a test is about compiling: tracing is most of the time.
def build(kind="functional", *, eager=True, optimizer="adam", seed=1):
    keras.utils.clear_session()  # the same automatic names every time
    keras.utils.set_random_seed(seed)
    model = MODELS[kind]() if isinstance(kind, str) else kind()
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        run_eagerly=eager,
    )
    return model


def fit(model, data, callbacks=(), epochs=2, validation=True, **options):
    x, y = data
    return model.fit(
        x[:40],
        y[:40],
        validation_data=(x[40:], y[40:]) if validation else None,
        batch_size=BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=list(callbacks),
        **options,
    )


def all_monitors(data, log_dir=None):
    x, y = data
    return [
        PenaltyMonitor(log_dir),
        TrainEvaluation(x[:40], y[:40], log_dir=log_dir),
        ActivationMonitor(x[40:], log_dir),
        GradientMonitor((x[:20], y[:20]), log_dir),
    ]


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


def read(log_dir):
    reader = EventAccumulator(str(log_dir), size_guidance={"tensors": 0, "scalars": 0})
    return reader.Reload()


# --- statistics -----------------------------------------------------------------------------------

samples = hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-300, 300, width=32))


@settings(deadline=None, max_examples=60)
@given(values=samples)
def test_histogram_is_numpys_with_open_ends(values):
    edges = statistics.ACTIVATION_EDGES
    clipped = np.clip(values, edges[0], np.nextafter(edges[-1], 0))
    expected, _ = np.histogram(clipped, edges.astype(np.float32))
    np.testing.assert_array_equal(statistics.histogram(np.sort(values), edges), expected)


@settings(deadline=None, max_examples=60)
@given(values=samples, seed=st.integers(0, 99))
def test_wasserstein_is_scipys(values, seed):
    other = values + np.random.default_rng(seed).normal(size=values.size).astype(np.float32)
    ours = statistics.wasserstein(np.sort(values), np.sort(other))
    assert ours == pytest.approx(scipy.stats.wasserstein_distance(values, other), abs=1e-4)


def test_drift_is_the_distance_of_outputs_standardised_by_the_earlier_record():
    rng = np.random.default_rng(0)
    before, now = np.sort(rng.normal(3, 2, 400)), np.sort(rng.normal(5, 1, 400))
    mean, std = before.mean(), before.std()
    expected = scipy.stats.wasserstein_distance((before - mean) / std, (now - mean) / std)
    assert statistics.drift(before, now) == pytest.approx(expected)
    assert statistics.drift(before, before + 2 * std) == pytest.approx(2)
    assert np.isnan(statistics.drift(None, now))
    assert np.isnan(statistics.drift(np.zeros(400), now))


@pytest.mark.parametrize("edges", [statistics.ACTIVATION_EDGES, statistics.GRADIENT_EDGES])
def test_default_edges_increase_are_symmetric_and_have_zero_as_an_edge(edges):
    assert np.all(np.diff(edges) > 0)
    np.testing.assert_array_equal(edges, -edges[::-1])
    assert edges[edges.size // 2] == 0
    assert not edges.flags.writeable


def test_activation_statistics_by_hand():
    outputs = np.array([[0, 0.02, 1, 0], [0, 0.5, 0.99, np.nan]], np.float32)
    ordered = statistics.sort_finite(outputs)
    found = statistics.activation_statistics(outputs, ordered, None, (0.0, 1.0))
    finite = outputs[np.isfinite(outputs)]
    assert found["mean"] == pytest.approx(finite.mean())
    assert found["std"] == pytest.approx(finite.std())
    assert found["zeros"] == 3 / 8
    assert found["dead"] == 1 / 4  # NaN is not zero
    assert found["saturated"] == pytest.approx(6 / 7)
    assert found["nonfinite"] == 1 / 8
    assert np.isnan(found["drift"])


def test_statistics_of_nothing_finite_are_nan_without_a_warning():
    outputs = np.full((2, 3), np.inf, np.float32)
    ordered = statistics.sort_finite(outputs)
    found = statistics.activation_statistics(outputs, ordered, ordered, (0.0, 1.0))
    assert ordered.size == 0
    assert found["nonfinite"] == 1
    assert all(np.isnan(found[key]) for key in ("mean", "std", "saturated", "drift"))
    assert statistics.histogram(ordered, statistics.ACTIVATION_EDGES).sum() == 0


def test_many_values_are_thinned_evenly():
    ordered = statistics.sort_finite(np.arange(3 * statistics.SORTED_LIMIT, dtype=np.float32))
    assert ordered.size == statistics.SORTED_LIMIT
    assert set(np.diff(ordered)) == {3}


# --- what the monitors measure --------------------------------------------------------------------


def test_activations_are_those_of_the_model_in_inference(data):
    model = build()
    monitor = ActivationMonitor(data[0][40:])
    fit(model, data, [monitor])
    assert list(monitor.records) == [
        "a",
        "norm",
        "relu_a",
        "inner.b.pre",
        "inner.b",
        "relu",
        "output",
    ]
    inner = model.get_layer("inner")
    submodel = keras.Model(model.input, [model.get_layer(n).output for n in ("norm", "relu_a")])
    norm, relu = (tensor.numpy() for tensor in submodel(data[0][40:], training=False))
    hidden = inner(relu).numpy()
    logits = model(data[0][40:], training=False).numpy()
    named = {"norm": norm, "relu_a": relu, "inner.b": hidden, "output": logits}
    for name, expected in named.items():
        record = monitor.records[name]
        assert record["mean"].shape == (2,)
        assert record["mean"][-1] == pytest.approx(expected.mean(), abs=1e-6)
        assert record["std"][-1] == pytest.approx(expected.std(), abs=1e-6)
        assert record["zeros"][-1] == pytest.approx((expected == 0).mean())
        assert record["dead"][-1] == pytest.approx((expected == 0).all(0).mean())
        assert record["histogram"].shape == (2, monitor.edges[name].size - 1)
        assert record["histogram"][-1].sum() == expected.size
        assert np.isnan(record["drift"][0])
        assert record["drift"][1] > 0
    near = (hidden < 0.05) | (hidden > 0.95)
    assert monitor.records["inner.b"]["saturated"][-1] == pytest.approx(near.mean())
    assert np.isnan(monitor.records["relu_a"]["saturated"]).all()
    pre = monitor.records["inner.b.pre"]["mean"][-1]
    assert pre == pytest.approx(np.log(hidden / (1 - hidden)).mean(), abs=1e-5)
    assert (monitor.edges["inner.b"][[0, -1]] == [0, 1]).all()


def test_dead_and_saturated_units_are_found(data):
    model = keras.Sequential(
        [keras.Input((FEATURES,)), keras.layers.Dense(4, "relu", name="r"), keras.layers.Dense(3)]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    kernel, bias = model.get_layer("r").get_weights()
    model.get_layer("r").set_weights([kernel, np.array([-100, -100, 0, 100], bias.dtype)])
    monitor = ActivationMonitor(data[0])
    model.fit(data[0], np.zeros((ROWS, 3)), verbose=0, callbacks=[monitor])
    assert monitor.records["r"]["dead"][0] == 0.5
    assert monitor.records["r.pre"]["dead"][0] == 0


def test_gradients_are_the_tapes_in_training_mode_with_penalties(data):
    x, y = tf.constant(data[0][:20]), data[1][:20]
    model = build(
        lambda: keras.Sequential(
            [
                keras.Input((FEATURES,)),
                keras.layers.Dense(8, kernel_regularizer="l2", name="a"),
                keras.layers.BatchNormalization(name="norm"),
                keras.layers.Dense(CLASSES, name="b"),
            ]
        )
    )
    monitor = GradientMonitor((x, y))
    fit(model, data, [monitor], epochs=1)
    with tf.GradientTape() as tape:
        z = x @ model.layers[0].kernel + model.layers[0].bias
        mean, variance = tf.nn.moments(z, 0)
        norm = model.get_layer("norm")
        z = norm.gamma * (z - mean) / tf.sqrt(variance + norm.epsilon) + norm.beta
        z = z @ model.get_layer("b").kernel + model.get_layer("b").bias
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, z))
        loss += 0.01 * tf.reduce_sum(model.layers[0].kernel ** 2)
    assert list(monitor.records) == ["a", "norm", "b"]
    layers = [model.get_layer(name) for name in monitor.records]
    slopes = tape.gradient(loss, [[v.value for v in layer.trainable_variables] for layer in layers])
    for (name, record), layer, slope in zip(monitor.records.items(), layers, slopes, strict=True):
        norm = np.sqrt(sum(float(tf.reduce_sum(g**2)) for g in slope))
        size = np.sqrt(sum((v.numpy() ** 2).sum() for v in layer.trainable_variables))
        assert record["norm"][0] == pytest.approx(norm, rel=1e-4), name
        assert record["ratio"][0] == pytest.approx(norm / size, rel=1e-4)
        assert record["histogram"].sum() == sum(v.numpy().size for v in layer.trainable_variables)


@pytest.mark.parametrize("kind", ["functional", "subclassed"])
def test_penalty_and_data_loss_are_apart_exactly(data, kind):
    model = build(kind, optimizer=keras.optimizers.Adam(0.05))
    model(data[0][:2])
    # Keras' own way to the data loss: the loss again, as a metric.
    metric = keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="ce")
    model.compile(model.optimizer, model.loss, metrics=[metric])
    monitor = PenaltyMonitor()
    history = fit(model, data, [monitor], epochs=3).history
    # `ce` counts rows as `loss` does: 40 rows in batches of 16, 16 and 8.
    np.testing.assert_allclose(history["data_loss"], history["ce"], rtol=2e-5)
    np.testing.assert_allclose(history["val_data_loss"], history["val_ce"], rtol=2e-5)
    assert max(history["penalty"]) > 0.01
    np.testing.assert_allclose(
        np.add(history["data_loss"], history["penalty"]), history["loss"], rtol=1e-6
    )
    np.testing.assert_allclose(monitor.records["data_loss"], history["data_loss"])
    assert history["val_penalty"][-1] == pytest.approx(float(sum(model.losses)), rel=1e-5)
    total = sum(monitor.penalties.values())
    np.testing.assert_allclose(total, history["val_penalty"], rtol=1e-6)
    expected = {"functional": ["a", "output"], "subclassed": ["hidden"]}[kind]
    assert list(monitor.penalties) == expected


def test_penalty_by_layer_is_the_formula_and_frozen_layers_have_none(data):
    model = build()
    model.get_layer("output").trainable = False
    model.compile(model.optimizer, model.loss)
    monitor = PenaltyMonitor()
    fit(model, data, [monitor], validation=False)
    kernel = model.get_layer("a").kernel.numpy()
    expected = 0.01 * np.abs(kernel).sum() + 0.02 * (kernel**2).sum()
    assert list(monitor.penalties) == ["a"]
    assert monitor.penalties["a"][-1] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(monitor.records["val_penalty"]).all()


@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_penalty_of_a_cut_or_deferred_epoch(data, kind):
    """One step: the penalty it began with, or for a model that it builds the one it left."""

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    model = build(kind)
    before = float(sum(model.losses)) if model.built else None
    history = fit(model, data, [PenaltyMonitor(), Stop()], validation=False).history
    after = float(sum(model.losses))
    assert history["penalty"] == pytest.approx([before or after], rel=1e-6)
    assert before is None or before != pytest.approx(after, rel=1e-6)


def test_a_model_without_penalties_has_penalty_zero(data):
    model = build(lambda: keras.Sequential([keras.layers.Dense(CLASSES)]))
    history = fit(model, data, [PenaltyMonitor()]).history
    assert history["penalty"] == history["val_penalty"] == [0, 0]
    assert history["data_loss"] == history["loss"]


@pytest.mark.parametrize("batch_size", [7, 1024])
def test_train_evaluation_is_evaluate(data, batch_size):
    x, y = data[0][:40], data[1][:40]
    weight = np.linspace(0, 2, 40).astype("float32")
    model = build()
    monitor = TrainEvaluation(x, y, weight, batch_size=batch_size)
    history = fit(model, data, [monitor]).history
    expected = model.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
    assert history["train_eval_accuracy"][-1] == pytest.approx(expected["accuracy"])
    assert history["train_eval_loss"][-1] == pytest.approx(expected["loss"], rel=1e-5)
    penalty = float(sum(model.losses))
    assert history["train_eval_penalty"][-1] == pytest.approx(penalty, rel=1e-5)
    assert history["train_eval_data_loss"][-1] == pytest.approx(
        expected["loss"] - penalty, rel=1e-5
    )
    gap = history["train_eval_accuracy"][-1] - history["val_accuracy"][-1]
    assert history["gap_accuracy"][-1] == pytest.approx(gap)
    assert list(monitor.records) == [k for k in history if k.startswith(("train_eval_", "gap_"))]


def test_train_evaluation_of_a_dataset_with_activity_penalties(data):
    x, y = data[0][:40], data[1][:40]
    model = build(
        lambda: keras.Sequential(
            [
                keras.Input((FEATURES,)),
                keras.layers.Dense(8, activity_regularizer="l2", name="active"),
                keras.layers.Dense(CLASSES),
            ]
        )
    )
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(15)
    monitor = TrainEvaluation(dataset)
    with pytest.warns(UserWarning, match=r"PenaltyMonitor.*active: it depends on the data"):
        fit(model, data, [PenaltyMonitor(), copy.deepcopy(monitor), monitor])
    expected = model.evaluate(dataset, verbose=0, return_dict=True)
    assert monitor.records["train_eval_loss"][-1] == pytest.approx(expected["loss"], rel=1e-5)
    cross = model.loss(y, model(x)).numpy()
    assert monitor.records["train_eval_data_loss"][-1] == pytest.approx(cross, rel=1e-5)


def test_callbacks_after_the_monitors_see_the_logs(data):
    stop = keras.callbacks.EarlyStopping("val_data_loss", mode="min", min_delta=1e9)
    history = fit(build(), data, [PenaltyMonitor(), stop], epochs=9).history
    assert len(history["loss"]) == 2
    order = [PenaltyMonitor(), TrainEvaluation(data[0][:40], data[1][:40])]
    assert "gap_data_loss" in fit(build(), data, order).history


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


# --- what cannot be watched -----------------------------------------------------------------------


def test_what_cannot_be_watched_is_named_in_one_warning(data):
    model = build(Unwatchable, eager=False)
    monitor = ActivationMonitor(data[0])
    with pytest.warns(UserWarning, match="cannot watch") as caught:
        fit(model, data, [monitor], epochs=2, validation=False)
    assert [str(warning.message) for warning in caught] == [
        "ActivationMonitor cannot watch the output of "
        "looped: it runs inside a loop or another compiled function; "
        "buckets: its output is int32, not floating-point; "
        "dropout: not called on the probe, or inside a compiled function; "
        "unused: not called on the probe, or inside a compiled function."
    ]
    assert list(monitor.records) == ["hidden.pre", "hidden", "logits"]


def test_recurrent_and_embedding_layers():
    rng = np.random.default_rng(0)
    ids, y = rng.integers(0, 9, (30, 5)), rng.integers(0, 2, 30)
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            keras.layers.Embedding(9, 4, name="embedding"),
            keras.layers.GRU(6, name="gru"),
            keras.layers.Dense(2, name="output"),
        ]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    activations, gradients = ActivationMonitor(ids), GradientMonitor((ids, y))
    model.fit(ids, y, verbose=0, callbacks=[activations, gradients])
    assert list(activations.records) == ["embedding", "gru", "output"]
    assert list(gradients.records) == ["embedding", "gru", "output"]
    assert all(record["norm"][0] > 0 for record in gradients.records.values())
    weights = model.get_layer("gru").trainable_variables
    size = np.sqrt(sum((v.numpy() ** 2).sum() for v in weights))
    assert gradients.records["gru"]["weight_norm"][0] == pytest.approx(size)


def test_several_inputs_outputs_and_shared_layers(data):
    left, right = keras.Input((FEATURES,), name="left"), keras.Input((2,), name="right")
    shared = keras.layers.Dense(4, "relu", name="shared")
    joined = keras.layers.Concatenate(name="join")([shared(left), shared(left * 2.0), right])
    outputs = {
        "one": keras.layers.Dense(1, name="one")(joined),
        "two": keras.layers.Dense(2, name="two")(joined),
    }
    model = keras.Model({"left": left, "right": right}, outputs)
    model.compile("sgd", {"one": "mse", "two": "mse"}, metrics={"one": "mae"})
    inputs = {"left": data[0], "right": data[0][:, :2]}
    targets = {"one": data[0][:, :1], "two": data[0][:, :2]}
    monitors = [
        PenaltyMonitor(),
        TrainEvaluation(inputs, targets),
        ActivationMonitor(inputs),
        GradientMonitor((inputs, targets)),
    ]
    history = model.fit(inputs, targets, verbose=0, callbacks=monitors).history
    # In one batch: over several, Keras' compiled losses of one output forget the batches' sizes.
    expected = model.evaluate(inputs, targets, batch_size=ROWS, verbose=0, return_dict=True)
    for name, value in expected.items():
        assert history[f"train_eval_{name}"][-1] == pytest.approx(value, rel=1e-5)
    assert {"shared", "shared#2", "join", "one", "two"} <= set(monitors[2].records)
    assert set(monitors[3].records) == {"shared", "one", "two"}


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
        assert copied._model is copied._writer is copied._compiled is None
    np.testing.assert_array_equal(
        copies[2].records["a"]["histogram"], monitors[2].records["a"]["histogram"]
    )
    for group in (fresh, copies):
        fit(build(), data, group, epochs=1)
        assert all(copied.epochs.tolist() == [0] for copied in group)
    assert all(monitor.epochs.tolist() == [0, 1] for monitor in monitors)


def test_copies_share_the_training_rows(data):
    monitor = TrainEvaluation(*data)
    copied = copy.deepcopy(monitor)
    assert copied._data.arrays[0] is monitor._data.arrays[0]


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
    assert all(monitor._writer is None for monitor in monitors)
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
        writer.hparams_experiment({"dropout": float, "norm": "batch", "bias": True}, ["val_loss"])
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


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda w: w.histograms(0, {"h": (np.ones(3), np.arange(3))}), "histogram 'h': expected"),
        (lambda w: w.image("i", b"GIF89a", 1, 1), "image 'i': expected the bytes of a PNG"),
        (lambda w: w.hparams({"units": (1, 2)}, {}, group="g"), "hyperparameter 'units'"),
        (lambda w: w.hparams_experiment({"units": tuple}, []), "hyperparameter 'units'"),
        (lambda w: w.hparams({}, {}, group="g", status="done"), "received 'done'"),
    ],
)
def test_mistakes_in_events_are_told(tmp_path, write, message):
    with EventWriter(tmp_path) as writer, pytest.raises(UserError) as caught:
        write(writer)
    assert message in str(caught.value)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"log_dir: expected a folder that can be made"):
        EventWriter(tmp_path / "file" / "run")


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x, y: ActivationMonitor(x[:0]), "probe: expected arrays"),
        (lambda x, y: ActivationMonitor([x, x[:3]]), "received ['3', '50'] rows"),
        (lambda x, y: ActivationMonitor(3.0), "received ['None'] rows"),
        (lambda x, y: ActivationMonitor(x, every=0), "every: expected a whole number"),
        (lambda x, y: ActivationMonitor(x, every=1.5), "received 1.5"),
        (lambda x, y: ActivationMonitor(x, edges=[1, 0]), "edges: expected at least two"),
        (lambda x, y: GradientMonitor((x, y[:2])), "received ['2', '50'] rows"),
        (lambda x, y: TrainEvaluation(x, y, batch_size=0), "batch_size: expected at least 1"),
        (lambda x, y: TrainEvaluation(tf.data.Dataset.range(3), y), "y: expected None"),
    ],
)
def test_mistakes_are_told_at_once(data, make, message):
    with pytest.raises(UserError) as caught:
        make(*data)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
