"""Regularisers in models that exist: gradients, what stays as it is, and what is refused."""

import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from networks import CLASSES, IMAGE, NETWORKS, rows_of

from kerasreg import Regularizers, UserError, plan_regularization, regularize

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel", "embeddings")
L1, L2 = 3e-3, 2e-2


def unregularized(name):
    """A network of `networks`, compiled, with no regulariser."""
    keras.utils.set_random_seed(1)
    inputs, outputs = NETWORKS[name](lambda tensor, spatial=False: tensor, 0.0)
    model = keras.Model(inputs, outputs)
    several = isinstance(outputs, list)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", [loss, "mse"] if several else loss)
    return model


def mlp(*, loss="categorical_crossentropy", optimizer="adam", output="softmax"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,), name="features"),
            layers.Dense(5, activation="relu", name="first"),
            layers.Dense(4, name="second"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Dense(CLASSES, activation=output, name="output"),
        ]
    )
    model.compile(optimizer, loss)
    return model


def cnn():
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Rescaling(1 / 255, name="rescaling"),
            layers.Conv2D(4, 3, activation="relu", name="conv_1"),
            layers.MaxPooling2D(name="pool"),
            layers.Conv2D(4, 3, name="conv_2"),
            layers.BatchNormalization(name="norm"),
            layers.Activation("relu", name="relu"),
            layers.Flatten(name="flatten"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(CLASSES, activation="softmax", name="output"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def predicted(model, x):
    return [np.asarray(part) for part in keras.tree.flatten(model(x, training=False))]


@pytest.mark.parametrize("name", NETWORKS)
def test_penalties_are_in_force_and_nothing_else_changes(name):
    model = unregularized(name)
    before = model.get_weights()
    plan = plan_regularization(model, Regularizers(l1=L1, l2=L2))
    new = plan.build()

    x, _ = rows_of(name, 5)
    for mine, given in zip(predicted(new, x), predicted(model, x), strict=True):
        np.testing.assert_array_equal(mine, given)
    for mine, given in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, given)
    assert float(sum(model.losses)) == 0
    assert [v.trainable for v in new.weights] == [v.trainable for v in model.weights]

    with tf.GradientTape() as tape:
        penalty = tf.add_n(new.losses)
    variables = new.trainable_variables
    gradients = tape.gradient(penalty, [v.value for v in variables])
    total = 0.0
    for variable, gradient in zip(variables, gradients, strict=True):
        weights = variable.numpy()
        if variable.name in KERNELS:
            total += L1 * np.abs(weights).sum() + L2 * (weights**2).sum()
            expected = L1 * np.sign(weights) + 2 * L2 * weights
            np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected, rtol=1e-5)
        else:
            assert gradient is None
    np.testing.assert_allclose(penalty, total, rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "asked", "layer", "channels"),
    [
        (mlp, {"dropout": 0.4}, "relu_dropout", False),
        (mlp, {"input_dropout": 0.4}, "features_dropout", False),
        (cnn, {"spatial_dropout": 0.4}, "pool_spatial_dropout", True),
        (cnn, {"dropout": 0.4}, "drop", False),
    ],
)
def test_a_dropped_layer_gives_the_gradient_of_its_mask(build, asked, layer, channels):
    new = regularize(build(), **asked, seed=3)
    dropping = new.get_layer(layer)
    both = keras.Model(new.inputs[0], [dropping.input, dropping.output, new.outputs[0]])
    x = np.random.default_rng(0).uniform(1, 2, (64, *new.input_shape[1:])).astype("float32")
    with tf.GradientTape() as tape:
        before, after, probabilities = both(x, training=True)
        value = tf.reduce_sum(tf.math.log(probabilities[:, 0]))
    gradient = tape.gradient(value, new.get_layer("output").kernel.value)
    before, after = before.numpy(), after.numpy()
    seen = before != 0
    kept = (after != 0)[seen].mean()
    np.testing.assert_allclose(after[after != 0], before[after != 0] / 0.6, rtol=1e-5)
    assert abs(kept - 0.6) < 0.1
    if channels:
        alive, total = (np.any(part != 0, axis=(1, 2)) for part in (after, before))
        assert (alive != total).any()
        whole = np.broadcast_to(alive[:, None, None], after.shape)
        np.testing.assert_array_equal((after != 0)[seen], whole[seen])
    if layer in ("relu_dropout", "drop"):  # its output is what the last kernel multiplies
        error = np.eye(CLASSES)[0] - probabilities.numpy()
        np.testing.assert_allclose(gradient, after.T @ error, rtol=1e-3, atol=1e-4)


def test_smoothed_labels_give_the_gradient_of_smoothed_targets():
    new = regularize(mlp(), label_smoothing=0.2)
    x, y = rows_of("residual", 8)
    one_hot = np.eye(CLASSES, dtype="float32")[y]
    with tf.GradientTape() as tape:
        probabilities = new(x, training=False)
        loss = new.compute_loss(x, one_hot, probabilities)
    gradient = tape.gradient(loss, new.get_layer("output").bias.value)
    targets = 0.8 * one_hot + 0.2 / CLASSES
    np.testing.assert_allclose(gradient, (probabilities - targets).numpy().mean(0), atol=1e-6)


def one_step(model, x, y):
    model.train_on_batch(x, y)
    return {variable.path.split("/", 1)[1]: variable.numpy() for variable in model.weights}


def test_weight_decay_shrinks_the_chosen_kernels_alone():
    x, y = rows_of("residual", 16)
    rate, decay = 0.1, 0.3
    models = [mlp(optimizer=keras.optimizers.SGD(rate), loss="sparse_categorical_crossentropy")]
    kernel = models[0].get_layer("first").kernel.numpy()
    models.append(regularize(models[0], weight_decay=decay, where="first"))
    plain, decayed = (one_step(model, x, y) for model in models)
    for name, weights in plain.items():
        expected = weights - rate * decay * kernel if name == "first/kernel" else weights
        np.testing.assert_allclose(decayed[name], expected, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("name", "largest"), [("conv2d", 0.5), ("depthwise", 0.2), ("lstm", 0.5), ("residual", 0.5)]
)
def test_max_norm_bounds_the_weights_into_every_unit(name, largest):
    model = unregularized(name)
    model.compile(keras.optimizers.SGD(0.0), model.loss)
    new = regularize(model, max_norm=largest)
    new.train_on_batch(*rows_of(name, 4))
    for before, after in zip(model.trainable_variables, new.trainable_variables, strict=True):
        weights = before.numpy()
        if before.name in KERNELS:
            # A depthwise kernel is (height, width, units, 1).
            units = 2 if weights.ndim == 4 and weights.shape[-1] == 1 else 1
            axes = tuple(range(weights.ndim - units))
            norms = np.sqrt((weights**2).sum(axes, keepdims=True))
            weights = weights * np.minimum(1, largest / norms)
        np.testing.assert_allclose(after, weights, rtol=1e-4, atol=1e-7)


def names(model):
    return [layer.name for layer in model.layers]


@pytest.mark.parametrize(
    ("build", "asked", "expected"),
    [
        (
            mlp,
            {"dropout": 0.2, "input_dropout": 0.1},
            "features_dropout first first_dropout second norm relu relu_dropout output",
        ),
        (mlp, {"dropout": 0.0, "l2": 0.1}, "first second norm relu output"),
        (
            mlp,
            {"normalization": "batch", "dropout": 0.2},
            "first first_normalization first_activation first_dropout second norm relu "
            "relu_dropout output",
        ),
        (
            cnn,
            {"spatial_dropout": 0.2, "input_dropout": 0.1},
            "rescaling rescaling_dropout conv_1 pool pool_spatial_dropout conv_2 norm relu "
            "relu_spatial_dropout flatten drop output",
        ),
        (
            cnn,
            {"normalization": "layer"},
            "rescaling conv_1 conv_1_normalization conv_1_activation pool conv_2 norm relu "
            "flatten drop output",
        ),
        (
            cnn,
            {"spatial_dropout": 0.2, "where": ["conv_2", "pool*"]},
            "rescaling conv_1 pool pool_spatial_dropout conv_2 norm relu relu_spatial_dropout "
            "flatten drop output",
        ),
    ],
)
def test_layers_stand_in_this_order(build, asked, expected):
    assert names(regularize(build(), **asked)) == expected.split()


def test_an_existing_dropout_gets_the_new_rate():
    new = regularize(cnn(), dropout=0.25)
    assert new.get_layer("drop").rate == 0.25
    assert "flatten_dropout" not in names(new)


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ("first", {"first"}),
        ("*st", {"first"}),
        (layers.Dense, {"first", "second", "output"}),
        (lambda layer: getattr(layer, "units", 0) > 4, {"first"}),
        (["first", "out*"], {"first", "output"}),
    ],
)
def test_where_chooses_layers(where, chosen):
    new = regularize(mlp(), l2=0.1, where=where)
    assert {x.name for x in new.layers if getattr(x, "kernel_regularizer", None)} == chosen


def nested(frozen):
    """A backbone that is a model, whose features a normalisation or a head reads."""
    keras.utils.set_random_seed(1)
    picture = keras.Input(IMAGE)
    maps = layers.Conv2D(3, 3, activation="relu", name="conv")(picture)
    backbone = keras.Model(picture, maps, name="backbone")
    backbone.trainable = not frozen
    inputs = keras.Input(IMAGE)
    features = layers.GlobalAveragePooling2D(name="pool")(backbone(inputs, training=False))
    outputs = layers.Dense(CLASSES, name="output")(features)
    model = keras.Model(inputs, outputs)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.mark.parametrize("frozen", [False, True])
def test_nested_models_are_changed_unless_they_are_frozen(frozen):
    asked = Regularizers(dropout=0.3, spatial_dropout=0.2, l2=0.1)
    model = nested(frozen)
    if frozen:
        with pytest.raises(UserError, match=r"spatial_dropout: .*backbone/conv: frozen"):
            plan_regularization(model, asked)
        asked = Regularizers(dropout=0.3, l2=0.1)
    new = plan_regularization(model, asked).build()
    backbone = new.get_layer("backbone")
    assert backbone.trainable is not frozen
    inside = ["conv"] if frozen else ["conv", "conv_spatial_dropout"]
    assert names(backbone)[1:] == inside
    assert bool(backbone.get_layer("conv").kernel_regularizer) is not frozen
    assert "pool_dropout" in names(new)
    x, y = rows_of("conv2d", 4)
    np.testing.assert_array_equal(*(model(x).numpy() for model in (model, new)))
    before = backbone.get_weights()
    new.fit(x, y, verbose=0)
    assert np.array_equal(before[0], backbone.get_weights()[0]) is frozen


def test_shared_layers_stay_shared_and_gates_are_left_alone():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    shared = layers.Dense(4, activation="relu", name="shared")
    both = layers.Concatenate()([shared(one) for one in inputs])
    gate = layers.Dense(8, activation="sigmoid", name="gate")(both)
    gated = layers.Multiply()([both, gate])
    model = keras.Model(inputs, layers.Dense(CLASSES)(gated))
    model.compile("adam", "mse")
    plan = plan_regularization(model, Regularizers(dropout=0.5, l2=0.1))
    new = plan.build()
    assert len(new.get_layer("shared")._inbound_nodes) == 2
    assert len(new.get_layer("shared_dropout")._inbound_nodes) == 2
    assert len(new.weights) == len(model.weights)
    left = {row.layer: row.left.get("dropout") for row in plan.rows}
    assert left["gate"] == "it gates other features"


def test_dropout_never_stands_between_a_layer_and_its_normalization():
    inputs = keras.Input((4,))
    hidden = layers.Dense(4, activation="relu", name="hidden")(inputs)
    split = layers.Add()([layers.BatchNormalization()(hidden), hidden])
    model = keras.Model(inputs, layers.Dense(CLASSES)(split))
    model.compile("adam", "mse")
    with pytest.raises(UserError, match="hidden: its normalization follows"):
        regularize(model, dropout=0.5)


@keras.saving.register_keras_serializable(package="test_regularize")
class Own(layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]))

    def call(self, inputs):
        return inputs @ self.kernel


def test_layers_of_the_users_are_left_alone_with_the_reason():
    model = keras.Sequential([keras.Input((3,)), Own(name="own"), layers.Dense(2)])
    model.compile("adam", "mse")
    plan = plan_regularization(model, Regularizers(l2=0.1))
    (row,) = [row for row in plan.rows if row.layer == "own"]
    assert "a layer of your own" in row.left["l2"]
    assert len(plan.build().losses) == 1


def test_penalties_that_are_not_asked_for_stay():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.25)),
            layers.Dense(2, kernel_regularizer=keras.regularizers.OrthogonalRegularizer()),
        ]
    )
    model.compile("adam", "mse")
    plan = plan_regularization(model, Regularizers(l1=0.5))
    first, second = plan.build().layers
    assert (first.kernel_regularizer.l1, first.kernel_regularizer.l2) == (0.5, 0.25)
    assert isinstance(second.kernel_regularizer, keras.regularizers.OrthogonalRegularizer)
    assert "OrthogonalRegularizer of its own" in str(plan)
    gone = regularize(model, l2=0.0)
    assert gone.layers[0].kernel_regularizer is None


def test_the_plan_prints_as_a_table():
    asked = Regularizers(dropout=0.3, l2=1e-3, weight_decay=0.01, normalization="batch")
    lines = str(plan_regularization(mlp(), asked)).splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "layer type done left alone",
        "first Dense BatchNormalization before its activation; Dropout 0.3 after it; L2 0.001",
        "second Dense L2 0.001 normalization: it has one",
        "relu ReLU Dropout 0.3 after it",
        "output Dense L2 0.001 normalization: it gives the output",
        "optimizer weight decay 0.01 of 3 layers' kernels",
    ]


def test_the_new_model_is_keras_own_and_saves(tmp_path):
    asked = {"dropout": 0.3, "spatial_dropout": 0.1, "input_dropout": 0.1, "l1": 1e-4, "l2": 1e-3}
    new = regularize(cnn(), **asked, max_norm=2.0, weight_decay=0.01, normalization="batch")
    assert type(new) is keras.Sequential
    assert new.compiled
    new.save(tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as file:
        assert b"kerasreg" not in file.read("config.json")
    loaded = keras.saving.load_model(tmp_path / "new.keras")
    x = np.random.default_rng(0).uniform(0, 255, (4, 12, 12, 3))
    np.testing.assert_array_equal(loaded(x), new(x))
    assert float(loaded.optimizer.weight_decay) == 0.01
    assert len(loaded.losses) == len(new.losses) == 3


def test_masks_of_padded_words_stay():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(7, 3, mask_zero=True, name="words"),
            layers.LSTM(4, name="reader"),
            layers.Dense(CLASSES, name="output"),
        ]
    )
    model.compile("adam", "mse")
    new = regularize(model, dropout=0.3, input_dropout=0.1, l2=0.01)
    assert names(new) == ["words", "words_dropout", "reader", "reader_dropout", "output"]
    x = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    np.testing.assert_array_equal(new(x), model(x))
    np.testing.assert_array_equal(new(x[:, :2]), model(x))


def test_two_plans_of_one_seed_drop_alike():
    x = np.ones((4, 6), "float32")
    first, again, other = (regularize(mlp(), dropout=0.5, seed=seed) for seed in (1, 1, 2))
    a, b, c = (np.asarray(model(x, training=True)) for model in (first, again, other))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_an_application_of_keras_is_regularized():
    model = keras.applications.MobileNetV3Small((32, 32, 3), weights=None, classes=4)
    model.compile("adam", "categorical_crossentropy")
    asked = Regularizers(dropout=0.4, spatial_dropout=0.1, l2=1e-4, label_smoothing=0.1)
    plan = plan_regularization(model, asked)
    left = {row.layer: row.left for row in plan.rows}
    squeezed = [name for name in left if name.endswith("squeeze_excite_relu")]
    assert squeezed
    assert all(left[n]["dropout"] == "it gates other features" for n in squeezed)
    assert left["predictions"]["dropout"] == "it gives the output"
    new = plan.build()
    x = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(model(x, training=False), new(x, training=False))
    kernels = [v for v in new.trainable_variables if v.name == "kernel"]
    assert len(new.losses) == len(kernels)


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def without_compiling():
    return keras.Sequential([keras.Input((3,)), layers.Dense(1)])


@pytest.mark.parametrize(
    ("build", "asked", "said"),
    [
        (mlp, {}, "expected at least one regulariser"),
        (mlp, {"dropout": 1.0}, r"dropout: expected a number in \[0, 1\), got 1.0"),
        (mlp, {"l2": -1}, "l2: expected a number of at least 0, got -1"),
        (mlp, {"max_norm": 0}, "max_norm: expected a number above 0, got 0"),
        (mlp, {"normalization": "group"}, "normalization: expected one of none, batch, layer"),
        (mlp, {"spatial_dropout": 0.1}, "spatial_dropout: expected a model with a layer"),
        (mlp, {"l2": 0.1, "where": "third"}, "chooses none of features, first"),
        (mlp, {"l2": 0.1, "where": 3}, "where: expected a layer's name"),
        (cnn, {"label_smoothing": 0.1}, "keras.utils.to_categorical"),
        (without_compiling, {"l2": 0.1}, "expected a compiled model; call"),
        (lambda: keras.Sequential([layers.Dense(1)]), {"l2": 0.1}, "begin it with keras.Input"),
        (Subclassed, {"l2": 0.1}, "got the class Subclassed"),
        (lambda: "network.keras", {"l2": 0.1}, "expected a keras.Model, got str"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(build, asked, said):
    with pytest.raises(UserError, match=said) as caught:
        regularize(build(), **asked)
    assert "\n" not in str(caught.value)
