"""Folders of images, one sub-folder a class: read, brought to one size and one kind, in memory."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kerasreg.data._names import some
from kerasreg.data.files.npz_file import MOST_VALUES
from kerasreg.errors import UserError
from kerasreg.files.opening import reading

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")
# Of one image: decoded, it takes three bytes a pixel.
_MOST_PIXELS = 100_000_000
#: Larger images than this are slow to train on, which is said; and what is proposed instead.
LARGE_SIDE, PROPOSED_SIDE = 128, 64
_MOST_NAMED = 20
_PARTS = {"train", "training", "test", "testing", "val", "valid", "validation"}


@dataclass(frozen=True)
class ImageFolder:
    """What was read.

    Attributes:
        x: uint8, (images, height, width) of grey images or (images, height, width, 3).
        y: The class of each, the name of its sub-folder.
        files: Where they are.
        notes, warnings: As in `Dataset`.
    """

    x: np.ndarray
    y: np.ndarray
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def read_image_folder(
    path: Path,
    size: tuple[int, int] | None = None,
    grey: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageFolder:
    """Read every image below the sub-folders of `path`, as `read_images` does.

    Raises:
        UserError: No sub-folders, fewer than two classes with images, or more pixels than is read.
    """
    with reading(path):
        classes = {
            folder.name: image_files(folder)
            for folder in sorted(path.iterdir())
            if folder.is_dir() and not folder.name.startswith(".")
        }
    if classes and not set(classes) - _PARTS:
        raise UserError(
            f"{path}: expected one sub-folder a class, got parts of a data set "
            f"({', '.join(classes)}); name the one to learn from, e.g. {path / 'train'}."
        )
    if not classes:
        raise UserError(
            f"{path}: expected one sub-folder a class with images in it, got a folder without "
            "sub-folders; sort the images into folders named by their class."
        )
    empty = [name for name, files in classes.items() if not files]
    if len(classes) - len(empty) < 2:
        raise UserError(
            f"{path}: expected two sub-folders or more, one a class, with images "
            f"({', '.join(SUFFIXES)}), got {len(classes)} ({', '.join(list(classes)[:8])}), "
            f"{len(empty)} of them without images; name the folder that holds the classes."
        )
    files = [file for files in classes.values() for file in files]
    x, kept, notes, unread = read_images(files, size, grey, progress)
    labels = [file.relative_to(path).parts[0] for file in kept]
    if empty:
        unread += (f"sub-folders without images are no classes: {', '.join(empty[:8])}",)
    return ImageFolder(x, np.array(labels), tuple(kept), notes, unread)


def read_images(
    files: Sequence[Path],
    size: tuple[int, int] | None = None,
    grey: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, list[Path], tuple[str, ...], tuple[str, ...]]:
    """Read images, all of one size and all grey or all of colour.

    Args:
        files: Where they are.
        size: Height and width; None for the most frequent one.
        grey: Whether they are to be grey; None to go by what they are: colour if any is.
        progress: Called with how many are read, and how many there are.

    Returns:
        The pixels, as in `ImageFolder`; the files that could be read; notes and warnings.

    Raises:
        UserError: None can be read, or they have more pixels than is read.
    """
    told = progress or (lambda done, total: None)
    heads = {file: head for file in files if (head := _head(file))}
    sizes = Counter(shape for shape, _ in heads.values())
    found = max(sizes, key=lambda one: (sizes[one], one)) if sizes else (1, 1)
    size, asked = size or found, size
    if grey is None:
        grey = all(mode in _GREY for _, mode in heads.values())
    shape = size if grey else (*size, 3)
    if len(heads) * int(np.prod(shape)) > MOST_VALUES:
        raise UserError(
            f"{len(heads):,} images of {_said(size)} are more than {MOST_VALUES:,} values; make "
            "them smaller with --image-size HEIGHTxWIDTH, or keep fewer."
        )
    x = np.empty((len(heads), *shape), np.uint8)
    kept: list[Path] = []
    for done, file in enumerate(heads):
        told(done, len(heads))
        pixels = _pixels(file, size, "L" if grey else "RGB")
        if pixels is not None:
            x[len(kept)] = pixels
            kept.append(file)
    if not kept:
        raise UserError(f"expected images, but none of {len(files)} files can be read as one.")
    notes = []
    if asked is None and max(size) > LARGE_SIDE:
        times = size[0] * size[1] / PROPOSED_SIDE**2
        notes.append(
            f"images of {_said(size)} train about {times:.0f} times as long as with --image-size "
            f"{PROPOSED_SIDE}x{PROPOSED_SIDE}"
        )
    if others := sum(heads[file][0] != size for file in kept):
        notes.append(
            f"{others:,} of {len(kept):,} images had another size than {_said(size)} and were "
            "resized"
        )
    greys = sum(heads[file][1] in _GREY for file in kept)
    if 0 < greys < len(kept):
        notes.append(
            f"{greys:,} images are grey and {len(kept) - greys:,} of colour: all were read as "
            f"{'grey' if grey else 'colour'}"
        )
    read = set(kept)
    return x[: len(kept)], kept, tuple(notes), _unread([f for f in files if f not in read])


def image_files(folder: Path) -> list[Path]:
    """The files below a folder that are images by their name, in the order of their paths."""
    return sorted(
        file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()
    )


def _head(file: Path) -> tuple[tuple[int, int], str] | None:
    """Height, width and Pillow's mode of an image; None for what is none."""
    try:
        with _opened(file) as image:
            width, height = image.size
            return ((height, width), image.mode) if width * height <= _MOST_PIXELS else None
    except _UNREADABLE:
        return None


def _pixels(file: Path, size: tuple[int, int], mode: str) -> np.ndarray | None:
    """An image upright, of a size and a mode; None if it cannot be read."""
    try:
        with _opened(file) as image:
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I;16"):  # 16 bits a pixel
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            return np.asarray(image.convert(mode).resize(size[::-1], Image.Resampling.BILINEAR))
    except _UNREADABLE:
        return None


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what stands beside the pixels
        with Image.open(file) as image:
            yield image


# What Pillow raises on damaged files.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def _unread(files: Sequence[Path]) -> tuple[str, ...]:
    if not files:
        return ()
    shown = some([str(Path(*file.parts[-2:])) for file in files], _MOST_NAMED)
    count = "1 file is" if len(files) == 1 else f"{len(files)} files are"
    return (f"{count} left out, unreadable as an image: {shown}",)


def _said(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
