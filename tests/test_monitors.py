"""Monitors: what they measure, and what they cannot see."""

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf
from monitored import (
    CLASSES,
    FEATURES,
    ROWS,
    Subclassed,
    build,
    fit,
    rows,
)

from kerasreg.errors import UserError
from kerasreg.monitors import (
    ActivationMonitor,
    GradientMonitor,
    PenaltyMonitor,
    TrainEvaluation,
)


@pytest.fixture(scope="module")
def data():
    return rows()


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


def test_train_evaluation_of_metrics_with_one_value_or_several(data):
    x, y = data[0][:40], np.eye(CLASSES, dtype="float32")[data[1][:40]]
    model = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(CLASSES, "softmax")])
    f1 = [keras.metrics.F1Score(name="each"), keras.metrics.F1Score("macro", name="macro")]
    model.compile("sgd", "categorical_crossentropy", metrics=f1, run_eagerly=True)
    with pytest.warns(UserWarning, match="TrainEvaluation cannot log the metric of each: it has 3"):
        history = model.fit(
            x, y, validation_data=(x, y), verbose=0, callbacks=[TrainEvaluation(x, y)]
        ).history
    expected = model.evaluate(x, y, verbose=0, return_dict=True)["macro"]
    assert history["train_eval_macro"][0] == pytest.approx(float(expected))
    assert history["gap_macro"][0] == pytest.approx(0)
    assert "train_eval_each" not in history


def test_callbacks_after_the_monitors_see_the_logs(data):
    stop = keras.callbacks.EarlyStopping("val_data_loss", mode="min", min_delta=1e9)
    history = fit(build(), data, [PenaltyMonitor(), stop], epochs=9).history
    assert len(history["loss"]) == 2
    order = [PenaltyMonitor(), TrainEvaluation(data[0][:40], data[1][:40])]
    assert "gap_data_loss" in fit(build(), data, order).history


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


def test_masks_and_other_operations_are_no_layers_to_warn_of(data):
    ids = np.arange(30).reshape(10, 3) % 4
    inputs = keras.Input((3,), dtype="int32")
    embedded = keras.layers.Embedding(4, 4, mask_zero=True, name="embedding")(inputs)
    kept = keras.ops.cast(keras.ops.not_equal(inputs, 0), "float32")
    pooled = keras.layers.GlobalAveragePooling1D(name="mean")(embedded) * kept[:, :1]
    model = keras.Model(inputs, keras.layers.Dense(1, name="output")(pooled))
    model.compile("sgd", "mse")
    monitor = ActivationMonitor(ids)
    model.fit(ids, ids[:, 0], verbose=0, callbacks=[monitor])  # a warning would be an error
    assert {"embedding", "mean", "output"} <= set(monitor.records)


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


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x, y: ActivationMonitor(x[:0]), "probe: expected arrays"),
        (lambda x, y: ActivationMonitor([x, x[:3]]), "got ['3', '50'] rows"),
        (lambda x, y: ActivationMonitor(3.0), "got ['None'] rows"),
        (lambda x, y: ActivationMonitor(x, every=0), "every: expected a whole number"),
        (lambda x, y: ActivationMonitor(x, every=1.5), "got 1.5"),
        (lambda x, y: ActivationMonitor(x, edges=[1, 0]), "edges: expected at least two"),
        (lambda x, y: GradientMonitor((x, y[:2])), "got ['2', '50'] rows"),
        (lambda x, y: GradientMonitor(x, y), "write GradientMonitor((x, y), log_dir=FOLDER)"),
        (lambda x, y: GradientMonitor("logs"), "got the text 'logs'; a folder is given as log_dir"),
        (lambda x, y: GradientMonitor(x), "expected (x, y) or (x, y, sample_weight), got ndarray"),
        (lambda x, y: ActivationMonitor("logs"), "probe: expected arrays of rows, got the text"),
        (lambda x, y: ActivationMonitor(x, y), "write ActivationMonitor(x, log_dir=FOLDER)"),
        (lambda x, y: PenaltyMonitor(x), "write PenaltyMonitor(log_dir=FOLDER), without rows"),
        (lambda x, y: TrainEvaluation(x, y, batch_size=0), "batch_size: expected a whole number"),
        (lambda x, y: TrainEvaluation(tf.data.Dataset.range(3), y), "y: expected None"),
    ],
)
def test_mistakes_are_told_at_once(data, make, message):
    with pytest.raises(UserError) as caught:
        make(*data)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


class UnpacksTwo(keras.Model):
    """A model with its own steps, written as Keras' guide has them: `x, y = data`."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, activation="sigmoid", kernel_regularizer="l2")
        self.mean = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.mean]

    def call(self, x):
        return self.dense(x)

    def _measured(self, data):
        x, y = data
        loss = keras.ops.mean(keras.losses.binary_crossentropy(y, self(x)))
        self.mean.update_state(loss)
        return loss

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = self._measured(data)
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": self.mean.result()}

    def test_step(self, data):
        self._measured(data)
        return {"loss": self.mean.result()}


def test_a_test_step_that_says_all_compiled_metrics_together_is_evaluated():
    """As with `return {m.name: m.result() for m in self.metrics}`."""

    class Together(keras.Sequential):
        def test_step(self, data):
            super().test_step(data)
            return {metric.name: metric.result() for metric in self.metrics}

    x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    model = Together([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "mse", metrics=["accuracy"])
    monitor = TrainEvaluation(x, y)
    model.fit(x, y, 40, verbose=0, validation_data=(x, y), callbacks=[monitor])
    measured = {name: monitor.records[f"train_eval_{name}"][0] for name in ("loss", "accuracy")}
    assert measured == pytest.approx(model.evaluate(x, y, verbose=0, return_dict=True), rel=1e-5)


def test_a_test_step_that_unpacks_two_values_is_evaluated():
    x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    model = UnpacksTwo()
    model.compile("adam")
    monitor = TrainEvaluation(x, y)
    # One batch: the model's own mean over batches does not weigh them by their rows.
    model.fit(x, y, 40, epochs=2, verbose=0, validation_data=(x, y), callbacks=[monitor])
    truth = model.evaluate(x, y, 40, verbose=0)
    assert monitor.records["train_eval_loss"][-1] == pytest.approx(truth, rel=1e-5)
    assert abs(monitor.records["gap_loss"][-1]) < 1e-5
