"""A trained model without what only training needs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def inference_copy(model: "keras.Model") -> "keras.Model":
    """A copy without compile state, and without layers that change images in training only.

    A compile state would be saved with it, and ask for its loss and metrics at loading.
    """
    import keras

    if not any(_augments(layer) for layer in model.layers):
        copy = type(model).from_config(model.get_config())
    else:

        def call(layer: "keras.layers.Layer", *args: Any, **kwargs: Any) -> Any:
            return args[0] if _augments(layer) else layer(*args, **kwargs)

        copy = keras.models.clone_model(model, call_function=call)
    copy.set_weights(model.get_weights())
    return copy


def _augments(layer: "keras.layers.Layer") -> bool:
    package = "keras.src.layers.preprocessing.image_preprocessing.random_"
    return type(layer).__module__.startswith(package)
