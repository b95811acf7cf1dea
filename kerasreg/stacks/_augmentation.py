"""Random changes of training images, as Keras' own layers, and a stack without them."""

from typing import TYPE_CHECKING

from kerasreg.seeds import derive

if TYPE_CHECKING:
    import keras


def augmentation(
    kind: str, strength: float | str, seed: int, every: bool = False
) -> "keras.layers.Layer | None":
    """The layer of one augmentation; None for a strength of 0 unless `every` is true.

    What comes in from outside of an image repeats its edge. Pixels are not clipped: how they are
    scaled is the data's.
    """
    from keras import layers

    if not (strength or every):
        return None
    common = {"seed": derive(seed, kind), "name": f"random_{kind}"}
    match kind:
        case "shift":
            return layers.RandomTranslation(strength, strength, fill_mode="nearest", **common)
        case "rotation":
            return layers.RandomRotation(strength, fill_mode="nearest", **common)
        case "zoom":
            return layers.RandomZoom(strength, fill_mode="nearest", **common)
        case "contrast":
            return layers.RandomContrast(strength, value_range=(-1e9, 1e9), **common)
        case "erase":
            return layers.RandomErasing(
                1.0, (0.0, strength), fill_value=0.0, value_range=(0, 1), **common
            )
        case "flip":
            return layers.RandomFlip(strength, **common)
    raise AssertionError(kind)
