"""Stacks with convolutions: members are what `build_stack`'s models are alone, number by number."""

import dataclasses

import keras
import numpy as np
import pytest
from solo_training import keras_dtype, model_weights, solo_model, train_solo

from kerasreg.data import from_arrays
from kerasreg.errors import UserError
from kerasreg.population import Population, TrainingPlan, checkpoint
from kerasreg.population.general import lift_model
from kerasreg.scores import score
from kerasreg.stacks import StackConfig, build_stack, build_template

SHAPE, ROWS, BATCH, EPOCHS = (6, 6, 2), 20, 8, 2  # 3 steps an epoch, the last one of 4 rows
BASE = StackConfig(filters=(3, 4), units=(5,), activation="tanh")
#: Of each structure what two members differ in.
STRUCTURES = {
    "plain steps": (
        BASE.replace(optimizer="sgd", learning_rate=0.05, pooling="none", filters=(3,)),
        [{"l1": 0.01, "dropout": 0.5}, {"l2": (0.1, 0.2, 0.3), "spatial_dropout": 0.4}],
    ),
    "adam": (
        BASE.replace(normalization="batch", schedule="cosine"),
        [
            {"weight_decay": 0.1, "label_smoothing": 0.2, "norm_momentum": 0.7},
            {"optimizer": "adamw", "input_dropout": 0.2, "spatial_dropout": (0.2, 0.5)},
        ],
    ),
    "clipped": (
        StackConfig(
            filters=(4,),
            pooling="average",
            head="gap",
            units=(),
            normalization="group",
            groups=2,
            norm_position="after",
            optimizer="momentum",
            global_clipnorm=0.5,
        ),
        [{"momentum": 0.5, "l2": 0.1}, {"global_clipnorm": 0.25, "initial_scale": 2.0}],
    ),
}
STRUCTURES["augmented"] = (
    BASE.replace(filters=(3,), units=(), optimizer="sgd", flip="horizontal", dropout=0.0),
    [
        {"shift": 0.25, "rotation": 0.125, "zoom": 0.25, "contrast": 0.5, "erase": 0.25},
        {"shift": 0.125, "spatial_dropout": 0.5, "input_dropout": 0.25},
    ],
)
TASKS = {
    "augmented": (3, "classification"),
    "plain steps": (1, "regression"),
    "adam": (3, "classification"),
    "clipped": (1, "classification"),
}


def images(outputs, task, dtype="float32", rows=ROWS, shape=SHAPE):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows, *shape)).astype(dtype)
    mean = x.reshape(rows, -1).mean(1)
    if task == "regression":
        return x, mean.astype(dtype)
    edges = np.quantile(mean, np.linspace(0, 1, max(outputs, 2) + 1)[1:-1])
    return x, np.digitize(mean, edges).astype("int32")


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_member_equals_the_stack_alone(name):
    base, changes = STRUCTURES[name]
    outputs, task = TASKS[name]
    configs = [base.replace(**change) for change in changes]
    # Keras' RandomRotation computes in float32 only.
    dtype, tolerance = ("float32", 1e-5) if name == "augmented" else ("float64", 1e-10)
    with keras_dtype(dtype):
        x, y = images(outputs, task, dtype)
        population = Population(configs, SHAPE, outputs, task, seeds=[3, 4], dtype=dtype)
        initial = [population.get_weights(k) for k in range(2)]
        results = population.fit(
            x, y, validation_data=(x, y), epochs=EPOCHS, batch_size=BATCH, every=EPOCHS
        )
        for k, (config, seed) in enumerate(zip(configs, (3, 4), strict=True)):
            start = build_stack(config, SHAPE, outputs, task, seed)
            for mine, wanted in zip(initial[k], model_weights(start), strict=True):
                np.testing.assert_array_equal(mine, wanted)
            alone = solo_model(config, SHAPE, outputs, task, seed, initial[k], EPOCHS * 3)
            train_solo(alone, x, y, seed, EPOCHS, BATCH)
            for mine, wanted in zip(population.get_weights(k), model_weights(alone), strict=True):
                np.testing.assert_allclose(mine, wanted, rtol=tolerance, atol=tolerance)
            measured = alone.evaluate(x, y, verbose=0, return_dict=True)
            curves = results[k].curves
            for metric in ("data_loss", "mae" if task == "regression" else "accuracy"):
                assert curves[f"val_{metric}"][-1] == pytest.approx(measured[metric], rel=1e-5)
            total = float(sum(alone.losses, 0.0))
            assert curves["penalty"][-1] == pytest.approx(total, rel=1e-6, abs=1e-12)
            np.testing.assert_array_equal(
                population.predict(x)[k], population.member(k).predict(x, verbose=0)
            )


CONFIGS = [BASE.replace(dropout=0.1 * k, learning_rate=0.01 / (k + 1)) for k in range(4)]
SEEDS = (3, 3, 4, 5)


def trained(indices=range(4), **options):
    """Weights and curves by index; two of the four share a seed."""
    x, y = images(3, "classification")
    population = Population(
        [CONFIGS[k] for k in indices], SHAPE, 3, seeds=[SEEDS[k] for k in indices]
    )
    options = {"epochs": 3, "batch_size": 8, "validation_data": (x[14:], y[14:]), **options}
    results = population.fit(x[:14], y[:14], **options)
    return {k: (population.get_weights(i), results[i]) for i, k in enumerate(indices)}


@pytest.fixture(scope="module")
def undisturbed():
    return trained()


def assert_same_bits(some, others):
    for k, (weights, result) in some.items():
        for mine, wanted in zip(weights, others[k][0], strict=True):
            np.testing.assert_array_equal(mine, wanted)
        for name, curve in result.curves.items():
            np.testing.assert_array_equal(curve, others[k][1].curves[name])


def test_company_order_and_cohorts_change_no_bit(undisturbed):
    assert_same_bits(trained([2, 0, 1, 3], cohort_size=2), undisturbed)


def test_a_resumed_training_gives_the_same_bits(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    options = {"checkpoint": tmp_path / "training.npz", "cohort_size": 2}

    def interrupt(report):
        if (report.cohort, report.epoch) == (2, 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(**options, on_epoch=interrupt)
    resumed = trained(**options)
    assert_same_bits({k: resumed[k] for k in (2, 3)}, undisturbed)


def test_members_of_one_seed_begin_alike():
    population = Population(CONFIGS, SHAPE, 3, seeds=SEEDS)
    weights = [population.get_weights(k) for k in range(4)]
    for one, other, third in zip(*weights[:3], strict=True):
        np.testing.assert_array_equal(one, other)
        assert not one.any() or (one != third).any()  # biases begin at 0


def test_predictions_are_scored_halved_and_kept_at_their_best():
    x, y = images(1, "classification", rows=40)
    population = Population(CONFIGS, SHAPE, 1, seeds=SEEDS)
    options = {"objective": "val_auc", "keep": "best", "halving": [(2, 0.5)]}
    options |= {"epochs": 4, "batch_size": 8}
    results = population.fit(x[:20], y[:20], validation_data=(x[20:], y[20:]), **options)
    assert [result.status for result in results].count("stopped") == 2
    for k, result in enumerate(results):
        curve = result.curves["val_auc"]
        assert result.best_epoch == int(np.argmax(curve)) + 1
        logits = population.member(k).predict(x[20:], verbose=0)
        found = score("auc", y[20:], logits[None])[0]
        assert curve[result.best_epoch - 1] == pytest.approx(found, abs=1e-6)


def test_weights_go_to_a_file_and_back(tmp_path):
    x, y = images(3, "classification")
    population = Population(CONFIGS[:2], SHAPE, 3)
    population.fit(x, y, validation_data=(x, y), batch_size=8)
    population.save_weights(1, tmp_path / "member.weights.h5")
    outputs = population.predict(x)[1]
    fresh = Population(CONFIGS[:2], SHAPE, 3)
    fresh.load_weights(0, tmp_path / "member.weights.h5")
    np.testing.assert_array_equal(fresh.predict(x)[0], outputs)


#: Another value of every field that is no structure of its own accord.
OTHERS = {
    **{"dropout": 0.5, "spatial_dropout": 0.5, "input_dropout": 0.5, "l1": 0.1, "l2": 0.1},
    **{"initializer": "glorot", "initial_scale": 2.0, "output_scale": 2.0, "groups": 2},
    **{"norm_momentum": 0.0, "norm_epsilon": 0.1, "norm_position": "after"},
    **{"learning_rate": 0.1, "schedule": "cosine", "global_clipnorm": 1.0, "momentum": 0.0},
    **{"weight_decay": 0.1, "rho": 0.0, "initial_accumulator": 0.0, "label_smoothing": 0.1},
    **{"penalize_output": False, "loss": "mae", "head": "gap", "pooling": "average"},
    **{"kernel_size": 2, "activation": "relu", "normalization": "batch", "optimizer": "adamw"},
    **{"units": (), "filters": (3,), "encoding": "smooth", "feature_scale": False},
    **{"shift": 0.1, "rotation": 0.1, "zoom": 0.1, "contrast": 0.1, "erase": 0.1},
    **{"flip": "vertical"},
}


def test_what_a_structure_says_is_what_trains_together():
    """Settings of one structure lift to one; the engine relies on it for every field."""
    assert set(OTHERS) == {field.name for field in dataclasses.fields(StackConfig)}
    for rule in ("adam", "momentum", "rmsprop", "adagrad"):
        base = BASE.replace(optimizer=rule, shift=0.2)
        wanted = lift_model(build_template(base, SHAPE, 3)).structure
        for name, value in OTHERS.items():
            other = base.replace(**{name: value})
            if other.structure() == base.structure():
                assert lift_model(build_template(other, SHAPE, 3)).structure == wanted, (rule, name)


@pytest.mark.parametrize(
    ("config", "shape", "dtype", "message"),
    [
        (BASE, 64, "float32", r"filters: expected images.*got rows of shape \(64,\)"),
        (BASE, SHAPE, "float64", "dtype: expected Keras' own, float32"),
    ],
)
def test_what_cannot_convolve_is_refused(config, shape, dtype, message):
    with pytest.raises(UserError, match=message):
        Population([config], shape, 3, dtype=dtype)


def test_a_dense_stack_and_one_with_convolutions_are_two_populations():
    with pytest.raises(UserError, match=r"filters is \(3, 4\) in config 0 and \(\)"):
        Population([BASE, BASE.replace(filters=())], SHAPE, 3)


def test_a_schedule_lasts_for_the_planned_steps():
    """A learning rate that falls to 0 over 2 of 4 epochs: nothing moves in the other two."""
    x, y = images(3, "classification")
    population = Population([BASE.replace(schedule="cosine")], SHAPE, 3)
    plan = TrainingPlan(4, 8, horizon=2)
    (result,) = population.train([((x, y), (x, y))], plan)
    curve = result.curves["data_loss"]
    assert curve[0] != curve[1] == curve[2] == curve[3]


def test_the_saved_stack_is_of_keras_layers_alone(tmp_path):
    model = build_stack(BASE.replace(dropout=0.5, spatial_dropout=0.5), (6, 6), 3)
    model.save(tmp_path / "stack.keras")
    again = keras.saving.load_model(tmp_path / "stack.keras", compile=False)
    assert [layer.__module__.partition(".")[0] for layer in again.layers] == ["keras"] * len(
        again.layers
    )


def test_augmentation_is_in_training_only_and_in_no_exported_model(tmp_path):
    """Rows that training changes beyond recognition; the same rows, unchanged, in inference."""
    x, y = images(3, "classification", rows=40)
    data = from_arrays(x, y)
    config = BASE.replace(shift=0.5, rotation=0.5, erase=0.5, flip="vertical")
    model = build_stack(config, SHAPE, 3)
    plain = build_stack(config.unregularized(), SHAPE, 3)
    np.testing.assert_array_equal(model.predict(x, verbose=0), plain.predict(x, verbose=0))
    assert np.abs(model(x, training=True) - model(x)).max() > 0.1
    data.export(model).save(tmp_path / "best.keras")
    found = keras.saving.load_model(tmp_path / "best.keras")
    assert not [layer for layer in found._flatten_layers() if layer.name.startswith("random_")]
    wanted = data.export(plain).predict(x, verbose=0)
    np.testing.assert_allclose(found.predict(x, verbose=0), wanted, atol=1e-6)


def test_strengths_of_augmentation_are_values_of_any_model():
    """What a user's own model has of Keras' layers is lifted too: one structure, two strengths."""
    lifted = []
    for strength in (0.1, 0.2):
        inputs = keras.Input(SHAPE)
        hidden = keras.layers.RandomZoom(strength)(keras.layers.RandomBrightness(strength)(inputs))
        model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(hidden)))
        model.compile("sgd", "mse")
        lifted.append(lift_model(model))
    assert lifted[0].structure == lifted[1].structure
    for k, strength in enumerate((0.1, 0.2)):
        assert list(lifted[k].values.values()).count(strength) == 2  # one limit a layer


@pytest.mark.parametrize("kind", ["shift", "rotation", "zoom", "contrast", "erase"])
def test_a_strength_bounds_how_much_an_image_changes(kind):
    """A strength near 0 changes little, a large one much."""
    x = np.zeros((8, 16, 16, 1), "float32")
    x[:, 4:12, 6:14] = 1.0
    changes = []
    for strength in (1e-3, 0.4):
        layer = build_stack(BASE.replace(**{kind: strength}), (16, 16, 1), 3).layers[1]
        changes.append(float(np.abs(layer(x, training=True) - x).mean()))
    assert changes[0] < 0.01 < changes[1] < 0.4
