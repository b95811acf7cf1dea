"""A search over the user's own network: what trains, what comes out, and what is refused."""

import pickle
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from searching import X, Y, blobs
from solo_training import train_solo

from kerasreg.cli import main
from kerasreg.diagnosis.rows import rows_of
from kerasreg.errors import UserError
from kerasreg.networks import Network, NetworkConfig
from kerasreg.population import Population, TrainingPlan
from kerasreg.report import render_report
from kerasreg.search.network_space import network_space
from kerasreg.search.resume import stored_request
from kerasreg.search.run import search
from kerasreg.search.space import Choice, Space
from kerasreg.study import Study

ROWS = X.astype("float32")


def mlp(last="softmax", outputs=3, loss="sparse_categorical_crossentropy", inputs=5):
    model = keras.Sequential(
        [
            keras.Input((inputs,)),
            layers.Dense(6, activation="relu", name="hidden"),
            layers.Dense(outputs, activation=last, name="answer"),
        ]
    )
    if loss:
        model.compile(keras.optimizers.Adam(0.02), loss, metrics=["accuracy"])
    return model


def with_layer(last):
    inputs = keras.Input((5,))
    return keras.Model(inputs, last(layers.Dense(3)(layers.Dense(6, activation="tanh")(inputs))))


def nested():
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(3, activation="softmax")])
    return keras.Sequential([keras.Input((5,)), inner])


def two_inputs():
    first, second = keras.Input((2,), name="first"), keras.Input((3,), name="second")
    both = layers.Concatenate()([layers.Dense(4, activation="relu")(first), second])
    return keras.Model({"first": first, "second": second}, layers.Dense(3)(both))


def frozen():
    model = mlp()
    model.get_layer("hidden").trainable = False
    return model


@pytest.mark.parametrize(
    ("model", "outputs"),
    [
        (mlp(), 3),
        (mlp("linear", loss=None), 3),
        (with_layer(layers.Softmax()), 3),
        (with_layer(layers.Activation("softmax")), 3),
        (with_layer(keras.ops.softmax), 3),
        (nested(), 3),
        (mlp("sigmoid", 1, "binary_crossentropy"), 1),
        (mlp("softmax", 2), 1),
    ],
)
def test_a_network_gives_the_logits_of_its_own_probabilities(model, outputs):
    config = NetworkConfig(Network(model), keep_weights=True)
    logits = config.build((5,), outputs, "classification")(ROWS)
    probabilities = keras.ops.sigmoid(logits) if outputs == 1 else keras.ops.softmax(logits)
    expected = np.asarray(model(ROWS))
    if model.layers[-1].name == "answer" and config.network.loss is None:
        expected = np.asarray(keras.ops.softmax(expected))
    np.testing.assert_allclose(probabilities, expected[:, -outputs:], atol=1e-6)


def test_rows_are_given_to_a_network_in_its_own_shapes():
    image = keras.Sequential([keras.Input((5, 1, 1)), layers.Flatten(), layers.Dense(3)])
    built = NetworkConfig(Network(image), keep_weights=True).build((5,), 3, "classification")
    np.testing.assert_allclose(built(ROWS), image(ROWS.reshape(-1, 5, 1, 1)), atol=1e-6)
    model = two_inputs()
    built = NetworkConfig(Network(model), keep_weights=True).build((5,), 3, "classification")
    apart = {"first": ROWS[:, :2], "second": ROWS[:, 2:]}
    np.testing.assert_allclose(built(ROWS), model(apart), atol=1e-6)


def test_members_start_from_fresh_draws_of_their_seed_and_frozen_layers_from_their_own():
    model = frozen()
    built = {}
    for seed in (1, 2):
        # Another network of equal weights: nothing is remembered.
        config = NetworkConfig(Network(model), dropout=0.1 * seed)
        built[seed] = config.build((5,), 3, "classification", seed).get_weights()
    again = NetworkConfig(Network(model), l2=0.1).build((5,), 3, "classification", 1)
    for one, other in zip(built[1], again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    own = model.get_weights()
    np.testing.assert_array_equal(built[1][0], own[0])
    assert not np.array_equal(built[1][2], built[2][2])
    assert not np.array_equal(built[1][2], own[2])
    kept = NetworkConfig(Network(model), keep_weights=True).build((5,), 3, "classification", 1)
    np.testing.assert_array_equal(kept.get_weights()[2], own[2])


def test_settings_of_one_structure_train_as_each_would_alone():
    network = Network(mlp())
    base = NetworkConfig(network, l1=0.0, l2=0.0, weight_decay=0.0, label_smoothing=0.0)
    configs = [
        base.replace(l2=0.05, learning_rate=0.01),
        base.replace(l1=0.02, weight_decay=0.1, label_smoothing=0.2),
    ]
    assert configs[0].structure() == configs[1].structure()
    y = Y.astype("int32")
    fold = ((ROWS[:40], y[:40]), (ROWS[40:60], y[40:60]))
    population = Population(configs, (5,), 3, seeds=4)
    population.train([fold], TrainingPlan(2, 16))
    for index, config in enumerate(configs):
        alone = config.build((5,), 3, "classification", 4)
        train_solo(alone, *fold[0], 4, 2, 16)
        together = population.member(index)
        for mine, expected in zip(together.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_allclose(mine, expected, atol=2e-6)


def test_a_setting_travels_to_another_process():
    config = NetworkConfig(Network(mlp()), dropout=0.2)
    there = pickle.loads(pickle.dumps(config))
    assert there == config
    assert there.structure() == config.structure()


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (mlp(), {"dropout", "input_dropout", "normalization"}),
        (nested(), {"input_dropout"}),
        (frozen(), {"dropout", "input_dropout"}),
    ],
)
def test_the_default_space_varies_what_the_network_has_layers_for(model, names):
    config = NetworkConfig(Network(model))
    every = {"l1", "l2", "weight_decay", "label_smoothing", "learning_rate"}
    space = network_space(config)
    assert set(space) == names | every
    assert space["learning_rate"].low == pytest.approx(config.learning_rate / 10)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A search of two trials over a network, with folds and an ensemble."""
    model = mlp()
    space = network_space(NetworkConfig(Network(model)))
    del space["normalization"]  # one structure
    options = {"trials": 2, "epochs": 2, "folds": 2, "ensemble": True, "halving": False}
    out = tmp_path_factory.mktemp("network") / "study"
    return search(blobs(), model=model, space=space, **options, out=out)


def test_the_baseline_is_the_network_as_it_is_at_its_own_rate_and_eight_others(study):
    rates = [c["hyperparameters"]["learning_rate"] for c in study.result["baseline_candidates"]]
    assert len(rates) == 9
    assert rates[0] == pytest.approx(0.02)
    config = study.result["baseline"]["config"]
    assert config["dropout"] is None
    assert config["network"] == study.request["base"]["network"]


@pytest.mark.parametrize("name", ["best.keras", "ensemble.keras"])
def test_what_comes_out_is_keras_own(study, name):
    with zipfile.ZipFile(study.folder / name) as file:
        assert b"kerasreg" not in file.read("config.json")
    probabilities = keras.saving.load_model(study.folder / name)(ROWS)
    assert probabilities.shape == (len(ROWS), 3)
    np.testing.assert_allclose(np.asarray(probabilities).sum(1), 1, atol=1e-5)


def test_the_page_names_the_networks_layers(study, without_figures):
    page = render_report(study.folder).read_text()
    assert "What the best setting does to which layer" in page
    assert ">answer<" in page.replace("<bdi>", "").replace("</bdi>", "")
    assert "your network as it is" in page
    assert "None normalisation" not in page
    assert "model = regularize(" in page


def test_a_network_of_two_inputs_is_searched_and_comes_out_with_them(tmp_path):
    model = two_inputs()
    apart = {"first": ROWS[:, :2], "second": ROWS[:, 2:]}
    space = Space({"learning_rate": Choice(0.01, 0.02)})
    options = {"trials": 1, "epochs": 1, "folds": 0, "space": space, "out": tmp_path / "study"}
    study = search((apart, Y), model=model, **options)
    assert keras.saving.load_model(study.best_model)(apart).shape == (len(ROWS), 3)
    with pytest.raises(UserError, match=r"each of first, second, got first \(105, 2\)"):
        search(({"first": ROWS[:, :2]}, Y), model=model, **options)


def test_several_inputs_come_from_arrays_of_their_names_in_one_file(
    tmp_path, monkeypatch, capsys, without_figures
):
    monkeypatch.chdir(tmp_path)
    two_inputs().save("own.keras")
    arrays = {"second": ROWS[:, 2:], "first": ROWS[:, :2]}
    np.savez("rows.npz", y=Y, **arrays)
    given = ["--model", "own.keras", "--data", "rows.npz", "--trials", "1", "--epochs", "1"]
    assert main(["search", *given, "--folds", "0", "--quiet", "--out", "study"]) == 0
    assert main(["predict", "study", "--data", "rows.npz", "--out", "predicted.csv"]) == 0
    np.testing.assert_allclose(
        pd.read_csv("predicted.csv").iloc[:, 1:],
        keras.saving.load_model("study/best.keras").predict(arrays, verbose=0),
        atol=1e-5,
    )
    rows = rows_of(Path("rows.npz"), two_inputs(), 200, None, 0)
    np.testing.assert_array_equal(rows.x["second"], ROWS[rows.numbers, 2:])
    np.savez("few.npz", first=ROWS[:, :2], second=ROWS[:7, 2:], y=Y)
    np.savez("other.npz", first=ROWS[:, :2], y=Y)
    capsys.readouterr()
    for name, said in (("few", "equally many rows"), ("other", "arrays first, second, y or x, y")):
        assert main(["search", *given, "--data", f"{name}.npz", "--out", name]) == 2
        assert said in capsys.readouterr().err


def test_a_study_goes_on_with_the_network_that_it_kept(study):
    again = stored_request(Study.open(study.folder))
    assert again.to_dict()["base"] == study.request["base"]
    np.testing.assert_array_equal(
        again.base.network.model.get_weights()[0],
        keras.saving.load_model(study.folder / "network.keras", compile=False).get_weights()[0],
    )


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (mlp(outputs=4), r"outputs of shape \(rows, 4\), but the data's classes need \(rows, 3\)"),
        (mlp(inputs=7), r"rows of shape \(7,\), but the data has rows of shape \(5,\)"),
        (mlp(loss="mse"), "its loss, mse, does not fit"),
        (mlp(loss="categorical_hinge"), "compiled with a cross-entropy"),
        (with_layer(layers.Activation("relu")), "expected a last layer with softmax or sigmoid"),
        (keras.Sequential([layers.Dense(3)]), "expected a built Sequential"),
        (keras.Model(i := keras.Input((5,)), [i, i]), "expected one output"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_before_a_folder_is_made(model, said, tmp_path):
    with pytest.raises(UserError, match=said) as caught:
        search(blobs(), model=model, out=tmp_path / "study")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "none.keras"], "found none at none.keras"),
        (["--keep-weights"], "expected a network, --model FILE"),
        (["--model", "own.keras", "--units", "4"], "units: --model brings its own layers"),
        (["--model", "own.keras", "--fix", "encoding=smooth"], "encoding: --model brings its own"),
        (["--model", "own.keras", "--space", "units=4,8"], "units: expected one of dropout"),
    ],
)
def test_the_command_line_refuses_in_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mlp(outputs=10, inputs=64).save("own.keras")
    assert main(["search", "--data", "digits", "--out", "study", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
