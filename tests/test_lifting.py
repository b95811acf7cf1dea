"""Lifted models train as they would alone; what cannot be lifted is refused by name."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from solo_training import keras_dtype, model_weights, train_solo

from kerasreg.errors import UserError
from kerasreg.population import Population
from kerasreg.population.lifting import lift
from kerasreg.population.lifting_layers import activation_name
from kerasreg.stacks import StackConfig, build_stack

FEATURES, ROWS, BATCH, EPOCHS = 6, 48, 16, 7
SHORT = 44  # rows that leave a last batch of 12
L = keras.layers


def rows(loss: str, dtype="float64"):
    """Inputs and targets: class numbers, one-hot rows, or values."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(ROWS, FEATURES)).astype(dtype)
    signal = x @ draw.normal(size=(FEATURES, 3))
    classes = signal.argmax(1).astype("int32")
    if "binary" in loss:
        return x, (signal[:, 0] > 0).astype("int32")
    if "categorical" in loss:
        return x, classes if "sparse" in loss else np.eye(3, dtype=dtype)[classes]
    return x, (1.5 * signal[:, 0]).astype(dtype)


def sequential(layers, optimizer, loss, features=FEATURES):
    model = keras.Sequential([keras.Input((features,)), *layers])
    model.compile(optimizer=optimizer, loss=loss)
    return model


# Each row: layers, optimiser, loss, of a member; called twice or more with other numbers.
def fused(k):
    penalty = [None, keras.regularizers.L1(0.003), keras.regularizers.L2(0.02)][k]
    layers = [
        L.Dense(8, activation="relu", kernel_regularizer=penalty),
        L.Dense(3, activation="softmax", kernel_regularizer=keras.regularizers.L1L2(0.001, 0.01)),
    ]
    rate = [0.01, 0.02, 0.005][k]
    return layers, keras.optimizers.Adam(rate, beta_1=0.8), "sparse_categorical_crossentropy"


def separate(k):
    layers = [
        L.Dense(8, use_bias=False),
        L.BatchNormalization(momentum=0.7 + 0.1 * k, epsilon=0.01, scale=False),
        L.ReLU(),
        L.Dense(4),
        L.LeakyReLU(),
        L.Dense(3),
        L.Activation("softmax"),
    ]
    optimizer = keras.optimizers.SGD(0.05 + 0.01 * k, momentum=0.9, nesterov=True)
    return layers, optimizer, keras.losses.CategoricalCrossentropy(label_smoothing=0.1 * k)


def logits(k):
    layers = [L.Dense(8, activation="tanh"), L.LayerNormalization(center=False), L.Dense(1)]
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1 * (k + 1))
    return layers, optimizer, keras.losses.BinaryCrossentropy(from_logits=True)


def sigmoid(k):
    layers = [
        L.Rescaling(0.5, offset=0.1),
        L.Dense(8),
        L.GroupNormalization(2, epsilon=0.01),
        L.ELU(),
        L.Dense(1, activation="sigmoid"),
    ]
    optimizer = keras.optimizers.RMSprop(0.01, rho=0.8 + 0.05 * k, epsilon=1e-6)
    return layers, optimizer, "binary_crossentropy"


def regression(k):
    # Normalised inputs, and a regression that ends with an activation.
    layers = [
        L.BatchNormalization(),
        L.Dense(8, activation="mish"),
        L.ReLU(negative_slope=0.2),
        L.Dense(1, activation="softplus", kernel_regularizer="l2"),
    ]
    optimizer = keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.05 + 0.1 * k)
    return layers, optimizer, ["mse", keras.losses.MeanSquaredError()][k % 2]


def decayed(k):
    optimizer = keras.optimizers.SGD(0.1, weight_decay=0.1 * (k + 1))
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return [L.Dense(8, activation="gelu"), L.Dense(1)], optimizer, keras.losses.Huber()


def mae(k):
    return [L.Dense(8, activation="silu"), L.Dense(1)], keras.optimizers.SGD(0.01 + k), "mae"


CASES = [fused, separate, logits, sigmoid, regression, decayed, mae]
COUNT = {fused: 3, mae: 1}


def exact_numbers(model):
    """Keras rounds a Python number to float32 on its way to float64; a tensor it leaves alone."""
    for name in ("beta_1", "beta_2", "momentum", "weight_decay", "initial_accumulator_value"):
        value = getattr(model.optimizer, name, None)
        if value is not None:
            setattr(model.optimizer, name, keras.ops.convert_to_tensor(value, "float64"))
    for layer in model.layers:
        regularizer = getattr(layer, "kernel_regularizer", None)
        if regularizer is not None:
            for name in ("l1", "l2"):
                value = getattr(regularizer, name, None)
                if value is not None:
                    value = keras.ops.convert_to_tensor(float(value), "float64")
                    setattr(regularizer, name, value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_lifted_models_train_as_alone(case):
    """21 steps in float64: weights, statistics, outputs, metrics."""
    with keras_dtype("float64"):
        models = [sequential(*case(k)) for k in range(COUNT.get(case, 2))]
        x, y = rows(str(case(0)[2]) if not hasattr(case(0)[2], "name") else case(0)[2].name)
        # A second size of batch is a second compilation: one case has a short last batch.
        x, y = (x[:SHORT], y[:SHORT]) if case is fused else (x, y)
        seeds = list(range(len(models)))
        population = Population.from_models(models, seeds)
        assert population.dtype == "float64"
        results = population.fit(
            x, y, validation_data=(x, y), epochs=EPOCHS, batch_size=BATCH, objective="val_loss"
        )
        for k, model in enumerate(models):
            member = population.member(k)
            exact_numbers(model)
            train_solo(model, x, y, seeds[k], EPOCHS, BATCH)
            for ours, theirs in zip(population.get_weights(k), model_weights(model), strict=True):
                np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, atol=1e-8, rtol=1e-8)
            # The model handed back is the user's, its last activation included.
            wanted = model.predict(x, verbose=0)
            np.testing.assert_allclose(member.predict(x, verbose=0), wanted, atol=1e-7)
            assert [type(a) for a in member.layers] == [type(b) for b in model.layers]
            assert type(member.optimizer) is type(model.optimizer)
            if not (k and case is separate):  # label smoothing is in Keras' loss, not in ours
                found = member.evaluate(x, y, verbose=0)
                assert results[k].curves["val_loss"][-1] == pytest.approx(found, rel=1e-6)


def test_stacks_lift_into_the_population_of_their_configs():
    """Weights, numbers, batches and masks: lifted stacks train as their configs do."""
    base = StackConfig(units=(8, 8), normalization="batch", input_dropout=0.1, weight_decay=0.01)
    configs = [base.replace(dropout=rate, l2=0.01) for rate in (0.2, 0.5)]
    x, y = rows("sparse_categorical", "float32")
    fit = {"validation_data": (x, y), "epochs": 3, "batch_size": BATCH}
    together = Population(configs, FEATURES, 3, seeds=[0, 1])
    models = [build_stack(c, FEATURES, 3, seed=k) for k, c in enumerate(configs)]
    lifted = Population.from_models(models, seeds=[0, 1])
    assert not lifted.blueprint.decay_all
    expected, results = together.fit(x, y, **fit), lifted.fit(x, y, **fit)
    for k in range(2):
        for ours, theirs in zip(lifted.get_weights(k), together.get_weights(k), strict=True):
            assert np.linalg.norm(ours - theirs) <= 1e-6 * np.linalg.norm(theirs)
        for name, curve in expected[k].curves.items():
            np.testing.assert_allclose(results[k].curves[name], curve, rtol=1e-5)
        assert results[k].config is None


def plain(*layers, optimizer="adam", loss="sparse_categorical_crossentropy"):
    return sequential([*layers, L.Dense(3, activation="softmax")], optimizer, loss)


def test_names_and_numbers_are_no_structure():
    one = plain(L.Dense(4, "relu", kernel_regularizer="l1"), L.Dropout(0.1))
    other = plain(L.Dense(4, "relu", name="mine"), L.Dropout(0.5, name="also_mine"))
    first, second = lift(one), lift(other)
    assert first.blueprint == second.blueprint
    assert hash(first.blueprint) == hash(second.blueprint)
    assert first.values != second.values
    split = plain(L.Dense(4), L.Activation("relu"), L.Dropout(0.1))
    assert lift(split).blueprint == first.blueprint
    inputs = keras.Input((FEATURES,))
    outputs = L.Dense(3, "softmax")(L.Dropout(0.3)(L.Dense(4, "relu")(inputs)))
    functional = keras.Model(inputs, outputs)
    functional.compile("adam", "sparse_categorical_crossentropy")
    assert lift(functional).blueprint == first.blueprint
    assert lift(plain(L.Dense(5, "relu"), L.Dropout(0.1))).blueprint != first.blueprint


def test_members_come_back_under_their_own_names_with_softmax():
    models = [plain(L.Dense(4, "relu", name=name), L.Dropout(0.1)) for name in ("a", "b")]
    models[1].optimizer.weight_decay = 0.1
    population = Population.from_models(models)
    x, _ = rows("sparse_categorical", "float32")
    for k, name in enumerate("ab"):
        member = population.member(k)
        assert member.layers[0].name == name
        predictions = member.predict(x, verbose=0)
        np.testing.assert_allclose(predictions.sum(1), 1, rtol=1e-5)
        np.testing.assert_allclose(predictions, models[k].predict(x, verbose=0), atol=1e-6)
        logits = population.predict(x)[k]
        odds = np.exp(logits - logits.max(1, keepdims=True))
        np.testing.assert_allclose(odds / odds.sum(1, keepdims=True), predictions, atol=1e-6)


def test_what_decay_leaves_out_stays_left_out():
    model = build_stack(StackConfig(units=(4,), weight_decay=0.1), FEATURES, 3)
    member = Population.from_models([model]).member(0)
    assert [member.optimizer._use_weight_decay(v) for v in member.trainable_variables] == [
        variable.name == "kernel" for variable in member.trainable_variables
    ]


def gelu(x):
    return 2 * x


def test_an_activation_is_what_it_computes_not_what_it_is_called():
    with pytest.raises(UserError, match=r"got layer 'mine' \(Dense\)"):
        lift(plain(L.Dense(4, gelu, name="mine")))
    # keras.ops' default is an approximation.
    with pytest.raises(UserError, match=r"\(Activation\)"):
        lift(plain(L.Activation(keras.ops.gelu), L.Dense(4)))
    x = np.linspace(-8, 8, 401).astype("float32")
    taken = [f for module in (tf.nn, keras.ops) for f in vars(module).values() if callable(f)]
    taken = {function: name for function in taken if (name := activation_name(function))}
    assert {"relu", "tanh", "sigmoid", "gelu"} <= set(taken.values())
    for function, name in taken.items():
        wanted = keras.activations.get(name)(x)
        np.testing.assert_allclose(function(x), wanted, rtol=1e-6, err_msg=name)
    assert (
        lift(plain(L.Dense(4, tf.nn.relu))).blueprint == lift(plain(L.Dense(4, "relu"))).blueprint
    )


def test_an_image_is_flattened_and_rescaled():
    model = keras.Sequential([keras.Input((4, 5)), L.Rescaling(1 / 255), L.Flatten(), L.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    lifted = lift(model)
    assert lifted.blueprint.features == 20
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 5)).astype("float32")
    population = Population.from_models([model])
    np.testing.assert_allclose(
        population.predict(images)[0], model.predict(images, verbose=0), atol=1e-5
    )


def test_two_dropouts_in_a_row_draw_their_own_masks():
    blueprint = lift(plain(L.Dense(4), L.Dropout(0.1), L.ReLU(), L.Dropout(0.1))).blueprint
    indices = [spec.index for spec in blueprint.layers if spec.kind == "dropout"]
    assert len(set(indices)) == 2


@keras.saving.register_keras_serializable(package="tests")
class Dense(keras.layers.Dense):
    """A layer that borrows a name of Keras'."""


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = L.Dense(3)

    def call(self, x):
        return self.dense(x)


def own():
    model = Own()
    model(np.zeros((1, FEATURES)))
    model.compile("adam", "mse")
    return model


def branching():
    inputs = keras.Input((FEATURES,))
    left, right = L.Dense(4, name="left")(inputs), L.Dense(4, name="right")(inputs)
    model = keras.Model(inputs, L.Dense(3)(L.Add()([left, right])))
    model.compile("adam", "mse")
    return model


def shared():
    inputs, layer = keras.Input((FEATURES,)), L.Dense(FEATURES, name="twice")
    model = keras.Model(inputs, L.Dense(1)(layer(layer(inputs))))
    model.compile("adam", "mse")
    return model


def operation():
    inputs = keras.Input((FEATURES,))
    model = keras.Model(inputs, L.Dense(1)(keras.ops.sin(inputs)))
    model.compile("adam", "mse")
    return model


def two_inputs():
    inputs = [keras.Input((3,)), keras.Input((3,))]
    model = keras.Model(inputs, L.Dense(1)(L.Concatenate()(inputs)))
    model.compile("adam", "mse")
    return model


def frozen():
    model = plain(L.Dense(4, name="cold"))
    model.layers[0].trainable = False
    return model


def trained():
    model = sequential([L.Dense(1)], "adam", "mse")
    model.train_on_batch(np.zeros((2, FEATURES)), np.zeros(2))
    return model


def uncompiled():
    return keras.Sequential([keras.Input((FEATURES,)), L.Dense(1)])


def unbuilt():
    model = keras.Sequential([L.Dense(1)])
    model.compile("adam", "mse")
    return model


def partly_decayed():
    optimizer = keras.optimizers.AdamW(0.1)
    optimizer.exclude_from_weight_decay(var_names=["gamma"])
    return plain(L.Dense(4), L.BatchNormalization(), optimizer=optimizer)


def ends(activation, loss, outputs=3):
    return sequential([L.Dense(outputs, activation=activation, name="end")], "adam", loss)


def square(x):
    return x * x


SCHEDULE = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
C = keras.losses

# what to build, the part of it that the message names
REFUSED = [
    (lambda: plain(Dense(4, name="mine")), "layer 'mine' (Dense)"),
    (lambda: plain(L.Lambda(square, name="f")), "layer 'f' (Lambda)"),
    (lambda: plain(L.GaussianNoise(0.1, name="n")), "layer 'n' (GaussianNoise)"),
    (lambda: plain(L.Dense(4, square, name="d")), "layer 'd' (Dense)"),
    (lambda: plain(L.Dense(4, "log_softmax", name="d")), "layer 'd' (Dense)"),
    (lambda: plain(L.Dense(4, kernel_constraint="max_norm", name="d")), "layer 'd' (Dense)"),
    (lambda: plain(L.Dense(4, bias_constraint="max_norm", name="d")), "layer 'd' (Dense)"),
    (lambda: plain(L.Dense(4, bias_regularizer="l2", name="d")), "layer 'd' (Dense)"),
    (lambda: plain(L.Dense(4, activity_regularizer="l2", name="d")), "layer 'd' (Dense)"),
    (
        lambda: plain(L.Dense(4, kernel_regularizer=keras.regularizers.OrthogonalRegularizer())),
        "(Dense)",
    ),
    (lambda: plain(L.Dense(4, dtype="mixed_float16", name="d")), "layer 'd' (Dense)"),
    (lambda: plain(L.Dense(4, dtype="float64", name="d")), "layer 'd' (Dense)"),
    (lambda: plain(L.Dropout(0.1, noise_shape=(None, 1), name="d")), "layer 'd' (Dropout)"),
    (lambda: plain(L.LeakyReLU(), L.ReLU(max_value=3.0, name="r")), "layer 'r' (ReLU)"),
    (lambda: plain(L.ReLU(threshold=1.0, name="r")), "layer 'r' (ReLU)"),
    (lambda: plain(L.ELU(alpha=0.5, name="e")), "layer 'e' (ELU)"),
    (lambda: plain(L.BatchNormalization(gamma_regularizer="l2")), "(BatchNormalization)"),
    (lambda: plain(L.LayerNormalization(beta_constraint="non_neg")), "(LayerNormalization)"),
    (lambda: plain(L.Rescaling([1.0] * FEATURES)), "(Rescaling)"),
    (lambda: sequential([L.Dense(1), L.Dropout(0.1)], "sgd", "mse"), "(Dropout)"),
    (lambda: sequential([L.ReLU()], "sgd", "mse"), "(ReLU)"),
    (frozen, "layer 'cold' (Dense)"),
    (branching, "(Dense)"),
    (shared, "layer 'twice' (Dense)"),
    (operation, "(Sin)"),
    (two_inputs, "more than one input or output"),
    (own, "the class Own"),
    (uncompiled, "a model that is not compiled"),
    (unbuilt, "a model that is not built"),
    (trained, "the optimizer Adam"),
    (partly_decayed, "the optimizer AdamW"),
    (lambda: plain(optimizer="lion"), "the optimizer Lion"),
    (lambda: plain(optimizer=keras.optimizers.SGD(SCHEDULE)), "the optimizer SGD"),
    (lambda: plain(optimizer=keras.optimizers.Adam(clipnorm=1.0)), "the optimizer Adam"),
    (lambda: plain(optimizer=keras.optimizers.Adam(clipvalue=1.0)), "the optimizer Adam"),
    (lambda: plain(optimizer=keras.optimizers.Adam(global_clipnorm=1.0)), "the optimizer Adam"),
    (lambda: plain(optimizer=keras.optimizers.Adam(use_ema=True)), "the optimizer Adam"),
    (lambda: plain(optimizer=keras.optimizers.Adam(amsgrad=True)), "the optimizer Adam"),
    (lambda: plain(optimizer=keras.optimizers.Adam(loss_scale_factor=2.0)), "the optimizer Adam"),
    (
        lambda: plain(optimizer=keras.optimizers.Adam(gradient_accumulation_steps=2)),
        "the optimizer Adam",
    ),
    (lambda: plain(optimizer=keras.optimizers.RMSprop(centered=True)), "the optimizer RMSprop"),
    (lambda: plain(optimizer=keras.optimizers.RMSprop(momentum=0.9)), "the optimizer RMSprop"),
    (lambda: ends(None, "hinge"), "the loss 'hinge'"),
    (lambda: ends(None, C.LogCosh()), "the loss 'LogCosh'"),
    (lambda: ends(None, C.Huber(delta=2.0), 1), "the loss 'Huber'"),
    (lambda: ends(None, C.MeanSquaredError("sum"), 1), "the loss 'MeanSquaredError'"),
    (lambda: ends(None, "sparse_categorical_crossentropy"), "layer 'end' (Dense)"),
    (
        lambda: ends("sigmoid", "categorical_crossentropy"),
        "layer 'end' (Dense)",
    ),
    (lambda: ends("softmax", "mse", 1), "layer 'end' (Dense)"),
    (lambda: ends(None, "binary_crossentropy", 1), "layer 'end' (Dense)"),
    (lambda: ends(None, "mse", 3), "layer 'end' (Dense)"),
    (lambda: ends("softmax", "categorical_crossentropy", 1), "layer 'end' (Dense)"),
]


@pytest.mark.parametrize(("build", "expected"), REFUSED)
def test_what_is_no_stack_is_refused_by_name(build, expected):
    with pytest.raises(UserError) as caught:
        lift(build())
    assert str(caught.value).startswith("models: expected stacks of plain Dense layers, got ")
    assert str(caught.value).endswith(f"{expected}.")


def test_from_models_refuses_mixed_structures_and_mixed_targets():
    with pytest.raises(UserError, match="at least one model"):
        Population.from_models([])
    with pytest.raises(UserError, match="models 0 and 1 differ"):
        Population.from_models([plain(L.Dense(4)), plain(L.Dense(5))])
    with pytest.raises(TypeError, match="unexpected keyword argument 'fold'"):
        Population.from_models([plain()], fold=[0])
    x, y = rows("categorical", "float32")
    with pytest.raises(UserError, match="one class a row"):
        Population.from_models([plain()]).fit(x, y * 0.5, validation_data=(x, y))
