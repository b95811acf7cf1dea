"""The general path: a member is what the same Keras model would be alone, number by number."""

import itertools
from collections import OrderedDict

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import NETWORKS, rows_of
from solo_training import keras_dtype

from kerasreg.errors import UserError
from kerasreg.population import Population, TrainingPlan, batch_order, checkpoint
from kerasreg.population.general import path, program
from kerasreg.population.general.fusing import is_fused
from kerasreg.seeds import derive

ROWS, BATCH, EPOCHS = 12, 8, 2  # 2 steps an epoch, the second one of 4 rows
#: Rates and L2 strengths of the members of one population.
SETTINGS = ((0.25, 0.0), (0.0, 2.0**-5))
#: Random layers before the one in question; attention has a dropout of its own, of rate 0.
BEFORE = {"augmentation": 2, "attention": 1}


class PlainDropout(keras.layers.Layer):
    """Inverted dropout with the draws of the randomness contract.

    The k-th random layer of a member draws in its n-th call, (units, rows, ...),
    `stateless_uniform([derive(seed, "draws", k), n])`.
    """

    def __init__(self, rate: float, seed: int, index: int, spatial: bool):
        super().__init__()
        self.supports_masking = True
        self.rate, self.spatial, self.count = rate, spatial, 0
        self.draw_seed = derive(seed, "draws", index)

    def call(self, x, training=False):
        if not training or not self.rate:
            return x
        rows, *places, units = x.shape
        places = [1] * len(places) if self.spatial else places
        pair = [self.draw_seed, self.count]
        draws = tf.random.stateless_uniform([units, rows, *places], pair)
        self.count += 1
        kept = tf.transpose(draws, [*range(1, len(x.shape)), 0]) >= self.rate
        return x * tf.cast(kept, x.dtype) / (1 - self.rate)


# Keras rounds an optimiser's values to float32 on the way, in float64 too: these are exact there.
OPTIMIZERS = {
    "sgd": lambda k: keras.optimizers.SGD(2.0 ** -(4 + k), momentum=0.5),
    "adam": lambda k: keras.optimizers.Adam(
        2.0 ** -(6 + k), beta_1=0.875, beta_2=1 - 2.0**-7, epsilon=2.0**-20
    ),
}


def keras_noise(rate):
    """Keras' own dropout of a rate."""

    def noise(tensor, spatial=False):
        kind = keras.layers.SpatialDropout2D if spatial else keras.layers.Dropout
        return kind(rate)(tensor)

    return noise


def plain_noise(rate, seed, index):
    """The same by the contract's formula."""
    return lambda tensor, spatial=False: PlainDropout(rate, seed, index, spatial)(tensor)


def compiled(name, optimizer, noise, l2, k):
    model = keras.Model(*NETWORKS[name](noise, l2))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if name == "two_outputs":
        model.compile(optimizer(k), [loss, "mse"], loss_weights=[1.0, 0.5])
    else:
        model.compile(optimizer(k), loss, metrics=["accuracy"])
    return model


def train_alone(model, x, y, seed, epochs=EPOCHS):
    """Plain Keras: one eager step after the other, in the contract's order of rows."""
    for epoch in range(epochs):
        order = batch_order(seed, epoch, ROWS)
        for start in range(0, ROWS, BATCH):
            rows = order[start : start + BATCH]
            xb, yb = keras.tree.map_structure(lambda array, rows=rows: array[rows], (x, y))
            with tf.GradientTape() as tape:
                loss = model.compute_loss(xb, yb, model(xb, training=True))
                loss = model.optimizer.scale_loss(loss)
            gradients = tape.gradient(loss, model.trainable_variables)
            model.optimizer.apply(gradients, model.trainable_variables)


def assert_equal_arrays(ours, theirs, tolerance=1e-12):
    for mine, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "rule"), list(itertools.product(NETWORKS, OPTIMIZERS)))
def test_a_member_equals_the_model_alone(name, rule):
    """Every kind of network x SGD and Adam x dropout and L2, 4 steps in float64."""
    check_members_against_models_alone(name, OPTIMIZERS[rule])


def test_a_member_in_float16_equals_the_model_alone():
    """Its loss is scaled by Keras' rule: too much at first, more again after two finite steps."""
    x, y = rows_of("conv1d", ROWS)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        models = []
        for k in range(2):
            model = compiled("conv1d", OPTIMIZERS["adam"], keras_noise(0), 0, k)
            inner = model.optimizer.inner_optimizer
            model.compile(keras.optimizers.LossScaleOptimizer(inner, 2.0**19, 2), model.loss)
            models.append(model)
    finally:
        keras.config.set_dtype_policy("float32")
    population = Population.from_models(models, seeds=[3, 4])
    plan = TrainingPlan(epochs=6, batch_size=BATCH)
    population.train([((x, y), (x, y))], plan)
    for k, model in enumerate(models):
        before = model.get_weights()
        train_alone(model, x, y, 3 + k, plan.epochs)
        steps, scale = int(model.optimizer.iterations), float(model.optimizer.dynamic_scale)
        assert 4 < steps < 12, scale
        assert_equal_arrays(population.get_weights(k), model.get_weights(), 2e-3)
        assert not np.allclose(before[0], model.get_weights()[0], atol=2e-3)


@pytest.mark.parametrize("name", ["conv2d", "lstm"])
def test_a_member_whose_step_xla_compiles_equals_the_model_alone(name, monkeypatch):
    monkeypatch.setattr(program, "is_fused", lambda model: True)
    monkeypatch.setattr(path, "_programs", OrderedDict())
    check_members_against_models_alone(name, OPTIMIZERS["adam"])


def check_members_against_models_alone(name, optimizer):
    with keras_dtype("float64"):
        x, y = rows_of(name, ROWS)
        models = []
        for k, (rate, l2) in enumerate(SETTINGS):
            keras.utils.set_random_seed(k)
            models.append(compiled(name, optimizer, keras_noise(rate), l2, k))
        initial = [model.get_weights() for model in models]
        population = Population.from_models(models, seeds=[0, 1])
        results = population.fit(
            x, y, validation_data=(x, y), epochs=EPOCHS, batch_size=BATCH, every=EPOCHS
        )
        for k, (rate, l2) in enumerate(SETTINGS):
            index = BEFORE.get(name, 0)
            alone = compiled(name, optimizer, plain_noise(rate, k, index), l2, k)
            alone.set_weights(initial[k])
            drawing = [layer for layer in alone.layers if hasattr(layer, "generator")]
            for i, layer in enumerate(drawing):
                layer.generator.state.assign([derive(k, "draws", i), 0])
            train_alone(alone, x, y, seed=k)
            assert_equal_arrays(population.get_weights(k), alone.get_weights())
            outputs = alone(x, training=False)
            data_loss = alone._compile_loss(y, outputs)
            curves = results[k].curves
            assert curves["val_data_loss"][-1] == pytest.approx(float(data_loss), rel=1e-7)
            assert curves["penalty"][-1] == pytest.approx(float(sum(alone.losses, 0.0)), rel=1e-7)
            total = curves["data_loss"] + curves["penalty"]
            assert curves["loss"][-1] == pytest.approx(total[-1], rel=1e-7)


def image_models(indices, metrics=lambda: ["accuracy"], flip=True):
    """Convolutions with everything random, by index in a population of five."""
    models = []
    for k in indices:
        keras.utils.set_random_seed(k)
        model = keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                keras.layers.RandomFlip() if flip else keras.layers.GaussianNoise(0.1),
                keras.layers.Conv2D(3, 3, activation="relu"),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(0.1 * k),
                keras.layers.Flatten(),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        optimizer = keras.optimizers.Adam(0.02 / (k + 1))
        model.compile(optimizer, "binary_crossentropy", metrics=metrics())
        models.append(model)
    return models


def image_rows():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(40, 6, 6, 1)).astype("float32")
    return x, (x.mean((1, 2)) > 0).astype("float32")


def train_images(indices=range(5), models=None, **options):
    """Weights and curves by index; two of the five share a seed."""
    x, y = image_rows()
    models = models or image_models(indices)
    seeds = [(3, 3, 4, 5, 6)[k] for k in indices]
    population = Population.from_models(models, seeds=seeds)
    options = {"epochs": 4, "batch_size": 16, "validation_data": (x[30:], y[30:]), **options}
    results = population.fit(x[:30], y[:30], **options)
    return {k: (population.get_weights(i), results[i]) for i, k in enumerate(indices)}


@pytest.fixture(scope="module")
def undisturbed():
    return train_images()


def assert_same_bits(some, others):
    for k, (weights, result) in some.items():
        for mine, wanted in zip(weights, others[k][0], strict=True):
            np.testing.assert_array_equal(mine, wanted)
        for name, curve in result.curves.items():
            np.testing.assert_array_equal(curve, others[k][1].curves[name])


def test_company_order_and_cohorts_change_no_bit(undisturbed):
    assert_same_bits(train_images([4, 2, 0, 1, 3], cohort_size=2), undisturbed)
    assert_same_bits(train_images([2, 3]), undisturbed)


def test_company_and_order_change_no_bit_where_xla_compiles_the_step(monkeypatch):
    monkeypatch.setattr(program, "is_fused", lambda model: True)
    together = train_images(models=image_models(range(5), flip=False))
    assert_same_bits(train_images([3, 1], image_models([3, 1], flip=False)), together)


@pytest.mark.parametrize(
    ("name", "fused"),
    [("conv2d", False), ("lstm", True), ("gru", True), ("attention", False), ("residual", False)],
)
def test_xla_compiles_recurrences(name, fused):
    assert is_fused(compiled(name, OPTIMIZERS["sgd"], keras_noise(0.5), 0.0, 0)) == fused


def test_a_resumed_training_gives_the_same_bits(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    options = {"checkpoint": tmp_path / "training.npz", "cohort_size": 3}

    def interrupt(report):
        if (report.cohort, report.epoch) == (2, 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_images(**options, on_epoch=interrupt)
    epochs = []
    resumed = train_images(**options, on_epoch=lambda report: epochs.append(report.epoch))
    assert len(epochs) < 8
    kept = {k: pair for k, pair in resumed.items() if pair[1].curves}
    assert kept
    assert_same_bits(kept, undisturbed)


def test_patience_culling_and_the_best_weights_go_by_any_metric():
    """AUC is better where it is larger, and is that of Keras over all rows."""

    def metrics():
        return [
            keras.metrics.AUC(name="auc"),
            keras.metrics.Precision(name="precision"),
            keras.metrics.F1Score("micro", 0.5, name="f1"),
        ]

    x, y = image_rows()
    models = image_models(range(4), metrics)
    before = [model.get_weights() for model in models]
    population = Population.from_models(models)
    results = population.fit(
        x[:30],
        y[:30],
        validation_data=(x[30:], y[30:]),
        epochs=5,
        batch_size=16,
        objective="val_auc",
        patience=2,
        halving=[(2, 0.5)],
        keep="best",
    )
    statuses = [result.status for result in results]
    assert statuses.count("stopped") == 2
    through = statuses.index("completed")
    result = results[through]
    curve = result.curves["val_auc"]
    assert result.best_epoch == int(np.argmax(curve)) + 1
    found = population.member(through).evaluate(x[30:], y[30:], verbose=0, return_dict=True)
    for name in ("auc", "precision", "f1", "loss"):
        assert result.curves[f"val_{name}"][result.best_epoch - 1] == pytest.approx(
            found[name], abs=1e-6
        )
    # The models that were given are as they were.
    for model, weights in zip(models, before, strict=True):
        for mine, wanted in zip(model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(mine, wanted)
        assert isinstance(model.layers[3].rate, float)
        assert "call" not in vars(model.layers[3])


def test_weights_go_to_a_file_and_back(tmp_path):
    population = Population.from_models(image_models(range(2)))
    x, y = image_rows()
    population.fit(x, y, validation_data=(x, y))
    population.save_weights(1, tmp_path / "member.weights.h5")
    alone = population.member(0)
    alone.load_weights(tmp_path / "member.weights.h5")
    outputs = population.predict(x)
    np.testing.assert_allclose(outputs[1], alone.predict(x, verbose=0), rtol=1e-6)
    population.load_weights(0, tmp_path / "member.weights.h5")
    np.testing.assert_array_equal(population.predict(x)[0], outputs[1])


def test_models_of_two_structures_are_refused_with_the_first_difference():
    models = [*image_models([0]), *image_models([1], lambda: ["mae"])]
    with pytest.raises(UserError, match=r"models 0 and 1 differ: .*accuracy.*mae"):
        Population.from_models(models)


@pytest.mark.parametrize("name", ["loss", "data_loss", "penalty"])
def test_a_metric_named_as_what_is_measured_anyway_is_refused(name):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[keras.metrics.MeanAbsoluteError(name=name)])
    rows = np.zeros((4, 2), "float32"), np.zeros(4, "float32")
    population = Population.from_models([model], general=True)
    with pytest.raises(UserError, match=f"metrics: expected none named '{name}'.*my_{name}"):
        population.train([(rows, rows)], TrainingPlan(1, 2))


def test_an_objective_must_say_which_way_it_is_better():
    def size(y, p):
        return keras.ops.mean(p)

    x, y = image_rows()
    population = Population.from_models(image_models(range(2), lambda: [size]))
    data = {"validation_data": (x, y), "objective": "val_size"}
    with pytest.raises(UserError, match="direction: expected 'min' or 'max' for 'val_size'"):
        population.fit(x, y, **data)
    plan = TrainingPlan(objective="val_size", direction="max")
    assert len(population.train([((x, y), (x, y))], plan)) == 2


def test_folds_and_weights_of_rows_are_those_of_keras():
    """Each member sees its fold; the weights of rows weigh its loss."""
    x, y = image_rows()
    weights = np.linspace(0.5, 2.0, 40).astype("float32")
    parts = [np.arange(0, 20), np.arange(20, 40)]
    rows = [(x[part], y[part], weights[part]) for part in parts]
    # Judged by unequally many rows, trained side by side.
    folds = [(rows[0], rows[1]), (rows[1], tuple(part[3:] for part in rows[0]))]
    models = [image_models([2])[0] for _ in range(3)]
    population = Population.from_models(models, folds=[0, 1, 1])
    results = population.fit(folds=folds, epochs=2, batch_size=8)
    assert results[1].curves["loss"][-1] == results[2].curves["loss"][-1]
    for k, (train, validation) in ((0, folds[0]), (1, folds[1])):
        alone = population.member(k)
        for prefix, part in (("", train), ("val_", validation)):
            x_part, y_part, w_part = part
            found = alone.evaluate(
                x_part, y_part, sample_weight=w_part, verbose=0, return_dict=True
            )
            for name, value in found.items():
                curve = results[k].curves[prefix + name]
                assert curve[-1] == pytest.approx(value, rel=1e-5, abs=1e-6)


def test_weights_of_classes_are_weights_of_rows():
    x, y = image_rows()
    data = {"validation_data": (x, y), "epochs": 2}
    by_row = np.where(y[:, 0] > 0, 3.0, 1.0)
    trained = [Population.from_models(image_models([1])) for _ in range(2)]
    trained[0].fit(x, y, class_weight={0: 1.0, 1: 3.0}, **data)
    trained[1].fit(x, y, sample_weight=by_row, **data)
    for mine, wanted in zip(trained[0].get_weights(0), trained[1].get_weights(0), strict=True):
        np.testing.assert_array_equal(mine, wanted)


class Undecided(keras.layers.Layer):
    """Decides by its inputs' values, which a graph does not know."""

    def compute_output_shape(self, shape):
        return shape

    def call(self, x):
        return x if keras.ops.sum(x) > 0 else -x


@pytest.mark.parametrize(
    ("layer", "rows", "reason"),
    [
        (Undecided(), (8, 3), "cannot be compiled as a function of its weights: .*bool"),
        (keras.layers.Activation("relu"), (8, 4), "cannot be called on these rows: .*shape"),
    ],
)
def test_a_model_that_fails_on_the_rows_is_named(layer, rows, reason):
    inputs = keras.Input((3,))
    hidden = layer(keras.layers.Dense(3)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile("adam", "mse")
    x, y = np.ones(rows, "float32"), np.ones(rows[0], "float32")
    population = Population.from_models([model], general=True)
    with pytest.raises(UserError, match=reason):
        population.fit(x, y, validation_data=(x, y), batch_size=4)
