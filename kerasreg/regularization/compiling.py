"""What a model is compiled with, with weight decay and smoothed labels."""

from collections.abc import Iterable
from typing import Any

import keras

from kerasreg.errors import UserError
from kerasreg.regularization.regularizers import Regularizers


def compile_regularized(
    model: keras.Model, source: keras.Model, asked: Regularizers, decayed: Iterable[keras.Variable]
) -> None:
    """Compile a model as `source` is, with an optimiser of its own.

    Args:
        decayed: Kernels that weight decay applies to, where it is asked for.

    Raises:
        UserError: Labels cannot be smoothed with the model's losses.
    """
    arguments = dict(source._compile_config.config)
    if asked.label_smoothing is not None:
        arguments["loss"] = smoothed(source.loss, asked.label_smoothing)
    for name in ("metrics", "weighted_metrics"):
        arguments[name] = keras.tree.map_structure(_fresh, arguments[name])
    arguments["optimizer"] = _optimizer(source.optimizer, asked.weight_decay)
    model.compile(**arguments)
    if asked.weight_decay is not None:
        kept = {id(variable) for variable in decayed}
        left = [v for v in model.trainable_variables if id(v) not in kept]
        model.optimizer.exclude_from_weight_decay(var_list=left)
    # Keras warns when it loads a model whose optimiser was saved before it was built.
    model.optimizer.build(model.trainable_variables)


def smoothed(loss: Any, smoothing: float) -> Any:
    """A model's loss or losses, those of probabilities with smoothed labels.

    Raises:
        UserError: None of them can be.
    """
    kinds = {
        keras.losses.categorical_crossentropy: keras.losses.CategoricalCrossentropy,
        keras.losses.binary_crossentropy: keras.losses.BinaryCrossentropy,
        keras.losses.categorical_focal_crossentropy: keras.losses.CategoricalFocalCrossentropy,
        keras.losses.binary_focal_crossentropy: keras.losses.BinaryFocalCrossentropy,
    }
    changed = []

    def one(given: Any) -> Any:
        found = None if given is None else keras.losses.get(given)
        if isinstance(found, tuple(kinds.values())):
            config = {**found.get_config(), "label_smoothing": smoothing}
        elif found in kinds:
            found, config = kinds[found](), {"label_smoothing": smoothing}
        else:
            return given
        changed.append(given)
        return type(found).from_config(config)

    result = keras.tree.map_structure(one, loss)
    if not changed:
        names = [getattr(one, "name", one) for one in keras.tree.flatten(loss)]
        raise UserError(
            "label_smoothing: expected a categorical or binary cross-entropy, got the loss "
            f"{', '.join(map(str, names))}; with integer labels, compile with "
            "'categorical_crossentropy' and give keras.utils.to_categorical(labels)."
        )
    return result


def _optimizer(source: keras.optimizers.Optimizer, decay: float | None) -> Any:
    config = dict(source.get_config())
    if not isinstance(source._learning_rate, keras.Variable):
        # A schedule of the user's may have no registered name.
        config["learning_rate"] = source._learning_rate
    if decay is not None:
        config["weight_decay"] = decay
    return type(source).from_config(config)


def _fresh(metric: Any) -> Any:
    """A metric of the same settings: two models must not count into one."""
    known = isinstance(metric, keras.metrics.Metric)
    return type(metric).from_config(metric.get_config()) if known else metric
