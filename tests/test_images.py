"""Images: a folder of them, and a search with convolutions from the folder to new predictions."""

import re

import keras
import numpy as np
import pytest
from PIL import Image

from kerasreg.data import load, locate, read_new_images, story
from kerasreg.data.files import image_folder
from kerasreg.errors import UserError
from kerasreg.networks import reading_of
from kerasreg.prediction import predict
from kerasreg.search.from_cli import load_arguments, requested
from kerasreg.search.request import Request
from kerasreg.search.run import search
from kerasreg.search.settle import are_images, settled
from kerasreg.search.space import Choice, Range, Space
from kerasreg.search.space.default_space import DEFAULT_SPACE, IMAGE_SPACE
from kerasreg.stacks import StackConfig, build_stack

SIDE = 16
CLASSES = ("bars", "dots", "lines")


def pixels(kind: str, index: int, shape=(SIDE, SIDE)) -> np.ndarray:
    """Upright bars, horizontal lines, or dots, with noise of their own."""
    draw = np.random.default_rng(index)
    image = draw.integers(0, 90, shape)
    rows = slice(index % 3, None, 4), slice(None)
    where = {"bars": rows[::-1], "lines": rows, "dots": (rows[0], rows[0])}[kind]
    image[where] += 150
    return image.astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Grey images, 20 a class."""
    path = tmp_path_factory.mktemp("images") / "patterns"
    for kind in CLASSES:
        (path / kind).mkdir(parents=True)
        for index in range(20):
            Image.fromarray(pixels(kind, index)).save(path / kind / f"{index:02}.png")
    return path


def test_a_folder_is_read_as_its_classes_and_pixels(folder, monkeypatch):
    data = load(folder, fractions=(0.6, 0.2, 0.2))
    assert (data.name, data.class_names, data.outputs) == ("patterns", CLASSES, 3)
    assert data.input_shape == data.train.x.shape[1:] == (SIDE, SIDE)
    assert data.train.x.max() <= 1.0
    assert (data.notes, data.warnings) == ((), ())
    raw = image_folder.read_image_folder(folder)
    for image, label, file in zip(raw.x, raw.y, raw.files, strict=True):
        np.testing.assert_array_equal(image, pixels(label, int(file.stem)))
    assert story(data.describe())[0] == f"read      patterns: 60 rows of {SIDE}×{SIDE}"
    monkeypatch.chdir(folder.parent)
    assert locate("patterns") == str(folder)
    assert load("patterns", image_size=(8, 12)).input_shape == (8, 12)
    assert load("patterns", image_size=(8, 12)).source["image_size"] == [8, 12]


@pytest.mark.parametrize(
    ("takes", "shape"),
    [((8, 12, 3), (8, 12, 3)), ((8, 12, 1), (8, 12)), ((8, 12), (8, 12)), ((None, None, 1), None)],
)
def test_a_network_says_the_size_of_a_folders_images(takes, shape, folder):
    model = keras.Sequential([keras.Input(takes), keras.layers.Flatten()])
    reading = reading_of(model, folder)
    told = []
    data = load(folder, **reading, progress=lambda *counts: told.append(counts))
    assert data.input_shape == (shape or (SIDE, SIDE))
    assert told == [(done, 60) for done in range(60)]
    assert reading_of(model, "digits") == {}


def test_what_does_not_fit_is_resized_or_left_out_and_said(tmp_path):
    """Two sizes, colour among grey, 16 bits, an image turned by its camera, and what is none."""
    for kind in ("a", "b", "empty"):
        (tmp_path / kind).mkdir()
    for index in range(6):
        Image.fromarray(pixels("bars", index)).save(tmp_path / "a" / f"{index}.png")
        Image.fromarray(pixels("dots", index)).save(tmp_path / "b" / f"{index}.bmp")
    Image.fromarray(pixels("dots", 6, (20, 30))).save(tmp_path / "b" / "wide.png")
    colour = np.stack([pixels("bars", 7), pixels("dots", 7), pixels("lines", 7)], axis=-1)
    Image.fromarray(colour).save(tmp_path / "a" / "colour.png")
    deep = Image.fromarray(pixels("bars", 8).astype(np.uint16) * 256)
    deep.save(tmp_path / "a" / "deep.png")
    turned = Image.Exif()
    turned[0x0112] = 3  # upside down
    Image.fromarray(pixels("bars", 9)[::-1, ::-1]).save(tmp_path / "a" / "turned.png", exif=turned)
    (tmp_path / "a" / "text.png").write_text("no image")
    whole = (tmp_path / "a" / "0.png").read_bytes()
    (tmp_path / "b" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "a" / "readme.txt").write_text("no image by its name")
    read = image_folder.read_image_folder(tmp_path)
    assert read.x.shape == (16, SIDE, SIDE, 3)
    found = {file.name: image for file, image in zip(read.files, read.x, strict=True)}
    np.testing.assert_array_equal(found["colour.png"], colour)
    np.testing.assert_array_equal(found["deep.png"][..., 1], pixels("bars", 8))
    np.testing.assert_array_equal(found["turned.png"][..., 2], pixels("bars", 9))
    assert read.notes == (
        "1 of 16 images had another size than 16×16 and were resized",
        "15 images are grey and 1 of colour: all were read as colour",
    )
    assert read.warnings == (
        "2 files are left out, unreadable as an image: a/text.png, b/cut.png",
        "sub-folders without images are no classes: empty",
    )
    data = load(tmp_path, fractions=(0.4, 0.3, 0.3))
    assert (data.notes[:2], data.warnings) == (read.notes, read.warnings)


def test_large_images_are_read_and_their_cost_is_said(tmp_path):
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
        Image.fromarray(pixels("bars", 0, (96, 160))).save(tmp_path / kind / "1.png")
    said = ("images of 96×160 train about 4 times as long as with --image-size 64x64",)
    assert image_folder.read_image_folder(tmp_path).notes == said
    small = image_folder.read_image_folder(tmp_path, (64, 64))
    assert small.notes == ("2 of 2 images had another size than 64×64 and were resized",)


def make(path, *files):
    for file in files:
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels("bars", 0)).save(path / file)


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ((), {}, "got a folder without sub-folders"),
        (("1.png", "2.png"), {}, "got a folder without sub-folders"),
        (("cats/1.png",), {}, r"got 1 \(cats\), 0 of them without images"),
        (("train/a/1.png", "test/a/1.png"), {}, r"got parts of a data set \(test, train\)"),
        (("a/1.png", "b/1.png"), {"target": "y"}, "leave out --target"),
        (("a/1.png", "b/1.png"), {"image_size": [4]}, "image_size: expected a height and a width"),
        (("a/1.png", "b/1.png"), {"image_size": [0, 4]}, "image_size: expected a whole number"),
        (("a/1.png", "b/1.png"), {}, "class 'a' has 1 row"),
    ],
)
def test_a_folder_that_is_no_set_of_images_is_refused(tmp_path, files, options, message):
    make(tmp_path / "set", *files)
    (tmp_path / "set").mkdir(exist_ok=True)
    with pytest.raises(UserError, match=message):
        load(tmp_path / "set", **options)


def test_more_pixels_than_memory_holds_are_refused(folder, monkeypatch):
    monkeypatch.setattr(image_folder, "MOST_VALUES", 60 * SIDE * SIDE - 1)
    with pytest.raises(UserError, match=r"60 images of 16×16 are more than .* --image-size"):
        load(folder)
    assert load(folder, image_size=(8, 8)).input_shape == (8, 8)


@pytest.mark.parametrize(
    ("text", "size"), [("28x32", [28, 32]), ("64X64", [64, 64]), ("12", [12]), ("axb", None)]
)
def test_the_size_of_images_in_text(text, size):
    if size is None:
        with pytest.raises(UserError, match="--image-size: expected HEIGHTxWIDTH, got 'axb'"):
            load_arguments({"image_size": text})
    else:
        assert load_arguments({"image_size": text})["image_size"] == size


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [((28, 28), True), ((32, 32, 3), True), ((8, 8), False), ((16, 15, 3), False), ((64,), False)],
)
def test_images_are_rows_of_a_shape(shape, wanted):
    assert are_images(shape) == wanted


def settled_for(folder, arguments, base=None):
    request = requested("search", {"data": str(folder), "folds": 0, **arguments}, base or {})
    return settled(request, load(folder))


def test_a_search_over_images_has_convolutions_and_augmentation_unless_told(folder):
    usual = settled_for(folder, {})
    assert (usual.epochs, usual.seeds) == (50, 1)  # though 60 images are few rows
    varied = {*DEFAULT_SPACE, *IMAGE_SPACE} - {"encoding"}
    assert set(usual.space) == varied
    assert (usual.base.filters, usual.base.feature_scale) == ((16, 32), False)
    # Settled again, as on resuming, nothing changes.
    stored = Request.from_dict(usual.to_dict())
    assert settled(requested("search", {}, {}, stored), load(folder)) == usual
    edited = settled_for(
        folder,
        {"space": ["shift=0.1:0.3"], "fix": ["zoom=0.1", "units=8"]},
        {"filters": "4,4", "optimizer": "sgd"},
    )
    assert edited.space["shift"] == Range(0.1, 0.3)
    assert set(edited.space) == varied - {"zoom"}
    assert (edited.base.filters, edited.base.units, edited.base.zoom) == ((4, 4), (8,), 0.1)
    dense = settled_for(folder, {}, {"filters": "none"})
    assert set(dense.space) == set(DEFAULT_SPACE) - {"encoding"}
    assert (dense.base.filters, dense.base.feature_scale) == ((), True)
    # A space of the user's own is taken as it is.
    own = Request(data=None, space=Space({"l2": Range(0.1, 0.2)}), folds=0)
    assert settled(own, load(folder)) == settled(settled(own, load(folder)), load(folder))
    assert settled(own, load(folder)).base.filters == ()
    small = load(folder, image_size=(8, 8))
    assert settled(requested("search", {"folds": 0}, {}), small).base.filters == ()


@pytest.fixture(scope="module")
def study(folder, tmp_path_factory):
    """Two structures, two folds, an ensemble."""
    space = Space({"shift": Choice(0.0, 0.1), "dropout": Range(0.1, 0.3)})
    return search(
        str(folder),
        space=space,
        base=StackConfig(filters=(4,), units=(8,), learning_rate=0.01),
        searcher="grid",
        trials=2,
        epochs=3,
        folds=2,
        out=tmp_path_factory.mktemp("study") / "s",
    )


def test_the_ensemble_is_the_mean_of_its_members(study, folder):
    """Kept weights in models that `build_stack` makes, without what only training has."""
    raw = image_folder.read_image_folder(folder).x
    records = {record["trial"]: record for record in study.trials()}
    mean = 0
    for trial, weight in study.result["ensemble"]["trials"].items():
        with np.load(study.folder / "members" / f"{trial}.npz") as kept:
            arrays = dict(kept)
        base = StackConfig(filters=(4,), units=(8,))
        shift = records[trial]["hyperparameters"]["shift"]
        for k in range(2):
            model = build_stack(base.replace(shift=shift), (SIDE, SIDE), 3)
            model.set_weights([arrays[f"weights/{k}/{j}"] for j in range(len(model.weights))])
            logits = model.predict(raw / np.float32(255), verbose=0)
            mean = mean + weight / 2 * np.asarray(keras.ops.softmax(logits))
    cooled = mean ** (1 / study.result["ensemble"]["calibration"]["temperature"])
    mean = cooled / cooled.sum(axis=1, keepdims=True)
    found = keras.saving.load_model(study.folder / "ensemble.keras")
    np.testing.assert_allclose(found.predict(raw, verbose=0), mean, atol=1e-5)
    names = [layer.name for layer in found._flatten_layers()]
    assert not [name for name in names if name.startswith("random_")]


def test_a_study_of_images_predicts_a_folder_of_new_ones(study, tmp_path):
    for kind in CLASSES:
        make(tmp_path, f"{kind}/new.png")
        Image.fromarray(pixels(kind, 40)).save(tmp_path / f"{kind}/new.png")
    Image.fromarray(pixels("dots", 41, (20, 20))).convert("RGB").save(tmp_path / "odd.jpg")
    (tmp_path / "no.png").write_text("no image")
    said = []
    table = predict(study.folder, tmp_path, say=said.append)
    assert list(table["file"]) == ["bars/new.png", "dots/new.png", "lines/new.png", "odd.jpg"]
    assert set(table["label"]) <= set(CLASSES)
    x, _, _ = read_new_images(tmp_path, study.request["dataset"])
    assert x.shape == (4, SIDE, SIDE)
    np.testing.assert_array_equal(x[0], pixels("bars", 40))
    assert re.search("1 of 4 images had another size", said[0])
    assert "no.png" in said[-1]
    numbers = load("iris").describe()
    with pytest.raises(UserError, match="expected a file of rows as in training, got a folder"):
        read_new_images(tmp_path, numbers)


def test_the_result_speaks_of_what_images_have(study):
    effects = {effect["name"] for effect in study.result["effects"]}
    assert effects == {"shift", "dropout"}
    inside = np.load(study.folder / "inside.npz")
    assert "best/weights/conv_1/counts" in inside.files
    epochs = np.arange(1, study.result["best"]["refit_epochs"] + 1)
    np.testing.assert_array_equal(inside["best/epochs"], epochs)
    assert inside["best/activation/activation_1/dead"].shape == epochs.shape
    assert study.result["best"]["test"]["accuracy"] is not None
