"""The tuner's `optimizer=`, `loss=` and `metrics=` in place of what a model was compiled with."""

from typing import Any

import keras


def override_compile_arguments(
    model: keras.Model, optimizer: Any = None, loss: Any = None, metrics: Any = None
) -> None:
    """Compile a model again with some arguments replaced and the others as the user gave them.

    keras-tuner takes the metrics to keep from `model.metrics`, which holds Keras' container of
    them: the model can then be neither saved nor read.

    Args:
        model: Compiled, unless the arguments suffice.
        optimizer: A name, or an optimizer of which every model gets a copy.
        loss, metrics: As in `compile`.
    """
    if optimizer is not None and not isinstance(optimizer, str):
        optimizer = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    metric, losses = model._compile_metrics, model._compile_loss
    model.compile(
        optimizer=optimizer or getattr(model, "optimizer", None) or "rmsprop",
        loss=loss or model.loss,
        loss_weights=None if loss or losses is None else losses._user_loss_weights,
        metrics=metrics or (metric and metric._user_metrics),
        weighted_metrics=metric and metric._user_weighted_metrics,
        run_eagerly=model.run_eagerly,
        steps_per_execution=model.steps_per_execution,
        jit_compile=model.jit_compile if model.compiled else "auto",
    )
